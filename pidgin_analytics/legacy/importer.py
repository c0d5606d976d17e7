"""Old databases into archives: which conversations, and the files themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from pidgin_analytics.archive.format import (
    archive_path,
    begin_rows,
    file_name,
    is_log,
    unfinished,
    write_rows,
)
from pidgin_analytics.archive.verify import held_hashes, is_archived, md5_of
from pidgin_analytics.files import make_folder, put_in_place
from pidgin_analytics.legacy.events import Conversation, Experiment, Json

# Where the logs of imported conversations would lie, below the output folder.
FOLDER = "legacy"

ENVELOPE = (
    *("event_type", "timestamp", "conversation_id", "experiment_id"),
    *("turn_number", "agent_id"),
)
ROW = pa.schema(
    [
        ("source_file", pa.string()),
        ("line_number", pa.int64()),
        ("line_kind", pa.string()),
        ("experiment_id", pa.string()),
        ("envelope", pa.string()),
        ("line", pa.string()),
        ("size_bytes", pa.int64()),
        ("modified_at", pa.int64()),
        ("md5", pa.string()),
        ("content", pa.binary()),
        ("is_terminated", pa.bool_()),
    ]
)
# The rows of an archive; the fields of the envelope as the event store reads them.
ADD_LINES = """
    insert into archive_rows by name
    select
        source_file,
        line_number,
        if(line_number = 0, 0, 1) as line_part,
        line_kind,
        cast(md5(line) as uuid) as event_id,
        json_extract_string(envelope, '$.event_type') as event_type,
        json_extract_string(envelope, '$.conversation_id') as conversation_id,
        experiment_id,
        json_extract_string(envelope, '$.experiment_id') as logged_experiment_id,
        case
            when try_cast(envelope ->> '$.turn_number' as bigint) between 0 and 999999
                then try_cast(envelope ->> '$.turn_number' as integer)
        end as turn_number,
        json_extract_string(envelope, '$.agent_id') as agent_id,
        json_extract_string(envelope, '$.timestamp') as recorded_timestamp,
        try_cast(recorded_timestamp as timestamptz) as timestamp,
        cast(timezone('UTC', timestamp) as date) as event_date,
        line,
        size_bytes,
        to_timestamp(modified_at) as modified_at,
        md5,
        content,
        is_terminated,
        now() as archived_at
    from imported_rows
