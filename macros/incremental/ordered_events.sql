{#- Events of one kind with their place in their conversation, from an import of them and a step of
    the files that count: those of changed conversations, or all. What comes of the files stands
    beside them. The join is what narrows the scan of the event store to what changed, and so it
    stands here, not in the view of the kind: a view that joins the files itself has DuckDB read and
    parse all events of the kind, then drop those of other conversations. -#}
{% macro ordered_events(events, files='changed_files') -%}
    select
        {{ events }}.*,
        {{ files }}.* exclude (conversation_id, source_file, file_order),
        struct_pack(
            file_order := {{ files }}.file_order, line_position := {{ events }}.line_position
        ) as place

    from {{ events }}

    inner join {{ files }}
        on
            {{ events }}.conversation_id = {{ files }}.conversation_id
            and {{ events }}.source_file = {{ files }}.source_file
{%- endmacro %}
