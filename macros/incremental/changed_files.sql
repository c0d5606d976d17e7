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

{#- The changed event logs, sorted by how they must be read:
    files        all of them, with size and modification time
    text         those that can be read as lines of text
    empty        those without a byte, or with a byte order mark alone
    binary       those with bytes that are not UTF-8 or a line over 16 MiB; and those with
                 empty lines, because the reader takes a line end of another kind than the
                 file's first for an empty line, too
    terminated   those with malformed lines whose last line ends in a line separator -#}

{% macro changed_event_logs(files, event_logs, ledger, archived_lines) %}
    {%- set pattern = glob_literal(pidgin_output_dir()) ~ '/**/*.jsonl' -%}
    {%- set changed = changed_files(files, pattern, ledger, archived_lines) -%}
    {%- if not changed -%}
        {{ return({'files': [], 'text': [], 'empty': [], 'binary': [], 'terminated': []}) }}
    {%- endif -%}
    {%- set paths = changed | map(attribute='path') | list -%}

    {%- do run_query("drop table if exists reject_scans; drop table if exists reject_errors") -%}
    {#- The source's own reader, asked to note the lines that it cannot read instead of
        stopping at them. -#}
    {%- set noting_reader = (event_logs | string)[:-1] ~ ", store_rejects = true)" -%}
    {%- set irregular = run_query(
        "select filename, bool_or(line is null), bool_or(line is not null) from " ~ noting_reader
        ~ " where " ~ is_one_of('filename', paths) ~ " and (line is null"
        ~ " or not json_valid(line) and not regexp_full_match(line, '\\s*')) group by filename"
    ) -%}
    {%- set binary = run_query(
        "select distinct reject_scans.file_path from reject_errors"
        ~ " inner join reject_scans using (scan_id, file_id)"
    ).columns[0].values() | list -%}
    {%- set malformed = [] -%}
    {%- for row in irregular.rows -%}
        {%- if row[1] and row[0] not in binary %}{% do binary.append(row[0]) %}{% endif -%}
        {%- if row[2] %}{% do malformed.append(row[0]) %}{% endif -%}
    {%- endfor -%}
    {%- set terminated = [] -%}
    {%- if malformed -%}
        {%- set terminated = run_query(
            "select filename from " ~ read_blobs(malformed)
            ~ " where content[-1:] in ('\\x0A'::blob, '\\x0D'::blob)"
        ).columns[0].values() -%}
    {%- endif -%}
    {%- set tiny = changed | selectattr('size', 'in', [0, 3]) | map(attribute='path') | list -%}
    {%- set empty = [] -%}
    {%- if tiny -%}
        {%- set empty = run_query(
            "select filename from " ~ read_blobs(tiny)
            ~ " where hex(content) in ('', 'EFBBBF')"
        ).columns[0].values() -%}
    {%- endif -%}
    {{- return({
        'files': changed,
        'text': paths | reject('in', binary) | reject('in', empty) | list,
        'empty': empty,
        'binary': binary,
        'terminated': terminated,
    }) -}}
{% endmacro %}

{#- Whole files by name. read_blob reads every file of a glob even where only some are
    asked for, so these are named one by one. -#}
{% macro read_blobs(paths) %}
    {%- set literals = [] -%}
    {%- for path in paths %}{% do literals.append(glob_literal(path)) %}{% endfor -%}
    {{- return("read_blob([" ~ sql_strings(literals) ~ "])") -}}
{% endmacro %}
