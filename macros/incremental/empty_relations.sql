{#- Typed and empty, for when there is nothing to read: no file may be opened then. -#}

{% macro empty_event_logs() %}
    {{- return("(select cast(null as varchar) as filename, cast(null as varchar) as line where false)") -}}
{% endmacro %}

{#- A comparison with constants; false for an empty list, whose type SQL cannot tell. As IN, it
    would be asked of every row, in as many steps as there are constants; this way DuckDB only
    asks it of file names, once. -#}
{% macro is_one_of(expression, values) %}
    {{- return('list_contains([' ~ sql_strings(values) ~ '], ' ~ expression ~ ')' if values else 'false') -}}
{% endmacro %}

{% macro empty_archive() %}
    {%- set columns = {
        'filename': 'varchar', 'source_file': 'varchar', 'line_number': 'bigint', 'line_part': 'integer', 'line_kind': 'varchar',
        'event_id': 'uuid', 'event_type': 'varchar', 'conversation_id': 'varchar', 'experiment_id': 'varchar',
        'logged_experiment_id': 'varchar', 'turn_number': 'integer', 'agent_id': 'varchar',
        'recorded_timestamp': 'varchar', 'timestamp': 'timestamptz', 'event_date': 'date', 'line': 'varchar',
        'event_data': 'json', 'reason': 'varchar', 'line_start': 'varchar', 'size_bytes': 'bigint',
        'modified_at': 'timestamptz', 'md5': 'varchar', 'content': 'blob', 'is_terminated': 'boolean', 'archived_at': 'timestamptz',
    } -%}
    {%- set typed = [] -%}
    {%- for name, type in columns.items() %}{% do typed.append('cast(null as ' ~ type ~ ') as ' ~ name) %}{% endfor -%}
    {{- return('(select ' ~ typed | join(', ') ~ ' where false)') -}}
{% endmacro %}
