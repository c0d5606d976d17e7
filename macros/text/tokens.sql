{#- The words of a text, lower-cased, in order: runs of letters, digits and underscores of
    any script, with apostrophes inside. Pidgin's \b[\w']+\b. -#}
{% macro tokens(content) -%}
    regexp_extract_all(
        {{ lower_case(content) }},
        '[{{ word_characters() }}](?:[{{ word_characters() }}'']*[{{ word_characters() }}])?'
    )
{%- endmacro %}
