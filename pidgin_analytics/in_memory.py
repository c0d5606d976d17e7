"""Sessions of DuckDB that hold nothing themselves, for what is attached to them."""

from __future__ import annotations

import tempfile
import uuid

import duckdb

from pidgin_analytics import settings


def temporary_folder() -> str:
    """Name a folder for what does not fit into memory.

    Two databases must not share one, and a database in memory would take one in the
    present folder. DuckDB makes and removes it.
    """
    return f"{tempfile.gettempdir()}/pidgin-{uuid.uuid4().hex}"


def in_memory() -> duckdb.DuckDBPyConnection:
    """Open a session with as much memory as a build may take, in UTC."""
    connection = duckdb.connect(
        # Of a path that is open already, connect() would give the old state again.
        ":memory:",
        config={
            "memory_limit": settings.setting("PIDGIN_MEMORY_LIMIT", "4GB"),
            "temp_directory": temporary_folder(),
        },
    )
    # A lake takes so long to open that DuckDB would tell how far it is.
    connection.execute("set enable_progress_bar = false")
    connection.execute("set global timezone = 'UTC'")
    return connection
