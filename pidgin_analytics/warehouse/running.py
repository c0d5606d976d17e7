"""One query while it runs, and what becomes of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import duckdb
from duckdb import DuckDBPyConnection, StatementType

from pidgin_analytics.warehouse.places import WarehouseError
from pidgin_analytics.warehouse.states import OpenState

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import polars as pl  # type: ignore[import-not-found,unused-ignore]
    import pyarrow as pa

# What `?` (a sequence) or `$name` (a mapping) stand for.
Parameters = Sequence[object] | Mapping[str, object] | None
Row = dict[str, Any]

# Python objects are made while no other thread of Python runs, so few at a time.
ROWS_AT_ONCE = 1_000


class Query:
    """A query that one thread runs and another may interrupt."""

    def __init__(self) -> None:
        """Wait to be begun."""
        self._cursor: DuckDBPyConnection | None = None

    @contextmanager
    def executed(
        self, opened: OpenState, sql: str, parameters: Parameters
    ) -> Iterator[DuckDBPyConnection]:
        """Begin the query on a cursor of its own; its rows come as they are taken.

        Raises:
            WarehouseError: it is not one SELECT.
            duckdb.Error: it is wrong, or was interrupted.
        """
        cursor = opened.cursor()
        try:
            statements = cursor.extract_statements(sql)
            # The rest could still write into memory that all queries share, or over
            # the warehouse itself, which DuckDB counts among the files it may use.
            if [one.type for one in statements] != [StatementType.SELECT]:
                raise WarehouseError("A query must be one SELECT, and nothing else.")
            self._cursor = cursor
            cursor.execute(statements[0], parameters)
            yield cursor
        finally:
            self._cursor = None
            cursor.close()

    def interrupt(self) -> None:
        """End the query if it runs. One that has not begun yet does not notice."""
        cursor = self._cursor
        if cursor is not None:
            # It may be closed at this moment.
            with suppress(duckdb.Error):
                cursor.interrupt()


def as_rows(cursor: DuckDBPyConnection) -> list[Row]:
    """Take all rows, as dicts.

    Raises:
        WarehouseError: two columns have one name.
    """
    names = [column[0] for column in cursor.description or ()]
    if len(set(names)) < len(names):
        raise WarehouseError("Two columns have one name; give them names with `as`.")
    rows: list[Row] = []
    while some := cursor.fetchmany(ROWS_AT_ONCE):
        rows += [dict(zip(names, row, strict=True)) for row in some]
    return rows


def as_arrow(cursor: DuckDBPyConnection) -> pa.Table:
    """Take all rows, as one Arrow table."""
    return cursor.to_arrow_table()


def as_polars(cursor: DuckDBPyConnection) -> pl.DataFrame:
    """Take all rows, as a Polars frame."""
    return cursor.pl()


def as_pandas(cursor: DuckDBPyConnection) -> pd.DataFrame:
    """Take all rows, as a pandas frame."""
    return cursor.df()


def check_installed(package: str) -> None:
    """Insist on a package that the project does not need otherwise."""
    if find_spec(package) is None:
        raise WarehouseError(f"{package} is not installed; install it, or use arrow().")
