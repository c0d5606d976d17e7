"""What an archive is: its name, its columns and how they are written.

One Parquet file holds the logs and manifests of an experiment. Each line of a log has a
row, and each file one numbered 0 with its size, time and MD5 hash; its bytes are there
(``content``), or they are its lines, joined by line feeds.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import duckdb

from pidgin_analytics.sql_text import literal

# What a later version changes, this one cannot read. The first had no parts of lines,
# the second no hash of the file.
FORMAT = "3"
READABLE_FORMATS = ("1", "2", FORMAT)
FORMAT_KEY = "pidgin_archive_format"
# The MD5 hash of all bytes of the file but its own, which count as zeros.
HASH_KEY = "pidgin_archive_md5"
NO_HASH = "0" * 32
NOTED_HASH = re.compile(HASH_KEY.encode() + rb"[^0-9a-f]{1,4}([0-9a-f]{32})")
SUFFIX = ".parquet"

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
# In the order in which they compress best.
ORDER = "source_file, line_number, line_part"
OPTIONS = (
    "format parquet, compression zstd, compression_level 12, row_group_size 8192,"
    f" kv_metadata {{{FORMAT_KEY}: '{FORMAT}', {HASH_KEY}: '{NO_HASH}'}}"
)
CHUNK = 1 << 24
# The temporary table that a writer fills: see begin_rows.
ROWS = "archive_rows"


class ArchiveError(Exception):
    """Something cannot be done with an archive; the message says what and why."""


def archive_path(archive_dir: str | Path, experiment_id: str, state: str) -> Path:
    """Name the archive of an experiment whose files are in this state.

    Args:
        archive_dir: The folder of archives.
        experiment_id: The experiment.
        state: A hash of what the archive holds, so that the same has the same name.
    """
    folder = f"experiment={file_name(experiment_id)}"
    return Path(archive_dir, folder, f"{state}{SUFFIX}")


def file_name(text: str) -> str:
    """Turn any text into the name of a file, each into another."""
    name = re.sub(r"^\.", "%2E", quote(text, safe="", errors="surrogatepass"))
    if len(name) <= 200:
        return name
    return f"{name[:150]}-{hashlib.md5(name.encode()).hexdigest()}"  # noqa: S324


def archives_below(folder: str) -> list[Path]:
    """List the archives in a folder, at any depth, as a build does."""
    return sorted(Path(folder).rglob(f"*{SUFFIX}"))


def unfinished(archive: Path) -> Path:
    """Name an archive until it is whole; no build sees it by that name."""
    return archive.with_name(f"{archive.name}.part")


def begin_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the empty table ``archive_rows``, to be filled ``by name``."""
    columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
    connection.execute(f"create or replace temporary table {ROWS} ({columns})")


def write_rows(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write the rows of ``archive_rows`` to a file.

    Raises:
        duckdb.Error: the file cannot be written.
    """
    connection.execute(
        f"copy (from {ROWS} order by {ORDER}) to {literal(str(path))} ({OPTIONS})"
    )
    hashes = _hashes(path)
    assert hashes is not None  # noqa: S101
    with path.open("r+b") as file:
        file.seek(hashes.position)
        file.write(hashes.actual.encode())


@dataclass(frozen=True)
class _Hashes:
    """The hash that a file notes of itself, where it stands, and what it should be."""

    position: int
    noted: str
    actual: str


def _hashes(path: str | Path) -> _Hashes | None:
    """Hash the bytes of an archive; None if it notes no hash of its own.

    Nothing of it is interpreted but the place of the hash.
    """
    hash_ = hashlib.md5()  # noqa: S324
    with Path(path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        # What is noted of a Parquet file is at its end, and how much that is, too.
        file.seek(max(size - 8, 0))
        begin = max(size - 8 - int.from_bytes(file.read(4), "little"), 0)
        file.seek(begin)
        end = file.read()
        found = NOTED_HASH.search(end)
        if not found:
            return None
        file.seek(0)
        left = begin
        while left and (read := file.read(min(left, CHUNK))):
            hash_.update(read)
            left -= len(read)
    first, last = found.span(1)
    hash_.update(end[:first] + NO_HASH.encode() + end[last:])
    return _Hashes(begin + first, found[1].decode(), hash_.hexdigest())


def end_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop ``archive_rows``."""
    connection.execute(f"drop table if exists {ROWS}")


def pattern(path: str | Path) -> str:
    """Write a path so that no character of it is a wildcard."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))


def check_shape(connection: duckdb.DuckDBPyConnection, path: str | Path) -> None:
    """Make sure that a file is what was written, with the columns of an archive.

    Raises:
        ArchiveError: it is not.
        duckdb.Error: it is no Parquet file, or cannot be read.
    """
    # First, so that DuckDB meets no damaged file.
    hashes = _hashes(path)
    if hashes and hashes.noted != hashes.actual:
        raise ArchiveError("Its bytes are not those that were written.")
    versions = [
        value
        for (value,) in connection.execute(
            "select decode(value) from parquet_kv_metadata(?) where decode(key) = ?",
            [pattern(path), FORMAT_KEY],
        ).fetchall()
    ]
    if versions not in [[known] for known in READABLE_FORMATS]:
        raise ArchiveError(
            f"It is no archive of format {' or '.join(READABLE_FORMATS)}, but"
            f" {' and '.join(versions) or 'another'}."
        )
    if versions == [FORMAT] and not hashes:
        raise ArchiveError("It has no hash of its bytes.")
    found = connection.execute(
        "select column_name, column_type from (describe from"
        " read_parquet(?, hive_partitioning = false))",
        [pattern(path)],
    ).fetchall()
    if {"line_part": COLUMNS["line_part"], **dict(found)} != COLUMNS:
        raise ArchiveError("Its columns are not those of an archive.")


def is_log(name: str) -> bool:
    """Whether a file of Pidgin is a log; else it is a manifest."""
    return bool(re.search(r"\.(jsonl|ndjson)(\.gz|\.zst)?$", name, re.IGNORECASE))
