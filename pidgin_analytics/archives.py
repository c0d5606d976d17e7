"""Archive files: checking, publishing, restoring and changing them.

An archive is one Parquet file with the logs and manifests of an experiment, written by
the dbt operation ``archive_experiments`` or by ``legacy_import``, and described in
``docs/decisions/0004-archives.md``. Each file of the experiment has a row numbered 0
with its size, time and MD5 hash; its bytes are there (``content``), or they are its
lines, joined by line feeds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import duckdb
import pyarrow as pa

from pidgin_analytics.sql_text import literal

# As archive_experiments writes it; what a later version changes, this one cannot read.
# The first had no parts of lines.
FORMAT = "2"
READABLE_FORMATS = ("1", "2")
# A file at a time: one may fill much of the memory.
FILES = """
    select
        files.source_file,
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


# How an archive is written.
FORMAT_OPTIONS = (
    "format parquet, compression zstd, compression_level 12, row_group_size 8192,"
    f" kv_metadata {{pidgin_archive_format: '{FORMAT}'}}"
)
# The rows of an archive without what is forgotten, and with what its files are then. A
# changed log keeps its lines and has its bytes beside them.
REST = """
    select lines.* replace (
        if(changed.source_file is null, lines.content, changed.content) as content,
        if(changed.source_file is null, lines.size_bytes, changed.size_bytes)
            as size_bytes,
        if(changed.source_file is null, lines.md5, changed.md5) as md5
    )
    from read_parquet(getvariable('archive'), hive_partitioning = false) as lines
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
                not list_contains(getvariable('forgotten'), lines.conversation_id),
                not coalesce(
                    list_bool_or(list_transform(
                        getvariable('spelled'),
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
    order by lines.source_file, lines.line_number
"""

COLUMNS = {
    "source_file": "VARCHAR",
    "line_number": "BIGINT",
    "line_part": "INTEGER",
    "line_kind": "VARCHAR",
    "event_id": "UUID",
    "event_type": "VARCHAR",
    "conversation_id": "VARCHAR",
    "experiment_id": "VARCHAR",
    "logged_experiment_id": "VARCHAR",
    "turn_number": "INTEGER",
    "agent_id": "VARCHAR",
    "recorded_timestamp": "VARCHAR",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "event_date": "DATE",
    "line": "VARCHAR",
    "event_data": "JSON",
    "reason": "VARCHAR",
    "line_start": "VARCHAR",
    "size_bytes": "BIGINT",
    "modified_at": "TIMESTAMP WITH TIME ZONE",
    "md5": "VARCHAR",
    "content": "BLOB",
    "is_terminated": "BOOLEAN",
    "archived_at": "TIMESTAMP WITH TIME ZONE",
}


class ArchiveError(Exception):
    """An archive cannot be read, or does not hold what it says."""


@dataclass(frozen=True)
class ArchivedFile:
    """A log or manifest as it was when it was archived.

    Attributes:
        name: Path below the output folder, with slashes.
        content: Its bytes.
        modified_at: Its modification time, in seconds since 1970.
    """

    name: str
    content: bytes
    modified_at: float


def archived_files(
    archive: str | Path, names: Sequence[str] | None = None
) -> Iterator[ArchivedFile]:
    """Read the files of an archive, or those with these names, one after the other.

    Raises:
        ArchiveError: the archive is damaged or is no archive; the message says how.
    """
    # No character of it is a wildcard.
    path = re.sub(r"([\[*?])", r"[\1]", str(archive))
    try:
        with closing(duckdb.connect()) as connection:
            # Beside a build, so with less.
            connection.execute("set threads = 1")
            (versions,) = connection.execute(
                "select list(decode(value)) from parquet_kv_metadata(?)"
                " where decode(key) = 'pidgin_archive_format'",
                [path],
            ).fetchone() or (None,)
            if versions not in [[known] for known in READABLE_FORMATS]:
                raise ArchiveError(
                    f"It is no archive of format {' or '.join(READABLE_FORMATS)}, but"
                    f" {versions or 'another'}."
                )
            found = connection.execute(
                "select column_name, column_type from (describe from"
                " read_parquet(?, hive_partitioning = false))",
                [path],
            ).fetchall()
            if {"line_part": "INTEGER", **dict(found)} != COLUMNS:
                raise ArchiveError("Its columns are not those of an archive.")
            rows = connection.execute(
                "select 1 from read_parquet(?, hive_partitioning = false)"
                " where line_kind = 'event' and event_id != cast(md5(line) as uuid)"
                " limit 1",
                [path],
            ).fetchall()
            if rows:
                raise ArchiveError("It holds an event that is not its line.")
            if names is None:
                names = [
                    name
                    for (name,) in connection.execute(
                        "select distinct source_file from"
                        " read_parquet(?, hive_partitioning = false)"
                        " order by source_file",
                        [path],
                    ).fetchall()
                ]
            for name in names:
                yield _archived_file(connection, path, name)
    except duckdb.Error as error:
        raise ArchiveError(str(error).splitlines()[0]) from error


