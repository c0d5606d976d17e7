"""Published states, open for reading and for nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import duckdb
from duckdb import DuckDBPyConnection

from pidgin_analytics.in_memory import in_memory
from pidgin_analytics.sql_text import identifier, literal
from pidgin_analytics.warehouse.places import Place, PublishedState, place_of


def connect(path: str | os.PathLike[str] | None = None) -> DuckDBPyConnection:
    """Open what is published now with DuckDB, for what one SELECT cannot do.

    Args:
        path: A file; by default what the environment names, a file or a lake.

    Returns:
        A connection that finds tables by their plain names, cannot write them, and
        takes as much memory as a build may.

    Raises:
        MissingWarehouseError: nothing is published there yet.
        WarehouseError: it cannot be opened.
    """
    with closing(place_of(path)) as place:
        _, connection, name = attach_newest(place)
    connection.execute(f"use {identifier(name)}")
    return connection


class OpenState:
    """A published state, open until its last user is done."""

    def __init__(
        self, state: PublishedState, connection: DuckDBPyConnection, name: str
    ) -> None:
        """Begin with one user, who opened it."""
        self.state = state
        self._connection = connection
        self._name = name
        self._users = 1
        self._lock = threading.Lock()

    @contextmanager
    def used(self) -> Iterator[OpenState]:
        """Keep it open; only for those who know that it is."""
        with self._lock:
            self._users += 1
        try:
            yield self
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Have one user less. Whoever opened it is the first one."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self._connection.close()

    def cursor(self) -> DuckDBPyConnection:
        """Make a session that finds tables by their plain names."""
        cursor = self._connection.cursor()
        # The only setting of sessions that a locked configuration lets through; they
        # do not inherit it.
        cursor.execute(f"use {self._name}")
        return cursor


def attach_newest(place: Place) -> tuple[PublishedState, DuckDBPyConnection, str]:
    """Open what is published now, and return its state and the name of its database.

    Raises:
        WarehouseError: it is missing, no database, or just being written.
    """
    while True:
        state = place.published()
        connection = in_memory()
        try:
            name = place.attach(connection, state)
            newest = place.published()
        except duckdb.Error as error:
            connection.close()
            # What was replaced on the way is no reason to complain; what is written in
            # its place is.
            if place.published().identity[:2] == state.identity[:2]:
                raise place.failed(error) from error
            continue
        except BaseException:
            connection.close()
            raise
        if newest == state:
            return state, connection, name
        connection.close()


def open_newest(place: Place) -> OpenState:
    """Open what is published now so that a query can do nothing but read it.

    Raises:
        WarehouseError: it is missing, no database, or just being written.
    """
    state, connection, name = attach_newest(place)
    try:
        archives = ", ".join(map(literal, _archives(connection, name)))
        directories = ", ".join(map(literal, place.directories()))
        # In this order: each of them takes away what the ones before need.
        connection.execute(f"set allowed_paths = [{archives}]")
        connection.execute(f"set allowed_directories = [{directories}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return OpenState(state, connection, identifier(name))


def _archives(connection: DuckDBPyConnection, name: str) -> list[str]:
    """Return the files that views of the warehouse read: `events`, of archives."""
    if not connection.execute(
        "select 1 from duckdb_tables() where database_name = ?"
        " and schema_name = 'staging' and table_name = 'stg_archive__archives'",
        [name],
    ).fetchall():
        return []
    return [
        path
        for (path,) in connection.execute(
            f"select source_file from {identifier(name)}.staging.stg_archive__archives"  # noqa: S608
            " where problem is null"
        ).fetchall()
    ]
