"""The command ``pidgin-analytics notebook``."""

from __future__ import annotations

import os
from pathlib import Path

import click
import duckdb

from pidgin_analytics import settings
from pidgin_analytics.files import write_files
from pidgin_analytics.printing import printable, say
from pidgin_analytics.warehouse import Warehouse, WarehouseError

EXAMPLES = """\b
Example:
  pidgin-analytics notebook lighthouse-mini -o lighthouse.ipynb
"""


@click.command(short_help="Write a Jupyter notebook of an experiment.", epilog=EXAMPLES)
@click.argument("experiment")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The notebook file; by default named after the experiment's id.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def notebook(experiment: str, output: Path | None, overwrite: bool) -> None:
    """Write a Jupyter notebook for an experiment, given by id or name.

    The notebook queries the warehouse each time it runs, and shows tables and figures.
    """
    # Late, because charts take a second to load.
    from pidgin_analytics import notebooks
    from pidgin_analytics.figures import FigureError

    path = None
    if not settings.is_lake():
        path = str(Path(settings.PROJECT, settings.warehouse(settings.PROJECT)))
    try:
        with Warehouse(path) as warehouse, warehouse.snapshot() as snapshot:
            experiment_id, written = notebooks.notebook(snapshot, experiment, path)
        output = output or Path(notebooks.file_name(experiment_id))
        if output.is_dir() or (os.path.lexists(output) and not overwrite):
            hint = "" if output.is_dir() else "; --overwrite replaces it"
            raise click.ClickException(printable(f"{output} is there already{hint}."))
        write_files({output: written.encode()})
    except (FigureError, WarehouseError) as error:
        raise click.ClickException(printable(str(error))) from error
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0]
        raise click.ClickException(
            printable(f"Nothing could be written: {reason}")
        ) from error
    say(f"{output}; open it in Jupyter, with this environment as its kernel.")
