"""Builds, and what they write: for whoever changes what the tables are built from.

The file that people open is only ever replaced by a whole green build. What a build
writes (the working file, or the newest state of a lake) is opened here as a build does,
which keeps builds out meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pidgin_analytics import lake, publishing, settings
from pidgin_analytics.in_memory import in_memory
from pidgin_analytics.warehouse import WarehouseError

MISSING = "There is no warehouse yet; run `dbt build` first."
OLD_CODE = "The warehouse is of another version of the project; run `dbt build` first."
# As the profile names the warehouses of past moments.
PAST = "_as_of_"


class BuildError(Exception):
    """A build failed, and dbt has said why."""


@dataclass(frozen=True)
class Opened:
    """What builds write, while nobody else can.

    Attributes:
        connection: For queries and changes.
        insist: Makes sure that still nobody else can; to be called before a change.
            Raises WarehouseError.
    """

    connection: duckdb.DuckDBPyConnection
    insist: Callable[[], object]


def run(*command: str) -> bool:
    """Run a dbt command in this process; return whether it succeeded."""
    # Late, because that takes seconds, which other commands need not wait.
    from dbt.cli.main import dbtRunner

    from pidgin_analytics.dbt_plugin import close_connections

    # Folders of the configuration are relative to the project.
    with contextlib.chdir(settings.PROJECT):
        succeeded = dbtRunner().invoke(list(command)).success
    # dbt keeps the warehouse open, and another setting could not open it.
    close_connections()
    return bool(succeeded)


def build() -> None:
    """Run ``dbt build``, which says what comes of it.

    Raises:
        BuildError: it failed.
    """
    if not run("build"):
        raise BuildError("dbt build failed.")


@contextlib.contextmanager
def opened(say: Callable[[str], None]) -> Iterator[Opened]:
    """Open what builds write, as of the environment, and keep builds out.

    The present folder must be that of the project.

    Args:
        say: Takes one line that names another process, if there is one to wait for.

    Raises:
        WarehouseError: there is no warehouse yet, it shows a past moment, its target is
            ``plain``, it shows another output folder, a build writes it, it cannot be
            opened, or it lacks what is asked of it, as one of an earlier version does.
    """
    if settings.setting("PIDGIN_TARGET", "dev") == "plain":
        raise WarehouseError(
            "Archives are written and changed with Python: use the target dev, not"
            " plain (PIDGIN_TARGET)."
        )
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(
                _lake(say) if settings.is_lake() else _file(say)
            )
            # What is written and read again here must be what is on disk.
            found.connection.execute("set enable_external_file_cache = false")
            _check_output_dir(found.connection)
        except (
            lake.LakeError,
            publishing.WarehouseInUseError,
            settings.SettingError,
        ) as error:
            raise WarehouseError(str(error)) from error
        except (duckdb.Error, OSError) as error:
            raise WarehouseError(
                f"The warehouse cannot be opened: {lake.one_line(error)}"
            ) from error
        try:
            yield found
        except duckdb.CatalogException as error:
            raise WarehouseError(OLD_CODE) from error


@contextlib.contextmanager
def _file(say: Callable[[str], None]) -> Iterator[Opened]:
    warehouse = Path(settings.warehouse())
    if PAST in warehouse.name:
        raise WarehouseError(
            f"{warehouse} shows a past moment; go to the warehouse of the present."
        )
    working = publishing.working_file(warehouse)
    if not working.exists() and not warehouse.exists():
        raise WarehouseError(MISSING)
    publishing.begin(warehouse)
    config = {"memory_limit": settings.setting("PIDGIN_MEMORY_LIMIT", "4GB")}
    connection = publishing.open_for_writing(working, config, _timeout(), say)
    with contextlib.closing(connection):
        connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
        # The lock goes with the connection.
        yield Opened(connection, lambda: None)


@contextlib.contextmanager
def _lake(say: Callable[[str], None]) -> Iterator[Opened]:
    place = lake.of_environment()
    with (
        contextlib.closing(lake.Builder(place, _timeout(), say)) as builder,
        contextlib.closing(in_memory()) as connection,
    ):
        if not builder.is_begun():
            raise WarehouseError(MISSING)
        place.attach(connection)
        connection.execute(f"use {lake.ALIAS}")

        def insist() -> None:
            try:
                builder.holds_lock()
            except lake.LakeError as error:
                raise WarehouseError(str(error)) from error

        yield Opened(connection, insist)


def _timeout() -> float:
    return settings.lock_timeout(settings.setting("PIDGIN_LOCK_TIMEOUT", "60"))


def _check_output_dir(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse a warehouse that shows another folder than the environment names."""
    try:
        shown = connection.execute("select path from staging.output_dir").fetchall()
    except duckdb.CatalogException:
        raise WarehouseError(MISSING) from None
    if shown != [(settings.output_dir(),)]:
        raise WarehouseError(
            f"The warehouse shows {', '.join(path for (path,) in shown)}, and"
            f" PIDGIN_OUTPUT_DIR is {settings.output_dir()}; run `dbt build` first."
        )
