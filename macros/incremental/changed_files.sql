{#- Files of one kind that are new or changed since {{ this }} read them, or that it read in
    another way. No content is read: size and modification time decide. Modification times
    are whole seconds, so a file written in the second in which it was listed could change
    again unseen; such a file is not "settled" and is looked at again by the next build. Nor is
    a file read that an archive holds in the same state. -#}

{% macro changed_files(files, pattern, ledger, archived_lines=none) %}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {#- A glob that matches nothing is an error to read_blob, but not to glob(). -#}
    {%- set found = run_query("select count(*) from glob(" ~ sql_string(pattern) ~ ")") -%}
    {%- if found.rows[0][0] == 0 -%}{{ return([]) }}{%- endif -%}
    {%- set listing -%}
        select
            files.filename,
            files.size,
            cast(epoch(files.last_modified) as bigint) as modified_epoch,
            abs(epoch(now()) - epoch(files.last_modified)) > 2 as is_settled
        from {{ files }} as files
        {% if is_incremental() %}
            anti join {{ ledger }} as known
                on
                    files.filename = known.source_file
                    and files.size = known.size_bytes
                    and files.last_modified = known.modified_at
                    and known.is_settled
                    and known.reading_version = {{ reading_version() }}
        {% endif %}
        {% if archived_lines %}
            anti join {{ archived_lines }} as archived
                on
                    files.filename = archived.source_file
                    and files.size = archived.size_bytes
                    and files.last_modified = archived.modified_at
        {% endif %}
        order by files.filename
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
    files        all changed logs, with size and modification time
    empty        those without a byte, or with a byte order mark alone
    binary       those with bytes that are not UTF-8 or a line over 16 MiB, and those whose
                 lines the reader may have parted wrongly. They are not in the table
    terminated   those whose last line is malformed, and ends in a line separator -#}

{% macro read_changed_event_logs(files, event_logs, ledger, archived_lines) %}
    {%- set pattern = glob_literal(pidgin_output_dir()) ~ '/**/*.jsonl' -%}
    {%- set changed = changed_files(files, pattern, ledger, archived_lines) -%}
    {%- set logs = {'files': changed, 'empty': [], 'binary': [], 'terminated': []} -%}
    {%- if not execute -%}{{ return(logs) }}{%- endif -%}
    {%- set paths = changed | map(attribute='path') | list -%}

    {%- do run_query("drop table if exists temp.reject_scans; drop table if exists temp.reject_errors") -%}
    {#- The source's own reader, asked to note the lines that it cannot read instead of
        stopping at them. -#}
    {%- set noting_reader = (event_logs | string)[:-1] ~ ", store_rejects = true)" -%}
    {%- set lines -%}
        (
            select filename as source_file, line, cast(null as varchar) as escaped_line
            from {{ noting_reader if changed else empty_event_logs() }}
            {#- Constants, because only they keep the reader from opening the other files. #}
            where {{ is_one_of('filename', paths) }}
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
        "select source_file from (" ~ file_constants(changed) ~ ") as files"
        ~ " inner join (select source_file, sum(line_bytes) + count(*) as bytes_read"
        ~ " from read_event_lines group by source_file) as files_read using (source_file)"
        ~ " where size_bytes > bytes_read and not " ~ is_one_of('source_file', unreadable)
    ).columns[0].values() | list -%}
    {%- set mixed = run_query(
        "select filename from " ~ read_blobs(longer)
        ~ " where regexp_matches(try(decode(content)), '\\r[^\\n]|\\x01\\x02\\x03\\x04')"
    ).columns[0].values() | list if longer else [] -%}
    {%- do logs.update({'binary': unreadable + mixed}) -%}
    {%- if logs.binary -%}
        {%- do run_query(
            "delete from read_event_lines where " ~ is_one_of('source_file', logs.binary)
        ) -%}
    {%- endif -%}
    {%- set malformed = run_query(
        "select source_file from read_event_lines group by source_file"
        ~ " having not max_by(is_json, rowid)"
    ).columns[0].values() | list + logs.binary -%}
    {%- if malformed -%}
        {%- do logs.update({'terminated': run_query(
            "select filename from " ~ read_blobs(malformed)
            ~ " where content[-1:] in ('\\x0A'::blob, '\\x0D'::blob)"
        ).columns[0].values() | list}) -%}
    {%- endif -%}
    {%- set tiny = changed | selectattr('size', 'in', [0, 3]) | map(attribute='path') | list -%}
    {%- if tiny -%}
        {%- do logs.update({'empty': run_query(
            "select filename from " ~ read_blobs(tiny)
            ~ " where hex(content) in ('', 'EFBBBF')"
        ).columns[0].values() | list}) -%}
    {%- endif -%}
    {{- return(logs) -}}
{% endmacro %}

{#- Whole files by name. read_blob reads every file of a glob even where only some are
    asked for, so these are named one by one. -#}
{% macro read_blobs(paths) %}
    {%- set literals = [] -%}
    {%- for path in paths %}{% do literals.append(glob_literal(path)) %}{% endfor -%}
    {{- return("read_blob([" ~ sql_strings(literals) ~ "])") -}}
{% endmacro %}
