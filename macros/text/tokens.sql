{#- The words of a text, lower-cased, in order: runs of letters, digits and underscores of
    any script, with apostrophes inside. Pidgin's \b[\w']+\b, with Python's idea of \w
    spelled out, since RE2 knows \w and \b for ASCII only. -#}
{% macro tokens(content) -%}
    regexp_extract_all(lower({{ content }}), '[\p{L}\p{N}_](?:[\p{L}\p{N}_'']*[\p{L}\p{N}_])?')
{%- endmacro %}
