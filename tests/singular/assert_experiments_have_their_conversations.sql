-- A returned row is an experiment that counts other conversations or turns than belong to it,
-- or that the dashboard leaves out. If one were returned, its averages would be over another
-- set of conversations than the one shown.

with

experiments as (

    select
        experiment_id,
        struct_extract(stats, 'total_conversations') as conversation_count,
        struct_extract(stats, 'total_turns') as turn_count

    from {{ ref('experiments') }}

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
    experiments.*,
    experiment_conversations.conversation_count as found_conversation_count,
    experiment_conversations.turn_count as found_turn_count,
    dashboard.conversations as dashboard_conversations,
    dashboard.turns as dashboard_turns

from experiments

left join experiment_conversations
    on experiments.experiment_id = experiment_conversations.experiment_id

left join dashboard
    on experiments.experiment_id = dashboard.experiment_id

where
    experiments.conversation_count
    is distinct from coalesce(experiment_conversations.conversation_count, 0)
    or experiments.turn_count is distinct from coalesce(experiment_conversations.turn_count, 0)
    or experiments.conversation_count is distinct from dashboard.conversations
    or experiments.turn_count is distinct from dashboard.turns
