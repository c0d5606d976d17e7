-- A log may hold any number, and what is computed from it must never overflow: out of range, not
-- finite or no number is NULL. A returned row is a number that came through changed, or that should
-- not have come through.
with

values_read as (

    select
        cases.logged,
        cases.turn_number,
        cases.milliseconds,
        cases.score

    from (
        values
        ('0', 0, 0, 0.0),
        ('-0.0', 0, 0, -0.0),
        ('1', 1, 1, 1.0),
        ('10', 10, 10, null),
        ('10.0', 10, 10, null),
        ('1e3', 1000, 1000, null),
        (' 7 ', 7, 7, null),
        ('0.5', null, 1, 0.5),
        ('17.4', null, 17, null),
        ('999999', 999999, 999999, null),
        ('1000000', null, 1000000, null),
        ('99999999999', null, 99999999999, null),
        ('100000000001', null, null, null),
        ('1073741824', null, 1073741824, null),
        ('9223372036854775807', null, null, null),
        ('-9223372036854775808', null, null, null),
        ('123456789012345678901234567890', null, null, null),
        ('-1', null, null, null),
        ('-0.5', null, null, null),
        ('1.0000000001', null, 1, null),
        ('5e-324', null, 0, 5e-324),
        ('1e308', null, null, null),
        ('-1e308', null, null, null),
        ('1e999', null, null, null),
        ('Infinity', null, null, null),
        ('-Infinity', null, null, null),
        ('NaN', null, null, null),
        ('true', null, null, null),
        ('maybe', null, null, null),
        ('0x10', null, null, null),
        ('[5]', null, null, null),
        ('{"a": 5}', null, null, null),
        ('', null, null, null),
        (null, null, null, null)
    ) as cases (logged, turn_number, milliseconds, score)

),

readings as (

    select
        *,
        {{ logged_turn_number('logged') }} as read_turn_number,
        {{ logged_milliseconds('logged') }} as read_milliseconds,
        {{ logged_score('logged') }} as read_score,
        {{ logged_tokens('logged') }} as read_tokens,
        {{ logged_count('logged') }} as read_count,
        {{ logged_seconds('logged') }} as read_seconds,
        {{ logged_temperature('logged') }} as read_temperature

    from values_read

)

select *

from readings

where
    read_turn_number is distinct from turn_number
    or read_milliseconds is distinct from milliseconds
    or read_score is distinct from score
    or read_tokens not between 0 and 1000000000
    or read_count not between 0 and 1000000000
    or read_seconds not between 0 and 100000000
    or read_temperature not between 0 and 100
