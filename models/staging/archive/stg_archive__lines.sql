-- depends_on: {{ ref('stg_archive__archives') }}
{%- set archives = readable_archives() %}
{%- set lines_of_archives = ref('stg_archive__lines_of') ~ '([' ~ literal_paths(archives) ~ '])' %}

select {{ model.columns.keys() | join(', ') }}

from {{ lines_of_archives if archives else empty_relation(model.columns) }}

where {{ archived_line_counts(archives) }}
