{#- Where things are. A dbt variable wins over the environment variable of the same
    name in upper case, which wins over the default. -#}

{% macro pidgin_output_dir() %}
    {%- set folder = var('pidgin_output_dir', env_var('PIDGIN_OUTPUT_DIR', 'sample_data/pidgin_output')) -%}
    {{- return(folder.rstrip('/') or '/') -}}
{% endmacro %}

{% macro pidgin_archive_dir() %}
    {%- set folder = var('pidgin_archive_dir', env_var('PIDGIN_ARCHIVE_DIR', '')) -%}
    {{- return((folder or pidgin_output_dir() ~ '/archive').rstrip('/')) -}}
{% endmacro %}

{% macro pidgin_timezone() %}
    {{- return(var('pidgin_timezone', env_var('PIDGIN_TIMEZONE', 'UTC'))) -}}
{% endmacro %}
