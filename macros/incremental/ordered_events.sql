{#- Events of one kind with their place in their conversation: those that certain files hold, changed ones
    or all. What else is known of the files stands beside them. This join is what narrows the scan of
    the event store to what changed, so it does not stand in the view of a kind: from a view that joins
    the files itself, DuckDB reads and parses all events of the kind, and then drops those of other
    conversations. -#}
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
