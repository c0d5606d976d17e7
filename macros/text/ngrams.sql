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

{#- The same for runs of which each word stands at one of the places, which are in order. -#}
{% macro ngrams_at(token_hashes, places, n) -%}
    list_transform(
        list_filter(
            range(1, greatest(len({{ places }}) - {{ n - 2 }}, 1)),
            lambda nth: {{ places }}[nth + {{ n - 1 }}] = {{ places }}[nth] + {{ n - 1 }}
        ),
        lambda nth: hash(
            {%- for offset in range(n) %}
                {{ token_hashes }}[{{ places }}[nth] + {{ offset }}]{{ ',' if not loop.last }}
            {%- endfor %}
        )
    )
{%- endmacro %}

{#- How many words equal the word before them. Both stand at places of repeated words. -#}
{% macro adjacent_repetitions(token_hashes, places) -%}
    len(list_filter(
        range(2, len({{ places }}) + 1),
        lambda nth: {{ places }}[nth] = {{ places }}[nth - 1] + 1
        and {{ token_hashes }}[{{ places }}[nth]] = {{ token_hashes }}[{{ places }}[nth - 1]]
    ))
{%- endmacro %}

{#- The share of an agent's phrases that are also the partner's, of two to six words, longer
    ones weighing more: Pidgin's mimicry score. No phrase is longer than the shorter message.
    Needs in scope the number of different phrases of n words that the agent has (a_n or b_n) and
    that both share (shared_n). -#}
{% macro mimicry_score(agent, longest) -%}
    case
        when {{ longest }} < 2 then 0.0
        else (
            {%- for n in range(2, 7) %}
                if(
                    {{ longest }} >= {{ n }},
                    {{ n - 1 }} * shared_{{ n }} / greatest({{ agent }}_{{ n }}, 1),
                    0.0
                ){{ ' +' if not loop.last }}
            {%- endfor %}
        ) / ({{ longest }} * ({{ longest }} - 1) / 2)
    end
{%- endmacro %}
