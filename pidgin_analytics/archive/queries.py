"""The SQL of archiving, restoring and forgetting.

What would be archived and what prevents it are the views ``archive_candidates`` and
``intermediate.int_experiment_files``; how an archive is read is the table function
``staging.stg_archive__lines_of``. What is asked here is asked of them.
"""

from __future__ import annotations

# Conversations and experiments that are not what the event store says now, as after a
# partial build.
STALE_ROWS = """
    select
        (
            select count(*)
            from intermediate.int_conversations as conversations
            anti join intermediate.int_event_state as event_state
                on conversations.event_state = event_state.event_state
        ) + (
            select count(*)
            from intermediate.int_experiments as current_experiments
            anti join experiments
                on
                    current_experiments.experiment_id = experiments.experiment_id
                    and current_experiments.fingerprint = experiments.fingerprint
        )
"""
UNKNOWN_EXPERIMENTS = """
    select experiment_id
    from (select unnest($experiment_ids::varchar[]) as experiment_id)
    where experiment_id not in (select experiment_id from experiments)
"""
HAS_FORGOTTEN = """
    select count(*)
    from duckdb_tables()
    where
        database_name = current_database()
        and schema_name = 'staging'
        and table_name = 'forgotten'
"""
FORGOTTEN = "select id from staging.forgotten where kind = $kind order by id"

# Writing ----------------------------------------------------------------------------

