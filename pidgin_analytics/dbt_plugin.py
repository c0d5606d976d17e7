"""The project's plugin for dbt-duckdb, loaded by all targets of the profile but one.

dbt-duckdb calls it around opening the warehouse, which is a file or a lake. The target
``plain`` does without, and what only Python can compute is NULL there.
"""

from __future__ import annotations

import gc
import shlex
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

from pidgin_analytics import embeddings, lake, logs, publishing, settings
from pidgin_analytics.archive.verify import archive_problem
from pidgin_analytics.in_memory import in_memory, temporary_folder
from pidgin_analytics.sql_text import identifier, literal

# With the types of what they take and give.
FILE_FUNCTIONS = (
    (settings.resolved_path, ["VARCHAR"], "VARCHAR"),
    (settings.folder_problem, ["VARCHAR"], "VARCHAR"),
    (logs.unreadable_folders, ["VARCHAR"], "VARCHAR[]"),
    (logs.unpack_log, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    (logs.clear_folder, ["VARCHAR"], "VARCHAR"),
    (archive_problem, ["VARCHAR"], "VARCHAR"),
    (publishing.published_digest, ["VARCHAR"], "VARCHAR"),
    (publishing.publish, ["VARCHAR"], "VARCHAR"),
    (embeddings.embedding_problem, ["VARCHAR"], "VARCHAR"),
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


# Those that are asked of many values take and give all of a vector.
VECTOR_FUNCTIONS = (
    ("zlib_compressed_size", zlib_compressed_sizes, "BIGINT", False),
    ("file_problem", logs.file_problems, "VARCHAR", True),
    ("is_compressed", logs.are_compressed, "BOOLEAN", True),
)


def is_moment(text: str) -> bool:
    """Whether a text is a moment to DuckDB, by which the variable ``as_of`` is read."""
    ((is_finite,),) = duckdb.execute(
        "select isfinite(try_cast(? as timestamptz))", [text]
    ).fetchall()
    return is_finite is True


def copy_stores(
    attach: Callable[[DuckDBPyConnection], None], target: Path, config: dict[str, Any]
) -> None:
    """Begin a warehouse with what another one has read, and nothing made of that.

    Args:
        attach: Attaches the other one as ``source``; nobody may write it meanwhile.
        target: The one to begin. It is there once it is whole, instead of what was.
        config: DuckDB's settings of a new file.

    Raises:
        duckdb.Error: the source cannot be read now.
        OSError: the target cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    for path in (part, publishing.log_of(part)):
        path.unlink(missing_ok=True)
    with closing(duckdb.connect(str(part), config=config)) as connection:
        ((name,),) = connection.execute("select current_database()").fetchall()
        attach(connection)
        copy_store_tables(connection, "source", name)
        connection.execute("detach source; checkpoint")
    # That of what was there before would be taken for this one's.
    publishing.log_of(target).unlink(missing_ok=True)
    part.replace(target)


def copy_lake_stores(present: lake.Lake, past: lake.Lake) -> None:
    """Begin a lake with what another one has read, if that one read more since.

    Args:
        present: A lake; what is published of it counts. If nothing is, nothing is done.
        past: The one to begin, which nobody else may write.

    Raises:
        duckdb.Error: one of them cannot be opened.
        LakeError: likewise.
    """
    with closing(lake.Reader(present)) as reader:
        published = reader.published()
    if published is None:
        return
    with closing(in_memory()) as connection:
        past.attach(connection, "past")
        with suppress(duckdb.CatalogException):
            if connection.execute(
                "select snapshot_id from past.staging.present_snapshot"
            ).fetchall() == [(published.snapshot_id,)]:
                return
        present.attach(connection, "present", published.snapshot_id)
        connection.execute("begin; drop schema if exists past.staging cascade")
        copy_store_tables(connection, "present", "past")
        connection.execute(
            "create table past.staging.present_snapshot as"
            f" select {published.snapshot_id} as snapshot_id; commit"
        )


def copy_store_tables(connection: DuckDBPyConnection, source: str, target: str) -> None:
    """Copy what was read from one attached database to another, which has none of it.

    Args:
        connection: Has both databases.
        source: Name of the one.
        target: Name of the other.

    Raises:
        duckdb.Error: the one cannot be read, or the other not be written.
    """
    schema = f"{identifier(target)}.staging"
    connection.execute(f"create schema {schema}")
    for (table,) in connection.execute(
        "select table_name from duckdb_tables()"
        " where database_name = ? and schema_name = 'staging' order by table_name",
        [source],
    ).fetchall():
        name = identifier(table)
        connection.execute(
            f"create table {schema}.{name} as from {identifier(source)}.staging.{name}"
        )


def attach_file(connection: DuckDBPyConnection, file: Path) -> None:
    """Attach a warehouse as ``source``, to read it.

    Raises:
        duckdb.Error: it cannot be read now.
    """
    connection.execute(f"attach {literal(str(file))} as source (read_only)")


# Keeps other machines from building this process's lake, once it has begun to.
_builder: lake.Builder | None = None


def close_connections() -> None:
    """Close what dbt keeps open in this process, so that others may build."""
    global _builder
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if _builder is not None:
        _builder.close()
        _builder = None


@contextmanager
def _one_sentence(beginning: str) -> Iterator[None]:
    """Let what goes wrong with a file say which and why."""
    try:
        yield
    except (publishing.WarehouseInUseError, lake.LakeError) as error:
        raise DbtRuntimeError(str(error)) from None
    except (OSError, duckdb.Error) as error:
        raise DbtRuntimeError(f"{beginning}: {lake.one_line(error)}") from error


class Plugin(BasePlugin):
    """Prepares the warehouse's place and adds the functions that SQL lacks."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Take the profile's settings."""
        # dbt keeps the parsed project to its end; looking through it for what is no
        # longer used took an eighth of a build. What comes after is little, and need
        # not be looked through every 700 objects.
        if not gc.get_freeze_count():
            gc.freeze()
            gc.set_threshold(10_000)
        self._is_lake = bool(plugin_config.get("is_lake", False))
        self._as_of = str(plugin_config.get("as_of", ""))
        present = str(plugin_config.get("present_warehouse", ""))
        self._present = Path(settings.warehouse_path(present))
        self._lock_timeout = _seconds(str(plugin_config.get("lock_timeout", "60")))
        # Keeps other processes out until dbt itself has opened the working file.
        self._opened: DuckDBPyConnection | None = None

    def update_connection_config(
        self,
        creds: DuckDBCredentials,
        config: dict[str, Any],
    ) -> None:
        """Prepare the warehouse's place.

        Its folder is created, which DuckDB does not do itself. A warehouse of a past
        moment begins with what the present one has read, and anew when that one read
        more since.

        Raises:
            DbtRuntimeError: the warehouse cannot be written, the present one cannot be
                read, a setting is none, or dbt runs in another folder; the message says
                which and why.
        """
        # Its SQL names files of the project and of the output folder from there.
        if not Path("dbt_project.yml").is_file():
            raise DbtRuntimeError(
                "dbt has to run in the project's folder:"
                f" cd {shlex.quote(settings.PROJECT)} && dbt build"
            )
        if self._as_of and not is_moment(self._as_of):
            raise DbtRuntimeError(
                f"as_of is {self._as_of}, which is no moment; write one such as"
                " 2026-03-01 12:00:00+00."
            )
        _check_memory_limit((creds.settings or {}).get("memory_limit"))
        if self._is_lake:
            self._begin_lake(config)
        else:
            self._begin_file(creds, config)

    def _begin_lake(self, config: dict[str, Any]) -> None:
        global _builder
        with _one_sentence("The lake cannot be built"):
            place = lake.of_environment(self._as_of)
            if _builder is not None:
                _builder.close()
            _builder = lake.Builder(place, self._lock_timeout, _say)
            # dbt attaches it next, but prints what goes wrong there as an error of its
            # own.
            _builder.begin()
            config["temp_directory"] = temporary_folder()
            if self._as_of:
                copy_lake_stores(lake.of_environment(), place)

    def _begin_file(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        # dbt asks again with the working file if the first attempt failed.
        warehouse = publishing.warehouse_of(Path(settings.warehouse_path(creds.path)))
        working = publishing.working_file(warehouse)
        creds.path = str(working)
        # dbt opens it next in the same way, but prints what goes wrong there below all
        # the calls that led to it.
        with _one_sentence(f"PIDGIN_WAREHOUSE is {warehouse}, which cannot be written"):
            publishing.begin(warehouse)
            if self._as_of and self._is_older_than_present(working):
                if working.exists():
                    self._open(working, config).close()
                with _one_sentence(f"as_of begins with {self._present}, and cannot"):
                    copy_stores(
                        lambda connection: attach_file(connection, self._present),
                        working,
                        config,
                    )
            self._opened = self._open(working, config)
            publishing.remove_leftovers(warehouse)

    def _open(self, working: Path, config: dict[str, Any]) -> DuckDBPyConnection:
        return publishing.open_for_writing(working, config, self._lock_timeout, _say)

    def _is_older_than_present(self, path: Path) -> bool:
        return self._present.is_file() and (
            not path.exists() or path.stat().st_mtime < self._present.stat().st_mtime
        )

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Register what SQL lacks, on the connection that dbt has opened.

        ``zlib_compressed_size(VARCHAR) -> BIGINT`` is NULL for NULL. Those of
        ``FILE_FUNCTIONS`` take and give what their signatures say, and look at files.
        ``embedding_of(text, model) -> FLOAT[]`` loads the model when the first text
        comes.
        """
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        functions = list(FILE_FUNCTIONS)
        if self._is_lake and _builder is not None:
            _builder.lake.prepare(conn)
            functions += [
                (_builder.lake_name, [], "VARCHAR"),
                (_builder.holds_lock, [], "BOOLEAN"),
                (_builder.published_snapshot_digest, [], "VARCHAR"),
                (_builder.publish_snapshot, ["VARCHAR"], "VARCHAR"),
            ]
        for name, vector_function, result, looks_at_files in VECTOR_FUNCTIONS:
            conn.create_function(  # type: ignore[call-overload]
                name,
                vector_function,
                ["VARCHAR"],
                result,
                type="arrow",
                null_handling="special",
                side_effects=looks_at_files,
            )
        conn.create_function(  # type: ignore[call-overload]
            "embedding_of",
            embeddings.embeddings_of,
            ["VARCHAR", "VARCHAR"],
            "FLOAT[]",
            type="arrow",
            null_handling="special",
        )
        for function, arguments, result in functions:
            conn.create_function(  # type: ignore[call-overload]
                function.__name__,
                function,
                arguments,
                result,
                null_handling="special",
                side_effects=True,
            )

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Let SQL name relations without their database, as in a file."""
        if self._is_lake:
            cursor.execute(f"use {lake.ALIAS}")


def _say(line: str) -> None:
    fire_event(Note(msg=line))


def _check_memory_limit(limit: object) -> None:
    """Let DuckDB say whether it takes a memory limit, before a model meets it."""
    try:
        duckdb.connect(config={"memory_limit": str(limit or "4GB")}).close()
    except duckdb.Error as error:
        raise DbtRuntimeError(
            f"PIDGIN_MEMORY_LIMIT is {limit}, which is no amount of memory; write one"
            " such as 4GB."
        ) from error


def _seconds(text: str) -> float:
    """Read how long to wait for another build."""
    try:
        return settings.lock_timeout(text)
    except settings.SettingError as error:
        raise DbtRuntimeError(str(error)) from None
