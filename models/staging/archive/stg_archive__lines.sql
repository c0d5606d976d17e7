-- depends_on: {{ ref('stg_archive__archives') }}
{{ archived_lines(readable_archives()) }}