CANDIDATES = """
    select experiment_id, log_bytes, obstacle
    from archive_candidates
    where
        log_count > 0
        and last_event_at < now() - to_seconds($older_than_days * 86400)
        and (
            $experiment_ids::varchar[] is null
            or list_contains($experiment_ids::varchar[], experiment_id)
        )
    order by experiment_id
"""
FILES = """
    select experiment_id, source_file, file_kind, size_bytes, epoch(modified_at)::bigint
    from intermediate.int_experiment_files
    order by experiment_id, source_file
"""
# The files of one experiment, as they lie on disk.
BEGIN_FILES = """
    create or replace temporary table files_to_archive (
        source_file varchar,
        name varchar,
        file_kind varchar,
        size_bytes bigint,
        modified_at timestamptz,
        md5 varchar,
        content blob
    )
"""
ADD_FILE = """
    insert into files_to_archive
    values (
        $source_file,
        $name,
        $file_kind,
        $size_bytes,
        to_timestamp($modified_at),
        $md5,
        $content
    )
"""
# Of a log that is its lines, and these those of the event store, the text of each line;
# of any other log its bytes, and beside them what the event store holds.
ADD_LINES = """
    insert into archive_rows by name
    with

    store as (
        select lines.*
        from intermediate.int_event_lines as lines
        semi join files_to_archive as files on lines.source_file = files.source_file
        where not lines.is_archived
    ),

    texts as (
        select
            source_file,
            try(decode(content)) as text
        from files_to_archive
        where file_kind = 'log'
    ),

    -- A line feed ends a line; what is more complicated is kept whole.
    split_texts as (
        select
            source_file,
            ends_with(text, chr(10)) as is_terminated,
            string_split(if(ends_with(text, chr(10)), left(text, -1), text), chr(10))
                as lines
        from texts
    ),

    physical_lines as (
        select
            source_file,
            generate_subscripts(lines, 1) as line_number,
            unnest(lines) as line
        from split_texts
    ),

    regular_logs as (
        select coalesce(physical_lines.source_file, store.source_file) as source_file
        from physical_lines
        full join (select * from store where line_number > 0) as store
            on
                physical_lines.source_file = store.source_file
                and physical_lines.line_number = store.line_number
        group by coalesce(physical_lines.source_file, store.source_file)
        having
            bool_and(
                physical_lines.line_number is not null
                and store.line_number is not null
            )
            and bool_and(
                coalesce(store.event_id = cast(md5(physical_lines.line) as uuid), true)
            )
    )

    select
        files.name as source_file,
        store.line_number,
        store.line_part,
        store.line_kind,
        store.event_id,
        store.event_type,
        store.conversation_id,
        if(
            store.line_number = 0,
            $experiment_id,
            coalesce(conversations.experiment_id, store.experiment_id)
        ) as experiment_id,
        store.experiment_id as logged_experiment_id,
        store.turn_number,
        store.agent_id,
        store.recorded_timestamp,
        store.timestamp,
        store.event_date,
        if(regular_logs.source_file is null, null, physical_lines.line) as line,
        if(regular_logs.source_file is null, store.event_data, null) as event_data,
        store.reason,
        store.line_start,
        store.size_bytes,
        store.modified_at,
        if(store.line_number = 0, files.md5, null) as md5,
        if(
            store.line_number = 0 and regular_logs.source_file is null,
            files.content,
            null
        ) as content,
        if(store.line_number = 0, split_texts.is_terminated, null) as is_terminated,
        now() as archived_at
    from store
    inner join files_to_archive as files on store.source_file = files.source_file
    left join intermediate.int_lines_of_shared_ids as shared_ids
        on
            store.source_file = shared_ids.source_file
            and store.line_position = shared_ids.line_position
    left join intermediate.int_conversations as conversations
        on
            coalesce(shared_ids.conversation_id, store.conversation_id)
            = conversations.conversation_id
    left join regular_logs on store.source_file = regular_logs.source_file
    left join physical_lines
        on
            store.source_file = physical_lines.source_file
            and store.line_number = physical_lines.line_number
    left join split_texts on store.source_file = split_texts.source_file
"""
ADD_MANIFESTS = """
    insert into archive_rows by name
    select
        name as source_file,
        0 as line_number,
        0 as line_part,
        'manifest' as line_kind,
        $experiment_id as experiment_id,
        size_bytes,
        modified_at,
        md5,
        content,
        now() as archived_at
    from files_to_archive
    where file_kind = 'manifest'
"""
# What an archive that was just written says, and what the event store says of the same
# logs.
_COMPARED = """
    source_file, line_number, line_part, line_kind, event_id, event_type,
    conversation_id, experiment_id, turn_number, agent_id, recorded_timestamp,
    timestamp, event_data, reason, line_start, size_bytes, modified_at
"""
_STORED = f"""
    select {_COMPARED}
    from intermediate.int_event_lines
    semi join files_to_archive using (source_file)
    where not is_archived
"""  # noqa: S608
_ARCHIVED = f"""
    select {_COMPARED}
    from staging.stg_archive__lines_of([$archive])
    where line_kind != 'manifest'
"""  # noqa: S608
END_FILES = "drop table if exists files_to_archive"
COUNT_DIFFERENCES = f"""
    with stored as ({_STORED}), archived as ({_ARCHIVED})
    select
        (select count(*) from (from stored except all from archived)),
        (select count(*) from (from archived except all from stored))
"""  # noqa: S608
# Where more than the text of a line makes what it says, such as a key that comes twice:
# the payload is kept beside it.
KEEP_PAYLOADS = f"""
    update archive_rows
    set event_data = different.event_data
    from (
        with stored as ({_STORED}), archived as ({_ARCHIVED})
        select
            files_to_archive.name,
            stored.line_number,
            stored.line_part,
            stored.event_data
        from stored
        inner join archived using (source_file, line_number, line_part)
        inner join files_to_archive using (source_file)
        where stored.event_data is distinct from archived.event_data
    ) as different
    where
        archive_rows.source_file = different.name
        and archive_rows.line_number = different.line_number
        and archive_rows.line_part = different.line_part
"""  # noqa: S608
# Logs that archives hold of experiments that were chosen.
ARCHIVED_LOGS = """
    with

    chosen_archives as (
        select distinct files.archive_file
        from staging.stg_archive__lines as files
        inner join experiments
            on files.archived_experiment_id = experiments.experiment_id
        where
            files.line_number = 0
            and experiments.last_event_at
            < now() - to_seconds($older_than_days * 86400)
            and (
                $experiment_ids::varchar[] is null
                or list_contains(
                    $experiment_ids::varchar[], experiments.experiment_id
                )
            )
    )

    select source_file, size_bytes, epoch(modified_at)::bigint, md5, archive_file
    from staging.stg_archive__lines
    where
        line_kind = 'file'
        and archive_file in (select archive_file from chosen_archives)
    order by source_file
"""

# Reading archives without a warehouse -------------------------------------------------

