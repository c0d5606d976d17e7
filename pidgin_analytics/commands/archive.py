"""The commands that archive, restore and forget."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click
import duckdb

from pidgin_analytics import building, lake, warehouse
from pidgin_analytics.archive import forget as forgetting
from pidgin_analytics.archive import restore as restoring
from pidgin_analytics.archive import write
from pidgin_analytics.archive.format import ArchiveError
from pidgin_analytics.printing import printable, say


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


@click.command()
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


@click.command(short_help="Write the logs of archived experiments back.")
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


@click.command(short_help="Take conversations out for good.")
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
