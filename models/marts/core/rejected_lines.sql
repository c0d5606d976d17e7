{{ config(materialized = 'view') }}

select
    source_file,
    line_number,
    reason,
    line_start as line

from {{ ref('stg_pidgin__event_lines') }}

where
    line_kind = 'rejected'
    and output_dir = {{ sql_string(pidgin_output_dir()) }}
