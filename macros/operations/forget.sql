{#- Takes conversations, and experiments with all of theirs, out of the event store and the archives, and
    remembers their ids, so that files that still lie there, or come back, are not read again. What
    is built of them goes with the next build, what is left in free pages of the warehouse with
    `pidgin-analytics forget`. docs/decisions/0009-forgetting.md says why.

        dbt run-operation forget --args '{ids: [conv_0d6d95b2, experiment_0d6d95b2], dry_run: true}'
-#}
{% macro forget(ids, dry_run=false) %}
    {%- if not has_plugin() -%}
        {{ exceptions.raise_compiler_error("Archives are changed with Python: use the target dev.") }}
    {%- endif -%}
    {%- do insist_on_the_present() -%}
    {%- if ids is string or ids is not iterable -%}
        {{ exceptions.raise_compiler_error("ids must be a list, such as [conv_0d6d95b2].") }}
    {%- endif -%}
    {%- if not load_relation(ref('int_conversations')) -%}
        {{ exceptions.raise_compiler_error("There is no warehouse to forget from yet; run dbt build first.") }}
    {%- endif -%}
    {%- do run_query("create or replace temporary table members as " ~ experiment_members()) -%}
    {%- set unknown = run_query(
        "select id from (select unnest([" ~ sql_strings(ids) ~ "]::varchar[]) as id) as named"
        ~ " where id not in (select conversation_id from members where conversation_id is not null)"
        ~ " and id not in (select experiment_id from members where experiment_id is not null)"
    ).columns[0].values() | list -%}
    {%- if unknown -%}
        {{ exceptions.raise_compiler_error(printable(
            "There is no such conversation or experiment here: " ~ unknown | join(', ')
        )) }}
    {%- endif -%}
    {%- set shared = run_query(
        "select distinct shown_experiment_id from " ~ ref('int_lines_of_shared_ids')
        ~ " where " ~ is_one_of('conversation_id', ids) ~ " or " ~ is_one_of('logged_conversation_id', ids)
        ~ " order by all"
    ).columns[0].values() | list -%}
    {%- if shared -%}
        {{ exceptions.raise_compiler_error(printable(
            "Several experiments have a conversation of this id, and only the experiment tells them apart: name one of "
            ~ shared | join(', ')
        )) }}
    {%- endif -%}
    {%- do run_query("create or replace temporary table chosen as " ~ chosen_ids(ids)) -%}
    {%- do run_query(
        "create or replace temporary table forgotten_rows as ("
        ~ forgotten_lines(ref('stg_pidgin__event_lines'), 'chosen')
        ~ ") union select source_file, line_number, line_position - line_number * 1000 from "
        ~ ref('int_lines_of_shared_ids')
        ~ " where not is_archived and shown_experiment_id in (select id from chosen where kind = 'experiment')"
    ) -%}
    {%- for row in run_query("select kind, id from chosen order by kind desc, id").rows -%}
        {%- do log(printable(
            row['kind'] ~ " " ~ row['id'] ~ (" would be forgotten" if dry_run else " is forgotten")
        ), info = true) -%}
    {%- endfor -%}
    {%- do log(
        run_query("select count(*) from forgotten_rows").rows[0][0] ~ " lines of logs "
        ~ ("would go" if dry_run else "go"), info = true
    ) -%}
    {%- if not dry_run %}{% do forget_in_stores() %}{% endif -%}
    {%- do forget_in_archives(dry_run) -%}
{% endmacro %}

{#- Which conversations an experiment has, and has had, as far as anything here says. -#}
{% macro experiment_members() -%}
    select
        experiment_id,
        conversation_id
    from {{ ref('int_conversations') }}

    union

    select
        experiment_id,
        null
    from {{ ref('stg_pidgin__experiment_manifests') }}

    {#- Of every output folder. -#}
    union

    select
        experiment_id,
        conversation_id
    from {{ ref('stg_pidgin__event_lines') }}
    where line_kind = 'event'

    union

    select
        archived_experiment_id,
        conversation_id
    from {{ ref('stg_archive__lines') }}

    {% if has_forgotten() %}
    union

    select
        if(kind = 'experiment', id, null),
        if(kind = 'conversation', id, null)
    from {{ forgotten() }}
    {% endif %}
{%- endmacro %}

{#- What is named, and the conversations of what is named. -#}
{% macro chosen_ids(ids) -%}
    select
        'experiment' as kind,
        experiment_id as id
    from members
    where {{ is_one_of('experiment_id', ids) }}

    union

    select
        'conversation',
        conversation_id
    from members
    where
        conversation_id is not null
        and ({{ is_one_of('conversation_id', ids) }} or {{ is_one_of('experiment_id', ids) }})
        -- The id is also that of a conversation of another experiment: its lines go by the experiment.
        and conversation_id not in (
            select logged_conversation_id from {{ ref('int_lines_of_shared_ids') }}
        )
{%- endmacro %}

{#- All at once, with the ids: killed in the middle, nothing is forgotten, or nothing is left. -#}
{% macro forget_in_stores() %}
    {%- set store = ref('stg_pidgin__event_lines') -%}
    {%- do run_query(
        "create table if not exists " ~ forgotten() ~ " (kind varchar, id varchar);"
        ~ " insert into " ~ forgotten() ~ " select * from chosen except select * from " ~ forgotten() ~ ";"
        ~ " delete from " ~ store ~ " where (source_file, line_number, coalesce(line_part, 1)) in (select * from forgotten_rows);"
        ~ " insert into " ~ store ~ " by name select *, 'forgotten' as line_kind from forgotten_rows"
    ) -%}
    {%- set manifests = ref('stg_pidgin__manifests') -%}
    {%- do run_query(
        "update " ~ manifests ~ " set manifest = " ~ manifest_without_forgotten('manifest', 'source_file')
    ) -%}
    {%- do run_query(
        "create or replace view " ~ ref('stg_archive__lines') ~ " as " ~ archived_lines(readable_archives())
    ) -%}
    {%- do forget_vectors() -%}
    {%- do commit_operation() -%}
{% endmacro %}

{#- The vectors of texts that nobody else says. A build without a model knows no such table, but it may
    be there. -#}
{% macro forget_vectors() %}
    {%- set vectors = adapter.get_relation(
        database = target.database, schema = ref('stg_pidgin__event_lines').schema, identifier = 'text_embeddings'
    ) -%}
    {%- set conversations = load_relation(ref('conversations')) -%}
    {%- set messages = load_relation(ref('messages')) -%}
    {%- if vectors and conversations and messages -%}
        {%- set texts -%}
            select conversation_id, content from {{ messages }} where content is not null
            union all
            select conversation_id, initial_prompt from {{ conversations }} where initial_prompt is not null
        {%- endset -%}
        {%- do run_query(
            "delete from " ~ vectors ~ " where content_hash not in (select md5(content)::uuid from (" ~ texts
            ~ ") as texts where conversation_id not in (select id from chosen where kind = 'conversation'))"
        ) -%}
    {%- endif -%}
{% endmacro %}

{#- An archive of what is forgotten goes; one that holds other conversations, too, is written again
    without it. -#}
{% macro forget_in_archives(dry_run) %}
    {%- set held = readable_archives() -%}
    {%- set conversations = run_query("select id from chosen where kind = 'conversation'").columns[0].values() | list -%}
    {%- set experiments = run_query("select id from chosen where kind = 'experiment'").columns[0].values() | list -%}
    {%- for archive in held -%}
        {%- set found = run_query(
            "select min(" ~ is_one_of('experiment_id', experiments) ~ ") filter (where line_number = 0) as is_whole, max("
            ~ is_one_of('coalesce(conversation_id, \'\')', conversations) ~ " or (line_kind = 'manifest' and list_has_any(["
            ~ sql_strings(conversations) ~ "]::varchar[], json_keys(try_cast(try(decode(content)) as json), '$.conversations'))))"
            ~ " as is_touched from " ~ read_archives([archive])
        ).rows[0] -%}
        {%- set said = none -%}
        {%- if found['is_whole'] -%}
            {%- set said = "removed" -%}
            {%- if not dry_run %}{% do leave_out_archives([archive]) %}{% do run_query("select remove_file(" ~ sql_string(archive) ~ ")") %}{% endif -%}
        {%- elif found['is_touched'] -%}
            {%- set said = "written again" -%}
            {%- if not dry_run -%}
                {%- do run_query(
                    "select forget_in_archive(" ~ sql_string(archive) ~ ", [" ~ sql_strings(conversations) ~ "])"
                ) -%}
            {%- endif -%}
        {%- endif -%}
        {%- if said -%}
            {%- do log(printable("The archive " ~ archive ~ (" would be " if dry_run else " is ") ~ said), info = true) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for row in run_query(
        "select source_file, problem from " ~ ref('stg_archive__archives') ~ " where problem is not null order by source_file"
    ).rows -%}
        {%- do exceptions.warn(printable(
            "The archive " ~ row['source_file'] ~ " cannot be read, so it may still hold what is to be forgotten: "
            ~ row['problem']
        )) -%}
    {%- endfor -%}
{% endmacro %}

{#- The ids that were forgotten. No build makes or drops this table; most warehouses have none. -#}
{% macro forgotten() %}
    {{- return(api.Relation.create(database = target.database, schema = 'staging', identifier = 'forgotten')) -}}
{% endmacro %}

{% macro has_forgotten() %}
    {%- if not execute -%}{{ return(false) }}{%- endif -%}
    {{- return(run_query(
        "select count(*) from duckdb_tables() where database_name = " ~ sql_string(target.database)
        ~ " and schema_name = 'staging' and table_name = 'forgotten'"
    ).rows[0][0] > 0) -}}
{% endmacro %}

{#- Lines of logs, of each that is forgotten nothing but that it is there. -#}
{% macro without_forgotten(lines) -%}
    {%- if not has_forgotten() -%}
        select * from {{ lines }}
    {%- else -%}
        select read.*
        from {{ lines }} as read
        anti join ({{ forgotten_lines(lines, forgotten()) }}) as left_out
            on
                read.source_file = left_out.source_file
                and read.line_number = left_out.line_number
                and read.line_part = left_out.line_part

        union all by name

        select
            source_file,
            line_number,
            line_part,
            'forgotten' as line_kind
        from ({{ forgotten_lines(lines, forgotten()) }})
    {%- endif -%}
{%- endmacro %}

{#- Which lines of logs are those of forgotten ids: those of a conversation; those that say, or lie where
    it is said, that they are of an experiment; and of what belongs to no conversation all of a log
    in which every conversation is forgotten, and what names one. -#}
{% macro forgotten_lines(lines, ids) -%}
    with

    named_lines as (

        select
            source_file,
            line_number,
            coalesce(line_part, 1) as line_part,
            conversation_id,
            if(conversation_id is null, coalesce(line_start, cast(event_data as varchar)), null) as text,
            coalesce(
                conversation_id in (select id from {{ ids }} where kind = 'conversation'), false
            )
            or {{ experiment_of_line() }} in (select id from {{ ids }} where kind = 'experiment')
                as is_named

        from {{ lines }}

        where line_number > 0

    ),

    logs as (

        select
            source_file,
            bool_and(is_named) filter (where conversation_id is not null) as is_whole

        from named_lines

        group by source_file

    )

    select
        named_lines.source_file,
        named_lines.line_number,
        named_lines.line_part

    from named_lines

    inner join logs
        on named_lines.source_file = logs.source_file

    where
        named_lines.is_named
        or (
            named_lines.conversation_id is null
            and (
                logs.is_whole
                or exists (
                    select 1
                    from {{ ids }} as forgotten
                    where
                        forgotten.kind = 'conversation'
                        and contains(named_lines.text, forgotten.id)
                )
            )
        )
{%- endmacro %}

{#- The experiment of a line as the line and its place tell it. -#}
{% macro experiment_of_line() -%}
    coalesce(
        experiment_id,
        nullif(
            regexp_extract(conversation_id, '^conv_((?:exp|experiment)_[0-9a-f]{8})_[0-9a-f]{8}$', 1), ''
        ),
        {{ experiment_id_from_path('source_file', sql_string(pidgin_output_dir())) }}
    )
{%- endmacro %}

{#- A manifest without what is forgotten; of a forgotten experiment it says no more than that of some
    other program, and is none of ours then. -#}
{% macro manifest_without_forgotten(manifest, source_file) -%}
    {%- if not has_forgotten() -%}
        {{ manifest }}
    {%- else -%}
        {%- set rows = run_query("select kind, id from " ~ forgotten()).rows -%}
        {%- set entries = {} -%}
        {%- for row in rows if row['kind'] == 'conversation' %}{% do entries.update({row['id']: none}) %}{% endfor -%}
        case
            when
                coalesce(
                    json_extract_string({{ manifest }}, '$.experiment_id'),
                    {{ experiment_id_from_path(source_file, sql_string(pidgin_output_dir())) }}
                ) in (select id from {{ forgotten() }} where kind = 'experiment')
                then cast('{}' as json)
            when json_type({{ manifest }}, '$.conversations') = 'OBJECT'
                then json_merge_patch(
                    {{ manifest }},
                    cast({{ sql_string(tojson({'conversations': entries})) }} as json),
                    -- What is forgotten is not missing.
                    if(
                        json_type({{ manifest }}, '$.total_conversations') = 'UBIGINT',
                        json_object(
                            'total_conversations',
                            try_cast(json_extract({{ manifest }}, '$.total_conversations') as bigint) - len(list_intersect(
                                json_keys({{ manifest }}, '$.conversations'), [{{ sql_strings(entries) }}]::varchar[]
                            ))
                        ),
                        cast('{}' as json)
                    )
                )
            else {{ manifest }}
        end
    {%- endif -%}
{%- endmacro %}
