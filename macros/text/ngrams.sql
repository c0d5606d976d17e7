{#- All runs of n neighbouring words, as hashes, from the hashes of the words. Empty where
    there are fewer than n words. -#}
{% macro ngrams(token_hashes, n) -%}
    list_transform(
        range(1, greatest(len({{ token_hashes }}) - {{ n - 2 }}, 1)),
        lambda start: hash(
            {%- for offset in range(n) %}
                {{ token_hashes }}[start + {{ offset }}]{{ ',' if not loop.last }}
            {%- endfor %}
        )
    )
{%- endmacro %}

{#- How many words equal the word before them. -#}
{% macro adjacent_repetitions(token_hashes) -%}
    len(list_filter(
        range(2, len({{ token_hashes }}) + 1),
        lambda place: {{ token_hashes }}[place] = {{ token_hashes }}[place - 1]
    ))
{%- endmacro %}

{#- The share of an agent's phrases that are also the partner's, of two to six words, longer
    ones weighing more: Pidgin's mimicry score. No phrase is longer than the shorter message.
    Needs in scope the number of different phrases of n words that the agent has (a_n) and
    that both share (shared_n). -#}
{% macro mimicry_score(a, longest) -%}
    case
        when {{ longest }} is null then null
        when {{ longest }} < 2 then 0.0
        else (
            {%- for n in range(2, 7) %}
                if(
                    {{ longest }} >= {{ n }},
                    {{ n - 1 }} * shared_{{ n }} / greatest({{ a }}_{{ n }}, 1),
                    0.0
                ){{ ' +' if not loop.last }}
            {%- endfor %}
        ) / ({{ longest }} * ({{ longest }} - 1) / 2)
    end
{%- endmacro %}
