{{ config(alias = 'experiments') }}

with

experiments as (

    select * from {{ ref('experiments') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

conversation_totals as (

    select
        experiment_id,
        count(*) filter (where status = 'completed') as completed_count,
        count(*) filter (where status = 'failed') as failed_count

    from conversations

    group by experiment_id

)

select
    experiments.experiment_id,
    experiments.name,
    experiments.created_at at time zone 'UTC' as created_at,
    experiments.started_at at time zone 'UTC' as started_at,
    if(experiments.status = 'unfinished', null, experiments.last_event_at) at time zone 'UTC'
        as completed_at,
    experiments.status,
    experiments.config,
    experiments.planned_conversations as total_conversations,
    cast(coalesce(conversation_totals.completed_count, 0) as integer) as completed_conversations,
    cast(coalesce(conversation_totals.failed_count, 0) as integer) as failed_conversations,
    cast(null as json) as metadata

from experiments

left join conversation_totals
    on experiments.experiment_id = conversation_totals.experiment_id
