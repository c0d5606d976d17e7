"""The command ``pidgin-analytics``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import duckdb

from pidgin_analytics import (
    building,
    export_command,
    figure_command,
    lake,
    lake_command,
    legacy,
    legacy_import,
    notebook_command,
    report_command,
    search_command,
    settings,
    warehouse,
    watch_command,
)
from pidgin_analytics.archive import forget as forgetting
from pidgin_analytics.archive import restore as restoring
from pidgin_analytics.archive import write
from pidgin_analytics.archive.format import ArchiveError
from pidgin_analytics.printing import counted, printable, say

PROJECT = Path(settings.PROJECT)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look at conversations of Pidgin, search, export, archive or forget them.

    Folders are those of the environment (PIDGIN_OUTPUT_DIR, PIDGIN_ARCHIVE_DIR,
    PIDGIN_WAREHOUSE), as for dbt build.
    """


main.add_command(export_command.export)
main.add_command(figure_command.figure)
main.add_command(lake_command.clean_lake)
main.add_command(lake_command.move_to_file)
main.add_command(lake_command.move_to_lake)
main.add_command(notebook_command.notebook)
main.add_command(report_command.report)
main.add_command(search_command.search)
main.add_command(watch_command.watch)


@main.command()
@click.option(
    "--older-than-days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    default=30,
    show_default=True,
    help="Days since the last event of an experiment.",
)
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    metavar="ID",
    help="Only this experiment; may be given more than once.",
)
@click.option(
    "--delete-logs", is_flag=True, help="Delete logs once their archive is verified."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def archive(
    older_than_days: float,
    experiments: tuple[str, ...],
    delete_logs: bool,
    dry_run: bool,
) -> None:
    """Move experiments that have ended into Parquet files.

    \b
    Examples:
      pidgin-analytics archive --dry-run
      pidgin-analytics archive --older-than-days 90 --delete-logs
      pidgin-analytics archive --experiment experiment_3a88b3a3 --older-than-days 0
    """
    with one_sentence():
        write.archive_experiments(
            older_than_days=older_than_days,
            experiment_ids=experiments or None,
            delete_logs=delete_logs,
            dry_run=dry_run,
        )


@main.command(short_help="Write the logs of archived experiments back.")
@click.argument("experiments", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--keep-archives", is_flag=True, help="Write the logs and leave the archives."
)
def restore(experiments: tuple[str, ...], keep_archives: bool) -> None:
    """Write the logs of archived experiments where they were, byte for byte.

    \b
    Examples:
      pidgin-analytics restore experiment_3a88b3a3
      pidgin-analytics restore experiment_3a88b3a3 --keep-archives
    """
    with one_sentence():
        restoring.restore_experiments(experiments, keep_archives=keep_archives)


@main.command(short_help="Take conversations out for good.")
@click.argument("ids", nargs=-1, required=True, metavar="CONVERSATION_OR_EXPERIMENT...")
@click.option("--dry-run", is_flag=True, help="Only say what would be forgotten.")
def forget(ids: tuple[str, ...], dry_run: bool) -> None:
    """Take conversations, or experiments with all of theirs, out for good.

    They leave the event store, the archives and every table; only their ids stay, so
    that files which still lie in the output folder are not read again. Those files are
    yours to delete.

    \b
    Examples:
      pidgin-analytics forget conv_09201e87 --dry-run
      pidgin-analytics forget conv_09201e87 experiment_020b7065
    """
    with one_sentence():
        forgetting.forget(ids, dry_run=dry_run)
    if not dry_run:
        say(
            "Delete logs and manifests in the output folder yourself. Builds no longer"
            " read what is forgotten in them; event_files counts it (forgotten_count)."
        )


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """End a command with what was refused, or with what dbt has said already."""
    try:
        yield
    except building.BuildError:
        sys.exit(1)
    except (ArchiveError, warehouse.WarehouseError) as error:
        raise click.ClickException(printable(str(error))) from error
    except (duckdb.Error, OSError) as error:
        raise click.ClickException(printable(lake.one_line(error))) from error


@main.command(short_help="Take a database of Pidgin's own into the archive.")
@click.argument("database", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be imported.")
def import_legacy(database: Path, dry_run: bool) -> None:
    """Take the conversations of a database of Pidgin's own into the archive.

    Reads experiments.db (SQLite, June 2025) and experiments.duckdb (since July 2025),
    and never writes to them. Conversations whose logs are here stay as they are.

    \b
    Examples:
      pidgin-analytics import-legacy experiments.db --dry-run
      pidgin-analytics import-legacy ~/pidgin_output/experiments/experiments.duckdb
    """
    # In the user's folder, before the project's.
    database = database.absolute()
    with contextlib.chdir(PROJECT):
        try:
            found = legacy.read_database(database, zone())
        except legacy.LegacyError as error:
            raise click.ClickException(printable(f"{database}: {error}")) from error
        conversations = [
            conversation
            for experiment in found.experiments
            for conversation in experiment.conversations
        ]
        count = counted(len(conversations), "conversation")
        say(f"{database}: {found.kind}, {count}; into {settings.archive_dir()}")
        for problem in found.problems:
            say(f"Left out. {problem}")
        if not dry_run:
            dbt("build")
        held = held_conversations(is_optional=dry_run)
        is_written = False
        faults = []
        for experiment in found.experiments:
            try:
                is_written |= import_experiment(experiment, held, dry_run)
            except ArchiveError as error:
                faults.append(f"{experiment.experiment_id}: not imported. {error}")
        if is_written:
            dbt("build")
    if faults:
        raise click.ClickException(printable("; ".join(faults)))
    if conversations and all(conversation.refusal for conversation in conversations):
        raise click.ClickException("Nothing can be imported.")


def import_experiment(
    experiment: legacy.Experiment, held: legacy_import.Held, dry_run: bool
) -> bool:
    """Archive what is new of an experiment, and say so; return whether anything is.

    Raises:
        ArchiveError: there is a damaged archive, or another file, under its name.
    """
    chosen = []
    for conversation in experiment.conversations:
        obstacle = legacy_import.obstacle(conversation, held)
        if obstacle:
            say(f"{conversation.conversation_id}: not imported, because {obstacle}")
        else:
            chosen.append(conversation)
    if experiment.conversations and not chosen:
        return False
    archive, files = legacy_import.archive_of(
        experiment, chosen, held, settings.archive_dir()
    )
    if not files:
        return False
    said = f"{experiment.experiment_id}: {counted(len(chosen), 'conversation')}"
    for event_type, name in (
        ("TurnCompleteEvent", "complete turn"),
        ("MessageCompleteEvent", "message"),
    ):
        count = sum(conversation.count(event_type) for conversation in chosen)
        said += f", {counted(count, name)}"
    is_new = not legacy_import.is_imported(archive, files)
    if not is_new:
        said += ": imported before"
    elif dry_run:
        said += ": would be imported"
    else:
        size = legacy_import.write_archive(archive, experiment.experiment_id, files)
        said += f": imported, {size} bytes"
    say(said)
    return is_new and not dry_run


def held_conversations(*, is_optional: bool) -> legacy_import.Held:
    """Ask the warehouse what it holds."""
    try:
        with contextlib.closing(warehouse.connect()) as connection:
            return legacy_import.held_by(connection, settings.output_dir())
    except warehouse.MissingWarehouseError as error:
        if is_optional:
            say("There is no warehouse yet to compare with; everything counts as new.")
            return legacy_import.Held()
        raise click.ClickException(printable(str(error))) from error
    except warehouse.WarehouseError as error:
        raise click.ClickException(printable(str(error))) from error
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise click.ClickException(
            printable(f"The warehouse cannot be queried: {reason}")
        ) from error


def zone() -> ZoneInfo:
    """Return the zone of naive times."""
    name = settings.setting("PIDGIN_TIMEZONE", "UTC")
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(
            printable(f"PIDGIN_TIMEZONE is {name}, which is no time zone.")
        ) from error


def dbt(*command: str) -> None:
    """Run a dbt command, and end with an error if it does."""
    if not building.run(*command):
        sys.exit(1)
