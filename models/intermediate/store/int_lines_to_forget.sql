{{
    config(
        materialized = 'table_function',
        parameters = ['conversation_ids', 'experiment_ids'],
        contract = {'enforced': false},
    )
}}

with

chosen_ids as (

    select
        'conversation' as kind,
        unnest(conversation_ids) as id  -- noqa: RF02

    union all

    select
        'experiment' as kind,
        unnest(experiment_ids) as id  -- noqa: RF02

),

shared_ids as (

    select * from {{ ref('int_lines_of_shared_ids') }}

),

named_lines as (

    {{ forgotten_lines(ref('stg_pidgin__event_lines'), 'chosen_ids') }}

)

select
    source_file,
    line_number,
    line_part

from named_lines

union

-- Conversations that share their id are forgotten with their experiment.
select
    source_file,
    line_number,
    {{ line_part('line_position') }} as line_part

from shared_ids

where
    list_contains(experiment_ids, shown_experiment_id)  -- noqa: RF02
    and not is_archived
