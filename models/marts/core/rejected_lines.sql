{{ config(materialized = 'view') }}

select
    source_file,
    line_number,
    reason,
    line_start as line

from {{ ref('stg_pidgin__event_lines') }}

where
    line_kind = 'rejected'
    and {{ is_in_output_dir('source_file') }}
