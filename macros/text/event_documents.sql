{#- The JSON of a line of a log; NULL if it is none. -#}
{% macro event_document(line) -%}
    coalesce(
        try_cast({{ line }} as json),
        try_cast({{ replace_lone_surrogates(line) }} as json)
    )
{%- endmacro %}

{#- Until 2025-07-03 the fields of an event were nested under "data". The conversation is that
    beside the envelope. -#}
{% macro is_nested_event(document, conversation_id) -%}
    ({{ conversation_id }} is null and json_type({{ document }}, '$.data') = 'OBJECT')
{%- endmacro %}

{#- One shape for every era, the fields beside the envelope, without the history of a request. -#}
{% macro event_data(document, is_nested, recorded_timestamp, event_type) -%}
    {%- set payload -%}
        if(
            {{ is_nested }},
            json_merge_patch(
                json_extract({{ document }}, '$.data'),
                json_object('timestamp', {{ recorded_timestamp }}, 'event_type', {{ event_type }})
            ),
            {{ document }}
        )
    {%- endset -%}
    {{ without_history(payload, event_type) }}
{%- endmacro %}

{#- A string cut in the middle of a surrogate pair (a model stopped inside an emoji) leaves
    half a pair. Python writes and reads that; a JSON parser need not. Each half becomes
    U+FFFD, everything else stays as it is: the pattern takes whole pairs, other escapes
    and plain text first. NULL where there is no such half to mend. -#}
{% macro replace_lone_surrogates(line) -%}
    case
        when regexp_matches({{ line }}, '\\u[dD][89a-fA-F]')
            then array_to_string(
                list_transform(
                    regexp_extract_all(
                        {{ line }},
                        '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+|\\'
                    ),
                    lambda piece: if(
                        regexp_full_match(piece, '\\u[dD][89a-fA-F][0-9a-fA-F]{2}'), '\ufffd', piece
                    )
                ),
                ''
            )
    end
{%- endmacro %}

{#- A MessageRequestEvent repeats the whole conversation so far, which is most of a log's
    bytes; its length is kept instead. -#}
{% macro without_history(document, event_type) -%}
    if(
        {{ event_type }} = 'MessageRequestEvent',
        json_merge_patch(
            {{ document }},
            json_object(
                'conversation_history', null,
                'conversation_history_length',
                json_array_length({{ document }}, '$.conversation_history')
            )
        ),
        {{ document }}
    )
{%- endmacro %}
