{#- Modification times are whole seconds, so a file that was written in the second in which it was listed
    could change again unnoticed. The next build checks it again. -#}
{% macro is_settled(modified_at) -%}
    abs(epoch(now()) - epoch({{ modified_at }})) > 2
{%- endmacro %}

{#- Leaves out files that {{ this }} has read with the same size, modification time and SQL. Content is
    not read. -#}
{% macro without_read_files(files) %}
    {%- if is_incremental() -%}
        anti join {{ this }} as known
            on
                {{ files }}.source_file = known.source_file
                and {{ files }}.size_bytes = known.size_bytes
                and {{ files }}.modified_at = known.modified_at
                and known.is_settled
                and known.reading_version = {{ reading_version() }}
    {%- endif -%}
{% endmacro %}

{#- The new and changed files of one kind, for the materialization event_store: in the temporary table
    read_files, and as a list of paths. If an archive holds the same version of a file, it is left out. -#}
{% macro list_changed_files(file_kind) %}
    {%- set listing -%}
        create or replace temp table read_files as
        select
            files.source_file,
            files.size_bytes,
            files.modified_at,
            {{ is_settled('files.modified_at') }} as is_settled
        from {{ ref('stg_pidgin__files') }} as files
        {{ without_read_files('files') }}
        anti join {{ ref('stg_archive__lines') }} as archived
            on
                files.source_file = archived.source_file
                and files.size_bytes = archived.size_bytes
                and files.modified_at = archived.modified_at
        where files.file_kind = {{ sql_string(file_kind) }} and files.problem is null
        order by files.source_file;

        select source_file from temp.read_files
    {%- endset -%}
    {{- return(run_query(listing).columns[0].values() | list) -}}
{% endmacro %}

{#- Hands manifests to their source, which reads them. -#}
{% macro read_manifests(paths) %}
    {%- do run_query("set variable pidgin_changed_manifests = cast([" ~ literal_paths(paths) ~ "] as varchar[])") -%}
{% endmacro %}

{#- Reads the logs in read_files into temporary tables, with what there is to know of each in read_logs:
    place           where it is read, itself or an unpacked copy
    problem         what is wrong with a compressed one
    first_row,      its rows in read_text_lines
    last_row
    is_read         whether it was there, still
    is_binary       whether it has bytes that are not UTF-8 or a line over 16 MiB, or the reader may
                    have parted its lines wrongly; read_other_lines has its lines, then
    is_terminated   whether it ends in a line separator; asked where its last line is malformed -#}
{% macro read_logs(paths) %}
    {%- do run_query(find_places() ~ "; " ~ read_text_lines(paths, mends_keys = false)) -%}
    {%- if table_repeats_keys('temp.read_text_lines') -%}
        {%- do run_query(read_text_lines(paths, mends_keys = true)) -%}
    {%- endif -%}
    {%- set holds_other_lines = run_query(judge_logs(paths)).rows[0][0] -%}
    {%- do run_query(
        "create or replace temp table read_other_lines as "
        ~ (other_lines() if holds_other_lines else text_lines() ~ " limit 0") ~ "; " ~ view_of_lines()
    ) -%}
{% endmacro %}

{#- From which path each log is read, and its size there. Compressed logs are unpacked beside the warehouse;
    the end of this model, or the next build, deletes the copies. DuckDB's own reader would trust the
    file's name, stop at the first damaged file, or take a part of a file for the whole. Without the
    project's plugin it has to be used. -#}
{% macro find_places() %}
    create or replace temp table read_logs as
    select *, source_file as place, size_bytes as place_size, cast(null as varchar) as problem
    from temp.read_files;
    {% if has_plugin() %}
        set variable pidgin_reading_folder = ({{ clear_copies() }});
        update temp.read_logs
        set place = getvariable('pidgin_reading_folder') || '/' || rowid || '.jsonl'
        where is_compressed(source_file);
        update temp.read_logs set problem = unpack_log(source_file, place) where place != source_file;
        set variable pidgin_copied_logs = {{ patterns_of('place', 'temp.read_logs where place != source_file') }};
        update temp.read_logs set place_size = copies.size
        from {{ read_blobs_of('pidgin_copied_logs') }} as copies
        where place = copies.filename;
    {% endif %}
    set variable pidgin_changed_logs = {{ patterns_of('place', 'temp.read_logs') }}
{% endmacro %}

{% macro clear_copies() %}
    select clear_folder(coalesce(path, 'pidgin') || '.reading')
    from duckdb_databases() where database_name = current_database()
{% endmacro %}

{#- Reads logs as lines of text: one parsed row per line, in order. The reader does not number lines, but the
    rows of a new table have numbers; numbering lines during the read would use only one thread. -#}
{% macro read_text_lines(paths, mends_keys) %}
    {#- The source's own reader, asked to note the lines that it cannot read instead of
        stopping at them. -#}
    {%- set reader = (source('pidgin', 'event_logs') | string)[:-1] ~ ", store_rejects = true)" -%}
    {%- set lines -%}
        (
            select filename as place, line, cast(null as varchar) as escaped_line
            from {{ reader if paths else empty_event_logs() }}
        )
    {%- endset -%}
    drop table if exists temp.reject_scans;
    drop table if exists temp.reject_errors;
    create or replace temp table read_text_lines as {{ parsed_lines(lines, mends_keys) }}
{% endmacro %}

{#- Checks what was read of each log, and if something is unclear, its bytes. Notes whether any line has to
    be read in another way. -#}
{% macro judge_logs(paths) %}
    set variable pidgin_unreadable_logs = (
        {% if paths %}
            select list(distinct reject_scans.file_path)
            from temp.reject_errors inner join temp.reject_scans using (scan_id, file_id)
        {% else %}
            cast([] as varchar[])
        {% endif %}
    );
    create or replace temp table read_logs as
    with text_files as (
        select
            place,
            min(rowid) as first_row,
            max(rowid) as last_row,
            sum(line_bytes) + count(*) as bytes_read,
            -- An empty line may also be a line end of another kind than the file's first.
            bool_or(is_blank and line_start is null) as holds_blank,
            not max_by(is_json, rowid) as is_malformed
        from temp.read_text_lines
        group by place
    )
    select
        read_logs.*,
        text_files.first_row,
        text_files.last_row,
        coalesce(text_files.holds_blank, false)
        or coalesce(list_contains(getvariable('pidgin_unreadable_logs'), read_logs.place), false)
            as is_unreadable,
        -- What the reader leaves out: the byte behind a lone \r where lines end in \r\n, and what
        -- follows a delimiter. Only looked for where each line takes more than its text and one byte.
        not is_unreadable
        and coalesce(read_logs.place_size > text_files.bytes_read, false)
        and not regexp_matches(read_logs.place, '[.](?i:gz|zst)$') as is_longer,
        coalesce(text_files.is_malformed, false) as is_malformed
    from temp.read_logs left join text_files on read_logs.place = text_files.place;

    set variable pidgin_longer_logs = (select list(place) from temp.read_logs where is_longer);
    set variable pidgin_questioned_logs = {{ patterns_of(
        'place', 'temp.read_logs where is_unreadable or is_longer or is_malformed or place_size in (0, 3)'
    ) }};
    create or replace temp table read_logs as
    with contents as (
        select
            filename as place,
            if(
                list_contains(getvariable('pidgin_longer_logs'), filename),
                regexp_matches(try(decode(content)), '\r[^\n]|\x01\x02\x03\x04'),
                false
            ) as is_mixed,
            content[-1:] in ('\x0A'::blob, '\x0D'::blob) as is_terminated,
            content in (''::blob, '\xEF\xBB\xBF'::blob) as is_empty
        from {{ read_blobs_of('pidgin_questioned_logs') }}
    )
    select
        read_logs.* exclude (is_unreadable, is_longer, is_malformed),
        read_logs.is_unreadable or coalesce(contents.is_mixed, false) as is_binary,
        coalesce(contents.is_terminated, false) as is_terminated,
        is_binary or read_logs.first_row is not null or coalesce(contents.is_empty, false) as is_read
    from temp.read_logs left join contents on read_logs.place = contents.place;

    set variable pidgin_binary_logs = {{ patterns_of('place', 'temp.read_logs where is_binary') }};
    select
        exists(from temp.read_logs where is_binary)
        or exists(from temp.read_text_lines where glued_line is not null)
{% endmacro %}

{% macro text_lines() %}
    select
        lines.*,
        lines.rowid - logs.first_row + 1 as line_number,
        1 as line_part,
        lines.rowid = logs.last_row as is_last_line
    from temp.read_text_lines as lines
    inner join temp.read_logs as logs on lines.place = logs.place
    where not logs.is_binary
{% endmacro %}

{% macro view_of_lines() %}
    create or replace temp view read_lines as
    with text_lines as ({{ text_lines() }})
    select text_lines.*
    from text_lines
    anti join temp.read_other_lines as others
        on text_lines.place = others.place and text_lines.line_number = others.line_number
    union all by name
    select * from temp.read_other_lines
{% endmacro %}

{#- The lines of binary logs, and the parts of lines that hold several events. -#}
{% macro other_lines() %}
    with

    -- A byte string printed as text escapes every byte that is not printable ASCII and the
    -- backslash itself, so here \x0A can only be the line feed. Without a byte order mark.
    binary_files as (
        select
            filename as place,
            string_split_regex(
                regexp_replace(cast(content as varchar), '^\\xEF\\xBB\\xBF', ''),
                '\\x0D\\x0A|\\x0A|\\x0D'
            ) as escaped_lines
        from {{ read_blobs_of('pidgin_binary_logs') }}
    ),

    escaped_lines as (
        select
            place,
            generate_subscripts(escaped_lines, 1) as line_number,
            len(escaped_lines) as line_count,
            unnest(escaped_lines) as escaped_line
        from binary_files
    ),

    decoded_lines as (
        select
            place,
            line_number,
            line_number = line_count as is_last_line,
            try(decode(cast(escaped_line as blob))) as line,
            escaped_line
        from escaped_lines
    ),

    binary_lines as (
        {{ parsed_lines('decoded_lines') }}
    ),

    -- Two writers at once, or one that was stopped and began again, may leave two events on a line,
    -- or half of one before another. Where a document begins inside a line that is none, the parts
    -- are looked at one by one.
    glued_lines as (
        select place, line_number, is_last_line, {{ parts_of_line('glued_line') }} as line_parts
        from ({{ text_lines() }})
        where glued_line is not null
        union all
        select place, line_number, is_last_line, {{ parts_of_line('glued_line') }} as line_parts
        from binary_lines
        where glued_line is not null
    ),

    glued_parts as (
        select
            place,
            line_number,
            generate_subscripts(line_parts, 1) as line_part,
            is_last_line and line_part = len(line_parts) as is_last_line,
            unnest(line_parts) as line,
            cast(null as varchar) as escaped_line
        from glued_lines
    ),

    parsed_parts as (
        {{ parsed_lines('glued_parts') }}
    ),

    -- Parts only count where one of them is an event; else the line is rejected as it stands.
    saved_parts as (
        select *
        from parsed_parts
        qualify bool_or(event_type is not null) over (partition by place, line_number)
    )

    select *
    from saved_parts
    union all by name
    select binary_lines.*, 1 as line_part
    from binary_lines
    anti join saved_parts
        on
            binary_lines.place = saved_parts.place
            and binary_lines.line_number = saved_parts.line_number
{% endmacro %}

{% macro drop_read_lines() %}
    drop view if exists temp.read_lines;
    drop table if exists temp.read_other_lines;
    drop table if exists temp.read_text_lines;
    {{ clear_copies() if has_plugin() }}
{% endmacro %}
