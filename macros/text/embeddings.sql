{#- Stops a build that cannot make vectors, and says how many it has to make. -#}
{% macro say_what_is_embedded(missing_texts) %}
    {%- if not execute or flags.WHICH not in ('build', 'run') -%}{{ return('') }}{%- endif -%}
    {%- set problem = run_query("select embedding_problem(" ~ sql_string(embedding_model()) ~ ")").rows[0][0] -%}
    {%- if problem -%}
        {{ exceptions.raise_compiler_error(printable("PIDGIN_EMBEDDING_MODEL is set, but " ~ problem)) }}
    {%- endif -%}
    {%- set missing = run_query("select count(*) from (" ~ missing_texts ~ ")").rows[0][0] -%}
    {%- do note_what_to_read([missing] if missing else []) -%}
    {%- if missing > 0 -%}
        {%- do say(
            counted(missing, 'text') ~ " without a vector; this build makes those of "
            ~ counted([missing, var('embedding_limit') | int] | min, 'text') ~ "."
        ) -%}
    {%- endif -%}
{% endmacro %}

{#- The cosine of two vectors; NULL where one is missing or zero. -#}
{% macro cosine_of_vectors(one, other) -%}
    if(
        {{ one }} is null or {{ other }} is null,
        null,
        {{ rounded("nullif(cast(list_cosine_similarity(" ~ one ~ ", " ~ other ~ ") as double), 'nan')") }}
    )
{%- endmacro %}
