{#- The words of a text, lower-cased, in order: runs of letters, digits and underscores of
    any script, with apostrophes inside. Pidgin's \b[\w']+\b. -#}
{% macro tokens(content) -%}
    regexp_extract_all(
        {{ lower_case(content) }},
        '[{{ word_characters() }}](?:[{{ word_characters() }}'']*[{{ word_characters() }}])?'
    )
{%- endmacro %}

{#- The list of tokens that int_message_tokens keeps as text. -#}
{% macro token_list(token_text) -%}
    if({{ token_text }} = '', [], string_split({{ token_text }}, ' '))
{%- endmacro %}

{#- Numbers are cheaper to carry, count and compare than text. -#}
{% macro token_hashes(tokens) -%}
    list_transform({{ tokens }}, lambda token: hash(token))
{%- endmacro %}
