{{ config(materialized = 'view') }}

with

experiments as (

    select * from {{ ref('experiments') }}

),

files as (

    select * from {{ ref('int_experiment_files') }}

),

file_totals as (

    select
        experiment_id,
        count(*) filter (where file_kind = 'log') as log_count,
        cast(sum(size_bytes) filter (where file_kind = 'log') as bigint) as log_bytes,
        min(obstacle) as obstacle

    from files

    group by experiment_id

)

select
    experiments.experiment_id,
    experiments.name,
    experiments.status,
    coalesce(file_totals.log_count, 0) as log_count,
    coalesce(file_totals.log_bytes, 0) as log_bytes,
    experiments.last_event_at,
    case
        when coalesce(file_totals.log_count, 0) = 0
            then if(experiments.is_archived, 'it is archived already', 'it has no log')
        when experiments.status = 'unfinished' then 'it has not ended'
        else file_totals.obstacle
    end as obstacle

from experiments

left join file_totals
    on experiments.experiment_id = file_totals.experiment_id
