"""The command ``pidgin-analytics``."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import duckdb

from pidgin_analytics import (
    archives,
    compaction,
    export_command,
    figure_command,
    lake,
    lake_command,
    legacy,
    legacy_import,
    notebook_command,
    publishing,
    report_command,
    search_command,
    settings,
    warehouse,
    watch_command,
)

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
    options: dict[str, object] = {
        "older_than_days": older_than_days,
        "delete_logs": delete_logs,
        "dry_run": dry_run,
    }
    if experiments:
        options["experiment_ids"] = list(experiments)
    operate("archive_experiments", options)
    if not dry_run:
        dbt("build")


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
    operate(
        "restore_experiments",
        {"experiment_ids": list(experiments), "keep_archives": keep_archives},
    )
    dbt("build")


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
    operate("forget", {"ids": list(ids), "dry_run": dry_run})
    if not dry_run:
        dbt("build")
        with contextlib.chdir(PROJECT):
            if reason := written_anew():
                raise click.ClickException(
                    printable(
                        "All is forgotten, but the warehouse may hold pieces of it that"
                        f" no query shows, because it cannot be written anew: {reason}"
                        " Run the same command again."
                    )
                )
        say(
            "Logs and manifests in the output folder are yours to delete; event_files"
            " counts in forgotten_count what no build reads of them any more."
        )


def written_anew() -> str | None:
    """Write the warehouse without what was deleted; return what keeps it from that."""
    try:
        if settings.is_lake():
            # Late, because it takes dbt in.
            from pidgin_analytics import lake_maintenance

            with lake_command.builder(lake.of_environment()) as builder:
                lake_maintenance.clean(builder, 0, at_once=True)
            return None
        path = Path(settings.warehouse())
        compaction.compact(publishing.working_file(path))
        return publishing.publish(str(path))
    except (
        duckdb.Error,
        OSError,
        lake.LakeError,
        publishing.WarehouseInUseError,
        settings.SettingError,
    ) as error:
        return lake.one_line(error)


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
        for experiment in found.experiments:
            is_written |= import_experiment(experiment, held, dry_run)
        if is_written:
            dbt("build")
    if conversations and all(conversation.refusal for conversation in conversations):
        raise click.ClickException("Nothing can be imported.")


def import_experiment(
    experiment: legacy.Experiment, held: legacy_import.Held, dry_run: bool
) -> bool:
    """Archive what is new of an experiment, and say so; return whether anything is."""
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
        experiment, chosen, held, Path(settings.archive_dir())
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
    is_new = archives.archive_problem(str(archive)) is not None
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
            say("There is no warehouse yet, so it is not known what is here already.")
            return legacy_import.Held()
        raise click.ClickException(printable(str(error))) from error
    except warehouse.WarehouseError as error:
        raise click.ClickException(printable(str(error))) from error
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise click.ClickException(
            printable(f"The warehouse cannot be asked: {reason}")
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


def counted(number: int, name: str) -> str:
    """Say how many of something there are."""
    return f"{number} {name}" + "s" * (number != 1)


def say(text: str) -> None:
    """Print a line that may hold text from outside."""
    click.echo(printable(text))


def printable(text: str) -> str:
    """Replace what a terminal obeys instead of showing, as the macro does."""
    return re.sub(
        "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff"
        "\ud800-\udfff]",
        "\ufffd",
        text,
    )


def operate(operation: str, options: dict[str, object]) -> None:
    """Run an operation of the project."""
    dbt("run-operation", operation, "--args", yaml(options))


def yaml(options: dict[str, object]) -> str:
    """Write JSON that is YAML, too, whatever the ids in it are."""
    return re.sub(
        "[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]",
        lambda found: f"\\u{ord(found[0]):04x}",
        json.dumps(options, ensure_ascii=False),
    )


def dbt(*command: str) -> None:
    """Run a dbt command, and end with an error if it does."""
    # Late, because that takes seconds, which other commands need not wait.
    from dbt.cli.main import dbtRunner

    from pidgin_analytics.dbt_plugin import close_connections

    # Folders of the configuration are relative to the project.
    with contextlib.chdir(PROJECT):
        succeeded = dbtRunner().invoke(list(command)).success
    # dbt keeps the warehouse open, and another setting could not open it.
    close_connections()
    if not succeeded:
        sys.exit(1)
