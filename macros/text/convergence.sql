{#- Steps of Pidgin's live convergence score (pidgin/analysis/convergence.py of 1.1.0). -#}

{#- A message without agent labels, with at most one blank line in a row, stripped. Two passes
    over the labels, as in Pidgin: those with a colon, then the rest. -#}
{% macro cleaned_content(content) -%}
    {{ stripped(
        "regexp_replace(if(contains(" ~ content ~ ", '**Agent '), "
        ~ "regexp_replace(regexp_replace(" ~ content
        ~ ", '\\*\\*Agent [AB]\\*\\*:[" ~ whitespace() ~ "]*', '', 'g'), "
        ~ "'\\*\\*Agent [AB]\\*\\*', '', 'g'), " ~ content ~ "), "
        ~ "'\\n[" ~ whitespace() ~ "]*\\n[" ~ whitespace() ~ "]*\\n', chr(10) || chr(10), 'g')"
    ) }}
{%- endmacro %}

{#- The smaller by the larger; 1 where both are nothing, 0 where one is. -#}
{% macro ratio_or_none(a, b) -%}
    case
        when {{ a }} = 0 and {{ b }} = 0 then 1.0
        when {{ a }} = 0 or {{ b }} = 0 then 0.0
        else least({{ a }}, {{ b }}) / greatest({{ a }}, {{ b }})
    end
{%- endmacro %}

{#- The smaller by the larger; 0 where either is nothing. -#}
{% macro ratio_or_zero(a, b) -%}
    if({{ a }} = 0 or {{ b }} = 0, 0.0, least({{ a }}, {{ b }}) / greatest({{ a }}, {{ b }}))
{%- endmacro %}

{#- Jaccard's index of two lists taken as sets; 0 where both are empty. -#}
{% macro jaccard_of_lists(a, b) -%}
    {{ shared_elements(a, b) }} / greatest(list_unique(list_concat({{ a }}, {{ b }})), 1)
{%- endmacro %}

{#- How alike two agents use one mark, per character of what they wrote. -#}
{% macro punctuation_ratio(mark) -%}
    {{ ratio_or_none(
        'coalesce(a_' ~ mark ~ ' / nullif(a_characters, 0), 0.0)',
        'coalesce(b_' ~ mark ~ ' / nullif(b_characters, 0), 0.0)'
    ) }}
{%- endmacro %}

{#- The trend of the last three scores, by Pidgin's rule, from the change at each turn: two
    rises are increasing, two falls decreasing, two changes under 0.1 stable, anything else
    fluctuating. NULL before the third score. Scores have two decimals, so changes are
    rounded to as many before they are compared. -#}
{% macro convergence_trend(delta, conversation) -%}
    case
        when {{ delta }} is null or lag({{ delta }}) over {{ conversation }} is null then null
        when round({{ delta }}, 2) > 0 and round(lag({{ delta }}) over {{ conversation }}, 2) > 0
            then 'increasing'
        when round({{ delta }}, 2) < 0 and round(lag({{ delta }}) over {{ conversation }}, 2) < 0
            then 'decreasing'
        when
            abs(round({{ delta }}, 2)) < 0.1
            and abs(round(lag({{ delta }}) over {{ conversation }}, 2)) < 0.1
            then 'stable'
        else 'fluctuating'
    end
{%- endmacro %}
