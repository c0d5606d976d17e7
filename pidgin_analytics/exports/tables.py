"""What can be exported: tables and views of a warehouse, and their rows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from pidgin_analytics.printing import unknown
from pidgin_analytics.sql_text import identifier

BATCH = 1000
NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*")
NESTED = re.compile(r"(STRUCT|MAP|UNION)\(.*|.*\]")

# Rows stand in this order, as far as a table has these columns.
ORDER = (
    *("experiment_id", "conversation_id", "source_file", "line_number"),
    *("turn_number", "agent_id"),
)

Row = tuple[Any, ...]


class ExportError(Exception):
    """An export cannot be made; the message says why in one sentence."""


@dataclass(frozen=True)
class Column:
    """A column and what its comment says."""

    name: str
    type: str
    comment: str | None


@dataclass(frozen=True)
class Table:
    """A mart, or a view of the schema ``analysis``."""

    name: str
    schema: str
    comment: str | None
    columns: Sequence[Column]

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return f"{identifier(self.schema)}.{identifier(self.name.rpartition('.')[2])}"

    def has(self, column: str) -> bool:
        """Tell whether it has a column of this name."""
        return any(own.name == column for own in self.columns)


@contextlib.contextmanager
def reading(
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Show the same state of the warehouse to every query."""
    connection.execute("begin")
    try:
        yield connection
    finally:
        connection.execute("rollback")


def known_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, Table]:
    """Return what can be exported, by name."""
    found: dict[tuple[str, str, str | None], list[Column]] = {}
    for schema, name, comment, *column in connection.execute(
        """
        with relations as (
            select database_oid, schema_oid, table_oid, comment from duckdb_tables()
            union all
            select database_oid, schema_oid, view_oid, comment from duckdb_views()
        )
        select
            schema_name, table_name, relations.comment,
            column_name, data_type, columns.comment
        from duckdb_columns() as columns
        inner join relations using (database_oid, schema_oid, table_oid)
        where
            database_name = current_database()
            and schema_name in ('main', 'analysis')
            and not internal
            -- Names become names of files.
            and regexp_full_match(table_name, '[A-Za-z_][A-Za-z0-9_]*')
        order by schema_name = 'analysis', table_name, column_index
        """
    ).fetchall():
        found.setdefault((schema, name, comment), []).append(Column(*column))
    tables = (
        Table(name if schema == "main" else f"{schema}.{name}", schema, comment, own)
        for (schema, name, comment), own in found.items()
    )
    return {table.name: table for table in tables}


def named(name: str, known: dict[str, Table]) -> Table:
    """Return the table of this name.

    Raises:
        ExportError: There is none.
    """
    if name not in known:
        there = f"there are {', '.join(known) or 'none'}"
        raise ExportError(unknown("table", name, known, there))
    return known[name]


def check_experiments(
    cursor: duckdb.DuckDBPyConnection, experiments: Sequence[str]
) -> None:
    """Insist that these experiments are there.

    Raises:
        ExportError: One is not.
    """
    known = [
        name
        for (name,) in cursor.execute(
            "select experiment_id from main.experiments order by all"
        ).fetchall()
    ]
    for experiment in experiments:
        if experiment not in known:
            there = "the table experiments lists the ids"
            raise ExportError(unknown("experiment", experiment, known, there))


def as_text(column: Column) -> str:
    """Write the SQL of a column as text; what is nested as JSON."""
    name = identifier(column.name)
    nested = NESTED.fullmatch(column.type)
    return f"cast({f'to_json({name})' if nested else name} as varchar)"


def query_of(table: Table, columns: str, experiments: Sequence[str]) -> str:
    """Write the query of a table's rows; the values that it takes are bound."""
    order = ", ".join(identifier(column) for column in ORDER if table.has(column))
    return f"select {columns} {source_of(table, experiments)}" + (
        f" order by {order}" if order else ""
    )


def source_of(table: Table, experiments: Sequence[str]) -> str:
    """Write the end of a query: from this table, the rows of experiments."""
    condition = _condition(table) if experiments else "true"
    return f"from {table.sql} where {condition}"


def _condition(table: Table) -> str:
    """Write the SQL that tells the rows of experiments, a list that is bound."""
    if table.has("experiment_id"):
        return "list_contains(?, experiment_id)"
    if table.has("source_file"):
        return (
            "source_file in (select source_file from main.events"
            " where list_contains(?, experiment_id))"
        )
    raise ExportError(
        f"{table.name} does not say which experiment a row belongs to; export it whole."
    )


def bound(experiments: Sequence[str]) -> list[list[str]]:
    """Return the values that a query of the rows of experiments takes."""
    return [list(experiments)] if experiments else []


def rows_of(
    cursor: duckdb.DuckDBPyConnection, query: str, values: list[list[str]]
) -> Iterator[Row]:
    """Return the rows of a query, in batches behind the scenes."""
    cursor.execute(query, values)
    while batch := cursor.fetchmany(BATCH):
        yield from batch
