{#- The moment a logged time means. Pidgin wrote naive local times until 2025-07-15 and
    UTC with its offset since; naive ones are read in PIDGIN_TIMEZONE. -#}
{% macro event_time(recorded) -%}
    case
        -- What Pidgin writes; regular expressions are slower than all else here.
        when
            ends_with({{ recorded }}, '+00:00')
            and substr({{ recorded }}, 5, 1) = '-'
            and substr({{ recorded }}, 8, 1) = '-'
            and {{ recorded }} >= '1'
            then try_cast({{ recorded }} as timestamptz)
        -- No words that a cast would take for a time, such as infinity or now.
        when not regexp_matches({{ recorded }}, '^\d{4}-') then null
        when regexp_matches({{ recorded }}, ':.*([Zz]|[+-]\d{2}(:?\d{2})?)$')
            then try_cast({{ recorded }} as timestamptz)
        else timezone({{ sql_string(pidgin_timezone()) }}, try_cast({{ recorded }} as timestamp))
    end
{%- endmacro %}
