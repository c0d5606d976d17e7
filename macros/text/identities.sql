{#- A hash by which lines that say the same are found: equal where they do, and hardly ever
    otherwise. Of what the line holds as it stands, not of what is read out of it, so that it does
    not matter which version read it. -#}
{% macro envelope_hash(lines) -%}
    hash(
        {{ lines }}.conversation_id,
        {{ lines }}.event_type,
        {{ lines }}.recorded_timestamp,
        {{ lines }}.agent_id
    )
{%- endmacro %}

{#- What a row of json_tree says, however it is spelt: its place, and its value with escapes
    resolved. Numbers are compared by value, so that 0 and 0.0 are one; whole ones digit by digit,
    since beyond 2^53 not every one has a floating-point number of its own. -#}
{% macro json_node_text(node) -%}
    {%- set value = 'try_cast(' ~ node ~ '.atom as double)' -%}
    to_json([
        {{ node }}.fullkey,
        {{ node }}.key,
        if({{ node }}.type in ('UBIGINT', 'BIGINT', 'DOUBLE'), 'NUMBER', {{ node }}.type),
        case
            when {{ node }}.type = 'VARCHAR' then json_extract_string({{ node }}.atom, '$')
            when
                {{ node }}.type != 'DOUBLE'
                or regexp_full_match(cast({{ node }}.atom as varchar), '-?\d+')
                then cast({{ node }}.atom as varchar)
            when abs({{ value }}) < 9007199254740992 and {{ value }} = trunc({{ value }})
                then cast(cast({{ value }} as bigint) as varchar)
            else coalesce(cast({{ value }} as varchar), cast({{ node }}.atom as varchar))
        end
    ])
{%- endmacro %}

{#- The folder that a log belongs to: since July 2025 logs lie in it, or in a folder events below. -#}
{% macro home_folder(path) -%}
    regexp_replace({{ folder_of(path) }}, '[/\\]events$', '')
{%- endmacro %}

{#- The experiment inside a conversation's id, as in July 2025; NULL if there is none. -#}
{% macro embedded_experiment_id(conversation_id) -%}
    nullif(
        regexp_extract(
            {{ conversation_id }}, '^conv_((?:exp|experiment)_[0-9a-f]{8})_[0-9a-f]{8}$', 1
        ),
        ''
    )
{%- endmacro %}

{#- The experiment that events name, or their conversation's id. Where the manifest beside the log
    shares this id with another experiment, it says under which one its own is shown. -#}
{% macro named_experiment_id(named_id, manifest) -%}
    if({{ named_id }} = {{ manifest }}.logged_experiment_id, {{ manifest }}.experiment_id, {{ named_id }})
{%- endmacro %}
