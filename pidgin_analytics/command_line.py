"""The command ``pidgin-analytics``: operations on archives, and a build after each."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import click
from dbt.cli.main import dbtRunner

PROJECT = Path(__file__).parents[1]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Archive conversations of Pidgin, and bring them back.

    Folders are those of the environment (PIDGIN_OUTPUT_DIR, PIDGIN_ARCHIVE_DIR,
    PIDGIN_WAREHOUSE), as for dbt build.
    """


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
    """Move experiments that have ended into Parquet files."""
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


@main.command()
@click.argument("experiments", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--keep-archives", is_flag=True, help="Write the logs and leave the archives."
)
def restore(experiments: tuple[str, ...], keep_archives: bool) -> None:
    """Write the logs of archived experiments where they were, byte for byte."""
    operate(
        "restore_experiments",
        {"experiment_ids": list(experiments), "keep_archives": keep_archives},
    )
    dbt("build")


def operate(operation: str, options: dict[str, object]) -> None:
    """Run an operation of the project."""
    dbt("run-operation", operation, "--args", json.dumps(options))


def dbt(*command: str) -> None:
    """Run a dbt command, and end with an error if it does."""
    # Folders of the configuration are relative to the project.
    with contextlib.chdir(PROJECT):
        if not dbtRunner().invoke(list(command)).success:
            sys.exit(1)
