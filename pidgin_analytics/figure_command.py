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
    from pidgin_analytics.figure_charts import Grouping, Score, Width


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
@click.option("--list", "is_list", is_flag=True, help="Say which figures there are.")
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    metavar="ID",
    help="Only this one, by id or name; may be given more than once.",
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
    help="Where the rows behind it go, as CSV.",
)
@click.option(
    "--caption",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the caption goes; it is shown in any case.",
)
@click.option(
    "--width",
    type=click.Choice(["single", "double"]),
    default="single",
    show_default=True,
    help="A column of a journal (3.35 in), or the page (7 in).",
)
@click.option(
    "--score",
    type=click.Choice(["balanced", "recorded"]),
    default="balanced",
    show_default=True,
    help="Of convergence: the one that compares across runs, or Pidgin's own.",
)
@click.option(
    "--by",
    type=click.Choice(["experiment", "models"]),
    default="experiment",
    show_default=True,
    help="What comparison, difference and alignment set side by side.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
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
    """Draw a figure for a paper, of all experiments or of some.

    The caption says what is shown, of how many conversations, and how sure it is.
    """
    # Late, because charts take a second to load, and that module takes this command in.
    from pidgin_analytics import figures

    if is_list:
        for known, kind in figures.FIGURES.items():
            say(f"{known:18}{kind.title}")
        return
    if name is None or output is None:
        raise click.UsageError("Say which figure, and with -o where it goes.")
    file_format = output.suffix.removeprefix(".").lower()
    if file_format not in figures.FORMATS:
        raise click.UsageError(
            f"A figure is a file that ends with .{', .'.join(figures.FORMATS)}."
        )
    wanted = [path for path in (output, data, caption) if path is not None]
    if len({path.absolute() for path in wanted}) < len(wanted):
        raise click.UsageError("Give each file a name of its own.")
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
            "This warehouse was built before there were figures; run `dbt build`."
        ) from error
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0]
        raise click.ClickException(
            printable(f"Nothing could be drawn: {reason}")
        ) from error
    say(", ".join(str(path) for path in wanted))
    say(made.caption)
