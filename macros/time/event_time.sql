{#- The moment a logged time means. Pidgin wrote naive local times until 2025-07-15 and
    UTC with its offset since; naive ones are read in PIDGIN_TIMEZONE, or in the zone given. A year
    before 1970 or after 2199 is no time of a log, and its differences would overflow. -#}
{% macro event_time(recorded, zone=none) -%}
    case
        -- What Pidgin writes; regular expressions are slower than all else here.
        when
            ends_with({{ recorded }}, '+00:00')
            and substr({{ recorded }}, 5, 1) = '-'
            and substr({{ recorded }}, 8, 1) = '-'
            and {{ recorded }} >= '1970'
            and {{ recorded }} < '2200'
            then try_cast({{ recorded }} as timestamptz)
        -- No words that a cast would take for a time, such as infinity or now.
        when not regexp_matches({{ recorded }}, '^(19[7-9]|20\d|21\d)\d-') then null
        when regexp_matches({{ recorded }}, ':.*([Zz]|[+-]\d{2}(:?\d{2})?)$')
            then try_cast({{ recorded }} as timestamptz)
        else timezone({{ sql_string(zone or pidgin_timezone()) }}, try_cast({{ recorded }} as timestamp))
    end
{%- endmacro %}
