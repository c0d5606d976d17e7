{#- Moves experiments that have ended, and whose last event is old enough, from logs and event
    store into Parquet files, one for each. What the file holds is compared with the logs, byte
    by byte, and with the event store before anything else happens. Wherever this is
    interrupted, it or the next build goes on from there.

        dbt run-operation archive_experiments --args '{older_than_days: 90, dry_run: true}'
-#}
{% macro archive_experiments(older_than_days=30, experiment_ids=none, delete_logs=false, dry_run=false) %}
    {%- if not has_plugin() -%}
        {{ exceptions.raise_compiler_error("Archives are written with Python: use the target dev.") }}
    {%- endif -%}
    {%- do insist_on_the_present() -%}
    {%- if older_than_days is not number or older_than_days < 0 -%}
        {{ exceptions.raise_compiler_error("older_than_days is " ~ older_than_days ~ "; it must be a number of days.") }}
    {%- endif -%}
    {%- set store = ref('stg_pidgin__event_lines') -%}
    {%- if not load_relation(store) -%}
        {{ exceptions.raise_compiler_error("There is no warehouse to archive from yet; run dbt build first.") }}
    {%- endif -%}
    {%- if experiment_ids is not none -%}
        {%- do check_experiment_ids(experiment_ids, run_query(
            "select experiment_id from " ~ ref('experiments')
        ).columns[0].values()) -%}
    {%- endif -%}
    {%- if run_query(stale_tables()).rows[0][0] -%}
        {{ exceptions.raise_compiler_error("The tables are older than the event store; run dbt build first.") }}
    {%- endif -%}
    {%- do list_output_files() -%}
    {%- do run_query("create or replace temporary table experiment_files as " ~ experiment_files()) -%}
    {%- set is_chosen = is_old_experiment(older_than_days, experiment_ids) -%}
    {%- set archives = [] -%}
    {%- set faults = [] -%}
    {%- for candidate in run_query(experiments_to_archive(is_chosen)).rows -%}
        {%- set said = candidate['experiment_id'] ~ ", " ~ candidate['log_bytes'] ~ " bytes of logs: " -%}
        {%- if candidate['obstacle'] -%}
            {%- set said = said ~ "stays, because " ~ candidate['obstacle'] -%}
        {%- elif dry_run -%}
            {%- set said = said ~ "would be archived" ~ (", and its logs deleted" if delete_logs else "") -%}
        {%- else -%}
            {%- set archive = archive_experiment(candidate['experiment_id']) -%}
            {%- if archive.fault -%}
                {%- set said = said ~ "stays, because of a fault: " ~ archive.fault -%}
                {%- do faults.append(said) -%}
            {%- else -%}
                {%- set said = said ~ "archived, " ~ archive.bytes ~ " bytes" -%}
                {%- do archives.append(archive.path) -%}
            {%- endif -%}
        {%- endif -%}
        {%- do log(printable(said), info = true) -%}
    {%- endfor -%}
    {%- if archives %}{% do take_in_archives(archives) %}{% endif -%}
    {%- if delete_logs %}{% do delete_archived_logs(is_chosen, dry_run) %}{% endif -%}
    {%- if faults -%}
        {{ exceptions.raise_compiler_error(printable(faults | join('; '))) }}
    {%- endif -%}
{% endmacro %}

{#- How many conversations and experiments are not what the event store says now, as after a
    build of a selection. -#}
{% macro stale_tables() -%}
    select
        (
            select count(*)
            from {{ ref('int_conversations') }} as conversations
            anti join {{ ref('int_event_state') }} as event_state
                on conversations.event_state = event_state.event_state
        ) + (
            select count(*)
            from {{ ref('int_experiments') }} as current_experiments
            anti join {{ ref('experiments') }} as experiments
                on
                    current_experiments.experiment_id = experiments.experiment_id
                    and current_experiments.fingerprint = experiments.fingerprint
        )
{%- endmacro %}

{#- Which rows of `experiments` an operation is about. -#}
{% macro is_old_experiment(older_than_days, experiment_ids) -%}
    experiments.last_event_at < now() - interval '1 second' * {{ older_than_days }} * 86400
    {%- if experiment_ids is not none %}
        and {{ is_one_of('experiments.experiment_id', experiment_ids) }}
    {%- endif -%}
{%- endmacro %}

{#- The files of each experiment that the event store holds. A log without a conversation goes
    with the logs beside it. -#}
{% macro experiment_files() -%}
    with

    stored_files as (

        select
            source_file,
            size_bytes,
            modified_at

        from {{ ref('stg_pidgin__event_lines') }}

        where
            line_kind = 'file'
            and {{ is_in_output_dir('source_file') }}

    ),

    stored_manifests as (

        select
            source_file,
            size_bytes,
            modified_at

        from {{ ref('stg_pidgin__manifests') }}

        where {{ is_in_output_dir('source_file') }}

    ),

    log_conversations as (

        select distinct
            lines.source_file,
            coalesce(shared_ids.conversation_id, lines.conversation_id) as conversation_id

        from {{ ref('stg_pidgin__event_lines') }} as lines

        left join {{ ref('int_lines_of_shared_ids') }} as shared_ids
            on
                lines.source_file = shared_ids.source_file
                and lines.line_number = shared_ids.line_number

        where
            lines.line_kind = 'event'
            and lines.conversation_id is not null
            and {{ is_in_output_dir('lines.source_file') }}

    ),

    log_experiments as (

        select distinct
            log_conversations.source_file,
            conversations.experiment_id

        from log_conversations

        inner join {{ ref('int_conversations') }} as conversations
            on log_conversations.conversation_id = conversations.conversation_id

    ),

    folder_experiments as (

        select
            {{ folder_of('source_file') }} as folder,
            min(experiment_id) as experiment_id

        from log_experiments

        group by folder

    ),

    forgotten_logs as (

        select distinct source_file

        from {{ ref('stg_pidgin__event_lines') }}

        where line_kind = 'forgotten'

    )

    select
        log_experiments.experiment_id,
        'log' as file_kind,
        stored_files.*

    from stored_files

    inner join log_experiments
        on stored_files.source_file = log_experiments.source_file

    union all

    select
        folder_experiments.experiment_id,
        'log' as file_kind,
        stored_files.*

    from stored_files

    anti join log_conversations
        on stored_files.source_file = log_conversations.source_file

    anti join forgotten_logs
        on stored_files.source_file = forgotten_logs.source_file

    inner join folder_experiments
        on {{ folder_of('stored_files.source_file') }} = folder_experiments.folder

    union all

    select
        manifests.experiment_id,
        'manifest' as file_kind,
        stored_manifests.*

    from stored_manifests

    inner join {{ ref('int_manifests') }} as manifests
        on stored_manifests.source_file = manifests.source_file
{%- endmacro %}

{#- The experiments that are old enough and not archived yet, and what keeps them from it. -#}
{% macro experiments_to_archive(is_chosen) -%}
    with

    files as (

        select * from experiment_files

    ),

    files_on_disk as (

        select
            filename as source_file,
            size as size_bytes,
            last_modified as modified_at

        from {{ source('pidgin', 'files') }}

    ),

    -- An archive holds every byte of a log.
    forgotten_files as (

        select distinct source_file

        from {{ ref('stg_pidgin__event_lines') }}

        where line_kind = 'forgotten'

    ),

    shared_files as (

        select
            source_file,
            string_agg(distinct experiment_id, ' and ' order by experiment_id) as experiment_ids

        from files

        group by source_file

        having count(distinct experiment_id) > 1

    ),

    file_obstacles as (

        select
            files.experiment_id,
            min(
                case
                    when shared_files.source_file is not null
                        then files.source_file || ' belongs to ' || shared_files.experiment_ids
                    when forgotten_files.source_file is not null
                        then files.source_file || ' holds what was forgotten'
                    when files_on_disk.source_file is null then files.source_file || ' is gone'
                    when
                        files_on_disk.size_bytes != files.size_bytes
                        or files_on_disk.modified_at != files.modified_at
                        then files.source_file || ' has changed since the last build'
                end
            ) as obstacle,
            count(*) filter (where files.file_kind = 'log') as log_count,
            sum(files.size_bytes) filter (where files.file_kind = 'log') as log_bytes

        from files

        left join files_on_disk
            on files.source_file = files_on_disk.source_file

        left join shared_files
            on files.source_file = shared_files.source_file

        left join forgotten_files
            on files.source_file = forgotten_files.source_file

        group by files.experiment_id

    )

    select
        experiments.experiment_id,
        cast(file_obstacles.log_bytes as bigint) as log_bytes,
        case
            when experiments.status = 'unfinished' then 'it has not ended'
            else file_obstacles.obstacle
        end as obstacle

    from {{ ref('experiments') }} as experiments

    inner join file_obstacles
        on experiments.experiment_id = file_obstacles.experiment_id

    where
        file_obstacles.log_count > 0
        and {{ is_chosen }}

    order by experiments.experiment_id
{%- endmacro %}

{#- Writes the archive of one experiment, makes sure of it, and gives it its name. -#}
{% macro archive_experiment(experiment_id) %}
    {%- set files = run_query(
        "select file_kind, source_file from experiment_files where experiment_id = "
        ~ sql_string(experiment_id) ~ " order by source_file"
    ).rows -%}
    {%- set paths = {'log': [], 'manifest': []} -%}
    {%- for file in files %}{% do paths[file['file_kind']].append(file['source_file']) %}{% endfor -%}
    {#- Named for the state of the files, so that a second try writes the same file again. -#}
    {%- set folder = run_query(
        "select " ~ sql_string(pidgin_archive_dir() ~ "/experiment=") ~ " || if(length(name) <= 200, name,"
        ~ " left(name, 150) || '-' || md5(name)) from (select url_encode(" ~ sql_string(experiment_id) ~ ") as name)"
    ).rows[0][0] -%}
    {%- set state = run_query(
        "select md5(string_agg(concat_ws('|', source_file, size_bytes, epoch(modified_at)), chr(10) order by source_file))"
        ~ " from experiment_files where experiment_id = " ~ sql_string(experiment_id)
    ).rows[0][0] -%}
    {%- set archive = folder ~ "/" ~ state ~ ".parquet" -%}
    {%- set part = archive ~ ".part" -%}
    {%- do run_query("select make_folder(" ~ sql_string(folder) ~ ")") -%}
    {%- do run_query(
        "copy (" ~ lines_to_archive(experiment_id, paths.log, paths.manifest) ~ ") to " ~ sql_string(part)
        ~ " (format parquet, compression zstd, compression_level 12, row_group_size 8192,"
        ~ " kv_metadata {pidgin_archive_format: '2'})"
    ) -%}
    {#- Manifests are as they are on disk. -#}
    {%- if has_forgotten() -%}
        {%- do run_query(
            "select forget_in_archive(" ~ sql_string(part) ~ ", list(id)) from " ~ forgotten() ~ " where kind = 'conversation'"
        ) -%}
    {%- endif -%}
    {%- set faults = run_query(archive_faults(part, paths.log)).rows[0] -%}
    {%- if faults['problem'] or faults['lost_lines'] or faults['other_lines'] -%}
        {%- do run_query("select remove_file(" ~ sql_string(part) ~ ")") -%}
        {{ return({'fault': faults['problem'] or (
            faults['lost_lines'] ~ " lines of the event store are not in the archive as they are in the store, "
            ~ faults['other_lines'] ~ " of the archive are not in the store"
        )}) }}
    {%- endif -%}
    {%- do run_query(
        "select publish_archive(" ~ sql_string(part) ~ ", " ~ sql_string(archive) ~ ")"
    ) -%}
    {{- return({'path': archive, 'bytes': run_query(
        "select size from read_blob(" ~ sql_string(glob_literal(archive)) ~ ")"
    ).rows[0][0]}) -}}
{% endmacro %}

{#- The rows of an archive, in the order in which they compress best. -#}
{% macro lines_to_archive(experiment_id, logs, manifests) -%}
    with

    store as (

        select *

        from {{ ref('int_event_lines') }}

        where
            {{ is_one_of('source_file', logs) }}
            and not is_archived

    ),

    logs as (

        select
            filename as source_file,
            content,
            try(decode(content)) as text

        from {{ read_blobs(logs) }}

    ),

    -- A line feed ends a line; what is more complicated is kept whole.
    split_logs as (

        select
            *,
            ends_with(text, chr(10)) as is_terminated,
            string_split(if(ends_with(text, chr(10)), left(text, -1), text), chr(10)) as lines

        from logs

    ),

    physical_lines as (

        select
            source_file,
            generate_subscripts(lines, 1) as line_number,
            unnest(lines) as line

        from split_logs

    ),

    -- Whether a log is its lines, and these are those of the event store, no more and no fewer.
    regular_logs as (

        select coalesce(physical_lines.source_file, store.source_file) as source_file

        from physical_lines

        full join (select * from store where line_number > 0) as store
            on
                physical_lines.source_file = store.source_file
                and physical_lines.line_number = store.line_number

        group by coalesce(physical_lines.source_file, store.source_file)

        having
            bool_and(physical_lines.line_number is not null and store.line_number is not null)
            and bool_and(
                coalesce(store.event_id = cast(md5(physical_lines.line) as uuid), true)
            )

    ),

    all_rows as (

        select
            store.*,
            coalesce(conversations.experiment_id, store.experiment_id) as resolved_experiment_id,
            regular_logs.source_file is not null as is_regular,
            physical_lines.line,
            {{ event_document('physical_lines.line') }} as document,
            split_logs.content,
            split_logs.is_terminated

        from store

        left join {{ ref('int_lines_of_shared_ids') }} as shared_ids
            on
                store.source_file = shared_ids.source_file
                and store.line_number = shared_ids.line_number

        left join {{ ref('int_conversations') }} as conversations
            on coalesce(shared_ids.conversation_id, store.conversation_id) = conversations.conversation_id

        left join regular_logs
            on store.source_file = regular_logs.source_file

        left join physical_lines
            on
                store.source_file = physical_lines.source_file
                and store.line_number = physical_lines.line_number

        left join split_logs
            on if(store.line_number = 0, store.source_file, null) = split_logs.source_file

    )

    select
        {{ path_below_output_dir('source_file') }} as source_file,
        line_number,
        line_part,
        line_kind,
        event_id,
        event_type,
        conversation_id,
        if(line_number = 0, {{ sql_string(experiment_id) }}, resolved_experiment_id) as experiment_id,
        experiment_id as logged_experiment_id,
        turn_number,
        agent_id,
        recorded_timestamp,
        timestamp,
        event_date,
        if(is_regular, line, null) as line,
        -- Also where more than the text of the line makes it, such as a key that comes twice.
        if(
            is_regular
            and event_data is not distinct from
            {{ event_data(
                'document',
                is_nested_event('document', "json_extract_string(document, '$.conversation_id')"),
                'recorded_timestamp',
                'event_type'
            ) }},
            null,
            event_data
        ) as event_data,
        reason,
        line_start,
        size_bytes,
        modified_at,
        md5(content) as md5,
        if(is_regular, null, content) as content,
        is_terminated,
        now() as archived_at

    from all_rows

    {% if manifests %}
    union all by name

    select
        {{ path_below_output_dir('filename') }} as source_file,
        0 as line_number,
        0 as line_part,
        'manifest' as line_kind,
        {{ sql_string(experiment_id) }} as experiment_id,
        size as size_bytes,
        last_modified as modified_at,
        md5(content) as md5,
        content,
        now() as archived_at

    from {{ read_blobs(manifests) }}
    {% endif %}

    order by source_file, line_number, line_part
{%- endmacro %}

{% macro path_below_output_dir(path) -%}
    substr({{ path }}, {{ pidgin_output_dir() | length + 2 }})
{%- endmacro %}

{#- What is wrong with an archive that was just written: with its bytes, and between its lines and
    the event store. -#}
{% macro archive_faults(archive, logs) -%}
    with

    stored as (

        select {{ compared_columns() }}

        from {{ ref('int_event_lines') }}

        where
            {{ is_one_of('source_file', logs) }}
            and not is_archived

    ),

    archived as (

        select {{ compared_columns() }}

        from ({{ archived_lines([archive]) }})

        where line_kind != 'manifest'

    )

    select
        archive_problem({{ sql_string(archive) }}) as problem,
        (select count(*) from (select * from stored except all select * from archived)) as lost_lines,
        (select count(*) from (select * from archived except all select * from stored)) as other_lines
{%- endmacro %}

{% macro compared_columns() -%}
    source_file, line_number, line_part, line_kind, event_id, event_type, conversation_id, experiment_id,
    turn_number, agent_id, recorded_timestamp, timestamp, event_data, reason, line_start, size_bytes, modified_at
{%- endmacro %}

{#- Lets archives that were just written speak for their files from now on, as a build would. -#}
{% macro take_in_archives(archives) %}
    {%- set ledger = ref('stg_archive__archives') -%}
    {%- set lines = ref('stg_archive__lines') -%}
    {%- set all_archives = (readable_archives() + archives) | unique | sort -%}
    {%- do run_query("delete from " ~ ledger ~ " where " ~ is_one_of('source_file', archives)) -%}
    {%- do run_query(
        "insert into " ~ ledger ~ " by name select filename as source_file, size as size_bytes,"
        ~ " last_modified as modified_at, false as is_settled, " ~ reading_version() ~ " as reading_version"
        ~ " from " ~ read_blobs(archives)
    ) -%}
    {%- do run_query("create or replace view " ~ lines ~ " as " ~ archived_lines(all_archives)) -%}
    {%- for store in [ref('stg_pidgin__event_lines'), ref('stg_pidgin__manifests')] -%}
        {%- do run_query(drop_archived_files(store, lines)) -%}
    {%- endfor -%}
    {%- do commit_operation() -%}
{% endmacro %}

{#- Deletes the logs that an archive holds in their present state, once it was read whole again. -#}
{% macro delete_archived_logs(is_chosen, dry_run) %}
    {%- set logs = run_query(
        "select listed.filename, listed.size, archived.archive_file, archived.md5 from "
        ~ source('pidgin', 'files') ~ " as listed inner join " ~ ref('stg_archive__lines') ~ " as archived"
        ~ " on listed.filename = archived.source_file and listed.size = archived.size_bytes"
        ~ " and listed.last_modified = archived.modified_at and archived.line_kind = 'file' where archived.archive_file in ("
        ~ "select files.archive_file from " ~ ref('stg_archive__lines') ~ " as files inner join "
        ~ ref('experiments') ~ " as experiments on files.archived_experiment_id = experiments.experiment_id"
        ~ " where files.line_number = 0 and " ~ is_chosen ~ ") order by listed.filename"
    ).rows -%}
    {%- set problems = {} -%}
    {%- for log_file in logs -%}
        {%- set archive = log_file['archive_file'] -%}
        {%- if archive not in problems -%}
            {%- do problems.update({archive: run_query(
                "select archive_problem(" ~ sql_string(archive) ~ ")"
            ).rows[0][0]}) -%}
        {%- endif -%}
        {%- set hash = run_query(
            "select md5(content) from " ~ read_blobs([log_file['filename']])
        ).rows[0][0] -%}
        {%- if hash != log_file['md5'] -%}
            {%- set said = " stays: it is not what was archived" -%}
        {%- elif problems[archive] -%}
            {%- set said = " stays: " ~ archive ~ " " ~ problems[archive] -%}
        {%- elif dry_run -%}
            {%- set said = " would be deleted, " ~ log_file['size'] ~ " bytes" -%}
        {%- else -%}
            {%- do run_query("select remove_file(" ~ sql_string(log_file['filename']) ~ ")") -%}
            {%- set said = " deleted, " ~ log_file['size'] ~ " bytes" -%}
        {%- endif -%}
        {%- do log(printable(log_file['filename'] ~ said), info = true) -%}
    {%- endfor -%}
{% endmacro %}
