{#- Text as Python sees it, since Pidgin's definitions are Python's. RE2's \w, \s, \d and \b
    know ASCII only, and DuckDB lower-cases letter by letter. -#}

{#- str.isspace, for use inside a character class. -#}
{% macro whitespace() -%}
    \x20{{ whitespace_but_spaces() }}
{%- endmacro %}

{% macro whitespace_but_spaces() -%}
    \t-\r\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}
{%- endmacro %}

{#- \w, for use inside a character class. -#}
{% macro word_characters() -%}
    \p{L}\p{N}_
{%- endmacro %}

{#- Letters that have a case, for use inside a character class. -#}
{% macro cased_characters() -%}
    \p{Lu}\p{Ll}\p{Lt}ªº\x{2160}-\x{217f}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}
{%- endmacro %}

{#- What may stand between the letters of a word without parting it, likewise. -#}
{% macro case_ignorable_characters() -%}
    \p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}''.:·’\x{387}\x{55f}\x{5f4}\x{2018}\x{2024}\x{2027}\x{fe13}\x{fe52}\x{fe55}\x{ff07}\x{ff0e}\x{ff1a}
{%- endmacro %}

{#- str.lower. It differs from letter by letter in two places: the dotted capital I becomes
    two characters, and a sigma that ends a word gets its final form: one with a cased
    letter before it and none behind it, passing over what does not part words. -#}
{% macro lower_case(text, final_sigma_pattern=none) -%}
    lower(
        if(
            contains({{ text }}, 'Σ'),
            regexp_replace(
                replace({{ text }}, 'İ', 'i̇'),
                {{ final_sigma_pattern or "'" ~ final_sigma() ~ "'" }},
                '\1ς\2',
                'g'
            ),
            replace({{ text }}, 'İ', 'i̇')
        )
    )
{%- endmacro %}

{#- A sigma that ends a word, and what is around it. -#}
{% macro final_sigma() -%}
    ([{{ cased_characters() }}][{{ case_ignorable_characters() }}]*)Σ([{{ case_ignorable_characters() }}]*(?:[^{{ cased_characters() }}{{ case_ignorable_characters() }}]|$))
{%- endmacro %}

{#- str.strip. trim() would do, but reads the whole text letter by letter. -#}
{% macro stripped(text) -%}
    regexp_replace({{ text }}, '^[{{ whitespace() }}]+|[{{ whitespace() }}]+$', '', 'g')
{%- endmacro %}

{#- How often a pattern matches, without overlaps: len(re.findall(pattern, text)). -#}
{% macro match_count(text, pattern) -%}
    len(regexp_extract_all({{ text }}, '{{ pattern }}'))
{%- endmacro %}

{#- How often a character or string occurs, without overlaps: str.count. -#}
{% macro occurrence_count(text, part) -%}
    ((length({{ text }}) - length(replace({{ text }}, {{ part }}, ''))) // length({{ part }}))
{%- endmacro %}

{#- list(text): the characters, one by one. -#}
{% macro characters(text) -%}
    string_split({{ text }}, '')
{%- endmacro %}

{#- [ord(c) for c in text]: numbers are cheaper to count than characters. -#}
{% macro code_points(text) -%}
    list_transform({{ characters(text) }}, lambda character: ord(character))
{%- endmacro %}

{#- A text with one space for each stretch of white space. Those that are one space already,
    which are most, are not touched. -#}
{% macro spaced_text(text) -%}
    regexp_replace(
        {{ text }}, ' *(?:[{{ whitespace_but_spaces() }}]|  )[{{ whitespace() }}]*', ' ', 'g'
    )
{%- endmacro %}

{#- str.split: the whitespace tokens of a spaced_text. -#}
{% macro spaced_words(spaced_text) -%}
    list_filter(string_split({{ spaced_text }}, ' '), lambda word: word != '')
{%- endmacro %}

{#- len(str.split), likewise, of a text that holds more than a space. -#}
{% macro spaced_word_count(spaced_text) -%}
    (
        len(string_split({{ spaced_text }}, ' '))
        - if(starts_with({{ spaced_text }}, ' '), 1, 0)
        - if(ends_with({{ spaced_text }}, ' '), 1, 0)
    )
{%- endmacro %}
