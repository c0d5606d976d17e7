{#- Where things are. A dbt variable wins over the environment variable of the same
    name in upper case, which wins over the default. One that is set but empty is not set. -#}

{% macro setting(name, default) %}
    {%- set value = var(name, '') -%}
    {%- if value is none or value == '' -%}{%- set value = env_var(name | upper, '') -%}{%- endif -%}
    {%- if value is not string -%}
        {{ exceptions.raise_compiler_error(name ~ " is " ~ value ~ ", which is no text.") }}
    {%- endif -%}
    {{- return(value or default) -}}
{% endmacro %}

{% macro pidgin_output_dir() %}
    {{- return(resolved_path(setting('pidgin_output_dir', 'sample_data/pidgin_output'))) -}}
{% endmacro %}

{% macro pidgin_archive_dir() %}
    {{- return(resolved_path(setting('pidgin_archive_dir', pidgin_output_dir() ~ '/archive'))) -}}
{% endmacro %}

{#- Whether this is a lake, for a team and more than one machine, and not a file. -#}
{% macro is_lake() %}
    {{- return(target.name == 'lake') -}}
{% endmacro %}

{#- The warehouse, for messages. -#}
{% macro warehouse_name() %}
    {{- return(run_query("select lake_name()").rows[0][0] if is_lake() else warehouse_path()) -}}
{% endmacro %}

{#- The file that people open. With the project's plugin builds write another one, in a folder beside
    it. -#}
{% macro warehouse_path() %}
    {{- return(target.path.removesuffix('.building/' ~ target.path.split('/')[-1])) -}}
{% endmacro %}

{% macro pidgin_timezone() %}
    {{- return(setting('pidgin_timezone', 'UTC')) -}}
{% endmacro %}

{#- Whether the project's Python plugin is loaded, and its functions with it; not while dbt parses. -#}
{% macro has_plugin() %}
    {{- return(execute and 'pidgin_analytics.dbt_plugin' in (target.plugins or []) | map(attribute='module')) -}}
{% endmacro %}

{#- The one spelling of a path. Without the project's plugin, what can be known without looking
    at the disk: symbolic links stay. -#}
{% macro resolved_path(path) %}
    {%- if has_plugin() -%}
        {#- Asked once: all nodes of a build share the graph. -#}
        {%- set known = graph.get('pidgin_resolved_paths') -%}
        {%- if known is none -%}
            {%- set known = {} -%}
            {%- do graph.update({'pidgin_resolved_paths': known}) -%}
        {%- endif -%}
        {%- if path not in known -%}
            {%- do known.update({path: run_query("select resolved_path(" ~ sql_string(path) ~ ")").rows[0][0]}) -%}
        {%- endif -%}
        {{- return(known[path]) -}}
    {%- endif -%}
    {%- set path = modules.re.sub('^file://(localhost(?=/))?', '', path) -%}
    {%- if path == '~' or path.startswith('~/') -%}{%- set path = env_var('HOME', '~') ~ path[1:] -%}{%- endif -%}
    {%- set steps = [] -%}
    {%- for step in path.split('/') if step not in ['', '.'] -%}
        {%- if step == '..' and steps and steps[-1] != '..' -%}
            {%- do steps.pop() -%}
        {%- elif step != '..' or not path.startswith('/') -%}
            {%- do steps.append(step) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(('/' if path.startswith('/') else '') ~ steps | join('/') or '.') -}}
{% endmacro %}

{#- The patterns that conversation_patterns looks for in turns. Each needs so many turns in a row, a
    variable of its name. -#}
{% macro pattern_names() %}
    {{- return([
        'loop', 'farewell_loop', 'gratitude_spiral', 'silence', 'symbol_ending',
        'vocabulary_collapse', 'echo_chamber', 'symbolic_phase', 'compression_phase',
    ]) -}}
{% endmacro %}

{#- The thresholds of conversation_patterns as one text: they belong to what a row was
    computed from. -#}
{% macro pattern_thresholds() %}
    {%- set thresholds = [] -%}
    {%- for name in [
        'loop_share', 'loop_similarity', 'loop_phrases', 'loop_turns',
        'farewell_closing_share', 'farewell_ending_share', 'farewell_short_ratio',
        'farewell_silent_ratio', 'farewell_statements', 'farewell_loop_turns',
        'gratitude_spiral_share', 'gratitude_spiral_turns',
        'silence_words', 'silence_direction_words', 'silence_turns',
        'symbol_ending_share', 'symbol_ending_turns',
        'vocabulary_collapse_mattr', 'vocabulary_collapse_loop_share', 'vocabulary_collapse_turns',
        'echo_chamber_mimicry', 'echo_chamber_turns',
        'symbolic_phase_density', 'symbolic_phase_turns',
        'compression_phase_ratio', 'compression_phase_turns',
    ] -%}
        {%- do thresholds.append(name ~ '=' ~ var(name)) -%}
    {%- endfor -%}
    {{- return(thresholds | join(' ')) -}}
{% endmacro %}

{#- The model that makes vectors of texts; empty if none shall. Only Python can ask a model, so
    without the plugin there are no vectors. -#}
{% macro embedding_model() %}
    {%- set model = setting('pidgin_embedding_model', '') -%}
    {%- set plugins = (target.plugins or []) | map(attribute='module') | list -%}
    {%- if model in ('', 'none') or 'pidgin_analytics.dbt_plugin' not in plugins -%}{{ return('') }}{%- endif -%}
    {{- return('universal-sentence-encoder-multilingual-3' if model == 'default' else model) -}}
{% endmacro %}
