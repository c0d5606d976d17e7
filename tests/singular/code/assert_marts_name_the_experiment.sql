-- A returned row is a conversation for which a table names another experiment than the table of
-- conversations, or none. If one were returned, figures of an experiment would miss part of it.

with

named_experiments as (

    {% for table in [
        'conversation_patterns', 'conversation_state', 'incidents', 'message_metrics',
        'messages', 'rolling_convergence', 'thinking_traces', 'token_usage', 'turn_metrics',
    ] -%}
        select distinct
            '{{ table }}' as named_in,
            conversation_id,
            experiment_id

        from {{ ref(table) }}

        {{ 'union all' if not loop.last }}

    {% endfor %}

)

select
    named_experiments.named_in,
    named_experiments.conversation_id,
    named_experiments.experiment_id,
    conversations.experiment_id as experiment_of_conversation

from named_experiments

left join {{ ref('conversations') }} as conversations
    on named_experiments.conversation_id = conversations.conversation_id

where named_experiments.experiment_id is distinct from conversations.experiment_id
