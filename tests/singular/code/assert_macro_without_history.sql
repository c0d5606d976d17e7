-- A request repeats the whole conversation so far, which is most of a log; only its length is
-- kept, and no other event loses anything, a field of the same name included.
-- A returned row is an event whose data came out wrong.
with

cases as (

    select
        events.event_type,
        events.document,
        events.expected

    from (
        values
        (
            'MessageRequestEvent',
            '{"turn_number": 1, "conversation_history": [{"content": "a"}, {"content": "b"}]}',
            '{"turn_number":1,"conversation_history_length":2}'
        ),
        (
            'MessageRequestEvent',
            '{"turn_number": 1, "conversation_history": []}',
            '{"turn_number":1,"conversation_history_length":0}'
        ),
        (
            'MessageRequestEvent',
            '{"turn_number": 1}',
            '{"turn_number":1}'
        ),
        (
            'MessageCompleteEvent',
            '{"conversation_history": ["a"]}',
            '{"conversation_history":["a"]}'
        )
    ) as events (event_type, document, expected)

),

shortened as (

    select
        event_type,
        document,
        expected,
        json({{ without_history('cast(document as json)', 'event_type') }}) as actual

    from cases

)

select *

from shortened

where actual is distinct from expected
