{#- The text of a message, given the event, the path of its content, and what json_extract_string finds
    there. Pidgin writes a string, which may look like a list without being one. Other programs write
    blocks, as providers do: the text of a list is that of its blocks of text, each as it follows the one
    before, with a line break where nothing else would keep their words apart. Thinking, tools and images
    are not speech; NULL where there is nothing else. -#}
{% macro message_text(document, path, text) -%}
    case
        when not (starts_with({{ text }}, '[') or starts_with({{ text }}, '{')) then {{ text }}
        when json_type({{ document }}, '{{ path }}') = 'ARRAY'
            then list_transform(
                [list_filter(
                    list_transform(
                        json_extract({{ document }}, '{{ path }}[*]'),
                        lambda block: {{ block_text('block') }}
                    ),
                    lambda piece: piece is not null
                )],
                lambda pieces: if(len(pieces) > 0, array_to_string(
                    list_transform(
                        range(1, len(pieces) + 1),
                        lambda place: if(
                            place = 1
                            or regexp_matches(pieces[place - 1], '(^|[{{ whitespace() }}])$')
                            or regexp_matches(pieces[place], '^([{{ whitespace() }}]|$)'),
                            '',
                            chr(10)
                        ) || pieces[place]
                    ),
                    ''
                ), null)
            )[1]
        when json_type({{ document }}, '{{ path }}') = 'OBJECT'
            then {{ block_text("json_extract(" ~ document ~ ", '" ~ path ~ "')") }}
        else {{ text }}
    end
{%- endmacro %}

{#- The text of one block: a string, or an object with a text that is neither thinking nor of a
    tool. -#}
{% macro block_text(block) -%}
    case
        when json_type({{ block }}) = 'VARCHAR' then json_extract_string({{ block }}, '$')
        when
            json_type({{ block }}, '$.text') = 'VARCHAR'
            and coalesce(json_extract_string({{ block }}, '$.type'), 'text') in ('text', 'output_text')
            and coalesce(json_extract_string({{ block }}, '$.thought'), 'false') != 'true'
            then json_extract_string({{ block }}, '$.text')
    end
{%- endmacro %}
