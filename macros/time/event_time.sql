{#- The moment a logged time means. Pidgin wrote naive local times until 2025-07-15 and
    UTC with its offset since; naive ones are read in PIDGIN_TIMEZONE. -#}
{% macro event_time(recorded) -%}
    case
        when regexp_matches({{ recorded }}, '(Z|[+-]\d{2}(:?\d{2})?)$') and contains({{ recorded }}, ':')
            then try_cast({{ recorded }} as timestamptz)
        else timezone({{ sql_string(pidgin_timezone()) }}, try_cast({{ recorded }} as timestamp))
    end
{%- endmacro %}
