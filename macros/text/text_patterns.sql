{#- Patterns and counts behind the message metrics. -#}

{#- A text with the letter a for every stretch of small ASCII letters and single spaces between
    them. Patterns that tell these letters apart from nothing but capitals find in it what they
    find in the text, which is ten times as long. -#}
{% macro outline(content) -%}
    regexp_replace({{ content }}, '[a-z]+(?: [a-z]+)*', 'a', 'g')
{%- endmacro %}

{#- A sentence: a stretch between runs of . ! ? that holds more than white space. -#}
{% macro sentence_pattern() -%}
    [^.!?]*[^.!?{{ whitespace() }}][^.!?]*
{%- endmacro %}

{#- A sentence that a run of marks with a question mark ends. -#}
{% macro question_pattern() -%}
    [^.!?]*[^.!?{{ whitespace() }}][^.!?]*[.!]*[?]
{%- endmacro %}

{#- Arrows, typed or drawn. Alternatives are tried in this order, as in Pidgin, so that <->
    counts as the arrow <- and a hyphen-greater rest. -#}
{% macro arrow_pattern() -%}
    (?:->|<-|<->|=>|<=|<=>|[{{ pidgin_arrows() }}])
{%- endmacro %}

{#- Numbers: runs of digits, joined by single points or commas, that are no part of a word.
    Python's \b\d+(?:[.,]\d+)*\b: words that are not digits alone are taken out first, of the
    few stretches that hold a digit at all. -#}
{% macro number_count(content) -%}
    len(regexp_extract_all(
        regexp_replace(
            array_to_string(
                regexp_extract_all(
                    {{ content }}, '[{{ word_characters() }}.,]*\p{Nd}[{{ word_characters() }}.,]*'
                ),
                ' '
            ),
            '[{{ word_characters() }}]*[\p{L}\p{Nl}\p{No}_][{{ word_characters() }}]*',
            'x',
            'g'
        ),
        '\p{Nd}+(?:[.,]\p{Nd}+)*'
    ))
{%- endmacro %}

{#- Words that begin with a capital and go on in small letters, other than the first of a
    sentence or line. Apostrophes part no words. -#}
{% macro proper_noun_count(content) -%}
    (
        {{ match_count(content, '(?:^|[^' ~ word_characters() ~ "''])''*\\p{Lu}\\p{Ll}") }}
        - {{ match_count(
            content,
            '(?:^|[.!?:\\n])[^' ~ word_characters() ~ '.!?:\\n]*\\p{Lu}\\p{Ll}'
        ) }}
    )
{%- endmacro %}

{#- Syllables of an English word by groups of vowels: an e at the end of a word is silent
    behind a consonant, other than in -le behind another; every word has one at least. -#}
{% macro syllable_count(word) -%}
    greatest(
        {{ match_count(word, '[aeiouy]+') }}
        - if(regexp_matches({{ word }}, '[^aeiouy]e$') and not regexp_matches({{ word }}, '[^aeiouy]le$'), 1, 0),
        1
    )
{%- endmacro %}

{#- Bytes after compression by bytes before, at most 2. zlib is Python's, so without the
    plugin it is NULL. -#}
{% macro compression_ratio(content) -%}
    {%- if has_plugin() -%}
        if(
            {{ content }} = '',
            0,
            least(zlib_compressed_size({{ content }}) / greatest(strlen({{ content }}), 1), 2.0)
        )
    {%- else -%}
        cast(null as double)
    {%- endif -%}
{%- endmacro %}

{#- Forms of "be" followed by a past participle, an adverb in -ly between them or not. A
    participle is a word in -ed or one that the seed lists. Needs be_forms and participles,
    lists of hashes, in scope. -#}
{% macro passive_count(tokens, token_hashes) -%}
    len(list_filter(
        range(1, len({{ tokens }})),
        lambda place: case
            when not list_contains(be_forms, {{ token_hashes }}[place]) then false
            when ends_with({{ tokens }}[place + 1], 'ly')
                then ends_with({{ tokens }}[place + 2], 'ed')
                or list_contains(participles, {{ token_hashes }}[place + 2])
            else ends_with({{ tokens }}[place + 1], 'ed')
                or list_contains(participles, {{ token_hashes }}[place + 1])
        end
    ))
{%- endmacro %}
