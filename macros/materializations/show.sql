{#- What `dbt show` asks. Of a model that reads files, what stands: its SQL takes up what a build lists
    and reads. -#}
{% macro duckdb__get_limit_sql(sql, limit) %}
    {%- set is_shown = flags.WHICH == 'show' and model.resource_type == 'model' and reads_outside(model) -%}
    {{- dbt.default__get_limit_sql('select * from ' ~ this.include(database = false) if is_shown else sql, limit) -}}
{% endmacro %}
