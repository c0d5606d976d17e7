"""The command ``pidgin-analytics export``."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

import click
import duckdb

from pidgin_analytics import exports, settings, warehouse
from pidgin_analytics.commands.progress import shown_progress
from pidgin_analytics.printing import counted, printable, say


@click.command(short_help="Write tables as Parquet, CSV, a workbook or a corpus.")
@click.argument("tables", nargs=-1, metavar="TABLE...")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="The folder for the files; created if missing.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(exports.FORMATS),
    required=True,
    help="convokit takes no TABLE: it writes the conversations as a corpus.",
)
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    metavar="ID",
    help="Only this experiment; can be repeated.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace existing files of the same names."
)
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option(
    "--json", "as_json", is_flag=True, help="Report as JSON what was written."
)
def export(
    tables: tuple[str, ...],
    folder: Path,
    file_format: str,
    experiments: tuple[str, ...],
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write tables of the warehouse into a folder, with a codebook.

    TABLE is a mart, such as messages, or a view, such as analysis.turns.

    \b
    Examples:
      pidgin-analytics export analysis.turns --format parquet --to data
      pidgin-analytics export messages incidents --format csv --to data --overwrite
      pidgin-analytics export --format convokit --to corpus
    """
    # In the user's folder, before the project's.
    folder = folder.absolute()
    if file_format == "convokit" and tables:
        raise click.UsageError("convokit takes no TABLE: it writes the conversations.")
    if file_format != "convokit" and not tables:
        raise click.UsageError("Name at least one TABLE.")
    try:
        with (
            contextlib.chdir(settings.PROJECT),
            contextlib.closing(warehouse.connect()) as connection,
            shown_progress(quiet=quiet or as_json) as progress,
        ):
            progress(f"writing into {folder}")
            if file_format == "convokit":
                exported = exports.export_corpus(
                    connection, folder, experiments=experiments, overwrite=overwrite
                )
            else:
                exported = exports.export_tables(
                    connection,
                    tables,
                    folder,
                    file_format,
                    experiments=experiments,
                    overwrite=overwrite,
                )
    except (exports.ExportError, warehouse.WarehouseError) as error:
        raise click.ClickException(printable(str(error))) from error
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0]
        raise click.ClickException(
            printable(f"Nothing could be exported to {folder}: {reason}")
        ) from error
    if as_json:
        written = [asdict(one) | {"path": str(one.path)} for one in exported]
        click.echo(json.dumps(written))
        return
    for one in [] if quiet else exported:
        changes = f" ({one.changes})" if one.changes else ""
        say(f"{one.table}: {counted(one.rows, 'row')}, {one.path}{changes}")
