{{ config(materialized = 'view') }}

with

experiments as (

    select * from {{ ref('experiments') }}

),

experiment_convergence as (

    select * from {{ ref('experiment_convergence') }}

),

conversations as (

    select * from {{ ref('conversations') }}

),

messages as (

    select * from {{ ref('messages') }}

),

message_metrics as (

    select * from {{ ref('message_metrics') }}

),

token_usage as (

    select * from {{ ref('token_usage') }}

),

incidents as (

    select * from {{ ref('incidents') }}

),

conversation_totals as (

    select
        experiment_id,
        nullif(list_sort(list_distinct(flatten(list([agent_a_model, agent_b_model])))), [])
            as models,
        {{ status_counts('status') }}

    from conversations

    group by experiment_id

),

-- Before they are joined, because there are many messages and words to a conversation.
message_counts as (

    select
        conversation_id,
        agent_id,
        fingerprint,
        count(*) as messages,
        bool_or(is_spoken) as has_spoken

    from messages

    group by conversation_id, agent_id, fingerprint

),

word_counts as (

    select
        conversation_id,
        fingerprint,
        sum(word_count) as words

    from message_metrics

    group by conversation_id, fingerprint

),

message_totals as (

    select
        conversations.experiment_id,
        sum(message_counts.messages) as messages

    from message_counts

    inner join conversations
        on
            message_counts.conversation_id = conversations.conversation_id
            and message_counts.fingerprint = conversations.fingerprint

    group by conversations.experiment_id

),

word_totals as (

    select
        conversations.experiment_id,
        sum(word_counts.words) as words

    from word_counts

    inner join conversations
        on
            word_counts.conversation_id = conversations.conversation_id
            and word_counts.fingerprint = conversations.fingerprint

    group by conversations.experiment_id

),

incident_totals as (

    select
        conversations.experiment_id,
        count(*) as incidents

    from incidents

    inner join conversations
        on
            incidents.conversation_id = conversations.conversation_id
            and incidents.fingerprint = conversations.fingerprint

    group by conversations.experiment_id

),

-- Who spoke has used tokens, logged or not.
speakers as (

    select distinct
        conversation_id,
        agent_id

    from message_counts

    where has_spoken

),

speaker_usage as (

    select
        coalesce(token_usage.conversation_id, speakers.conversation_id) as conversation_id,
        token_usage.prompt_tokens,
        token_usage.completion_tokens,
        token_usage.cost_usd

    from token_usage

    full join speakers
        on
            token_usage.conversation_id = speakers.conversation_id
            and token_usage.agent_id = speakers.agent_id

),

usage_totals as (

    select
        conversations.experiment_id,
        sum(speaker_usage.prompt_tokens) as prompt_tokens,
        sum(speaker_usage.completion_tokens) as completion_tokens,
        -- A part is no total.
        if(
            bool_and(speaker_usage.cost_usd is not null),
            {{ rounded('sum(speaker_usage.cost_usd order by speaker_usage.cost_usd)') }},
            null
        ) as cost_usd

    from speaker_usage

    inner join conversations
        on speaker_usage.conversation_id = conversations.conversation_id

    group by conversations.experiment_id

)

select
    experiments.experiment_id,
    experiments.name,
    experiments.created_at,
    experiments.status,
    conversation_totals.models,

    -- how much there is
    struct_extract(experiments.stats, 'total_conversations') as conversations,
    {% for status in ['completed', 'interrupted', 'failed', 'unfinished'] -%}
        cast(coalesce(conversation_totals.{{ status }}_count, 0) as integer)
            as {{ status }}_conversations,
    {% endfor -%}
    experiment_convergence.turns,
    experiment_convergence.spoken_turns,
    cast(coalesce(message_totals.messages, 0) as bigint) as messages,
    cast(coalesce(word_totals.words, 0) as bigint) as words,
    cast(usage_totals.prompt_tokens as bigint) as prompt_tokens,
    cast(usage_totals.completion_tokens as bigint) as completion_tokens,
    usage_totals.cost_usd,
    coalesce(incident_totals.incidents, 0) as incidents,

    -- the live score of spoken turns, as recorded
    experiment_convergence.avg_convergence,
    experiment_convergence.median_convergence,
    experiment_convergence.convergence_trend,
    experiment_convergence.convergence_trend_within,

    -- and computed anew with the balanced profile
    experiment_convergence.avg_convergence_balanced,
    experiment_convergence.median_convergence_balanced,
    experiment_convergence.convergence_trend_balanced,
    experiment_convergence.convergence_trend_within_balanced,

    experiments.fingerprint

from experiments

inner join experiment_convergence
    on
        experiments.experiment_id = experiment_convergence.experiment_id
        and experiments.fingerprint = experiment_convergence.fingerprint

left join conversation_totals
    on experiments.experiment_id = conversation_totals.experiment_id

left join message_totals
    on experiments.experiment_id = message_totals.experiment_id

left join word_totals
    on experiments.experiment_id = word_totals.experiment_id

left join usage_totals
    on experiments.experiment_id = usage_totals.experiment_id

left join incident_totals
    on experiments.experiment_id = incident_totals.experiment_id