FALSE_EVENTS = """
    select 1
    from read_parquet(?, hive_partitioning = false)
    where line_kind = 'event' and event_id != cast(md5(line) as uuid)
    limit 1
"""
FILE_NAMES = """
    select distinct source_file
    from read_parquet(?, hive_partitioning = false)
    order by source_file
"""
# A file at a time: one may fill much of the memory.
FILE = """
    select
        files.size_bytes,
        epoch(files.modified_at) as modified_at,
        files.md5,
        coalesce(
            files.content,
            encode(
                coalesce(
                    (
                        select string_agg(line, chr(10) order by line_number)
                        from read_parquet($archive, hive_partitioning = false) as lines
                        where lines.source_file = $file and lines.line_number > 0
                    ),
                    ''
                ) || if(files.is_terminated, chr(10), '')
            )
        ) as content
    from read_parquet($archive, hive_partitioning = false) as files
    where files.source_file = $file and files.line_number = 0
"""

# Restoring ----------------------------------------------------------------------------

LEDGER = """
    select source_file, problem from staging.stg_archive__archives order by source_file
"""
# Of each archive, whose files it holds.
OWNERS = """
    select distinct archive_file, archived_experiment_id
    from staging.stg_archive__lines_of($archives)
    where line_number = 0
    order by all
"""
# Those that are not in a later archive, too.
SPEAKING_FILES = """
    select source_file
    from staging.stg_archive__lines
    where line_number = 0 and archive_file = $archive
    order by source_file
"""

# Forgetting ---------------------------------------------------------------------------

