{#- Text as Python sees it, since Pidgin's definitions are Python's. RE2's \w, \s, \d and \b
    know ASCII only, and DuckDB lower-cases letter by letter. -#}

{#- str.isspace, for use inside a character class. -#}
{% macro whitespace() -%}
    \t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}
{%- endmacro %}

{#- \w, for use inside a character class. -#}
{% macro word_characters() -%}
    \p{L}\p{N}_
{%- endmacro %}

{#- str.lower. It differs from letter by letter in two places: the dotted capital I becomes
    two characters, and a sigma that ends a word gets its final form. A sigma ends a word
    if a cased letter stands before it and none behind it, whatever stands in between that
    does not separate words (marks, apostrophes, full stops). -#}
{% macro lower_case(text) -%}
    lower(
        if(
            contains({{ text }}, 'Σ'),
            regexp_replace(
                replace({{ text }}, 'İ', 'i̇'),
                '([\p{Lu}\p{Ll}\p{Lt}][\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}''.:·’]*)Σ([\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}''.:·’]*(?:[^\p{Lu}\p{Ll}\p{Lt}\p{Mn}\p{Me}\p{Cf}\p{Lm}\p{Sk}''.:·’]|$))',
                '\1ς\2',
                'g'
            ),
            replace({{ text }}, 'İ', 'i̇')
        )
    )
{%- endmacro %}

{#- str.strip -#}
{% macro stripped(text) -%}
    trim({{ text }}, '{{ "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000" }}')
{%- endmacro %}

{#- How often a pattern matches, without overlaps: len(re.findall(pattern, text)). -#}
{% macro match_count(text, pattern) -%}
    len(regexp_extract_all({{ text }}, '{{ pattern }}'))
{%- endmacro %}

{#- How often a character or string occurs, without overlaps: str.count. -#}
{% macro occurrence_count(text, part) -%}
    ((length({{ text }}) - length(replace({{ text }}, {{ part }}, ''))) // length({{ part }}))
{%- endmacro %}
