"""Cleans a lake, and moves what was read from a file to a lake and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pidgin_analytics import publishing
from pidgin_analytics.dbt_plugin import (
    attach_file,
    copy_store_tables,
    copy_stores,
)
from pidgin_analytics.in_memory import in_memory
from pidgin_analytics.lake import ALIAS, Builder, Lake, LakeError, Reader
from pidgin_analytics.sql_text import identifier, literal

# Files that nothing needs any more stay so long, for queries that have just begun.
GRACE = "1 hour"
# What people ask for.
SCHEMAS = ("main", "analysis", "compat")


@dataclass(frozen=True)
class Cleaned:
    """What cleaning a lake came to.

    Attributes:
        snapshots: Snapshots that cannot be read any more.
        kept: Published snapshots that still can.
        files: Files that were deleted.
    """

    snapshots: int
    kept: int
    files: int


@dataclass(frozen=True)
class Compared:
    """A table of two warehouses.

    Attributes:
        table: Its name, with its schema.
        rows: Rows in both, as far as they are as many.
        difference: What differs; None if nothing does.
    """

    table: str
    rows: int
    difference: str | None


def clean(builder: Builder, keep_days: float, *, at_once: bool = False) -> Cleaned:
    """Compact a lake, and forget the snapshots that nobody needs.

    The rows of the state that people read, and of those that were published in the last
    days, stay as they are.

    Args:
        builder: Has the lake.
        keep_days: Days for which published snapshots stay readable.
        at_once: Whether what was deleted from tables goes from the files, too, and
            files go although a query may still be reading them.

    Raises:
        LakeError: nothing was published in the lake yet, or its catalog cannot be
            reached.
        duckdb.Error: the lake cannot be changed.
    """
    published = builder.published()
    if published is None:
        raise LakeError(f"Nothing is published in {builder.lake}; run `dbt build`.")
    with closing(in_memory()) as connection:
        builder.lake.attach(connection)
        connection.execute(f"use {ALIAS}")
        # What a build that failed or was killed has left is not for people.
        is_published = _digest(connection) == published.digest
        _compact(connection, is_thorough=at_once)
        if is_published and (problem := builder.publish_snapshot(published.digest)):
            raise LakeError(f"The compacted state cannot be published: {problem}")
        kept = set(builder.published_since(keep_days))
        if not at_once:
            # Somebody may hold what was published until now.
            kept.add(published.snapshot_id)
        expired = [
            number
            for (number,) in connection.execute(
                f"select snapshot_id from ducklake_snapshots('{ALIAS}')"  # noqa: S608
            ).fetchall()
            if number < max(kept) and number not in kept
        ]
        if expired:
            connection.execute(
                f"call ducklake_expire_snapshots('{ALIAS}', versions => {expired})"
            )
        builder.keep_only(kept)
        choice = (
            "cleanup_all => true"
            if at_once
            else f"older_than => now() - interval '{GRACE}'"
        )
        files = [
            connection.execute(f"call {function}('{ALIAS}', {choice})").fetchall()
            for function in (
                "ducklake_cleanup_old_files",
                "ducklake_delete_orphaned_files",
            )
        ]
    return Cleaned(len(expired), len(kept), sum(map(len, files)))


def _digest(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return what the macro ``publish`` would note of the newest state.

    None where something else than a build has changed the lake.
    """
    with suppress(duckdb.CatalogException):
        ((digest,),) = connection.execute(
            "select digest from staging.relations_digest"
        ).fetchall()
        return None if digest is None else str(digest)
    return None


def _compact(connection: duckdb.DuckDBPyConnection, *, is_thorough: bool) -> None:
    threshold = ", delete_threshold => 0" if is_thorough else ""
    for call in (
        # Few rows wait in the catalog, until there are enough of them for a file.
        f"ducklake_flush_inlined_data('{ALIAS}')",
        f"ducklake_rewrite_data_files('{ALIAS}'{threshold})",
        f"ducklake_merge_adjacent_files('{ALIAS}')",
    ):
        connection.execute(f"call {call}")


