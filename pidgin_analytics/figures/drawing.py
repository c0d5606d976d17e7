"""Draws a figure: its rows, its chart, fitted to a width, and its caption."""

from __future__ import annotations

import base64
import html
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import vl_convert

from pidgin_analytics.experiments import (
    UnknownExperimentError,
    find_experiments,
)
from pidgin_analytics.exports.csv_columns import CSV_OPTIONS, csv_column
from pidgin_analytics.exports.tables import Column
from pidgin_analytics.figures.kinds import FIGURES
from pidgin_analytics.figures.shared import (
    PANELS,
    SHOWN,
    Chart,
    FigureError,
    Grouping,
    Options,
    Row,
    Score,
    Width,
    configuration,
)
from pidgin_analytics.intervals import t_quantiles
from pidgin_analytics.printing import unknown
from pidgin_analytics.sql_text import literal
from pidgin_analytics.warehouse import Snapshot, Warehouse

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import pyarrow as pa


# The columns of most journals, in points: 3.35 and 7 inches.
WIDTHS: dict[Width, float] = {"single": 241.2, "double": 504.0}
FORMATS = ("svg", "pdf", "png")
DOTS_PER_INCH = 600
LABEL_LENGTH = 48
# No text of XML, or nothing that is seen, or what turns the text around it.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\ufffe\uffff]"
)


@dataclass(frozen=True)
class Figure:
    """A figure, the rows behind it, and what it says.

    Attributes:
        name: Which figure it is.
        title: What it shows, in a line.
        chart: The chart, to change or to lay out with others.
        rows: The rows of its query.
        caption: What is shown, of how many conversations, and how sure it is.
        picture: The chart as SVG, as it was drawn.
    """

    name: str
    title: str
    chart: Chart
    rows: pa.Table
    caption: str
    picture: str = field(repr=False)

    @property
    def data(self) -> pd.DataFrame:
        """The rows as a frame of pandas."""
        return self.rows.to_pandas()

    def drawn(self, file_format: str) -> bytes:
        """Draw it as a file.

        Args:
            file_format: ``svg``, whose text stays text; ``pdf``, with fonts embedded;
                or ``png``, of 600 dots to the inch.

        Returns:
            What the file holds.

        Raises:
            FigureError: There is no such format.
        """
        svg = self.picture
        match file_format:
            case "svg":
                return self._described(svg).encode()
            case "pdf":
                return bytes(vl_convert.svg_to_pdf(svg))
            case "png":
                return bytes(vl_convert.svg_to_png(svg, scale=1, ppi=DOTS_PER_INCH))
        raise FigureError(
            f"A figure can be saved as {', '.join(FORMATS)},"
            f" not {file_format or 'none'}."
        )

    def _repr_html_(self) -> str:
        """Show it in a notebook, with its caption and without a network."""
        # As a picture of its own: what it holds cannot become part of the page.
        picture = base64.b64encode(self.drawn("svg")).decode()
        return (
            f'<figure style="margin:0;max-width:{WIDTHS["double"]}pt">'
            f'<img src="data:image/svg+xml;base64,{picture}"'
            f' alt="{html.escape(self.title)}" style="max-width:100%">'
            f"<figcaption>{html.escape(self.caption)}</figcaption></figure>"
        )

    def _described(self, svg: str) -> str:
        """Give it a size in points, and words for whoever does not see it."""
        return re.sub(
            r' width="([\d.]+)" height="([\d.]+)"([^>]*>)',
            lambda found: (
                f' width="{found[1]}pt" height="{found[2]}pt" role="img"{found[3]}'
                f"<title>{html.escape(self.title)}</title>"
                f"<desc>{html.escape(self.caption)}</desc>"
            ),
            svg,
            count=1,
        )

    def csv(self) -> bytes:
        """Write its rows as CSV; no text in them is a formula of a spreadsheet."""
        with (
            duckdb.connect() as connection,
            tempfile.TemporaryDirectory() as folder,
        ):
            connection.register("figure_rows", self.rows)
            columns = ", ".join(
                csv_column(Column(name, kind, None))
                for name, kind in connection.execute(
                    "select column_name, column_type from (describe figure_rows)"
                ).fetchall()
            )
            path = Path(folder, "rows.csv")
            connection.execute(
                f"copy (select {columns} from figure_rows) to {literal(str(path))}"  # noqa: S608
                f" ({CSV_OPTIONS})"
            )
            return path.read_bytes()


