"""The command ``pidgin-analytics import-legacy``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import duckdb

from pidgin_analytics import building, legacy, settings, warehouse
from pidgin_analytics.archive.format import ArchiveError
from pidgin_analytics.legacy import importer
from pidgin_analytics.printing import counted, printable, say


@click.command(short_help="Take a database of Pidgin's own into the archive.")
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
    with contextlib.chdir(settings.PROJECT):
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
    experiment: legacy.Experiment, held: importer.Held, dry_run: bool
) -> bool:
    """Archive what is new of an experiment, and say so; return whether anything is.

    Raises:
        ArchiveError: there is a damaged archive, or another file, under its name.
    """
    chosen = []
    for conversation in experiment.conversations:
        obstacle = importer.obstacle(conversation, held)
        if obstacle:
            say(f"{conversation.conversation_id}: not imported, because {obstacle}")
        else:
            chosen.append(conversation)
    if experiment.conversations and not chosen:
        return False
    archive, files = importer.archive_of(
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
    is_new = not importer.is_imported(archive, files)
    if not is_new:
        said += ": imported before"
    elif dry_run:
        said += ": would be imported"
    else:
        size = importer.write_archive(archive, experiment.experiment_id, files)
        said += f": imported, {size} bytes"
    say(said)
    return is_new and not dry_run


def held_conversations(*, is_optional: bool) -> importer.Held:
    """Ask the warehouse what it holds."""
    try:
        with contextlib.closing(warehouse.connect()) as connection:
            return importer.held_by(connection, settings.output_dir())
    except warehouse.MissingWarehouseError as error:
        if is_optional:
            say("There is no warehouse yet to compare with; everything counts as new.")
            return importer.Held()
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
