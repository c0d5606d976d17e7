{#- Statements: what the phrases of linguistic_markers are looked for in. A line end closes one as a
    full stop does, since lists, verses and farewells have no full stops. -#}

{#- The categories of linguistic_markers that hold words, and the column that counts each. -#}
{% macro marker_columns() %}
    {{- return({
        'hedge': 'hedge_words',
        'agreement': 'agreement_markers',
        'disagreement': 'disagreement_markers',
        'politeness': 'politeness_markers',
        'first_person_singular': 'first_person_singular',
        'first_person_plural': 'first_person_plural',
        'second_person': 'second_person',
        'third_person': 'third_person',
        'certainty': 'certainty_words',
        'tentative': 'tentative_words',
        'gratitude': 'gratitude_markers',
        'discourse': 'discourse_markers',
        'existential': 'existential_language',
        'meta': 'meta_commentary',
    }) -}}
{% endmacro %}

{#- The categories of linguistic_markers that hold phrases. -#}
{% macro statement_categories() %}
    {{- return(['closing', 'ending', 'appreciation', 'transcendence', 'building']) -}}
{% endmacro %}

{#- A stretch between sentence marks or line ends that holds a letter or digit. -#}
{% macro statement_pattern() -%}
    [^{{ statement_ends() }}]*[\p{L}\p{N}][^{{ statement_ends() }}]*
{%- endmacro %}

{% macro statement_ends() -%}
    .!?…。！？{{ line_ends() }}
{%- endmacro %}

{#- For use inside a character class. -#}
{% macro line_ends() -%}
    \n\r\x{2028}\x{2029}
{%- endmacro %}

{#- The statements of a text, each as its words with spaces between them and a full stop at either
    end, so that a phrase can ask for an end. Curly apostrophes are straight ones here. -#}
{% macro statements(content) -%}
    list_transform(
        regexp_extract_all(replace({{ content }}, '’', ''''), '{{ statement_pattern() }}'),
        lambda statement: ' . ' || {{ token_text('statement') }} || ' . '
    )
{%- endmacro %}

{#- In how many statements a phrase of the category is found, of the phrases that may be there. -#}
{% macro marked_statements(statements, markers, category) -%}
    len(list_filter(
        {{ statements }},
        lambda statement: len(list_filter(
            {{ markers }},
            lambda marker: marker['category'] = '{{ category }}'
            and contains(statement, ' ' || marker['marker'] || ' ')
        )) > 0
    ))
{%- endmacro %}

{#- The words of a phrase, without the full stops that stand for the ends of a statement. -#}
{% macro bare_phrase(marker) -%}
    trim({{ marker }}, '. ')
{%- endmacro %}

{#- A line that holds a letter or digit. -#}
{% macro worded_line_pattern() -%}
    [^{{ line_ends() }}]*[\p{L}\p{N}][^{{ line_ends() }}]*
{%- endmacro %}

{#- What can be seen of a text, without white space. -#}
{% macro visible_text(content) -%}
    regexp_replace({{ content }}, '[{{ whitespace() }}\p{Cf}\p{Cc}]+', '', 'g')
{%- endmacro %}

{#- A text without the code between its fences. -#}
{% macro unfenced(content) -%}
    if(
        contains({{ content }}, '```'),
        regexp_replace({{ content }}, '(?s)```.*?(?:```|$)', '', 'g'),
        {{ content }}
    )
{%- endmacro %}

{#- A line without a letter or digit that shows something and is no part of Markdown: no rule, no
    border of a table, no empty quotation or heading. -#}
{% macro is_symbol_line(line) -%}
    not regexp_matches({{ line }}, '[\p{L}\p{N}]')
    and regexp_matches({{ line }}, '[^{{ whitespace() }}\p{Cf}\p{Cc}]')
    and not regexp_full_match(
        {{ line }},
        '[ \t]*(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:=[ \t]*){3,}|(?:~[ \t]*){3,}'
        || '|[ \t:+-]*\|[ \t|:+-]*|[>#][>#\t ]*)'
    )
{%- endmacro %}

{#- Words in lines that stand between asterisks, as stage directions do. -#}
{% macro direction_words(content) -%}
    coalesce(
        list_sum(list_transform(
            regexp_extract_all({{ content }}, '[^{{ line_ends() }}]+'),
            lambda line: if(
                regexp_full_match(line, '[{{ whitespace() }}]*\*[^*]+\*[{{ whitespace() }}]*'),
                {{ match_count('line', "[" ~ word_characters() ~ "]+(?:''+[" ~ word_characters() ~ "]+)*") }},
                0
            )
        )),
        0
    )
{%- endmacro %}
