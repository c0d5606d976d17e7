{#- Files of one kind that are new or changed since {{ this }} read them, or that it read in
    another way. No content is read: size and modification time decide. Modification times
    are whole seconds, so a file written in the second in which it was listed could change
    again unseen; such a file is not "settled" and is looked at again by the next build. Nor is
    a file read that an archive holds in the same state. -#}
{% macro changed_files(files, ledger, condition='true', archived_lines=none) %}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set listing -%}
        select
            files.source_file,
            files.size_bytes,
            cast(epoch(files.modified_at) as bigint) as modified_epoch,
            abs(epoch(now()) - epoch(files.modified_at)) > 2 as is_settled
        from {{ files }} as files
        {% if is_incremental() %}
            anti join {{ ledger }} as known
                on
                    files.source_file = known.source_file
                    and files.size_bytes = known.size_bytes
                    and files.modified_at = known.modified_at
                    and known.is_settled
                    and known.reading_version = {{ reading_version() }}
        {% endif %}
        {% if archived_lines %}
            anti join {{ archived_lines }} as archived
                on
                    files.source_file = archived.source_file
                    and files.size_bytes = archived.size_bytes
                    and files.modified_at = archived.modified_at
        {% endif %}
        where {{ condition }}
        order by files.source_file
    {%- endset -%}
    {%- set changed = [] -%}
    {%- for row in run_query(listing).rows -%}
        {%- do changed.append({
            'path': row[0], 'size': row[1] | int, 'modified_epoch': row[2] | int, 'is_settled': row[3]
        }) -%}
    {%- endfor -%}
    {{- return(changed) -}}
{% endmacro %}

