{{ config(alias = 'experiment_dashboard') }}

with

experiments as (

    select * from {{ ref('compat_experiments') }}

),

conversations as (

    select * from {{ ref('compat_conversations') }}

),

token_usage as (

    select * from {{ ref('compat_token_usage') }}

),

experiment_costs as (

    select * from {{ ref('experiment_dashboard') }}

),

usage_totals as (

    select
        conversation_id,
        sum(total_tokens) as total_tokens

    from token_usage

    group by conversation_id

),

conversation_totals as (

    select
        conversations.experiment_id,
        count(*) as conversation_count,
        -- In order, so that a sum of floating-point numbers is the same each time.
        avg(conversations.final_convergence_score order by conversations.conversation_id)
            as avg_convergence,
        median(conversations.final_convergence_score) as median_convergence,
        stddev_samp(conversations.final_convergence_score order by conversations.conversation_id)
            as stddev_convergence,
        avg(conversations.duration_ms) / 1000.0 as avg_duration_sec,
        sum(conversations.total_turns) as total_turns,
        sum(usage_totals.total_tokens) as total_tokens

    from conversations

    left join usage_totals
        on conversations.conversation_id = usage_totals.conversation_id

    group by conversations.experiment_id

)

select
    experiments.experiment_id,
    experiments.name,
    experiments.status,
    experiments.created_at,
    experiments.total_conversations as total_convs,
    experiments.completed_conversations as completed,
    experiments.failed_conversations as failed,
    100.0 * experiments.completed_conversations / nullif(experiments.total_conversations, 0)
        as progress_pct,
    coalesce(conversation_totals.conversation_count, 0) as actual_convs,
    {{ rounded('conversation_totals.avg_convergence') }} as avg_convergence,
    conversation_totals.median_convergence,
    {{ rounded('conversation_totals.stddev_convergence') }} as stddev_convergence,
    conversation_totals.avg_duration_sec,
    cast(conversation_totals.total_turns as bigint) as total_turns,
    cast(conversation_totals.total_tokens as bigint) as total_tokens,
    experiment_costs.cost_usd as total_cost_usd

from experiments

left join conversation_totals
    on experiments.experiment_id = conversation_totals.experiment_id

left join experiment_costs
    on experiments.experiment_id = experiment_costs.experiment_id
