{#- `dbt show` of a model that reads files selects from its table, because its SQL needs the temporary
    tables of a build. -#}
{% macro duckdb__get_limit_sql(sql, limit) %}
    {%- set is_shown = flags.WHICH == 'show' and model.resource_type == 'model' and reads_outside(model) -%}
    {{- dbt.default__get_limit_sql('select * from ' ~ this.include(database = false) if is_shown else sql, limit) -}}
{% endmacro %}