def _archived_file(
    connection: duckdb.DuckDBPyConnection, path: str, name: str
) -> ArchivedFile:
    rows = connection.execute(FILES, {"archive": path, "file": name}).fetchall()
    if len(rows) != 1:
        raise ArchiveError(f"It holds {name!r} {len(rows)} times.")
    ((_, size, modified_at, md5, content),) = rows
    # An archive may come from anybody; its files go nowhere else and are nothing else.
    if (
        PurePosixPath(name).is_absolute()
        or ".." in PurePosixPath(name).parts
        or (not is_log(name) and PurePosixPath(name).name != "manifest.json")
    ):
        raise ArchiveError(f"It holds {name!r}, no log or manifest of Pidgin's.")
    if len(content) != size or hashlib.md5(content).hexdigest() != md5:  # noqa: S324
        raise ArchiveError(f"What it holds of {name!r} is not what was archived.")
    return ArchivedFile(name, content, modified_at)


def is_log(name: str) -> bool:
    """Whether a file of Pidgin is a log; else it is a manifest."""
    return bool(re.search(r"\.(jsonl|ndjson)(\.gz|\.zst)?$", name, re.IGNORECASE))


def archive_problem(archive: str) -> str | None:
    """Read an archive whole and say what is wrong with it; None if nothing is."""
    try:
        for _ in archived_files(archive):
            pass
    # Whatever a stranger's file brings about is wrong with that file alone.
    except Exception as error:
        return str(error)
    return None


def forget_in_archive(archive: str, conversation_ids: list[str]) -> bool:
    """Write an archive again without these conversations; return whether it had any.

    A log of nothing else goes whole, and so does an archive of nothing else. Manifests
    lose the entries of the conversations.

    Raises:
        ArchiveError: the archive is damaged, or what was written instead. It is as it
            was then.
    """
    path = Path(archive)
    part = path.with_name(f"{path.name}.forgetting")
    changed = {}
    for file in archived_files(archive):
        kept = without_conversations(file, conversation_ids)
        if kept != file.content:
            changed[file.name] = kept
    if not changed:
        return False
    try:
        count = _copy_archive(path, part, changed, conversation_ids)
        problem = archive_problem(str(part)) if count else None
        if problem:
            raise ArchiveError(problem)
        if count:
            _replace(part, path)
        else:
            path.unlink()
    finally:
        part.unlink(missing_ok=True)
    return True


def _copy_archive(
    archive: Path,
    part: Path,
    changed: dict[str, bytes | None],
    conversation_ids: list[str],
) -> int:
    """Copy an archive, but for the changed files; return how many files are left."""
    files = pa.Table.from_pylist(
        [
            {
                "source_file": name,
                "content": content,
                "size_bytes": None if content is None else len(content),
                "md5": None if content is None else hashlib.md5(content).hexdigest(),  # noqa: S324
            }
            for name, content in changed.items()
        ],
        pa.schema(
            [
                ("source_file", pa.string()),
                ("content", pa.binary()),
                ("size_bytes", pa.int64()),
                ("md5", pa.string()),
            ]
        ),
    )
    with closing(duckdb.connect()) as connection:
        connection.execute("set threads = 1")
        connection.register("changed_files", files)
        connection.execute(
            "set variable archive = ?", [re.sub(r"([\[*?])", r"[\1]", str(archive))]
        )
        connection.execute("set variable forgotten = ?::varchar[]", [conversation_ids])
        connection.execute(
            "set variable spelled = ?::varchar[]", [_spelled(conversation_ids)]
        )
        connection.execute(f"copy ({REST}) to {literal(str(part))} ({FORMAT_OPTIONS})")
        ((count,),) = connection.execute(
            "select count(*) from read_parquet(?) where line_number = 0",
            [re.sub(r"([\[*?])", r"[\1]", str(part))],
        ).fetchall()
    return int(count)


