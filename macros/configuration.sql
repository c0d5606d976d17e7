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

{#- The thresholds of conversation_patterns as one text: they belong to what a row was
    computed from. -#}
{% macro pattern_thresholds() %}
    {%- set thresholds = [] -%}
    {%- for name in [
        'vocabulary_collapse_ratio',
        'gratitude_spiral_density', 'gratitude_spiral_turns',
        'echo_chamber_mimicry', 'echo_chamber_turns',
        'symbolic_phase_density', 'symbolic_phase_turns',
        'compression_phase_ratio', 'compression_phase_turns',
    ] -%}
        {%- do thresholds.append(name ~ '=' ~ var(name)) -%}
    {%- endfor -%}
    {{- return(thresholds | join(' ')) -}}
{% endmacro %}

{% macro pidgin_timezone() %}
    {{- return(var('pidgin_timezone', env_var('PIDGIN_TIMEZONE', 'UTC'))) -}}
{% endmacro %}
