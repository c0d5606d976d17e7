{#- How often each word occurs, in the order of the words. Without words, an empty map. -#}
{% macro word_frequencies(tokens) -%}
    if(
        len({{ tokens }}) = 0,
        cast(map {} as map(varchar, integer)),
        cast(list_histogram({{ tokens }}) as map(varchar, integer))
    )
{%- endmacro %}

{#- Jaccard's index of two sets from their sizes and the size of their union; 0 where either
    is empty, as in Pidgin. -#}
{% macro jaccard_of_counts(size_a, size_b, size_union) -%}
    case
        when {{ size_union }} is null then null
        when {{ size_a }} = 0 or {{ size_b }} = 0 then 0.0
        else cast({{ size_a }} + {{ size_b }} - {{ size_union }} as double) / {{ size_union }}
    end
{%- endmacro %}

{#- The same from the sizes of two sets and of what they share; NULL where there is no second. -#}
{% macro jaccard_of_overlap(size_a, size_b, shared) -%}
    if(
        {{ size_b }} is null,
        null,
        {{ shared }} / greatest({{ size_a }} + {{ size_b }} - {{ shared }}, 1)
    )
{%- endmacro %}

{#- How often each element of a list occurs that occurs more than once, where it is known how
    many different ones there are. Most lists of phrases hold none, and need no counting. -#}
{% macro repeated_occurrences(elements, distinct_count) -%}
    if(
        len({{ elements }}) = {{ distinct_count }},
        [],
        list_filter(map_values(list_histogram({{ elements }})), lambda times: times > 1)
    )
{%- endmacro %}

{#- Shannon's entropy in bits of a distribution, from how often each of its elements occurs
    and how many there are in all: -sum(p log2 p) with p = times / total. Elements that occur
    once may be left out. 0 for one element or none. -#}
{% macro entropy_of_counts(occurrences, total) -%}
    if(
        {{ total }} < 2 or {{ occurrences }}[1] = {{ total }},
        0.0,
        log2({{ total }})
        - coalesce(
            list_sum(list_transform({{ occurrences }}, lambda times: times * log2(times))), 0
        ) / ({{ total }})
    )
{%- endmacro %}

{#- The places of words in a message, in order. Of many words all places, since looking each word up
    among them would cost more than it saves. -#}
{% macro places_of_words(token_hashes, words) -%}
    if(
        len({{ words }}) < 1000,
        list_filter(
            range(1, len({{ token_hashes }}) + 1),
            lambda place: list_contains({{ words }}, {{ token_hashes }}[place])
        ),
        range(1, len({{ token_hashes }}) + 1)
    )
{%- endmacro %}

{#- The uses of each word at the places beyond its first, numbered, as hashes: sets of these are
    multisets of words. -#}
{% macro numbered_repetitions(token_hashes, places) -%}
    flatten(list_transform(
        list_filter(
            map_entries(list_histogram(
                list_transform({{ places }}, lambda place: {{ token_hashes }}[place])
            )),
            lambda entry: entry['value'] > 1
        ),
        lambda entry: list_transform(
            range(1, cast(entry['value'] as bigint)), lambda use: hash(entry['key'], use)
        )
    ))
{%- endmacro %}

{#- How many different elements two lists have in common. Counting the union costs a third of
    list_intersect. -#}
{% macro shared_elements(a, b) -%}
    (list_unique({{ a }}) + list_unique({{ b }}) - list_unique(list_concat({{ a }}, {{ b }})))
{%- endmacro %}

{#- The cosine of two histograms, of at least one element each. -#}
{% macro cosine_of_histograms(a, b) -%}
    {{ dot_product(a, b) }} / sqrt({{ dot_product(a, a) }} * {{ dot_product(b, b) }})
{%- endmacro %}

{% macro dot_product(a, b) -%}
    list_sum(list_transform(
        map_entries({{ a }}), lambda entry: entry['value'] * coalesce({{ b }}[entry['key']], 0)
    ))
{%- endmacro %}
