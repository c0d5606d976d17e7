-- A time may be written in many ways and be none at all; a year far from ours would overflow where
-- times are subtracted. A returned row is a time that was read otherwise.
with

cases as (

    select
        times.recorded,
        times.expected

    from (
        values
        ('2026-07-01T12:00:00+00:00', timestamptz '2026-07-01 12:00:00+00'),
        ('2026-07-01T12:00:00', timestamptz '2026-07-01 10:00:00+00'),
        ('2026-07-01T12:00:00Z', timestamptz '2026-07-01 12:00:00+00'),
        ('2026-07-01T12:00:00-05:30', timestamptz '2026-07-01 17:30:00+00'),
        ('1970-01-01T00:00:00+00:00', timestamptz '1970-01-01 00:00:00+00'),
        ('2199-12-31T23:59:59+00:00', timestamptz '2199-12-31 23:59:59+00'),
        ('2199-12-31T22:00:00', timestamptz '2199-12-31 21:00:00+00'),
        ('1969-12-31T23:59:59+00:00', null),
        ('2200-01-01T00:00:00+00:00', null),
        ('0001-01-01T00:00:00+00:00', null),
        ('0001-01-01T00:00:00', null),
        ('9999-12-31T23:59:59', null),
        ('9999-12-31T23:59:59Z', null),
        ('294247-01-10T04:00:54+00:00', null),
        ('-290308-12-22T00:00:00+00:00', null),
        ('20260-07-01T12:00:00+00:00', null),
        ('2026-02-30T12:00:00+00:00', null),
        ('infinity', null),
        ('now', null),
        ('1767268800', null),
        ('', null),
        (null, null)
    ) as times (recorded, expected)

),

moments as (

    select
        *,
        {{ event_time('recorded', 'Europe/Berlin') }} as actual

    from cases

)

select *

from moments

where actual is distinct from expected