def without_conversations(
    file: ArchivedFile, conversation_ids: Sequence[str]
) -> bytes | None:
    """Return what is left of a file without these conversations; None if nothing is.

    Lines of no conversation go with a log of nothing else, and where they name one.
    """
    if not is_log(file.name):
        return _manifest_without(file.content, conversation_ids)
    names = [name.encode() for name in _spelled(conversation_ids)]
    kept = []
    owners = set()
    # As the event store parts lines.
    for line in re.findall(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+", file.content):
        owner = _conversation_of(line)
        owners.add(owner)
        if owner is None:
            is_forgotten = any(name in line for name in names)
        else:
            is_forgotten = owner in conversation_ids
        if not is_forgotten:
            kept.append(line)
    owners.discard(None)
    if owners and owners.issubset(conversation_ids):
        return None
    return b"".join(kept)


def _conversation_of(line: bytes) -> str | None:
    """Return the conversation that a line of a log says it belongs to, if any."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    if event.get("conversation_id") is None and isinstance(event.get("data"), dict):
        event = event["data"]
    found = event.get("conversation_id")
    return found if isinstance(found, str) and found else None


def _manifest_without(content: bytes, conversation_ids: Sequence[str]) -> bytes | None:
    try:
        manifest = json.loads(content)
    except ValueError:
        is_named = any(name.encode() in content for name in _spelled(conversation_ids))
        return None if is_named else content
    listed = manifest.get("conversations") if isinstance(manifest, dict) else None
    if not isinstance(listed, dict) or listed.keys().isdisjoint(conversation_ids):
        return content
    before = len(listed)
    for name in conversation_ids:
        listed.pop(name, None)
    # What is forgotten is not missing.
    if isinstance(manifest.get("total_conversations"), int):
        manifest["total_conversations"] -= before - len(listed)
    return json.dumps(manifest, indent=2).encode()


def _spelled(conversation_ids: Sequence[str]) -> list[str]:
    """Return ids as JSON may write them: as they are, or with ASCII only."""
    return [
        spelling
        for name in conversation_ids
        for spelling in {
            name,
            json.dumps(name)[1:-1],
            json.dumps(name, ensure_ascii=False)[1:-1],
        }
    ]


def publish_archive(part: str, archive: str) -> str:
    """Give a finished file its name, and return it once both are sure to be on disk."""
    _replace(Path(part), Path(archive))
    return archive


def _replace(part: Path, path: Path) -> None:
    """Rename a file so that a loss of power leaves it under one name, and whole."""
    _sync(part)
    part.replace(path)
    # The entry of the file, and that of a folder that may be new.
    _sync(path.parent)
    _sync(path.parent.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restore_archive(archive: str, output_dir: str, names: list[str]) -> int:
    """Write these files of an archive where they were; return how many.

    A file that is there already with the same bytes is left alone, and so is a manifest
    with other ones, which Pidgin goes on writing.

    Raises:
        ArchiveError: the archive is damaged, or one of its logs is there with other
            bytes. Nothing is written then.
    """
    folder = Path(output_dir).resolve()
    missing = []
    count = 0
    for file in archived_files(archive, names):
        target = (folder / file.name).resolve()
        if not target.is_relative_to(folder):
            raise ArchiveError(f"{file.name!r} would lie outside {folder}.")
        count += 1
        if not target.exists():
            missing.append(file.name)
        elif is_log(file.name) and target.read_bytes() != file.content:
            raise ArchiveError(f"{target} is there, and is not what was archived.")
    for file in archived_files(archive, missing):
        _write(folder / file.name, file)
    return count


def _write(path: Path, file: ArchivedFile) -> None:
    """Write a file under its name only once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(file.content)
    os.utime(part, (file.modified_at, file.modified_at))
    _replace(part, path)


def remove_file(path: str) -> str:
    """Delete a file; return its path."""
    Path(path).unlink()
    return path


def make_folder(path: str) -> str:
    """Make a folder and those above it, where they are missing; return its path."""
    Path(path).mkdir(parents=True, exist_ok=True)
    return path
