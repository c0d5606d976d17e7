{#- The words of a text, lower-cased, in order, with a space between them: runs of letters,
    digits and underscores of any script, with apostrophes inside. Pidgin's \b[\w']+\b. What
    parts words becomes one space: a stretch that holds more than a space, or apostrophes beside
    one. That touches only some of the gaps, where taking the words out touches all. -#}
{% macro token_text(content) -%}
    regexp_replace(
        regexp_replace(
            {{ lower_case(content) }},
            '[^{{ word_characters() }}]*(?:[^{{ word_characters() }}'' ]|  | ''|'' )[^{{ word_characters() }}]*',
            ' ',
            'g'
        ),
        '^[ '']+|[ '']+$',
        '',
        'g'
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