def begin_lake(builder: Builder, file: Path) -> None:
    """Copy into a lake what a warehouse in a file has read.

    Args:
        builder: Has the lake, in which nothing may be published yet.
        file: A published warehouse. It stays as it is.

    Raises:
        LakeError: somebody uses the lake already.
        duckdb.Error: one of them cannot be opened.
    """
    if builder.published() is not None:
        raise LakeError(
            f"{builder.lake} is in use: a build has published its tables. Name another"
            " folder and another database."
        )
    builder.begin()
    with closing(in_memory()) as connection:
        builder.lake.attach(connection)
        attach_file(connection, file)
        connection.execute(f"begin; drop schema if exists {ALIAS}.staging cascade")
        copy_store_tables(connection, "source", ALIAS)
        connection.execute("commit")


def begin_file(lake: Lake, file: Path, config: dict[str, Any]) -> None:
    """Copy into a new file what the published state of a lake has read.

    Args:
        lake: The lake. It stays as it is.
        file: The warehouse to begin; there may be none.
        config: DuckDB's settings of a new file.

    Raises:
        LakeError: nothing is published in the lake, or there is a file already.
        duckdb.Error: one of them cannot be opened.
        OSError: the file cannot be written.
    """
    working = publishing.working_file(file)
    for path in (file, working):
        if path.exists():
            raise LakeError(
                f"{path} is there already; name another PIDGIN_WAREHOUSE, or delete it."
            )
    snapshot_id = _published(lake)
    working.parent.mkdir(parents=True, exist_ok=True)
    copy_stores(
        lambda connection: lake.attach(connection, "source", snapshot_id),
        working,
        config,
    )


def _published(lake: Lake) -> int:
    """Return the snapshot that people read."""
    with closing(Reader(lake)) as reader:
        published = reader.published()
    if published is None:
        raise LakeError(f"Nothing is published in {lake}; run `dbt build`.")
    return published.snapshot_id


@contextmanager
def both(lake: Lake, file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open what is published in a lake and in a file, as ``pidgin`` and ``file``.

    Raises:
        LakeError: nothing is published in the lake.
        duckdb.Error: one of them cannot be opened.
    """
    snapshot_id = _published(lake)
    with closing(in_memory()) as connection:
        lake.attach(connection, snapshot_id=snapshot_id)
        connection.execute(f"attach {literal(str(file))} as file (read_only)")
        yield connection


def compared(connection: duckdb.DuckDBPyConnection) -> Iterator[Compared]:
    """Compare all that people ask for in the databases ``pidgin`` and ``file``.

    Yields:
        Each table and view, by name: rows are counted, and of each column the hashes of
        its values are added up.
    """
    columns: dict[str, dict[str, list[str]]] = {ALIAS: {}, "file": {}}
    for database, schema, table, column in connection.execute(
        "select database_name, schema_name, table_name, column_name"
        " from duckdb_columns()"
        " where database_name in (?, 'file') and schema_name in (?, ?, ?)"
        " and not internal"
        " order by all",
        [ALIAS, *SCHEMAS],
    ).fetchall():
        columns[database].setdefault(f"{schema}.{table}", []).append(column)
    for name in sorted(columns[ALIAS].keys() | columns["file"].keys()):
        there = columns[ALIAS].get(name), columns["file"].get(name)
        if there[0] is None or there[1] is None or there[0] != there[1]:
            yield Compared(name, 0, "its columns")
            continue
        sums = [_sums(connection, database, name, there[0]) for database in columns]
        different = [
            column
            for column, ours, theirs in zip(
                ("count of rows", *there[0]), *sums, strict=True
            )
            if ours != theirs
        ]
        yield Compared(name, sums[0][0], ", ".join(different) or None)


def _sums(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    name: str,
    columns: list[str],
) -> tuple[Any, ...]:
    schema, _, table = name.partition(".")
    hashes = "".join(f", sum(hash({identifier(column)}))" for column in columns)
    place = ".".join(map(identifier, (database, schema, table)))
    # Views find what is below them in the database that is used.
    connection.execute(f"use {identifier(database)}")
    found = connection.execute(f"select count(*){hashes} from {place}").fetchone()  # noqa: S608
    assert found is not None  # noqa: S101
    return found