BEGIN_FORGOTTEN = (
    "create table if not exists staging.forgotten (kind varchar, id varchar)"
)
# Which conversations an experiment has, and has had, as far as anything here says; of
# every output folder.
BEGIN_MEMBERS = """
    create or replace temporary table members as

    select experiment_id, conversation_id
    from intermediate.int_conversations

    union

    select experiment_id, null
    from staging.stg_pidgin__experiment_manifests

    union

    select experiment_id, conversation_id
    from staging.stg_pidgin__event_lines
    where line_kind = 'event'

    union

    select archived_experiment_id, conversation_id
    from staging.stg_archive__lines

    union

    select
        if(kind = 'experiment', id, null),
        if(kind = 'conversation', id, null)
    from staging.forgotten
"""
UNKNOWN_IDS = """
    select id
    from (select unnest($ids::varchar[]) as id)
    where
        id not in (
            select conversation_id from members where conversation_id is not null
        )
        and id not in (
            select experiment_id from members where experiment_id is not null
        )
"""
SHARING_EXPERIMENTS = """
    select distinct shown_experiment_id
    from intermediate.int_lines_of_shared_ids
    where
        list_contains($ids::varchar[], conversation_id)
        or list_contains($ids::varchar[], logged_conversation_id)
    order by all
"""
# Experiments whose manifests say the same id, of which some are named and some not.
EXPERIMENTS_ALIKE = """
    select unnest(list_sort(list(distinct experiment_id)))
    from intermediate.int_manifests
    group by logged_experiment_id
    having
        count(distinct experiment_id) > 1
        and bool_or(list_contains($ids::varchar[], experiment_id))
        and not bool_and(list_contains($ids::varchar[], experiment_id))
"""
# What is named, and the conversations of what is named.
CHOSEN_IDS = """
    select
        'experiment' as kind,
        experiment_id as id
    from members
    where list_contains($ids::varchar[], experiment_id)

    union

    select
        'conversation',
        conversation_id
    from members
    where
        conversation_id is not null
        and (
            list_contains($ids::varchar[], conversation_id)
            or list_contains($ids::varchar[], experiment_id)
        )
        -- The id is also that of a conversation of another experiment: its lines go by
        -- the experiment.
        and conversation_id not in (
            select logged_conversation_id from intermediate.int_lines_of_shared_ids
        )

    order by kind desc, id
"""
BEGIN_FORGOTTEN_LINES = """
    create or replace temporary table forgotten_lines as
    from intermediate.int_lines_to_forget(
        $conversation_ids::varchar[], $experiment_ids::varchar[]
    )
"""
COUNT_FORGOTTEN_LINES = "select count(*) from forgotten_lines"
NOTE_FORGOTTEN = """
    insert into staging.forgotten
    from (
        select 'conversation', unnest($conversation_ids::varchar[])
        union all
        select 'experiment', unnest($experiment_ids::varchar[])
        union all
        -- The id alone would also name a conversation of another experiment.
        select
            'conversation in log',
            logged_conversation_id || ' in ' || source_file
        from intermediate.int_lines_of_shared_ids
        where list_contains($experiment_ids::varchar[], shown_experiment_id)
    )
    except
    from staging.forgotten
"""
# Of a line that is left out nothing stays but that it is there.
FORGET_LINES = (
    """
    delete from staging.stg_pidgin__event_lines
    where (source_file, line_number, coalesce(line_part, 1)) in (from forgotten_lines)
    """,
    """
    insert into staging.stg_pidgin__event_lines by name
    select *, 'forgotten' as line_kind from forgotten_lines
    """,
)
FORGET_MANIFESTS = """
    update staging.stg_pidgin__manifests as manifests
    set manifest = shortened.manifest
    from intermediate.int_manifests_to_forget(
        $conversation_ids::varchar[], $experiment_ids::varchar[]
    ) as shortened
    where manifests.source_file = shortened.source_file
"""
# A build without a model knows no such table, but it may be there.
HAS_VECTORS = """
    select count(*) = 3
    from information_schema.tables
    where
        table_catalog = current_database()
        and (table_schema, table_name) in (
            ('staging', 'text_embeddings'),
            ('main', 'messages'),
            ('main', 'conversations')
        )
"""
# The vectors of texts that nobody else says.
FORGET_VECTORS = """
    delete from staging.text_embeddings
    where
        content_hash not in (
            select md5(content)::uuid
            from (
                select conversation_id, content
                from messages
                where content is not null
                union all
                select conversation_id, initial_prompt
                from conversations
                where initial_prompt is not null
            )
            where not list_contains($conversation_ids::varchar[], conversation_id)
        )
"""
# What an operation changed, the next build looks at.
FORGET_NOTES = "drop table if exists staging.relations"
# Whether an archive is all of forgotten experiments, and whether it holds anything of
# forgotten conversations.
ARCHIVE_HOLDS = """
    select
        coalesce(
            bool_and(list_contains($experiment_ids::varchar[], experiment_id))
                filter (where line_number = 0),
            false
        ),
        coalesce(
            bool_or(
                coalesce(
                    list_contains($conversation_ids::varchar[], conversation_id), false
                )
                or (
                    line_kind = 'manifest'
                    and list_has_any(
                        $conversation_ids::varchar[],
                        json_keys(
                            try_cast(try(decode(content)) as json), '$.conversations'
                        )
                    )
                )
            ),
            false
        )
    from read_parquet($archive, hive_partitioning = false)
"""
# What files of an archive that is written again are then; those without content go.
BEGIN_CHANGED_FILES = """
    create or replace temporary table changed_files (
        source_file varchar, content blob, size_bytes bigint, md5 varchar
    )
"""
# The rows of an archive without what is forgotten. A changed log keeps its lines and
# has its bytes beside them.
ADD_REST = """
    insert into archive_rows by name
    select lines.* replace (
        if(changed.source_file is null, lines.content, changed.content) as content,
        if(changed.source_file is null, lines.size_bytes, changed.size_bytes)
            as size_bytes,
        if(changed.source_file is null, lines.md5, changed.md5) as md5
    )
    from read_parquet($archive, hive_partitioning = false) as lines
    left join changed_files as changed
        on lines.source_file = changed.source_file and lines.line_number = 0
    where
        lines.source_file not in (
            select source_file from changed_files where content is null
        )
        and (
            lines.line_number = 0
            or if(
                lines.conversation_id is not null,
                not list_contains($conversation_ids::varchar[], lines.conversation_id),
                not coalesce(
                    list_bool_or(list_transform(
                        $spellings::varchar[],
                        lambda name: contains(
                            coalesce(
                                lines.line,
                                lines.line_start,
                                cast(lines.event_data as varchar)
                            ),
                            name
                        )
                    )),
                    false
                )
            )
        )
"""
