{#- Whether a file lies in the output folder: what the marts show. -#}
{% macro is_in_output_dir(path) -%}
    starts_with({{ path }}, {{ sql_string(pidgin_output_dir().rstrip('/') ~ '/') }})
{%- endmacro %}

{#- Position of an event in its log: one number that puts lines, and parts of a line, in order. A log that
    lost its line ends is one line; of 100 MB, the most that is read, it has fewer parts than this. -#}
{% macro line_position(line_number, line_part) -%}
    {{ line_number }} * 10000000 + {{ line_part }}
{%- endmacro %}

{% macro line_part(line_position) -%}
    cast({{ line_position }} % 10000000 as integer)
{%- endmacro %}

{#- The folder that holds a file, without a trailing separator. -#}
{% macro folder_of(path) -%}
    regexp_replace({{ path }}, '[/\\][^/\\]*$', '')
{%- endmacro %}

{#- The id of the experiment that a path points to, from the folder names that Pidgin has
    used: conversations/<day>/... (single chats, gathered by day as chats_<day>),
    exp_<hex> and experiment_<hex> with or without more behind them, <name>_<hex>; any other
    folder counts as an experiment of its own name. Logs of July 2025 lie in a folder events
    below the experiment's. The output folder itself only counts where it is such a one: somebody
    pointed at a single experiment. -#}
{% macro experiment_id_from_path(path, output_dir) -%}
    case
        when regexp_matches({{ path }}, '[/\\]conversations[/\\]\d{4}-\d{2}-\d{2}[/\\]')
            then 'chats_' || regexp_extract({{ path }}, '[/\\]conversations[/\\](\d{4}-\d{2}-\d{2})[/\\]', 1)
        when regexp_matches({{ experiment_folder_name(path) }}, '^(exp|experiment)_[0-9a-f]{8}(_|$)')
            then regexp_extract({{ experiment_folder_name(path) }}, '^(?:exp|experiment)_[0-9a-f]{8}')
        -- Eight digits may also be a date.
        when
            regexp_matches({{ experiment_folder_name(path) }}, '_[0-9a-f]{8}$')
            and not regexp_matches(
                {{ experiment_folder_name(path) }}, '_20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$'
            )
            then 'experiment_' || right({{ experiment_folder_name(path) }}, 8)
        when {{ home_folder(path) }} = {{ output_dir }} then 'unfiled'
        else {{ experiment_folder_name(path) }}
    end
{%- endmacro %}

{% macro experiment_folder_name(path) -%}
    regexp_extract({{ home_folder(path) }}, '[^/\\]*$')
{%- endmacro %}
