{#- A seed is recreated in the transaction that fills it, because its columns may have changed and DuckDB
    fills them by position. -#}
{% macro duckdb__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {%- call statement('drop_seed') -%}
        drop table {{ old_relation }}
    {%- endcall -%}
    {{- return(create_csv_table(model, agate_table)) -}}
{% endmacro %}
