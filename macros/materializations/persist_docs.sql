{#- Descriptions as comments in the database, so that its tools show them. Only those that are not
    there yet or read otherwise: a build that finds nothing new writes none for tables, and a view,
    which is made anew, gets all of its own in one step. -#}
{% macro duckdb__persist_docs(relation, model, for_relation=true, for_columns=true) -%}
    {%- set comments = {} -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do comments.update({'': model.description | trim}) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for name, column in model.columns.items() if column.description -%}
            {%- do comments.update({name: column.description | trim}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if execute and comments -%}
        {%- set place -%}
            database_name = {{ sql_string(relation.database) }}
            and schema_name = {{ sql_string(relation.schema) }}
        {%- endset -%}
        {%- set present = {} -%}
        {%- for row in run_query(
            "select column_name, comment from duckdb_columns() where " ~ place
            ~ " and table_name = " ~ sql_string(relation.identifier)
            ~ " union all select '', comment from duckdb_tables() where " ~ place
            ~ " and table_name = " ~ sql_string(relation.identifier)
            ~ " union all select '', comment from duckdb_views() where " ~ place
            ~ " and view_name = " ~ sql_string(relation.identifier)
        ).rows -%}
            {%- do present.update({row[0]: row[1]}) -%}
        {%- endfor -%}
        {%- set statements = [] -%}
        {%- for name, comment in comments.items() if name in present and present[name] != comment -%}
            {%- set target -%}
                {%- if name -%} column {{ relation }}.{{ adapter.quote(name) }}
                {%- else -%} {{ 'view' if relation.is_view else 'table' }} {{ relation }}
                {%- endif -%}
            {%- endset -%}
            {%- do statements.append('comment on ' ~ target ~ ' is ' ~ sql_string(comment)) -%}
        {%- endfor -%}
        {%- if statements -%}
            {%- do run_query(statements | join(';\n')) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
