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

{#- How many different elements a list holds once ('= 1') or repeatedly ('> 1'). -#}
{% macro occurring(elements, times) -%}
    coalesce(
        len(list_filter(
            map_values(list_histogram({{ elements }})), lambda occurrences: occurrences {{ times }}
        )),
        0
    )
{%- endmacro %}

{#- Each element with its number among its equals, as a hash: sets of these are multisets. -#}
{% macro numbered_elements(elements) -%}
    coalesce(
        flatten(list_transform(
            map_entries(list_histogram({{ elements }})),
            lambda entry: list_transform(range(cast(entry.value as bigint)), lambda place: hash(entry.key, place))
        )),
        []
    )
{%- endmacro %}
