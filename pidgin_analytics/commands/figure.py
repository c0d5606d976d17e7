"""The command ``pidgin-analytics figure``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import duckdb

from pidgin_analytics.files import write_files
from pidgin_analytics.printing import printable, say
from pidgin_analytics.warehouse import Warehouse, WarehouseError

if TYPE_CHECKING:
    from pidgin_analytics.figures.shared import Grouping, Score, Width


EXAMPLES = """\b
Examples:
  pidgin-analytics figure --list
  pidgin-analytics figure convergence --experiment lighthouse-mini -o fig1.pdf
  pidgin-analytics figure difference --by models -o fig2.svg --data fig2.csv
"""


@click.command(
    short_help="Draw a figure for a paper: SVG, PDF or PNG.", epilog=EXAMPLES
)
@click.argument("name", required=False)
@click.option("--list", "is_list", is_flag=True, help="List the figures.")
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
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the figure goes; .svg, .pdf or .png says which format.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A CSV file for the rows behind the figure.",
)
@click.option(
    "--caption",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file for the caption, which is also printed.",
)
@click.option(
    "--width",
    type=click.Choice(["single", "double"]),
    default="single",
    show_default=True,
    help="The width of a journal column (3.35 in), or of the page (7 in).",
)
@click.option(
    "--score",
    type=click.Choice(["balanced", "recorded"]),
    default="balanced",
    show_default=True,
    help="The score that is comparable across runs, or the one that Pidgin logged.",
)
@click.option(
    "--by",
    type=click.Choice(["experiment", "models"]),
    default="experiment",
    show_default=True,
    help="What comparison, difference and alignment compare.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
def figure(
    name: str | None,
    is_list: bool,
    experiments: tuple[str, ...],
    output: Path | None,
    data: Path | None,
    caption: Path | None,
    width: Width,
    score: Score,
    by: Grouping,
    overwrite: bool,
) -> None:
    """Draw a figure for a paper, from all experiments or some of them.

    The caption says what is shown, from how many conversations, and how certain it is.
    """
    # Late, because charts take a second to load.
    from pidgin_analytics import figures

    if is_list:
        for known, kind in figures.FIGURES.items():
            say(f"{known:18}{kind.title}")
        return
    if name is None or output is None:
        raise click.UsageError("Name a figure, and the output file with -o.")
    file_format = output.suffix.removeprefix(".").lower()
    if file_format not in figures.FORMATS:
        raise click.UsageError(
            f"A figure is a file that ends with .{', .'.join(figures.FORMATS)}."
        )
    wanted = [path for path in (output, data, caption) if path is not None]
    if len({path.absolute() for path in wanted}) < len(wanted):
        raise click.UsageError("Give each file a different name.")
    for path in wanted:
        if path.is_dir() or (os.path.lexists(path) and not overwrite):
            hint = "" if path.is_dir() else "; --overwrite replaces it"
            raise click.ClickException(printable(f"{path} is there already{hint}."))
    try:
        with Warehouse() as warehouse:
            made = figures.figure(
                warehouse, name, experiments, score=score, by=by, width=width
            )
        files = {output: made.drawn(file_format)}
        if data is not None:
            files[data] = made.csv()
        if caption is not None:
            files[caption] = f"{made.caption}\n".encode()
        write_files(files)
    except (figures.FigureError, WarehouseError) as error:
        raise click.ClickException(printable(str(error))) from error
    except duckdb.CatalogException as error:
        raise click.ClickException(
            "This warehouse was built by a version without figures; run `dbt build`."
        ) from error
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0]
        raise click.ClickException(
            printable(f"Nothing could be drawn: {reason}")
        ) from error
    say(", ".join(str(path) for path in wanted))
    say(made.caption)
