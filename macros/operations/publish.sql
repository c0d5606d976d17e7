{#- Publishes a whole build that succeeded, unless the same state is already published. Returns a sentence
    about it, or none for commands that do not publish. See docs/decisions/0012-publishing.md. -#}
{% macro publish(results) %}
    {%- if not has_plugin() or flags.WHICH not in ('build', 'run', 'seed', 'snapshot') -%}{{ return(none) }}{%- endif -%}
    {%- set obstacle = publishing_obstacle(results) -%}
    {%- if obstacle -%}
        {{- return("not published, because " ~ obstacle ~ ": it stays as the last whole build left it") -}}
    {%- endif -%}
    {#- From now on the selection `refresh` may leave out what it does not build. -#}
    {%- do note_relation('whole', graph.pidgin_code) -%}
    {%- do write_notes() -%}
    {%- set digest = run_query("select digest from staging.relations_digest").rows[0][0] -%}
    {%- set published_digest = "published_snapshot_digest()" if is_lake() else "published_digest(" ~ sql_string(warehouse_path()) ~ ")" -%}
    {%- if digest == run_query("select " ~ published_digest).rows[0][0] -%}
        {{- return("unchanged") -}}
    {%- endif -%}
    {%- set problem = publish_snapshot(digest) if is_lake() else publish_file(digest) -%}
    {%- if problem -%}
        {{ exceptions.raise_compiler_error(printable(
            "The build is green, but " ~ warehouse_name() ~ " could not be " ~ ("published" if is_lake() else "replaced") ~ " (" ~ problem
            ~ "), and stays as it was. The next dbt build tries again."
        )) }}
    {%- endif -%}
    {{- return("published") -}}
{% endmacro %}

{% macro publish_snapshot(digest) %}
    {{- return(run_query("select publish_snapshot(" ~ sql_string(digest) ~ ")").rows[0][0]) -}}
{% endmacro %}

{% macro publish_file(digest) %}
    {%- do run_query(
        "begin; create or replace table staging.published_state as select " ~ sql_string(digest)
        ~ " as digest, now() as published_at; commit"
    ) -%}
    {%- do run_query("checkpoint") -%}
    {{- return(run_query("select publish(" ~ sql_string(warehouse_path()) ~ ")").rows[0][0]) -}}
{% endmacro %}

{% macro publishing_obstacle(results) %}
    {%- if flags.WHICH != 'build' -%}{{ return("only a whole dbt build is") }}{%- endif -%}
    {%- if flags.EMPTY -%}{{ return("it was built without data") }}{%- endif -%}
    {%- set selections = [] -%}
    {%- for option in ['select', 'exclude', 'selector', 'resource_types', 'exclude_resource_types'] -%}
        {%- if invocation_args_dict.get(option) %}{% do selections.append(invocation_args_dict[option]) %}{% endif -%}
    {%- endfor -%}
    {%- set is_whole_before = graph.pidgin_relations.get('whole', {}).get('definition') == graph.pidgin_code -%}
    {%- if selections and not (selections == ['refresh'] and is_whole_before) -%}
        {{- return("only a part of it was built") -}}
    {%- endif -%}
    {%- set failures = [] -%}
    {%- for result in results if (result.status | string) not in ('success', 'pass', 'warn', 'no-op') -%}
        {%- do failures.append(result.node.name) -%}
    {%- endfor -%}
    {%- if failures -%}
        {{- return(counted(failures | length, 'step') ~ " of the build failed or did not run") -}}
    {%- endif -%}
{% endmacro %}
