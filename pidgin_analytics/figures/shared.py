"""What figures share: their looks and choices, and the parts of charts and captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from pidgin_analytics.palette import LIGHT

Row = dict[str, Any]
Chart = Any
Score = Literal["balanced", "recorded"]
Grouping = Literal["experiment", "models"]
Width = Literal["single", "double"]

PANELS = 40
SHOWN = 200

# Letters of these three are equally wide, so that text takes the same room everywhere.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
DASHES = ([1, 0], [4, 2], [1, 1.5], [6, 2, 1, 2], [9, 3], [3, 1], [1, 3], [6, 1, 1, 1])
SHAPES = (
    *("circle", "triangle-up", "square", "diamond", "cross", "triangle-down"),
    *("triangle-right", "triangle-left", "stroke"),
)
GREY = LIGHT.quiet_text
# What belongs to one conversation, behind what belongs to all.
FAINT = "#a3aab5"
AGENT_COLOURS = alt.Scale(domain=["A", "B"], range=[LIGHT.agent_a, LIGHT.agent_b])
AGENT_LEGEND = alt.Legend(symbolType="stroke", symbolSize=160)
AGENTS = {
    "color": alt.Color(
        "agent:N", title="Agent", scale=AGENT_COLOURS, legend=AGENT_LEGEND
    ),
    "strokeDash": alt.StrokeDash(
        "agent:N",
        title="Agent",
        scale=alt.Scale(domain=["A", "B"], range=[DASHES[0], DASHES[1]]),
        legend=AGENT_LEGEND,
    ),
}

INTERVALS = "95 % t-intervals over conversations"
ONE_VALUE = "Intervals use one value per conversation; a single conversation has none."
CUT = "cut at the ends of the axis"
TURNS = "Turns are counted from 0, and those with a failed reply are left out."
METRICS = {
    "distinct_words": "Distinct words so far",
    "share_of_both": "Share that both have used",
    "words": "Words per message",
    "diversity": "Diversity (MATTR)",
    "symbols": "Share of symbols",
    "similarity": "Similarity to partner",
    "overlap": "Vocabulary overlap",
    "prompt": "Prompt tokens",
    "completion": "Completion tokens",
}


class FigureError(Exception):
    """A figure cannot be made; the message says why in one sentence."""


@dataclass(frozen=True)
class Options:
    """How figures are drawn that leave a choice.

    Attributes:
        score: The balanced score, which compares across runs, or the recorded one.
        by: Groups are experiments, or pairs of models.
        width: A column of a journal, or the whole page.
    """

    score: Score = "balanced"
    by: Grouping = "experiment"
    width: Width = "double"

    @property
    def score_name(self) -> str:
        """The name of the score, as an axis has it."""
        return f"Convergence ({self.score})"

    @property
    def group_name(self) -> str:
        """What a group is."""
        return "pair of models" if self.by == "models" else "experiment"

    def columns(self, panels: int) -> int:
        """Return how many of so many panels stand beside each other."""
        return min(panels, 2 if self.width == "single" else 4)


Draw = Callable[[list[Row], Options, float], Chart]
Say = Callable[[list[Row], Options], str]


@dataclass(frozen=True)
class Kind:
    """What there is to know of a figure.

    Attributes:
        title: What it shows, in a line.
        query: The only definition of what it shows.
        needs: What must be there for it, in the words of a sentence.
        draw: Makes the chart, given the room that its panels share in points.
        caption: Says what is shown, of how many conversations, and how sure it is.
    """

    title: str
    query: str
    needs: str
    draw: Draw
    caption: Say


def configuration() -> dict[str, Any]:
    """Return how every figure looks: sizes of print, plain and quiet."""
    text = {"labelColor": LIGHT.text, "titleColor": LIGHT.text}
    sizes = {"labelFontSize": 7, "titleFontSize": 7.5, "titleFontWeight": "normal"}
    return {
        "font": FONT,
        "background": LIGHT.background,
        "padding": 2,
        "view": {"stroke": None},
        "axis": {
            **text,
            **sizes,
            "domainColor": GREY,
            "domainWidth": 0.6,
            "tickColor": GREY,
            "tickWidth": 0.6,
            "tickSize": 3,
            "gridColor": LIGHT.line,
            "gridWidth": 0.4,
            "titlePadding": 4,
            "labelLimit": 110,
        },
        "axisX": {"grid": False},
        "legend": {
            **text,
            **sizes,
            "orient": "top",
            "titleOrient": "left",
            "padding": 0,
            "offset": 6,
            "symbolSize": 40,
            "symbolStrokeWidth": 1.2,
            "symbolOpacity": 1,
            "labelLimit": 200,
            "titleLimit": 200,
            "columnPadding": 8,
            "rowPadding": 1,
        },
        "header": {**text, **sizes, "labelPadding": 2, "labelLimit": 105},
        "title": {"fontSize": 7.5, "fontWeight": "normal", "color": LIGHT.text},
        "line": {"strokeWidth": 1.2},
        "area": {"opacity": 0.22},
        "text": {"fontSize": 7, "color": LIGHT.text},
    }


def rows_of(rows: Iterable[Row], **wanted: str) -> list[Row]:
    """Keep the rows with these values."""
    return [
        row for row in rows if all(row[key] == value for key, value in wanted.items())
    ]


def chart_of(rows: Iterable[Row], fields: Sequence[str] = ()) -> alt.Chart:
    """Begin a chart of rows, as far as they have these fields."""
    return alt.Chart(
        alt.InlineData(
            values=[
                {key: value for key, value in row.items() if value is not None}
                for row in rows
                if all(row[field] is not None for field in fields)
            ]
        )
    )


def distinct(rows: Iterable[Row], field: str) -> list[Any]:
    """Return the values of a field, in the order in which they come."""
    return list(dict.fromkeys(row[field] for row in rows if row[field] is not None))


def check_count(groups: list[str], limit: int, name: str) -> None:
    """Refuse more groups than a figure can show."""
    if len(groups) > limit:
        raise FigureError(
            f"{name} shows at most {limit} groups, and these are {len(groups)}; name"
            " fewer experiments."
        )


# --- axes and marks ---


def turn_axis(
    rows: list[Row],
    *,
    title: str | None = "Turn",
    has_labels: bool = True,
    ticks: int = 8,
) -> alt.X:
    """Make the axis of turns."""
    last = max(row["turn_number"] for row in rows if row["turn_number"] is not None)
    return alt.X(
        "turn_number:Q",
        title=title,
        scale=alt.Scale(domain=[-0.5, last + 0.5], nice=False, padding=0),
        axis=alt.Axis(tickMinStep=1, format="d", labels=has_labels, tickCount=ticks),
    )


def score_axis(options: Options, *, title: str | None = None, ticks: int = 5) -> alt.Y:
    """Make the axis of the score."""
    return alt.Y(
        "score:Q",
        title=title or options.score_name,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(tickCount=ticks),
    )


def group_axis(groups: list[str]) -> alt.Y:
    """Make the axis of groups, one below the other."""
    return alt.Y("group_name:N", title=None, sort=groups, axis=alt.Axis(grid=True))


def band(rows: list[Row], x: alt.X, y: alt.Y, **encoding: Any) -> Chart:
    """Draw intervals as a band; rows without one are left out."""
    lower = y.copy()
    lower.shorthand = "lower:Q"
    return (
        chart_of(rows, ["lower", "upper"])
        .mark_area(clip=True)
        .encode(x=x, y=lower, y2="upper:Q", **encoding)
    )


def points(colour: str, size: float = 12, shape: str = "circle") -> dict[str, Any]:
    """Return how the points of a line look."""
    return {"color": colour, "size": size, "shape": shape, "opacity": 1}


def estimates(
    rows: list[Row], y: alt.Y, field: str, title: str | list[str], scale: alt.Scale
) -> list[Chart]:
    """Draw means, with their intervals, one below the other."""
    x = alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    return [
        chart_of(rows, ["lower", "upper"])
        .mark_rule(color=LIGHT.text, strokeWidth=1.2)
        .encode(x=alt.X("lower:Q", scale=scale, title=title), x2="upper:Q", y=y),
        chart_of(rows)
        .mark_square(color=LIGHT.text, size=24, opacity=1)
        .encode(x=x, y=y),
    ]


def circles(
    rows: list[Row], y: alt.Y, field: str, title: str | list[str], scale: alt.Scale
) -> list[Chart]:
    """Draw single conversations."""
    if not rows:
        return []
    return [
        chart_of(rows)
        .mark_point(color=LIGHT.agent_a, size=16, strokeWidth=0.7, opacity=0.9)
        .encode(x=alt.X(f"{field}:Q", scale=scale, title=title), y=y)
    ]


def zero_line() -> Chart:
    """Draw where there is no difference."""
    return (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color=GREY, strokeWidth=0.6, strokeDash=[2, 2])
        .encode(x="zero:Q")
    )


# --- captions ---


def counted(count: int, name: str) -> str:
    """Say how many there are of something."""
    return f"{count:,} {name}" + "s" * (count != 1)


def say_range(rows: list[Row]) -> str:
    """Say how many conversations the turns are based on."""
    first, last = rows[0], rows[-1]
    return (
        f"Turn {first['turn_number']} is based on"
        f" {counted(first['conversations'], 'conversation')}, turn"
        f" {last['turn_number']} on {last['conversations']:,}."
    )


def per_group(rows: Iterable[Row], field: str) -> str:
    """Say how many conversations there are of each group."""
    return ", ".join(f"{row[field]} {row['conversations']:,}" for row in rows)


def say_single(rows: list[Row], what: str) -> str:
    """Say what single conversations are drawn as, if they are."""
    return (
        what if rows else f"More than {SHOWN} conversations are not drawn individually."
    )
