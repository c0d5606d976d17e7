{{ config(materialized = 'view') }}

select
    source_file,
    line_number,
    line_part,
    reason,
    line_start as line

from {{ ref('int_event_lines') }}

where line_kind = 'rejected'
