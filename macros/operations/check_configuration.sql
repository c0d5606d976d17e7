{#- Runs before every build: a configuration that cannot work stops it with one sentence. -#}
{% macro check_configuration() %}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- set folder = pidgin_output_dir() -%}
        {%- set zone = pidgin_timezone() -%}
        {%- set as_of = var('as_of', '') | string -%}
        {%- set facts = run_query(
            "select"
            ~ " (select count(*) from glob(" ~ sql_string(glob_literal(folder)) ~ ")),"
            ~ " (select count(*) from glob(" ~ sql_string(glob_literal(folder) ~ '/**/*.jsonl') ~ ")),"
            ~ " (select count(*) from pg_timezone_names() where name = " ~ sql_string(zone) ~ "),"
            ~ " (select isfinite(try_cast(" ~ sql_string(as_of) ~ " as timestamptz)))"
        ).rows[0] -%}
        {%- if facts[0] > 0 -%}
            {{ exceptions.raise_compiler_error(
                "PIDGIN_OUTPUT_DIR is " ~ folder ~ ", which is a file; it must be the folder that Pidgin writes to."
            ) }}
        {%- endif -%}
        {%- if facts[2] == 0 -%}
            {{ exceptions.raise_compiler_error(
                "PIDGIN_TIMEZONE is " ~ zone ~ ", which is no time zone; use a name such as Europe/Berlin."
            ) }}
        {%- endif -%}
        {%- if as_of and not facts[3] -%}
            {{ exceptions.raise_compiler_error(
                "as_of is " ~ as_of ~ ", which is no moment; write one such as 2026-03-01 12:00:00+00."
            ) }}
        {%- endif -%}
        {%- if (as_of | length > 0) != is_past_warehouse() -%}
            {{ exceptions.raise_compiler_error(
                "The warehouse " ~ target.path ~ " is " ~ ("of" if is_past_warehouse() else "not of")
                ~ " a past moment, and as_of is " ~ (as_of or "not set") ~ "; set it with --vars."
            ) }}
        {%- endif -%}
        {%- if as_of -%}
            {{ log("As of " ~ as_of ~ ", in " ~ target.path ~ ".", info = true) }}
        {%- endif -%}
        {%- if facts[1] == 0 -%}
            {{ log("No event logs below " ~ folder ~ ": the warehouse keeps what it holds of that folder, if anything.", info = true) }}
        {%- else -%}
            {{ log(facts[1] ~ " event logs below " ~ folder ~ ".", info = true) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
