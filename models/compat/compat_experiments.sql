{{ config(alias = 'experiments') }}

with

experiments as (

    select * from {{ ref('experiments') }}

),

experiment_dashboard as (

    select * from {{ ref('experiment_dashboard') }}

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
    experiment_dashboard.completed_conversations,
    experiment_dashboard.failed_conversations,
    cast(null as json) as metadata

from experiments

left join experiment_dashboard
    on experiments.experiment_id = experiment_dashboard.experiment_id