def figure(
    warehouse: Warehouse | Snapshot,
    name: str,
    experiments: Sequence[str] = (),
    *,
    score: Score = "balanced",
    by: Grouping = "experiment",
    width: Width = "double",
) -> Figure:
    """Make a figure.

    Args:
        warehouse: What it is made from.
        name: One of ``FIGURES``.
        experiments: Ids or names of the experiments it is of; without any, all. A name
            stands for all experiments of this name.
        score: ``balanced``, which compares across runs, or ``recorded``.
        by: Whether groups are experiments or pairs of models (``models``).
        width: A column of a journal (``single``), or the whole page (``double``).

    Returns:
        The chart, its rows and its caption.

    Raises:
        FigureError: There is no such figure or experiment, nothing to draw, or nothing
            to group.
        WarehouseError: The warehouse cannot be read.
        duckdb.Error: It lacks what the figure needs.
    """
    if isinstance(warehouse, Warehouse):
        with warehouse.snapshot() as snapshot:
            return figure(snapshot, name, experiments, score=score, by=by, width=width)
    if name not in FIGURES:
        there = f"there are {', '.join(FIGURES)}"
        raise FigureError(unknown("figure", name, FIGURES, there))
    kind = FIGURES[name]
    if by == "models" and "$by_model" not in kind.query:
        grouped = [
            other for other, kind in FIGURES.items() if "$by_model" in kind.query
        ]
        raise FigureError(
            f"{name} has no groups; those by pairs of models are {', '.join(grouped)}."
        )
    options = Options(score, by, width)
    parameters = _parameters(
        warehouse, chosen_experiments(warehouse, experiments), options
    )
    rows = warehouse.arrow(
        kind.query,
        {key: value for key, value in parameters.items() if f"${key}" in kind.query},
    )
    if not rows.num_rows:
        raise FigureError(
            f"There is nothing to draw: {name} needs {kind.needs}; name other"
            " experiments, or run `dbt build` when there are some."
        )
    shown = _displayed(rows.to_pylist())
    chart, picture = _fitted(
        lambda inner: (
            kind.draw(shown, options, inner)
            .properties(description=kind.title)
            .configure(**configuration())
        ),
        WIDTHS[width],
    )
    caption = kind.caption(shown, options)
    return Figure(name, kind.title, chart, rows, caption, picture)


def chosen_experiments(
    warehouse: Snapshot, experiments: Sequence[str] = ()
) -> list[tuple[str, str | None]]:
    """Find experiments by id or name.

    Args:
        warehouse: What holds them.
        experiments: Ids or names; without any, all.

    Returns:
        Ids and names, in the order that was asked for.

    Raises:
        FigureError: One is not there, or there is none at all.
    """
    try:
        return find_experiments(warehouse, experiments)
    except UnknownExperimentError as error:
        raise FigureError(str(error)) from error


def _parameters(
    warehouse: Snapshot, chosen: list[tuple[str, str | None]], options: Options
) -> dict[str, object]:
    """Return what queries may be bound to."""
    ids = [one for one, _ in chosen]
    names = [name for _, name in chosen]
    (row,) = warehouse.fetch(
        "select count(*) as conversations from analysis.conversations"
        " where list_contains($experiments, experiment_id)",
        {"experiments": ids},
    )
    return {
        "experiments": ids,
        "labels": [
            # Two of one name are two.
            one if not name else f"{name} ({one})" if names.count(name) > 1 else name
            for one, name in chosen
        ],
        "recorded": options.score == "recorded",
        "by_model": options.by == "models",
        "t_quantiles": t_quantiles(row["conversations"]),
        "panels": PANELS,
        "shown": SHOWN,
    }


def plain_text(text: str) -> str:
    """Replace what cannot be drawn as it stands, and shorten what is long.

    Args:
        text: Text from outside.

    Returns:
        One line of text that XML can hold and that runs one way.
    """
    shown = UNSAFE.sub("\ufffd", text[: LABEL_LENGTH + 1])
    return shown if len(shown) <= LABEL_LENGTH else shown[: LABEL_LENGTH - 1] + "…"


def _displayed(rows: list[Row]) -> list[Row]:
    """Make every text of the rows one that can be drawn; different ones stay so."""
    texts = {value for row in rows for value in row.values() if isinstance(value, str)}
    shown: dict[str, str] = {}
    taken: set[str] = set()
    # What can stay as it is comes first.
    for text in sorted(texts, key=lambda text: (plain_text(text) != text, text)):
        candidate, number = plain_text(text), 1
        while candidate in taken:
            number += 1
            candidate = f"{plain_text(text)} [{number}]"
        taken.add(candidate)
        shown[text] = candidate
    return [
        {
            key: shown[value] if isinstance(value, str) else value
            for key, value in row.items()
        }
        for row in rows
    ]


def _fitted(draw: Callable[[float], Chart], width: float) -> tuple[Chart, str]:
    """Find the chart that is as wide as this, axes and all, or a trifle less."""
    inner = width * 0.8
    for _ in range(6):
        chart = draw(inner)
        picture = str(vl_convert.vegalite_to_svg(chart.to_dict()))
        missing = width - _width(picture)
        # Whole points are measured of some.
        if 0 <= missing < 1.5:
            break
        # What panels share is all that changes, unless labels are wider than they.
        inner = max(inner + missing - 0.5, 40)
    return chart, picture


def _width(picture: str) -> float:
    """Return how wide a picture is, in points."""
    found = re.search(r' width="([\d.]+)"', picture)
    if found is None:
        raise FigureError("The chart was drawn without a width.")
    return float(found[1])
