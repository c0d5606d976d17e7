{#- Of a key that an object holds twice, the last counts, as in Python's json.loads; DuckDB takes the
    first. Pidgin never writes such an object, a program that mends logs may. -#}

{#- The objects of an event, beside those of a history. A list of paths is answered in one go. -#}
{% macro objects_of_event() %}
    {{- return([
        '$', '$.agent_a', '$.agent_b', '$.config', '$.message', '$.parameter_changes',
        '$.turn', '$.turn.agent_a_message', '$.turn.agent_b_message',
    ]) -}}
{% endmacro %}

{#- Whether any of these lists of keys holds one twice; NULL counts as no list. -#}
{% macro any_key_twice(key_lists) -%}
    coalesce(
        list_bool_or(
            list_transform({{ key_lists }}, lambda keys: len(keys) != len(list_distinct(keys)))
        ),
        false
    )
{%- endmacro %}

{#- Whether one line, or the object in its "data", repeats a key. -#}
{% macro repeats_keys(document) -%}
    {%- set paths = objects_of_event() -%}
    {%- set nested_paths = [] -%}
    {%- for path in paths %}{% do nested_paths.append(path | replace('$', '$.data', 1)) %}{% endfor -%}
    {{ any_key_twice('json_keys(' ~ document ~ ', [' ~ sql_strings(paths + nested_paths) ~ '])') }}
{%- endmacro %}

{#- Whether any of the lines that were read into a table repeats a key. A log has few lists of keys,
    again and again, so only these are looked through. -#}
{% macro table_repeats_keys(table) %}
    {%- set is_flat = "event_type in ('TurnStartEvent', 'MessageRequestEvent', 'TokenUsageEvent')" -%}
    {{- return(run_query(
        "with key_lists as ("
        ~ " select distinct json_keys(event_data, ['$']) as key_lists from " ~ table
        ~ " where event_data is not null and " ~ is_flat
        ~ " union all"
        ~ " select distinct json_keys(event_data, [" ~ sql_strings(objects_of_event()) ~ "]) as key_lists"
        ~ " from " ~ table ~ " where event_data is not null and not " ~ is_flat
        ~ ") select exists(from key_lists where " ~ any_key_twice('key_lists') ~ ")"
        ~ " or exists(from " ~ table ~ " where repeats_keys)"
    ).rows[0][0]) -}}
{% endmacro %}

{#- A document with the last of each key, in all objects down to a depth that none of Pidgin's
    reaches. -#}
{% macro last_of_repeated_keys(document, depth=4) -%}
    {%- set value = 'value_' ~ depth -%}
    {%- set keys = 'keys_' ~ depth -%}
    {%- set parts = 'parts_' ~ depth -%}
    {%- set part = 'part_' ~ depth -%}
    {%- set place = 'place_' ~ depth -%}
    list_transform(
        [{{ document }}],
        lambda {{ value }}: case
            when json_type({{ value }}) = 'OBJECT' or json_type({{ value }}) = 'ARRAY'
                then list_transform(
                    [struct_pack(
                        keys := json_keys({{ value }}),
                        parts := {% if depth > 1 -%}
                            list_transform(
                                if(
                                    json_type({{ value }}) = 'OBJECT',
                                    json_extract({{ value }}, '$.*'),
                                    json_extract({{ value }}, '$[*]')
                                ),
                                lambda {{ part }}: {{ last_of_repeated_keys(part, depth - 1) }}
                            )
                        {%- else -%}
                            if(
                                json_type({{ value }}) = 'OBJECT',
                                json_extract({{ value }}, '$.*'),
                                json_extract({{ value }}, '$[*]')
                            )
                        {%- endif %}
                    )],
                    lambda {{ parts }}: cast(
                        if(
                            json_type({{ value }}) = 'OBJECT',
                            '{' || array_to_string(
                                list_transform(
                                    list_filter(
                                        range(1, len({{ parts }}['keys']) + 1),
                                        lambda {{ place }}: not list_contains(
                                            {{ parts }}['keys'][{{ place }} + 1:],
                                            {{ parts }}['keys'][{{ place }}]
                                        )
                                    ),
                                    lambda {{ place }}: cast(
                                        to_json({{ parts }}['keys'][{{ place }}]) as varchar
                                    ) || ':' || cast({{ parts }}['parts'][{{ place }}] as varchar)
                                ),
                                ','
                            ) || '}',
                            '[' || array_to_string({{ parts }}['parts'], ',') || ']'
                        ) as json
                    )
                )[1]
            else {{ value }}
        end
    )[1]
{%- endmacro %}

{#- A manifest with the last of each key, where it repeats one. -#}
{% macro mended_manifest(document) -%}
    {%- set key_lists -%}
        list_concat(
            json_keys({{ document }}, ['$', '$.config', '$.conversations']),
            list_transform(
                json_extract({{ document }}, '$.conversations.*'), lambda entry: json_keys(entry)
            )
        )
    {%- endset -%}
    case
        when {{ any_key_twice(key_lists) }} then {{ last_of_repeated_keys(document) }}
        else {{ document }}
    end
{%- endmacro %}
