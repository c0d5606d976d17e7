-- Paths enter SQL only through these macros; a quote in a folder's name must not end the
-- literal, and a bracket, star or question mark must not match other files.
-- A returned row is a text that came through changed.
with

cases as (

    select
        {{ sql_string("it's a 'quoted' folder") }} as actual,
        concat('it', chr(39), 's a ', chr(39), 'quoted', chr(39), ' folder') as expected

    union all

    select
        array_to_string([{{ sql_strings(["a", "b'c"]) }}], '|') as actual,
        concat('a|b', chr(39), 'c') as expected

    union all

    select
        {{ sql_string(glob_literal('a[1]*?')) }} as actual,
        'a[[]1][*][?]' as expected

    union all

    select
        cast('a[1]*?' glob {{ sql_string(glob_literal('a[1]*?')) }} as varchar) as actual,
        'true' as expected

    union all

    select
        cast('a1bc' glob {{ sql_string(glob_literal('a[1]*?')) }} as varchar) as actual,
        'false' as expected

)

select *

from cases

where actual is distinct from expected
