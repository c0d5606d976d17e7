{#- Numbers as logs and manifests hold them: whatever JSON can say. Each is bounded where it is read, so
    that nothing that is computed from it can overflow. What is out of range or no number is NULL; the
    event keeps its data. -#}

{#- A whole number, also where it is written as 10.0, 1e1 or "10". A fraction of a turn or a token is
    none. -#}
{% macro bounded_integer(value, low, high, type='integer') -%}
    case
        when
            try_cast({{ value }} as bigint) between {{ low }} and {{ high }}
            and try_cast({{ value }} as bigint) = try_cast({{ value }} as double)
            then try_cast({{ value }} as {{ type }})
    end
{%- endmacro %}

{#- NaN is greater than all numbers, and so out of every range. -#}
{% macro bounded_number(value, low, high) -%}
    case
        when try_cast({{ value }} as double) between {{ low }} and {{ high }}
            then try_cast({{ value }} as double)
    end
{%- endmacro %}

{#- The ranges. No run of Pidgin comes near their ends. -#}

{% macro logged_turn_number(value) -%}
    {{ bounded_integer(value, 0, 999999) }}
{%- endmacro %}

{#- Of conversations, messages or turns. -#}
{% macro logged_count(value) -%}
    {{ bounded_integer(value, 0, 1000000000) }}
{%- endmacro %}

{#- Of one request; a thousand times the largest context. -#}
{% macro logged_tokens(value) -%}
    {{ bounded_integer(value, 0, 1000000000) }}
{%- endmacro %}

{#- Up to three years. A measurement, and so fractions are rounded. -#}
{% macro logged_milliseconds(value) -%}
    cast(round({{ bounded_number(value, 0, 100000000000) }}) as bigint)
{%- endmacro %}

{#- Up to three years. -#}
{% macro logged_seconds(value) -%}
    {{ bounded_number(value, 0, 100000000) }}
{%- endmacro %}

{% macro logged_score(value) -%}
    {{ bounded_number(value, 0, 1) }}
{%- endmacro %}

{% macro logged_temperature(value) -%}
    {{ bounded_number(value, 0, 100) }}
{%- endmacro %}
