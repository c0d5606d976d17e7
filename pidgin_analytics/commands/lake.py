"""The commands for a lake: cleaning it, and moving to it and back."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import duckdb

from pidgin_analytics import building, lake, publishing, settings
from pidgin_analytics.printing import counted, printable, say

PROJECT = Path(settings.PROJECT)


@contextlib.contextmanager
def one_sentence(beginning: str) -> Iterator[None]:
    """Let a command end with one sentence where a lake or a file fails it."""
    try:
        yield
    except (
        lake.LakeError,
        publishing.WarehouseInUseError,
        settings.SettingError,
    ) as error:
        raise click.ClickException(printable(str(error))) from error
    except (duckdb.Error, OSError) as error:
        raise click.ClickException(
            printable(f"{beginning}: {lake.one_line(error)}")
        ) from error


@contextlib.contextmanager
def builder(place: lake.Lake) -> Iterator[lake.Builder]:
    """Keep other builds from a lake meanwhile."""
    timeout = settings.lock_timeout(settings.setting("PIDGIN_LOCK_TIMEOUT", "60"))
    with contextlib.closing(lake.Builder(place, timeout, say)) as one:
        yield one


@click.command(short_help="Compact a lake, and remove old snapshots.")
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    default=7,
    show_default=True,
    help="Days that published snapshots stay readable.",
)
def clean_lake(keep_days: float) -> None:
    """Compact the files of a lake, and remove the snapshots of older builds.

    The published snapshot stays, and so do those published in the last days. Files
    that no snapshot needs any more are deleted by the next cleaning, an hour later or
    more.

    \b
    Example:
      pidgin-analytics clean-lake --keep-days 30
    """
    from pidgin_analytics import lake_maintenance

    with (
        contextlib.chdir(PROJECT),
        one_sentence("The lake cannot be cleaned"),
        builder(lake.of_environment()) as one,
    ):
        cleaned = lake_maintenance.clean(one, keep_days)
    say(
        f"{counted(cleaned.snapshots, 'snapshot')} of builds removed,"
        f" {cleaned.kept} of published states kept;"
        f" {counted(cleaned.files, 'file')} deleted."
    )


@click.command(short_help="Copy the warehouse from a file into a lake.")
def move_to_lake() -> None:
    """Copy the warehouse PIDGIN_WAREHOUSE into the lake of the environment.

    What was read is copied, the tables are built there, and all tables are compared
    with those of the file. The file stays; set PIDGIN_TARGET=lake to continue with
    the lake.

    \b
    Example:
      pidgin-analytics move-to-lake
    """
    from pidgin_analytics import lake_maintenance

    def begin(place: lake.Lake, file: Path) -> None:
        if not file.exists():
            raise lake.LakeError(f"There is no warehouse at {file}; run `dbt build`.")
        with builder(place) as one:
            lake_maintenance.begin_lake(one, file)

    _move("lake", begin)


@click.command(short_help="Copy the warehouse from a lake into a file.")
def move_to_file() -> None:
    """Copy the lake of the environment into the warehouse PIDGIN_WAREHOUSE.

    Like move-to-lake, in the other direction. The lake stays.

    \b
    Example:
      pidgin-analytics move-to-file
    """
    from pidgin_analytics import compaction, lake_maintenance

    def begin(place: lake.Lake, file: Path) -> None:
        config = {"storage_compatibility_version": compaction.STORAGE_VERSION}
        lake_maintenance.begin_file(place, file, config)

    _move("dev", begin)


def _move(target: str, begin: Callable[[lake.Lake, Path], None]) -> None:
    """Begin the one with what the other has read, build it, and compare both."""
    from pidgin_analytics import lake_maintenance

    with contextlib.chdir(PROJECT), one_sentence("The warehouse cannot be moved"):
        place = lake.of_environment()
        file = Path(settings.warehouse()).absolute()
        begin(place, file)
        if not building.run("build", "--target", target):
            sys.exit(1)
        with lake_maintenance.both(place, file) as connection:
            tables = list(lake_maintenance.compared(connection))
    for one in tables:
        said = f"differs in {one.difference}" if one.difference else "equal"
        say(f"{one.table}: {counted(one.rows, 'row')}, {said}")
    different = [one.table for one in tables if one.difference]
    if different:
        raise click.ClickException(
            f"Not equal: {', '.join(different)}. Nothing was deleted. Was the file"
            " built by this version of the project, and from the present logs?"
        )
    say(f"All {len(tables)} tables and views are equal. Nothing was deleted.")
