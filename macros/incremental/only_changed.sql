{#- Joins the rows of {{ rows }}, an import of {{ relation }}, to the keys that {{ this }} holds in
    another state, or not at all. The keys alone are compared, and with NOT IN: DuckDB then looks
    the few that differ up in the rows, and passes over the texts of all others; comparing whole
    rows, or by EXCEPT or an anti join, reads them all. Neither key nor fingerprint may be NULL:
    NOT IN then finds nothing. -#}
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
