{#- Events of one kind in certain files, with their position in the conversation and the other columns of
    the files. This join limits the scan of the event store to these files. It is not in the view of the
    kind, because DuckDB would then read and parse all events of the kind before it drops those of
    other conversations. -#}
{% macro ordered_events(relation, files='changed_files') -%}
    select
        events.*,
        {{ files }}.* exclude (conversation_id, source_file, file_order),
        struct_pack(
            file_order := {{ files }}.file_order, line_position := events.line_position
        ) as place

    from {{ relation }} as events

    inner join {{ files }}
        on
            events.conversation_id = {{ files }}.conversation_id
            and events.source_file = {{ files }}.source_file
{%- endmacro %}
