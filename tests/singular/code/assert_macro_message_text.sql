-- A message is a string, however it looks, or blocks of which some are text; what is no speech must
-- not be counted as words. A returned row is a message that reads otherwise.
with

cases as (

    select
        contents.content,
        contents.expected

    from (
        values
        ('"Hello"', 'Hello'),
        ('""', ''),
        ('"[1, 2]"', '[1, 2]'),
        ('"[{\"type\": \"text\", \"text\": \"quoted\"}]"', '[{"type": "text", "text": "quoted"}]'),
        ('"{\"text\": \"quoted\"}"', '{"text": "quoted"}'),
        ('"[API error: 529]"', '[API error: 529]'),
        ('[{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello"}]', 'Hello'),
        ('[{"type": "text", "text": "One "}, {"type": "text", "text": "two"}]', 'One two'),
        ('[{"type": "text", "text": "One"}, {"type": "text", "text": " two"}]', 'One two'),
        ('["One", "two.", "Three"]', 'One' || chr(10) || 'two.' || chr(10) || 'Three'),
        ('["", "One", ""]', 'One'),
        ('[{"text": "One"}, {"text": "why", "thought": true}]', 'One'),
        ('[{"type": "output_text", "text": "One"}]', 'One'),
        ('{"type": "text", "text": "Hello"}', 'Hello'),
        ('{"text": "[1, 2]"}', '[1, 2]'),
        ('["[API error: 529]"]', '[API error: 529]'),
        ('[{"text": "a"}, {"type": "tool_use", "text": "no"}, null, 5, [], {}]', 'a'),
        ('[{"type": "thinking", "thinking": "hm"}]', null),
        ('[{"type": "image", "source": {"data": "text"}}]', null),
        ('[{"type": "text", "text": 5}, {"type": "text"}, {"type": 5, "text": "no"}]', null),
        ('{"type": "tool_use", "text": "no"}', null),
        ('[]', null),
        ('{}', null),
        ('null', null),
        ('5', '5')
    ) as contents (content, expected)

),

documents as (

    select
        *,
        cast('{"message": {"content": ' || content || '}}' as json) as document,
        json_extract_string(document, '$.message.content') as content_text

    from cases

),

messages as (

    select
        content,
        expected,
        {{ message_text('document', '$.message.content', 'content_text') }} as actual

    from documents

)

select *

from messages

where actual is distinct from expected
