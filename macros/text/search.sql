{#- What the search takes for the same word, and how it finds it. -#}

{#- Letters of scripts that put no space between words, or glue particles to them, for use inside a
    character class. A stretch of them is found by what it contains. The long vowel mark of Japanese
    is of no script. -#}
{% macro unspaced_letters() -%}
    \p{Han}\p{Hiragana}\p{Katakana}\x{30fc}\x{ff70}\p{Hangul}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Yi}
{%- endmacro %}

{#- Letters that a mark turns into other letters, which is no accent. -#}
{% macro kana() -%}
    [\p{Hiragana}\p{Katakana}]
{%- endmacro %}

{#- Words as the search parts them, of words in a text in which spaces part them: at apostrophes, of
    which a curly one parts words already, and where unspaced letters meet others. -#}
{% macro search_words(token_text) -%}
    if(
        strlen({{ token_text }}) = length({{ token_text }}) and not contains({{ token_text }}, ''''),
        {{ token_text }},
        trim(regexp_replace(
            regexp_replace({{ token_text }}, '([{{ unspaced_letters() }}]+)', ' \1 ', 'g'),
            '[ ''ʼ]+',
            ' ',
            'g'
        ))
    )
{%- endmacro %}

{#- The same words, of text as somebody typed it. Needs patterns in a column: see search_messages. -#}
{% macro asked_words(text, pattern) -%}
    if(
        strlen({{ text }}) = length({{ text }}),
        trim(regexp_replace(lower({{ text }}), '[^a-z0-9_]+', ' ', 'g')),
        trim(regexp_replace(
            regexp_replace(
                regexp_replace({{ lower_case(text, pattern ~ "['final_sigma']") }}, {{ pattern }}['gap'], ' ', 'g'),
                {{ pattern }}['unspaced'],
                ' \1 ',
                'g'
            ),
            ' +',
            ' ',
            'g'
        ))
    )
{%- endmacro %}

{#- Such words without accents. -#}
{% macro without_accents(search_words, kana_pattern=none) -%}
    {%- set kana_pattern = kana_pattern or "'" ~ kana() ~ "'" -%}
    if(
        strlen({{ search_words }}) = length({{ search_words }}),
        {{ search_words }},
        if(
            regexp_matches({{ search_words }}, {{ kana_pattern }}),
            array_to_string(
                list_transform(
                    string_split({{ search_words }}, ' '),
                    lambda word: if(
                        regexp_matches(word, {{ kana_pattern }}), word, strip_accents(word)
                    )
                ),
                ' '
            ),
            strip_accents({{ search_words }})
        )
    )
{%- endmacro %}

{#- What words, with a space before, between and behind them, contain where they hold these words in
    this order and next to each other. Unspaced letters may begin and end within a stretch of them;
    likewise the last word, where it is the beginning of one. -#}
{% macro search_pattern(search_words, is_prefix, pattern) -%}
    case
        when strlen({{ search_words }}) = length({{ search_words }}) then ' '
        when regexp_matches({{ search_words }}, {{ pattern }}['unspaced_begin']) then ''
        else ' '
    end
    || {{ search_words }}
    || case
        when {{ is_prefix }} then ''
        when strlen({{ search_words }}) = length({{ search_words }}) then ' '
        when regexp_matches({{ search_words }}, {{ pattern }}['unspaced_end']) then ''
        else ' '
    end
{%- endmacro %}
