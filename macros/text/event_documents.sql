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
                {{ nested_fields(document) }},
                json_object('timestamp', {{ recorded_timestamp }}, 'event_type', {{ event_type }})
            ),
            {{ document }}
        )
    {%- endset -%}
    {{ without_history(payload, event_type) }}
{%- endmacro %}

{#- What a nested event says. Fields that stand beside "data", where Pidgin wrote none, are its, too. -#}
{% macro nested_fields(document) -%}
    if(
        list_has_all(['timestamp', 'event_type', 'data'], json_keys({{ document }})),
        json_extract({{ document }}, '$.data'),
        json_merge_patch(
            json_extract({{ document }}, '$.data'), json_merge_patch({{ document }}, '{"data": null}')
        )
    )
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

{#- The kinds of event that some version of Pidgin has written. A file needs one of them to be a log
    of its; beside one, events of any other name count as well. -#}
{% macro is_known_event_type(event_type) -%}
    {{ event_type }} in (
        'ConversationStartEvent', 'ConversationCreated', 'ConversationEndEvent',
        'ConversationBranchedEvent', 'ConversationPausedEvent', 'ConversationResumedEvent',
        'SystemPromptEvent', 'TurnStartEvent', 'TurnCompleteEvent',
        'MessageRequestEvent', 'MessageChunkEvent', 'MessageCompleteEvent',
        'ThinkingCompleteEvent', 'TokenUsageEvent', 'MetricsCalculatedEvent',
        'RateLimitPaceEvent', 'ErrorEvent', 'APIErrorEvent', 'ProviderTimeoutEvent',
        'ContextLimitEvent', 'EmptyResponseEvent', 'ContextTruncationEvent', 'InterruptRequestEvent',
        'ExperimentStartEvent', 'ExperimentCreated', 'ExperimentCompleteEvent',
        'PostProcessingStartEvent', 'PostProcessingCompleteEvent'
    )
{%- endmacro %}

{#- How the documents of all eras begin, where spaces may stand. Inside a text the quotes would
    be escaped. -#}
{% macro document_start() -%}
    \{\s*"(?:conversation_id|timestamp|event_type|experiment_id)"\s*:
{%- endmacro %}

{#- Whether a document begins within a line, behind something else. -#}
{% macro holds_documents(line) -%}
    regexp_matches({{ line }}, '.{{ document_start() }}')
{%- endmacro %}

{#- A line, parted where documents begin in it; without white space around the parts. The nested
    object of the first era, "data", begins like a document and is none. -#}
{% macro parts_of_line(line) -%}
    list_transform(
        list_filter(
            string_split(
                replace(
                    regexp_replace(
                        regexp_replace({{ line }}, '("data"\s*:\s*)\{', '\1' || chr(1), 'g'),
                        '({{ document_start() }})',
                        chr(2) || '\1',
                        'g'
                    ),
                    chr(1),
                    '{'
                ),
                chr(2)
            ),
            lambda part: trim(part) != ''
        ),
        lambda part: trim(part, chr(9) || ' ')
    )
{%- endmacro %}

{#- Lines of logs, of any relation that has line and escaped_line: what each says,
    without the line itself, which is most of the bytes. A line is NULL where it is not valid
    UTF-8; escaped_line then has it with its bytes escaped. Of keys that a line repeats, the last
    counts if keys are mended; that costs, so ask table_repeats_keys first whether there are any. -#}
{% macro parsed_lines(lines, mends_keys=true) -%}
    with

    documents as (

        select
            *,
            {{ event_document('line') }} as document

        from {{ lines }}

    ),

    {% if mends_keys %}
    mended_documents as (

        select
            * replace (
                case
                    when {{ repeats_keys('document') }} then {{ last_of_repeated_keys('document') }}
                    else document
                end as document
            )

        from documents

    ),
    {% endif %}

    envelopes as (

        select
            *,
            json_extract_string(document, [
                '$.event_type', '$.timestamp',
                '$.conversation_id', '$.experiment_id', '$.turn_number', '$.agent_id',
                '$.data.conversation_id', '$.data.experiment_id',
                '$.data.turn_number', '$.data.agent_id'
            ]) as envelope

        from {{ 'mended_documents' if mends_keys else 'documents' }}

    ),

    events as (

        select
            *,
            -- A string, that is; asked only of what does not look like one of Pidgin's.
            case
                when regexp_full_match(envelope[1], '\w+Event') then envelope[1]
                when json_type(document, '$.event_type') = 'VARCHAR' then nullif(envelope[1], '')
            end as event_type,
            envelope[2] as recorded_timestamp,
            {{ is_nested_event('document', 'envelope[3]') }} as is_nested

        from envelopes

    )

    select
        * exclude (line, escaped_line, document, envelope, is_nested),
        coalesce(strlen(line), 0) as line_bytes,
        document is not null as is_json,
        regexp_full_match(coalesce(line, escaped_line, ''), '\s*') as is_blank,
        -- Only of lines whose event_data does not show it.
        if(event_type is null or is_nested, {{ repeats_keys('document') }}, false) as repeats_keys,
        case
            when event_type is not null then null
            when line is null then 'not valid UTF-8'
            when document is null then 'not valid JSON'
            when json_type(document) != 'OBJECT' then 'not a JSON object'
            else 'no event_type'
        end as reason,
        coalesce({{ is_known_event_type('event_type') }}, false) as is_known_event,
        if(
            not is_known_event,
            left(coalesce(line, escaped_line), {{ var('rejected_line_length') }}),
            null
        ) as line_start,
        -- Within a CASE, because a condition beside another one is asked of every line.
        case
            when document is null then if({{ holds_documents('line') }}, line, null)
        end as glued_line,
        if(event_type is not null, cast(md5(line) as uuid), null) as event_id,
        nullif(if(is_nested, envelope[7], envelope[3]), '') as conversation_id,
        nullif(if(is_nested, envelope[8], envelope[4]), '') as experiment_id,
        {{ logged_turn_number('if(is_nested, envelope[9], envelope[5])') }} as turn_number,
        if(is_nested, envelope[10], envelope[6]) as agent_id,
        if(
            event_type is not null,
            {{ event_data('document', 'is_nested', 'recorded_timestamp', 'event_type') }},
            null
        ) as event_data

    from events
{%- endmacro %}
