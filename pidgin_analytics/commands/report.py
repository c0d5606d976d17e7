"""The command ``pidgin-analytics report``."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import duckdb

from pidgin_analytics import report as reports
from pidgin_analytics.commands.progress import shown_progress
from pidgin_analytics.experiments import UnknownExperimentError
from pidgin_analytics.printing import counted, printable, say
from pidgin_analytics.warehouse import Warehouse, WarehouseError


@click.command(short_help="Write an HTML report: curves, tables, transcripts.")
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    metavar="ID",
    help="Only this experiment, by id or name; can be repeated.",
)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="The HTML file. Large reports also get a folder of texts beside it.",
)
@click.option("--no-transcripts", is_flag=True, help="Leave out the messages.")
@click.option(
    "--inline-megabytes",
    type=click.FloatRange(min=0),
    default=reports.INLINE_BYTES / 1e6,
    show_default=True,
    help="Store up to this much text in the page; larger texts go to files beside it.",
)
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option(
    "--json", "as_json", is_flag=True, help="Report as JSON what was written."
)
def report(
    experiments: tuple[str, ...],
    path: Path,
    no_transcripts: bool,
    inline_megabytes: float,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a report of experiments as one HTML page that needs no network.

    \b
    Examples:
      pidgin-analytics report
      pidgin-analytics report --experiment lighthouse-mini -o lighthouse.html
      pidgin-analytics report --no-transcripts -o numbers.html
    """
    started = time.monotonic()
    try:
        with (
            Warehouse() as warehouse,
            shown_progress(quiet=quiet or as_json) as progress,
        ):
            written = reports.write_report(
                warehouse,
                path.absolute(),
                experiments,
                with_transcripts=not no_transcripts,
                inline_bytes=round(inline_megabytes * 1e6),
                progress=progress,
            )
    except (UnknownExperimentError, WarehouseError) as error:
        raise click.ClickException(printable(str(error))) from error
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0]
        raise click.ClickException(
            printable(f"{path} cannot be written: {reason}")
        ) from error
    if as_json:
        click.echo(
            json.dumps(
                {
                    "path": str(written.path),
                    "bytes": written.bytes,
                    "experiments": written.experiments,
                    "conversations": written.conversations,
                    "transcripts": written.transcripts,
                    "folder": str(written.folder) if written.folder else None,
                    "folder_bytes": written.folder_bytes,
                    "seconds": round(time.monotonic() - started, 3),
                }
            )
        )
    elif not quiet:
        say(
            f"{counted(written.experiments, 'experiment')},"
            f" {counted(written.conversations, 'conversation')}:"
            f" {written.path}, {written.bytes / 1e6:.1f} MB"
        )
        if written.folder:
            say(
                f"The texts are beside it: {written.folder},"
                f" {written.folder_bytes / 1e6:.1f} MB. Keep both together."
            )
