{#- A seed is made anew each time, in the transaction that fills it: its columns may be other ones
    than those that stand, and DuckDB fills them by position. -#}
{% macro duckdb__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {%- call statement('drop_seed') -%}
        drop table {{ old_relation }}
    {%- endcall -%}
    {{- return(create_csv_table(model, agate_table)) -}}
{% endmacro %}
