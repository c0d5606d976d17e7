-- A returned row is an experiment that counts other conversations or turns than belong to it,
-- or that the dashboard leaves out. If one were returned, its averages would be over another
-- set of conversations than the one shown.

with

experiments as (

    select * from {{ ref('experiments') }}

),

experiment_conversations as (

    select
        experiment_id,
        count(*) as conversation_count,
        sum(turn_count) as turn_count

    from {{ ref('conversations') }}

    group by experiment_id

),

dashboard as (

    select * from {{ ref('experiment_dashboard') }}

)

select
    experiments.experiment_id,
    experiments.stats,
    experiment_conversations.conversation_count,
    experiment_conversations.turn_count,
    dashboard.conversations as dashboard_conversations

from experiments

left join experiment_conversations
    on experiments.experiment_id = experiment_conversations.experiment_id

left join dashboard
    on experiments.experiment_id = dashboard.experiment_id

where
    experiments.stats.total_conversations
    is distinct from coalesce(experiment_conversations.conversation_count, 0)
    or experiments.stats.total_turns is distinct from coalesce(experiment_conversations.turn_count, 0)
    or dashboard.conversations is distinct from experiments.stats.total_conversations
