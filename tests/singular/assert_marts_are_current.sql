-- A returned row is a conversation or experiment that a table was built from in another state
-- than the present one, or that is there no more. If one were returned after a whole build,
-- tables would show different moments side by side. After a build of a selection of models
-- it is to be expected: run a whole build.

with

conversations as (

    select * from {{ ref('int_conversations') }}

),

experiments as (

    select * from {{ ref('int_experiments') }}

),

consumed_conversations as (

    {% for table in [
        'conversation_patterns', 'conversation_state', 'conversations', 'incidents',
        'int_conversation_settings', 'int_token_totals', 'message_metrics', 'messages',
        'rolling_convergence', 'thinking_traces', 'turn_metrics',
    ] -%}
        select
            '{{ table }}' as built_table,
            conversation_id,
            fingerprint

        from {{ ref(table) }}

        {{ 'union' if not loop.last }}

    {% endfor %}

),

consumed_experiments as (

    select
        'experiment_dashboard' as built_table,
        experiment_id,
        fingerprint

    from {{ ref('experiment_dashboard') }}

    union

    select
        'experiments' as built_table,
        experiment_id,
        fingerprint

    from {{ ref('experiments') }}

),

stale_conversations as (

    select
        consumed_conversations.built_table,
        consumed_conversations.conversation_id as stale_id

    from consumed_conversations

    anti join conversations
        on
            consumed_conversations.conversation_id = conversations.conversation_id
            and consumed_conversations.fingerprint = conversations.fingerprint

),

stale_experiments as (

    select
        consumed_experiments.built_table,
        consumed_experiments.experiment_id as stale_id

    from consumed_experiments

    anti join experiments
        on
            consumed_experiments.experiment_id = experiments.experiment_id
            and consumed_experiments.fingerprint = experiments.fingerprint

)

select * from stale_conversations

union all

select * from stale_experiments
