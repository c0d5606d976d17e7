{{ config(materialized = 'view') }}

{%- set as_of = as_of_moment() %}

with

event_lines as (

    select * from {{ ref('stg_pidgin__event_lines') }}

),

archived_lines as (

    select * from {{ ref('stg_archive__lines') }}

),

-- From the store itself, because DuckDB materializes what a view uses twice.
stored_files as (

    select source_file

    from {{ ref('stg_pidgin__event_lines') }}

    where line_kind = 'file'

),

all_lines as not materialized (

    select
        source_file,
        line_number,
        coalesce(line_part, 1) as line_part,
        {{ line_position('line_number', 'coalesce(line_part, 1)') }} as line_position,
        line_kind,
        event_id,
        event_type,
        conversation_id,
        experiment_id,
        -- Bounded again, because older versions stored any number.
        {{ logged_turn_number('turn_number') }} as turn_number,
        agent_id,
        recorded_timestamp,
        {{ event_time('recorded_timestamp') }} as timestamp,
        cast(timezone('UTC', timestamp) as date) as event_date,
        event_data,
        reason,
        line_start,
        size_bytes,
        modified_at,
        false as is_archived,
        cast(null as varchar) as archived_experiment_id

    from event_lines

    where {{ is_in_output_dir('source_file') }}

    union all

    select
        archived_lines.source_file,
        archived_lines.line_number,
        archived_lines.line_part,
        {{ line_position('archived_lines.line_number', 'archived_lines.line_part') }}
            as line_position,
        archived_lines.line_kind,
        archived_lines.event_id,
        archived_lines.event_type,
        archived_lines.conversation_id,
        archived_lines.experiment_id,
        {{ logged_turn_number('archived_lines.turn_number') }} as turn_number,
        archived_lines.agent_id,
        archived_lines.recorded_timestamp,
        archived_lines.timestamp,
        archived_lines.event_date,
        archived_lines.event_data,
        archived_lines.reason,
        archived_lines.line_start,
        archived_lines.size_bytes,
        archived_lines.modified_at,
        true as is_archived,
        archived_lines.archived_experiment_id

    from archived_lines

    -- If a log was read again later, the version in the store counts.
    anti join stored_files
        on archived_lines.source_file = stored_files.source_file

    where archived_lines.line_kind != 'manifest'

)

{%- if as_of %},

-- How far each log had been written: events have a time, other lines belong to those around them.
known_logs as (

    select
        source_file,
        min(line_number) filter (where line_kind = 'event' and timestamp > {{ as_of }})
            as first_later_line

    from all_lines

    group by source_file

    having
        coalesce(
            min(timestamp) filter (where line_kind = 'event'), max(modified_at)
        ) <= {{ as_of }}

)
{%- endif %}

select all_lines.*

from all_lines
{%- if as_of %}

inner join known_logs
    on all_lines.source_file = known_logs.source_file

where
    if(
        all_lines.line_kind = 'event',
        all_lines.timestamp <= {{ as_of }},
        all_lines.line_number < coalesce(known_logs.first_later_line, all_lines.line_number + 1)
    )
{%- endif %}