"""


@dataclass(frozen=True)
class Held:
    """What a warehouse holds.

    Attributes:
        imported: Events of each conversation that was imported before.
        logged: Conversations of logs, archived or not.
        described: Experiments that have a manifest of Pidgin's own.
        forgotten: Conversations and experiments that were to be forgotten.
    """

    imported: dict[str, int] = field(default_factory=dict)
    logged: frozenset[str] = frozenset()
    described: frozenset[str] = frozenset()
    forgotten: frozenset[str] = frozenset()


def held_by(connection: duckdb.DuckDBPyConnection, output_dir: str) -> Held:
    """Ask a warehouse what it holds; paths in it are relative to this folder.

    Raises:
        duckdb.Error: it cannot be read, or was built by another version.
    """
    ours = f"{output_dir}/{FOLDER}/"
    files = connection.execute(
        "select conversation_id, is_archived and starts_with(source_file, ?),"
        " event_count from intermediate.int_conversation_files",
        [ours],
    ).fetchall()
    described = connection.execute(
        "select distinct experiment_id"
        " from staging.stg_pidgin__experiment_manifests"
        " where not starts_with(source_file, ?)",
        [ours],
    ).fetchall()
    # Most warehouses have no such table.
    forgotten = [
        name
        for (table,) in connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where schema_name = 'staging' and table_name = 'forgotten'"
            " and database_name = current_database()"
        ).fetchall()
        for (name,) in connection.execute(f"select id from {table}").fetchall()  # noqa: S608
    ]
    return Held(
        {name: events for name, is_imported, events in files if is_imported},
        frozenset(name for name, is_imported, _ in files if not is_imported),
        frozenset(name for (name,) in described),
        frozenset(forgotten),
    )


def obstacle(conversation: Conversation, held: Held) -> str | None:
    """Say why a conversation is not imported; None if it is."""
    if conversation.refusal:
        return conversation.refusal
    if conversation.conversation_id in held.forgotten:
        return "it was to be forgotten"
    if conversation.conversation_id in held.logged:
        return "it is here already, from its log"
    if _is_outdated(conversation, held):
        return "it is here already, from a database that knew more of it"
    return None


def _is_outdated(conversation: Conversation, held: Held) -> bool:
    return held.imported.get(conversation.conversation_id, 0) > len(conversation.events)


@dataclass(frozen=True)
class _File:
    """A log or manifest that an archive is to hold."""

    name: str
    content: bytes
    events: tuple[Json, ...]
    modified_at: int


def archive_of(
    experiment: Experiment,
    chosen: list[Conversation],
    held: Held,
    archive_dir: str | Path,
) -> tuple[Path, list[_File]]:
    """Name the archive of these conversations of an experiment, and what it holds.

    The name depends on the content alone, so that the same database makes the same.
    """
    folder = f"{FOLDER}/{file_name(experiment.experiment_id)}"
    files = []
    listed: Json = {}
    for conversation in chosen:
        name = f"events_{file_name(conversation.conversation_id)}.jsonl"
        lines = "".join(f"{as_line(event)}\n" for event in conversation.events)
        listed[conversation.conversation_id] = {"jsonl": name, **conversation.claims}
        files.append(
            _File(
                f"{folder}/{name}",
                lines.encode(),
                tuple(conversation.events),
                _seconds(conversation.claims["last_updated"]),
            )
        )
    # Where Pidgin's own manifest is here, or that of a later copy of the database, it
    # speaks for the experiment.
    if experiment.experiment_id not in held.described and not any(
        _is_outdated(conversation, held) for conversation in experiment.conversations
    ):
        manifest = {**experiment.manifest, "conversations": listed}
        files.append(
            _File(
                f"{folder}/manifest.json",
                json.dumps(manifest, indent=2, default=str).encode(),
                (),
                max((file.modified_at for file in files), default=0),
            )
        )
    state = hashlib.md5()  # noqa: S324
    for file in sorted(files, key=lambda file: file.name):
        state.update(f"{file.name}|{file.modified_at}\n".encode())
        state.update(hashlib.md5(file.content).digest())  # noqa: S324
    return archive_path(archive_dir, experiment.experiment_id, state.hexdigest()), files


def is_imported(archive: Path, files: list[_File]) -> bool:
    """Whether the archive of these files is there already.

    Raises:
        ArchiveError: there is another file under its name, or it is damaged.
    """
    return is_archived(archive, {file.name: md5_of(file.content) for file in files})


def write_archive(archive: Path, experiment_id: str, files: list[_File]) -> int:
    """Write an archive and make sure of it; return its size.

    Raises:
        ArchiveError: it does not hold what it should; it has no name then.
    """
    part = unfinished(archive)
    make_folder(archive.parent)
    rows = pa.Table.from_pylist(list(_rows(experiment_id, files)), ROW)
    try:
        with closing(duckdb.connect()) as connection:
            connection.register("imported_rows", rows)
            begin_rows(connection)
            connection.execute(ADD_LINES)
            write_rows(connection, part)
        held_hashes(part)
        put_in_place(part, archive)
    finally:
        part.unlink(missing_ok=True)
    return archive.stat().st_size


def _rows(experiment_id: str, files: list[_File]) -> Iterator[Json]:
    for file in files:
        is_a_log = is_log(file.name)
        yield {
            "source_file": file.name,
            "line_number": 0,
            "line_kind": "file" if is_a_log else "manifest",
            "experiment_id": experiment_id,
            "size_bytes": len(file.content),
            "modified_at": file.modified_at,
            "md5": md5_of(file.content),
            "content": None if is_a_log else file.content,
            "is_terminated": True if is_a_log else None,
        }
        for number, event in enumerate(file.events, 1):
            yield {
                "source_file": file.name,
                "line_number": number,
                "line_kind": "event",
                "experiment_id": experiment_id,
                "envelope": _envelope(event),
                "line": as_line(event),
            }


def _envelope(event: Json) -> str:
    """Write what an event says of itself, mending texts as the event store does."""
    text = json.dumps({name: event.get(name) for name in ENVELOPE}, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def as_line(event: Json) -> str:
    """Write an event as Pidgin does: compact, with ASCII only."""
    return json.dumps(event, separators=(",", ":"), default=str)


def _seconds(time: str | None) -> int:
    return int(datetime.fromisoformat(time).timestamp()) if time else 0
