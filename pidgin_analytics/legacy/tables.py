"""The tables of Pidgin's own databases, of SQLite or DuckDB, and their rows."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from pidgin_analytics.sql_text import identifier

Row = dict[str, Any]

SQLITE_MAGIC = b"SQLite format 3\0"
DUCKDB_MAGIC = b"DUCK"
# Where a file of DuckDB says which version wrote it.
WRITER = slice(52, 84)

# The tables that are read, and of each what is not: what is counted in the text again.
TABLES: dict[str, tuple[str, ...]] = {
    "experiments": (),
    "conversations": (),
    "agent_names": (),
    "turns": (),
    "turn_metrics": ("word_frequencies_a", "word_frequencies_b", "shared_vocabulary"),
    "message_metrics": (),
    "messages": (),
    "conversation_turns": (),
    "thinking_traces": (),
    "token_usage": (),
    "context_truncations": (),
    "events": (),
}
# The wide table of Pidgin 1.x has 150 more: metrics as in the marts, and tokens and
# times of the conversation's last message in every row.
WIDE_COLUMNS = (
    *("experiment_id", "conversation_id", "turn_number", "timestamp"),
    *("agent_a_model", "agent_b_model", "awareness_a", "awareness_b"),
    *("temperature_a", "temperature_b", "initial_prompt"),
    *("agent_a_message", "agent_b_message"),
)


class LegacyError(Exception):
    """A database cannot be imported; the message says why."""


class Problems:
    """What cannot be imported, gathered by kind."""

    def __init__(self) -> None:
        """Begin with none."""
        self._places: dict[str, list[str]] = defaultdict(list)

    def note(self, problem: str, place: str) -> None:
        """Add one, with where it is."""
        self._places[problem].append(place)

    def texts(self) -> list[str]:
        """Say for each kind how many there are, and where the first are."""
        return [
            f"{problem} ({len(places)}): {', '.join(places[:3])}"
            + (", ..." if len(places) > 3 else "")
            for problem, places in self._places.items()
        ]


@dataclass
class Tables:
    """The tables of a database: all their columns, and the rows of those in use."""

    is_duckdb: bool
    columns: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> list[Row]:
        """Return the rows of a table; none if it is not there."""
        return self.rows.get(name, [])


def read_tables(path: Path, problems: Problems) -> Tables:
    """Read the tables of a database, without writing to it.

    Args:
        path: The file.
        problems: Where what cannot be read as text is noted.

    Raises:
        LegacyError: it is no database of SQLite or DuckDB, or cannot be read now.
    """
    try:
        with path.open("rb") as file:
            start = file.read(WRITER.stop)
        if start.startswith(SQLITE_MAGIC):
            # In WAL mode a reader makes files beside it. Nobody writes this one now.
            is_quiet = start[18:20] == b"\2\2" and not Path(f"{path}-wal").exists()
            return _read_sqlite(path, is_quiet, problems)
        if start[8:12] == DUCKDB_MAGIC:
            return _read_duckdb(path)
    except (OSError, sqlite3.Error, duckdb.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        if "a database file with version number" in reason:
            writer = start[WRITER].rstrip(b"\0").decode("ascii", "replace")
            raise LegacyError(
                f"It was written by DuckDB {writer}, and DuckDB {duckdb.__version__},"
                " which is here, cannot read that: copy it with the one that wrote it"
                " (attach 'old.duckdb' as old; attach 'new.duckdb' as new"
                " (storage_version 'v1.0.0'); copy from database old to new) and import"
                " the copy."
            ) from error
        raise LegacyError(f"It cannot be read: {reason}") from error
    raise LegacyError("It is no database of SQLite or DuckDB.")


def _read_sqlite(path: Path, is_quiet: bool, problems: Problems) -> Tables:
    def decode(content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError:
            text = content.decode(errors="replace")
            problems.note("Bytes that are no text, now U+FFFD", repr(text[:40]))
            return text

    address = f"{path.absolute().as_uri()}?mode=ro" + "&immutable=1" * is_quiet
    with closing(sqlite3.connect(address, uri=True, timeout=1)) as connection:
        connection.text_factory = decode
        names = [
            name
            for (name,) in connection.execute(
                "select name from sqlite_master where type = 'table' order by name"
            )
        ]
        tables = Tables(is_duckdb=False)
        for name in names:
            found = connection.execute(f"pragma table_info({identifier(name)})")
            tables.columns[name] = [column[1] for column in found]
        # All of one moment, should somebody write.
        connection.execute("begin")
        for name in TABLES:
            if name in tables.columns:
                tables.rows[name] = _rows(connection, name, tables.columns[name])
    return tables


def _read_duckdb(path: Path) -> Tables:
    with closing(duckdb.connect(str(path.absolute()), read_only=True)) as connection:
        # A column of a stranger's table may be computed when it is read.
        connection.execute("set enable_external_access = false; begin")
        tables = Tables(is_duckdb=True)
        for name, column in connection.execute(
            "select table_name, column_name from duckdb_columns()"
            " where schema_name = 'main' and database_name = current_database()"
            " and table_oid in (select table_oid from duckdb_tables())"
            " order by table_name, column_index"
        ).fetchall():
            tables.columns.setdefault(name, []).append(column)
        for name, left_out in TABLES.items():
            columns = [
                column
                for column in tables.columns.get(name, [])
                if column not in left_out
                and (name != "conversation_turns" or column in WIDE_COLUMNS)
            ]
            if columns:
                tables.rows[name] = _rows(connection, name, columns)
    return tables


def _rows(
    connection: sqlite3.Connection | duckdb.DuckDBPyConnection,
    table: str,
    columns: list[str],
) -> list[Row]:
    chosen = ", ".join(map(identifier, columns))
    found = connection.execute(
        f"select {chosen} from {identifier(table)} order by rowid"  # noqa: S608
    )
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
