"""The project's plugin for dbt-duckdb, loaded by the profile's default target.

dbt-duckdb calls it around opening the warehouse. Nothing needs it to build: the target
``plain`` does without, and what only Python can compute is NULL there.
"""

from __future__ import annotations

import shutil
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

from pidgin_analytics import archives

# With the types of what they take and give.
FILE_FUNCTIONS = (
    (archives.archive_problem, ["VARCHAR"], "VARCHAR"),
    (archives.make_folder, ["VARCHAR"], "VARCHAR"),
    (archives.publish_archive, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (archives.remove_file, ["VARCHAR"], "VARCHAR"),
    (archives.restore_archive, ["VARCHAR", "VARCHAR", "VARCHAR[]"], "BIGINT"),
)


def zlib_compressed_sizes(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Sizes in bytes of texts after zlib compression at its default level.

    Args:
        texts: Texts of one vector; encoded as UTF-8 before compression.

    Returns:
        One 64-bit integer per text, in order; null where the text is null.
    """
    return pa.array(
        [
            None if text is None else len(zlib.compress(text.encode()))
            for text in texts.to_pylist()
        ],
        type=pa.int64(),
    )


def is_moment(text: str) -> bool:
    """Whether a text is a moment to DuckDB, by which the variable ``as_of`` is read."""
    ((is_finite,),) = duckdb.execute(
        "select isfinite(try_cast(? as timestamptz))", [text]
    ).fetchall()
    return is_finite is True


def copy_warehouse(source: Path, target: Path) -> None:
    """Copy what a warehouse stores, without the views, which hold its name.

    Raises:
        duckdb.Error: another process writes the warehouse now.
        OSError: a file cannot be read or written.
    """
    part = target.with_name(target.name + ".part")
    # As long as it is open for reading, nobody writes it.
    with closing(duckdb.connect(str(source), read_only=True)):
        shutil.copyfile(source, part)
        # What a killed build wrote last.
        log = source.with_name(source.name + ".wal")
        part_log = part.with_name(part.name + ".wal")
        part_log.unlink(missing_ok=True)
        if log.exists():
            shutil.copyfile(log, part_log)
    with closing(duckdb.connect(str(part))) as connection:
        views = connection.execute(
            "select schema_name, view_name from duckdb_views() where not internal"
        ).fetchall()
        for names in views:
            schema, view = (name.replace('"', '""') for name in names)
            connection.execute(f'drop view "{schema}"."{view}"')
    part.replace(target)


class Plugin(BasePlugin):
    """Prepares the warehouse's place and adds the functions that SQL lacks."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Take the profile's settings."""
        self._present_warehouse = Path(plugin_config["present_warehouse"])
        self._as_of = str(plugin_config["as_of"])

    def update_connection_config(
        self,
        creds: DuckDBCredentials,
        config: dict[str, Any],
    ) -> None:
        """Create the warehouse's folder, and that of a past moment as a copy.

        Raises:
            DbtRuntimeError: the warehouse cannot be written; the message names it and
                says why.
        """
        try:
            path = Path(creds.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if (
                is_moment(self._as_of)
                and self._present_warehouse.exists()
                and not path.exists()
            ):
                copy_warehouse(self._present_warehouse, path)
            # dbt opens it next in the same way, but prints what goes wrong there below
            # all the calls that led to it.
            duckdb.connect(creds.path, config=config).close()
        except (OSError, duckdb.Error) as error:
            place = f"PIDGIN_WAREHOUSE is {creds.path}"
            raise DbtRuntimeError(
                f"{place}, which cannot be written: {error}"
            ) from error

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Register what SQL lacks.

        ``zlib_compressed_size(VARCHAR) -> BIGINT`` is NULL for NULL. The functions of
        ``pidgin_analytics.archives`` take and give what their signatures say; they act
        on files, and only the operations on archives call them.
        """
        conn.create_function(  # type: ignore[call-overload]
            "zlib_compressed_size",
            zlib_compressed_sizes,
            ["VARCHAR"],
            "BIGINT",
            type="arrow",
        )
        for function, arguments, result in FILE_FUNCTIONS:
            conn.create_function(  # type: ignore[call-overload]
                function.__name__,
                function,
                arguments,
                result,
                null_handling="special",
                side_effects=True,
            )