{#- Reads the changed event logs into the temporary table read_event_lines, what can be read as
    lines of text: one row per line, in the order of lines, parsed. The reader numbers no lines,
    but the rows of a new table are numbered; numbering lines while they are read would take
    one processor, whatever there are. What comes back:
    files        all changed logs, with size and modification time, and what is wrong with
                 compressed ones
    empty        those without a byte, or with a byte order mark alone
    binary       those with bytes that are not UTF-8 or a line over 16 MiB, and those whose
                 lines the reader may have parted wrongly. They are not in the table, and are
                 read where they are or where their copy is
    copies       where the unpacked copies of compressed logs are
    terminated   those whose last line is malformed, and ends in a line separator
    holds_glued  whether any line may be glued of several events -#}
{% macro read_changed_event_logs(files, event_logs, ledger, archived_lines) %}
    {%- set changed = changed_files(files, ledger, "file_kind = 'log' and problem is null", archived_lines) -%}
    {%- set logs = {'files': changed, 'empty': [], 'binary': [], 'copies': {}, 'terminated': [], 'holds_glued': false} -%}
    {%- if not execute -%}{{ return(logs) }}{%- endif -%}
    {%- do graph.update({'pidgin_logs_read': changed | map(attribute='path') | list}) -%}
    {%- do logs.update({'copies': unpack_logs(changed)}) -%}
    {%- do set_named_files('pidgin_changed_logs', changed | map(attribute='place') | list) -%}

    {%- do run_query("drop table if exists temp.reject_scans; drop table if exists temp.reject_errors") -%}
    {#- The source's own reader, asked to note the lines that it cannot read instead of
        stopping at them. -#}
    {%- set noting_reader = (event_logs | string)[:-1] ~ ", store_rejects = true)" -%}
    {%- set lines -%}
        (
            select filename as source_file, line, cast(null as varchar) as escaped_line
            from {{ noting_reader if changed else empty_event_logs() }}
        )
    {%- endset -%}
    {%- set read_lines = "create or replace temp table read_event_lines as " -%}
    {%- do run_query(read_lines ~ parsed_lines(lines, mends_keys = false)) -%}
    {%- if not changed -%}{{ return(logs) }}{%- endif -%}
    {%- if table_repeats_keys('read_event_lines') -%}
        {%- do run_query(read_lines ~ parsed_lines(lines, mends_keys = true)) -%}
    {%- endif -%}

    {#- An empty line may also be a line end of another kind than the file's first. -#}
    {%- set unreadable = run_query(
        "select source_file from read_event_lines where is_blank and line_start is null"
        ~ " union select reject_scans.file_path from temp.reject_errors"
        ~ " inner join temp.reject_scans using (scan_id, file_id)"
    ).columns[0].values() | list -%}
    {#- What the reader leaves out: the byte behind a lone \r where lines end in \r\n, and what
        follows a delimiter. Only looked for where each line takes more than its text and one byte. -#}
    {%- set longer = run_query(
        "select source_file from (" ~ place_constants(changed) ~ ") as files"
        ~ " inner join (select source_file, sum(line_bytes) + count(*) as bytes_read"
        ~ " from read_event_lines group by source_file) as files_read using (source_file)"
        ~ " where size_bytes > bytes_read and not " ~ is_one_of('source_file', unreadable)
    ).columns[0].values() | list -%}
    {%- set mixed = run_query(
        "select filename from " ~ read_blobs(longer)
        ~ " where regexp_matches(try(decode(content)), '\\r[^\\n]|\\x01\\x02\\x03\\x04')"
    ).columns[0].values() | list if longer else [] -%}
    {%- set binary = unreadable + mixed -%}
    {%- if binary -%}
        {%- do run_query("delete from read_event_lines where " ~ is_one_of('source_file', binary)) -%}
    {%- endif -%}
    {%- set malformed = run_query(
        "select source_file from read_event_lines group by source_file"
        ~ " having not max_by(is_json, rowid)"
    ).columns[0].values() | list + binary -%}
    {%- set terminated = run_query(
        "select filename from " ~ read_blobs(malformed)
        ~ " where content[-1:] in ('\\x0A'::blob, '\\x0D'::blob)"
    ).columns[0].values() | list if malformed else [] -%}
    {%- set tiny = changed | selectattr('place_size', 'in', [0, 3]) | map(attribute='place') | list -%}
    {%- set empty = run_query(
        "select filename from " ~ read_blobs(tiny) ~ " where hex(content) in ('', 'EFBBBF')"
    ).columns[0].values() | list if tiny else [] -%}
    {%- do logs.update({'binary': binary, 'holds_glued': binary | length > 0 or run_query(
        "select exists(from read_event_lines where glued_line is not null)"
    ).rows[0][0]}) -%}
    {%- for file in changed if file.path != file.place -%}
        {%- do run_query(
            "update read_event_lines set source_file = " ~ sql_string(file.path)
            ~ " where source_file = " ~ sql_string(file.place)
        ) -%}
    {%- endfor -%}
    {%- for file in changed -%}
        {%- if file.place in terminated %}{% do logs.terminated.append(file.path) %}{% endif -%}
        {%- if file.place in empty or file.place in binary %}{% do logs.empty.append(file.path) %}{% endif -%}
    {%- endfor -%}
    {{- return(logs) -}}
{% endmacro %}

{#- Notes for each changed log where it is read, and how large it is there: a compressed one is
    unpacked beside the warehouse, into files that the next build or the end of this model
    deletes. Readers would trust its name, stop all others at the first fault, or take a part for
    the whole. Without the project's plugin they have to. -#}
{% macro unpack_logs(changed) %}
    {%- set copies = {} -%}
    {%- for file in changed -%}{%- do file.update({'place': file.path, 'place_size': file.size}) -%}{%- endfor -%}
    {%- if has_plugin() and changed -%}
        {%- do run_query("select clear_folder(" ~ sql_string(reading_folder()) ~ ")") -%}
        {%- set compressed = run_query(
            "select source_file from (" ~ file_constants(changed) ~ ") as files where is_compressed(source_file)"
        ).columns[0].values() | list -%}
        {%- for file in changed if file.path in compressed -%}
            {%- set place = reading_folder() ~ '/' ~ loop.index ~ '.jsonl' -%}
            {%- do file.update({'place': place, 'problem': run_query(
                "select unpack_log(" ~ sql_string(file.path) ~ ", " ~ sql_string(place) ~ ")"
            ).rows[0][0]}) -%}
            {%- do file.update({'place_size': run_query(
                "select size from " ~ read_blobs([place])
            ).rows[0][0] | int}) -%}
            {%- do copies.update({place: file.path}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(copies) -}}
{% endmacro %}

{% macro reading_folder() %}
    {{- return(run_query(
        "select coalesce(path, 'pidgin') from duckdb_databases() where database_name = current_database()"
    ).rows[0][0] ~ '.reading') -}}
{% endmacro %}

{#- After the lines of copies are stored. -#}
{% macro delete_copies() %}
    {%- if has_plugin() -%}
        select clear_folder({{ sql_string(reading_folder()) }})
    {%- endif -%}
{% endmacro %}

{#- The log that a copy was made of, or the file itself. -#}
{% macro original_file(path, copies) -%}
    {%- if copies -%}
        coalesce(
            map {
                {%- for copy, original in copies.items() -%}
                    {{ sql_string(copy) }}: {{ sql_string(original) }}{{ ', ' if not loop.last }}
                {%- endfor -%}
            }[{{ path }}],
            {{ path }}
        )
    {%- else -%}
        {{ path }}
    {%- endif -%}
{%- endmacro %}

{% macro place_constants(changed) %}
    {%- set places = [] -%}
    {%- for file in changed if file.path != file.place or not modules.re.search('(?i)[.](gz|zst)$', file.path) -%}
        {%- do places.append(dict(file, path = file.place, size = file.place_size)) -%}
    {%- endfor -%}
    {{- return(file_constants(places)) -}}
{% endmacro %}
