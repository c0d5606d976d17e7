-- Half a surrogate pair makes a whole line unreadable to DuckDB, so it is mended before the
-- line is parsed; whole pairs, other escapes and escaped backslashes must stay as they are.
-- A returned row is a text that was mended wrongly.
with

cases as (

    select
        texts.line,
        texts.expected

    from (
        values
        ('{"a":"x\ud83d"}', '{"a":"x\ufffd"}'),
        ('{"a":"\ude00x"}', '{"a":"\ufffdx"}'),
        ('{"a":"\ud83d\ude00"}', '{"a":"\ud83d\ude00"}'),
        ('{"a":"\uD83D\uDE00\uD83D"}', '{"a":"\uD83D\uDE00\ufffd"}'),
        ('{"a":"\ud83d\ud83d\ude00"}', '{"a":"\ufffd\ud83d\ude00"}'),
        ('{"a":"\\ud83d \ud83d\n\u00e9"}', '{"a":"\\ud83d \ufffd\n\u00e9"}'),
        ('{"a":"\u00e9\n"}', null),
        ('', null),
        (null, null)
    ) as texts (line, expected)

),

mended as (

    select
        line,
        expected,
        {{ replace_lone_surrogates('line') }} as actual

    from cases

)

select *

from mended

where
    actual is distinct from expected
    or actual is not null and not json_valid(actual)
