{% macro check_configuration() %}
    {%- set folder = pidgin_output_dir() -%}
    {%- set zone = pidgin_timezone() -%}
    {%- set as_of = var('as_of', '') | string -%}
    {%- set facts = run_query(
        "select"
        ~ " (select count(*) from pg_timezone_names() where name = " ~ sql_string(zone) ~ "),"
        ~ " (select isfinite(try_cast(" ~ sql_string(as_of) ~ " as timestamptz)))"
    ).rows[0] -%}
    {%- set problem = folder_problem(folder) -%}
    {%- if problem -%}
        {{ exceptions.raise_compiler_error(printable("PIDGIN_OUTPUT_DIR is " ~ folder ~ ", which " ~ problem ~ ".")) }}
    {%- endif -%}
    {%- if facts[0] == 0 -%}
        {{ exceptions.raise_compiler_error(
            "PIDGIN_TIMEZONE is " ~ zone ~ ", which is no time zone; use a name such as Europe/Berlin."
        ) }}
    {%- endif -%}
    {%- if as_of and not facts[1] -%}
        {{ exceptions.raise_compiler_error(
            "as_of is " ~ as_of ~ ", which is no moment; write one such as 2026-03-01 12:00:00+00."
        ) }}
    {%- endif -%}
    {%- if (as_of | length > 0) != is_past_warehouse() -%}
        {{ exceptions.raise_compiler_error(
            "The warehouse " ~ warehouse_name() ~ " is " ~ ("of" if is_past_warehouse() else "not of")
            ~ " a past moment, and as_of is " ~ (as_of or "not set") ~ "; set it with --vars."
        ) }}
    {%- endif -%}
    {%- do check_output_dir(folder) -%}
    {%- if as_of -%}
        {{ log("As of " ~ as_of ~ ", in " ~ warehouse_name() ~ ".", info = true) }}
    {%- endif -%}
{% endmacro %}

{#- Without the project's plugin, a missing folder cannot be distinguished from an empty one; only a file is
    noticed. -#}
{% macro folder_problem(folder) %}
    {%- if has_plugin() -%}
        {{- return(run_query("select folder_problem(" ~ sql_string(folder) ~ ")").rows[0][0]) -}}
    {%- endif -%}
    {%- if run_query("select count(*) from glob(" ~ sql_string(glob_literal(folder)) ~ ")").rows[0][0] -%}
        {{- return("is a file; it must be the folder that Pidgin writes to") -}}
    {%- endif -%}
{% endmacro %}

{#- A warehouse shows one output folder, and notes which one. So a forgotten or mistyped setting cannot
    empty its tables in a build that succeeds. If the same folder is spelled differently, as in
    warehouses of earlier versions, paths get the current spelling. The bundled sample is replaced by
    any other folder without asking. -#}
{% macro check_output_dir(folder) %}
    {%- do run_query("create schema if not exists staging; create table if not exists staging.output_dir (path varchar)") -%}
    {%- set noted = run_query("select path from staging.output_dir").columns[0].values() | list -%}
    {%- if noted == [folder] %}{{ return('') }}{% endif -%}
    {%- set stores = [] -%}
    {%- for name in ['stg_pidgin__event_lines', 'stg_pidgin__manifests'] -%}
        {%- set store = adapter.get_relation(database = target.database, schema = 'staging', identifier = name) -%}
        {%- if store %}{% do stores.append(store) %}{% endif -%}
    {%- endfor -%}
    {%- if stores -%}
        {%- for store in stores if has_plugin() -%}
            {%- do run_query(
                "update " ~ store ~ " set source_file = spelled.resolved_file from ("
                ~ "select source_file, resolved_path(source_file) as resolved_file from ("
                ~ "select distinct source_file from " ~ store ~ " where not " ~ is_in_output_dir('source_file') ~ ")"
                ~ ") as spelled where " ~ store.identifier ~ ".source_file = spelled.source_file"
                ~ " and " ~ is_in_output_dir('spelled.resolved_file')
            ) -%}
        {%- endfor -%}
        {%- set others = run_query(
            "select count(distinct conversation_id) as conversations, min(regexp_replace(source_file, '[/\\\\][^/\\\\]*$', ''))"
            ~ " as example from " ~ stores[0] ~ " where not " ~ is_in_output_dir('source_file')
            ~ (" and starts_with(source_file, " ~ sql_string(noted[0].rstrip('/') ~ '/') ~ ")" if noted else "")
        ).rows[0] -%}
        {%- set shown = noted[0] if noted else others['example'] -%}
        {%- set is_shown_already = run_query(
            "select count(*) from " ~ stores[0] ~ " where " ~ is_in_output_dir('source_file')
        ).rows[0][0] > 0 and not noted -%}
        {%- set is_sample = (shown or '').startswith('sample_data/pidgin_output') -%}
        {%- if others['conversations'] and not is_shown_already -%}
            {%- if is_sample or var('switch_output_dir', false) -%}
                {{ log(printable("The tables showed " ~ shown ~ " and show " ~ folder ~ " from now on."), info = true) }}
            {%- else -%}
                {{ exceptions.raise_compiler_error(printable(
                    "The warehouse " ~ warehouse_name() ~ " holds " ~ others['conversations'] ~ " conversations of "
                    ~ shown ~ ", and PIDGIN_OUTPUT_DIR is now " ~ folder ~ ". Name another "
                    ~ ("PIDGIN_LAKE_CATALOG and PIDGIN_LAKE_DATA" if is_lake() else "PIDGIN_WAREHOUSE") ~ " for it, or switch"
                    ~ " this one with dbt build --vars '{switch_output_dir: true}': what it has read of "
                    ~ shown ~ " stays in it, and comes back when you switch back."
                )) }}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
    {%- do drop_notes() -%}
    {%- do run_query("begin; delete from staging.output_dir; insert into staging.output_dir values ("
        ~ sql_string(folder) ~ "); commit") -%}
{% endmacro %}
