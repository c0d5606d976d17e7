{#- Joins {{ rows }}, an import of {{ relation }}, to the keys whose current fingerprint {{ this }} does
    not have. Only keys and fingerprints are compared, with NOT IN: DuckDB then looks up the few rows
    that differ and skips the texts of all others. Comparing whole rows, EXCEPT or an anti join would
    read all of them. Neither key nor fingerprint may be NULL, because NOT IN would find nothing. -#}
{% macro only_changed(rows, relation, key='conversation_id') %}
    {%- if is_incremental() -%}
        semi join (
            select distinct {{ key }}, fingerprint from {{ relation }} as present
            where ({{ key }}, fingerprint) not in (select {{ key }}, fingerprint from {{ this }})
        ) as changed
            on
                {{ rows }}.{{ key }} = changed.{{ key }}
                and {{ rows }}.fingerprint = changed.fingerprint
    {%- endif -%}
{% endmacro %}
