{#- Diversity of vocabulary that the length of a text does not decide. All three look only at words
    that come again, with the place of the use before: a third of the words of a text. -#}

{#- Words and their places as one number each, in order: uses of a word come side by side. The place
    takes the lower 22 bits of the word's hash, so texts of more than two million words are none. -#}
{% macro sorted_uses(token_hashes) -%}
    list_sort(list_transform(
        range(1, if(len({{ token_hashes }}) < 2097152, len({{ token_hashes }}), 0) + 1),
        lambda place: {{ token_hashes }}[place] - {{ token_hashes }}[place] % 4194304
        + cast(place as ubigint)
    ))
{%- endmacro %}

{#- Where among them the uses of each word end. -#}
{% macro last_uses(sorted_uses) -%}
    list_filter(
        range(1, len({{ sorted_uses }}) + 1),
        lambda use: coalesce({{ sorted_uses }}[use + 1] - {{ sorted_uses }}[use] >= 2097152, true)
    )
{%- endmacro %}

{#- How often each word occurs, in the order of the hashes. Of a text that is too long to be sorted a
    histogram tells, which costs more. -#}
{% macro word_occurrences(token_hashes, last_uses) -%}
    if(
        len({{ token_hashes }}) < 2097152,
        list_transform(
            range(1, len({{ last_uses }}) + 1),
            lambda nth: {{ last_uses }}[nth] - coalesce({{ last_uses }}[nth - 1], 0)
        ),
        cast(map_values(list_histogram({{ token_hashes }})) as bigint[])
    )
{%- endmacro %}

{#- The sorted uses of the words that occur more than once: a third of the words of a text. -#}
{% macro uses_of_repeated_words(sorted_uses, last_uses) -%}
    list_transform(
        flatten(list_transform(
            list_filter(
                range(1, len({{ last_uses }}) + 1),
                lambda nth: {{ last_uses }}[nth] > coalesce({{ last_uses }}[nth - 1], 0) + 1
            ),
            lambda nth: range(coalesce({{ last_uses }}[nth - 1], 0) + 1, {{ last_uses }}[nth] + 1)
        )),
        lambda use: {{ sorted_uses }}[use]
    )
{%- endmacro %}

{#- Their places, in the order of the text; all places of a text that is too long to be sorted. -#}
{% macro repeated_places(token_hashes, uses_of_repeated_words) -%}
    if(
        len({{ token_hashes }}) < 2097152,
        list_sort(list_transform(
            {{ uses_of_repeated_words }}, lambda use: cast(use % 4194304 as bigint)
        )),
        range(1, len({{ token_hashes }}) + 1)
    )
{%- endmacro %}

{#- From the sorted uses, each use of a word that was used before, as one number that holds its place
    and, in the lower half, that of the use before. In the order of the text. -#}
{% macro repeated_uses(sorted_uses) -%}
    list_sort(list_filter(
        list_transform(
            range(2, len({{ sorted_uses }}) + 1),
            lambda use: if(
                {{ sorted_uses }}[use] - {{ sorted_uses }}[use - 1] < 2097152,
                cast({{ sorted_uses }}[use] % 4194304 as bigint) * 4294967296
                + cast({{ sorted_uses }}[use - 1] % 4194304 as bigint),
                0
            )
        ),
        lambda use: use > 0
    ))
{%- endmacro %}

{#- The moving-average type-token ratio: the mean, over all windows of so many words, of the share
    that different words have in it. NULL where the text is shorter. A window has one word less for
    each use in it whose use before is in it, too; so many windows hold both. -#}
{% macro mattr(repeated_uses, word_count, window) -%}
    if(
        {{ word_count }} < {{ window }},
        null,
        1 - coalesce(
            list_sum(list_transform(
                {{ repeated_uses }},
                lambda use: greatest(
                    least(use % 4294967296, {{ word_count }} - {{ window - 1 }})
                    - greatest((use // 4294967296) - {{ window - 1 }}, 1)
                    + 1,
                    0
                )
            )),
            0
        ) / (({{ word_count }} - {{ window - 1 }}) * {{ window }})
    )
{%- endmacro %}

{#- The measure of textual lexical diversity in one direction, from its state at the end: words by
    factors. A factor is a stretch at whose end the share of different words has come down to 0.72;
    what is left behind the last one counts for as much as it has come down. A text that never
    repeats a word is one factor. -#}
{% macro mtld(state, word_count) -%}
    {{ word_count }} / coalesce(
        nullif(
            {{ state }}['factors'] + if(
                {{ state }}['first'] > {{ word_count }},
                0,
                (
                    1 - ({{ word_count }} - {{ state }}['first'] + 1 - {{ state }}['repeated'])
                    / ({{ word_count }} - {{ state }}['first'] + 1)
                ) / (1 - cast(0.72 as double))
            ),
            0
        ),
        1
    )
{%- endmacro %}

{#- Where the factor that goes on begins, its words that came again, and the factors before it. The
    share of different words comes down at words that come again, and nowhere else. -#}
{% macro mtld_state(repeated_uses) -%}
    list_reduce(
        list_prepend(
            {'use': cast(0 as bigint), 'first': cast(1 as bigint), 'repeated': cast(0 as bigint), 'factors': cast(0 as bigint)},
            list_transform(
                {{ repeated_uses }},
                lambda use: {'use': use, 'first': cast(1 as bigint), 'repeated': cast(0 as bigint), 'factors': cast(0 as bigint)}
            )
        ),
        lambda state, next: case
            when next['use'] % 4294967296 < state['first'] then state
            when
                (next['use'] // 4294967296 - state['first'] - state['repeated'])
                / (next['use'] // 4294967296 - state['first'] + 1) <= cast(0.72 as double)
                then {
                    'use': next['use'],
                    'first': next['use'] // 4294967296 + 1,
                    'repeated': cast(0 as bigint),
                    'factors': state['factors'] + 1
                }
            else {
                'use': next['use'],
                'first': state['first'],
                'repeated': state['repeated'] + 1,
                'factors': state['factors']
            }
        end
    )
{%- endmacro %}

{#- The same uses, in their order, as one sees them who reads a text from its end. -#}
{% macro reversed_uses(repeated_uses, word_count) -%}
    list_sort(list_transform(
        {{ repeated_uses }},
        lambda use: ({{ word_count }} + 1 - use % 4294967296) * 4294967296
        + {{ word_count }} + 1 - use // 4294967296
    ))
{%- endmacro %}

{#- HD-D: the mean share of different words in all samples of 42 words of the text. Each word adds
    the chance that a sample holds it, which for a word that occurs once is 42 by the words of the
    text. NULL where the text is shorter. -#}
{% macro hd_d(occurrences, hapax_count, word_count) -%}
    if(
        {{ word_count }} < 42,
        null,
        {{ hapax_count }} / {{ word_count }}
        + coalesce(
            list_sum(list_transform(
                list_filter({{ occurrences }}, lambda times: times > 1),
                lambda times: 1 - list_product(list_transform(
                    range(cast(times as bigint)), lambda before: 1 - 42 / ({{ word_count }} - before)
                ))
            )),
            0
        ) / 42
    )
{%- endmacro %}
