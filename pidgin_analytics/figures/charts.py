"""The chart and the caption of each figure, made from the rows of its query.

Nothing is computed here that a figure states: charts place what the rows hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from pidgin_analytics.figures import queries
from pidgin_analytics.palette import LIGHT

Row = dict[str, Any]
Chart = Any
Score = Literal["balanced", "recorded"]
Grouping = Literal["experiment", "models"]
Width = Literal["single", "double"]

PANELS = 40
SHOWN = 200
# Lines that can be told apart without colour.
GROUPS = 8

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


def _of(rows: Iterable[Row], **wanted: str) -> list[Row]:
    """Keep the rows with these values."""
    return [
        row for row in rows if all(row[key] == value for key, value in wanted.items())
    ]


def _chart(rows: Iterable[Row], fields: Sequence[str] = ()) -> alt.Chart:
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


def _distinct(rows: Iterable[Row], field: str) -> list[Any]:
    """Return the values of a field, in the order in which they come."""
    return list(dict.fromkeys(row[field] for row in rows if row[field] is not None))


def _turns(
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


def _score(options: Options, *, title: str | None = None, ticks: int = 5) -> alt.Y:
    """Make the axis of the score."""
    return alt.Y(
        "score:Q",
        title=title or options.score_name,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(tickCount=ticks),
    )


def _band(rows: list[Row], x: alt.X, y: alt.Y, **encoding: Any) -> Chart:
    """Draw intervals as a band; rows without one are left out."""
    lower = y.copy()
    lower.shorthand = "lower:Q"
    return (
        _chart(rows, ["lower", "upper"])
        .mark_area(clip=True)
        .encode(x=x, y=lower, y2="upper:Q", **encoding)
    )


def _check_count(groups: list[str], limit: int, name: str) -> None:
    """Refuse more groups than a figure can show."""
    if len(groups) > limit:
        raise FigureError(
            f"{name} shows at most {limit} groups, and these are {len(groups)}; name"
            " fewer experiments."
        )


def _points(colour: str, size: float = 12, shape: str = "circle") -> dict[str, Any]:
    """Return how the points of a line look."""
    return {"color": colour, "size": size, "shape": shape, "opacity": 1}


def _numbers(count: int, name: str) -> str:
    return f"{count:,} {name}" + "s" * (count != 1)


def _range(rows: list[Row]) -> str:
    """Say how many conversations the turns are based on."""
    first, last = rows[0], rows[-1]
    return (
        f"Turn {first['turn_number']} is based on"
        f" {_numbers(first['conversations'], 'conversation')}, turn"
        f" {last['turn_number']} on {last['conversations']:,}."
    )


def _per_group(rows: Iterable[Row], field: str) -> str:
    """Say how many conversations there are of each group."""
    return ", ".join(f"{row[field]} {row['conversations']:,}" for row in rows)


def _single(rows: list[Row], what: str) -> str:
    """Say what single conversations are drawn as, if they are."""
    return (
        what if rows else f"More than {SHOWN} conversations are not drawn individually."
    )


# --- convergence-each ---


def _draw_each(rows: list[Row], options: Options, inner: float) -> Chart:
    columns = options.columns(len(_distinct(rows, "panel")))
    width = (inner - (columns - 1) * 8) / columns
    has_names = len(_distinct(rows, "experiment")) > 1
    titled = [
        row
        | {
            "title": f"{row['experiment']}\n{row['conversation_id']}"
            if has_names
            else row["conversation_id"]
        }
        for row in rows
    ]
    x = _turns(rows, ticks=4)
    y = _score(options, title="Convergence", ticks=3)
    mean = y.copy()
    mean.shorthand = "rolling_mean:Q"
    base = _chart(titled)
    panel = alt.layer(
        base.mark_circle(size=7, color=GREY, opacity=1).encode(x=x, y=y),
        base.mark_line(color=LIGHT.agent_a).encode(x=x, y=mean),
        data=base.data,
    ).properties(width=width, height=42)
    header = alt.Header(
        labelAnchor="start",
        labelFontSize=6.5,
        labelLimit=width,
        # No text from outside has a line break of its own here.
        labelExpr="split(datum.label, '\\n')",
    )
    return panel.facet(
        facet=alt.Facet(
            "title:N", title=None, sort=_distinct(titled, "title"), header=header
        ),
        columns=columns,
        spacing=8,
    )


def _say_each(rows: list[Row], options: Options) -> str:
    panels, total = len(_distinct(rows, "panel")), rows[0]["conversations"]
    of = "" if panels == total else f" of {total:,}, by experiment and start"
    return (
        f"{options.score_name} of {_numbers(panels, 'conversation')}{of}: each complete"
        f" turn (points) and the mean of up to five turns (line). {TURNS}"
    )


# --- convergence ---


def _draw_convergence(rows: list[Row], options: Options, inner: float) -> Chart:
    means, single = _of(rows, row_kind="mean"), _of(rows, row_kind="conversation")
    x, y = _turns(rows, title=None, has_labels=False), _score(options)
    layers = [
        _chart(single)
        .mark_line(color=FAINT, strokeWidth=0.4, opacity=0.8)
        .encode(x=x, y=y, detail="conversation_id:N"),
        _band(means, x, y, color=alt.value(LIGHT.agent_a)),
        _chart(means)
        .mark_line(color=LIGHT.agent_a, strokeWidth=1.6, point=_points(LIGHT.agent_a))
        .encode(x=x, y=y),
    ]
    # A layer without rows would still be drawn, as nothing.
    upper = alt.layer(*(layers if single else layers[1:]))
    return alt.vconcat(
        upper.properties(width=inner, height=130),
        _counts(means, inner),
        spacing=6,
    )


def _counts(means: list[Row], inner: float) -> Chart:
    """Draw how many conversations each turn rests on."""
    return (
        _chart(means)
        .mark_bar(color=GREY, size=max(1.0, min(8.0, inner / (len(means) + 1) * 0.6)))
        .encode(
            x=_turns(means),
            y=alt.Y(
                "conversations:Q",
                title="n",
                axis=alt.Axis(tickCount=2, tickMinStep=1, format="d"),
            ),
        )
        .properties(width=inner, height=28)
    )


def _say_convergence(rows: list[Row], options: Options) -> str:
    means, single = _of(rows, row_kind="mean"), _of(rows, row_kind="conversation")
    return (
        f"{options.score_name} over turns: mean and {INTERVALS} (band, {CUT})."
        f" {_single(single, 'Thin lines are single conversations.')}"
        f" {_range(means)} Only conversations that went on reach the later turns."
        f" {ONE_VALUE} {TURNS}"
    )


# --- comparison ---


def _draw_comparison(rows: list[Row], options: Options, inner: float) -> Chart:
    groups = _distinct(rows, "group_name")
    _check_count(groups, GROUPS, "comparison")
    title = options.group_name.capitalize()
    is_single = options.width == "single"
    legend = alt.Legend(
        title=title,
        titleOrient="top" if is_single else "left",
        columns=1 if is_single else min(3, len(groups)),
        labelLimit=180 if is_single else 120,
        symbolSize=50,
        symbolStrokeWidth=1,
        symbolDash=[1, 0],
    )
    colours, dashes = list(LIGHT.series[: len(groups)]), list(DASHES[: len(groups)])
    colour = alt.Color(
        "group_name:N", scale=alt.Scale(domain=groups, range=colours), legend=legend
    )
    x, y = _turns(rows), _score(options)
    line = _chart(rows).encode(x=x, y=y, color=colour)
    return alt.layer(
        _band(rows, x, y, color=colour).mark_area(
            clip=True, opacity=0.13 if len(groups) <= 4 else 0.07
        ),
        line.mark_line().encode(
            strokeDash=alt.StrokeDash(
                "group_name:N",
                scale=alt.Scale(domain=groups, range=dashes),
                # Shapes stand for the lines: a dashed shape is none.
                legend=None,
            )
        ),
        line.mark_point(size=14, filled=True, opacity=1).encode(
            shape=alt.Shape(
                "group_name:N",
                scale=alt.Scale(domain=groups, range=list(SHAPES[: len(groups)])),
                legend=legend,
            )
        ),
    ).properties(width=inner, height=150)


def _say_comparison(rows: list[Row], options: Options) -> str:
    groups = [
        max(_of(rows, group_name=group), key=lambda row: row["conversations"])
        for group in _distinct(rows, "group_name")
    ]
    return (
        f"{options.score_name} over turns by {options.group_name}: means and"
        f" {INTERVALS} (bands, {CUT})."
        f" Conversations: {_per_group(groups, 'group_name')};"
        f" fewer at later turns. {ONE_VALUE} {TURNS}"
    )


# --- difference, alignment ---


def _rows_axis(groups: list[str]) -> alt.Y:
    """Make the axis of groups, one below the other."""
    return alt.Y("group_name:N", title=None, sort=groups, axis=alt.Axis(grid=True))


def _estimates(
    rows: list[Row], y: alt.Y, field: str, title: str | list[str], scale: alt.Scale
) -> list[Chart]:
    """Draw means, with their intervals, one below the other."""
    x = alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    return [
        _chart(rows, ["lower", "upper"])
        .mark_rule(color=LIGHT.text, strokeWidth=1.2)
        .encode(x=alt.X("lower:Q", scale=scale, title=title), x2="upper:Q", y=y),
        _chart(rows).mark_square(color=LIGHT.text, size=24, opacity=1).encode(x=x, y=y),
    ]


def _ticks(
    rows: list[Row], y: alt.Y, field: str, title: str | list[str], scale: alt.Scale
) -> list[Chart]:
    """Draw single conversations."""
    if not rows:
        return []
    return [
        _chart(rows)
        .mark_point(color=LIGHT.agent_a, size=16, strokeWidth=0.7, opacity=0.9)
        .encode(x=alt.X(f"{field}:Q", scale=scale, title=title), y=y)
    ]


def _zero() -> Chart:
    return (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color=GREY, strokeWidth=0.6, strokeDash=[2, 2])
        .encode(x="zero:Q")
    )


def _draw_difference(rows: list[Row], options: Options, inner: float) -> Chart:
    means, differences = _of(rows, row_kind="mean"), _of(rows, row_kind="difference")
    if not differences:
        raise FigureError(
            "difference compares at least two groups, and this is one; name another"
            " experiment, or compare pairs of models."
        )
    groups = _distinct(means, "group_name")
    _check_count(groups, PANELS, "difference")
    height = alt.Step(15)
    is_single = options.width == "single"
    width = inner if is_single else (inner - 20) / 2
    scale = alt.Scale(zero=False)
    title = f"Mean {options.score_name[0].lower()}{options.score_name[1:]}"
    left = alt.layer(
        *_ticks(
            _of(rows, row_kind="conversation"),
            _rows_axis(groups),
            "value",
            title,
            scale,
        ),
        *_estimates(means, _rows_axis(groups), "value", title, scale),
    ).properties(width=width, height=height)
    y = _rows_axis(groups[1:])
    if not is_single:
        # The same rows as on the left.
        y = alt.Y(
            "group_name:N",
            title=None,
            scale=alt.Scale(domain=groups),
            axis=alt.Axis(labels=False, ticks=False, grid=True),
        )
    right = alt.layer(
        _zero(),
        *_estimates(
            differences,
            y,
            "value",
            f"Difference to {differences[0]['reference']}",
            alt.Scale(zero=True),
        ),
    ).properties(width=width, height=height)
    return (
        alt.vconcat(left, right, spacing=12)
        if is_single
        else alt.hconcat(left, right, spacing=20)
    )


def _say_difference(rows: list[Row], options: Options) -> str:
    means = _of(rows, row_kind="mean")
    single = _of(rows, row_kind="conversation")
    return (
        f"Mean {options.score_name.lower()} of conversations by {options.group_name}"
        f" (squares) with {INTERVALS}, and differences from the first"
        f" with Welch's 95 % intervals, degrees of freedom rounded down. Not corrected"
        f" for multiple comparisons."
        f" {_single(single, 'Circles are single conversations.')}"
        f" Conversations: {_per_group(means, 'group_name')}. {ONE_VALUE}"
    )


def _draw_alignment(rows: list[Row], _options: Options, inner: float) -> Chart:
    means = _of(rows, row_kind="mean")
    groups = _distinct(means, "group_name")
    _check_count(groups, PANELS, "alignment")
    y = _rows_axis(groups)
    title = ["New words adopted from the partner,", "per 100 words: A minus B"]
    scale = alt.Scale(zero=True)
    return alt.layer(
        _zero(),
        *_ticks(_of(rows, row_kind="conversation"), y, "difference", title, scale),
        *_estimates(means, y, "difference", title, scale),
    ).properties(width=inner, height=alt.Step(15))


def _say_alignment(rows: list[Row], options: Options) -> str:
    means, single = _of(rows, row_kind="mean"), _of(rows, row_kind="conversation")
    return (
        "Who adapts to whom: adopted words, which an agent says for the first time"
        " after its partner said them, per hundred words of its own; A's rate minus"
        " B's, below 0 if B adopts more. B speaks second in each turn and so always has"
        " one more message to adopt words from: compare groups with each other, not"
        " with 0. This is not the column alignment_gain."
        f" Means (squares) with {INTERVALS}."
        f" {_single(single, 'Circles are single conversations.')} Conversations by"
        f" {options.group_name}: {_per_group(means, 'group_name')}. {ONE_VALUE}"
    )


# --- vocabulary, style ---


def _draw_vocabulary(rows: list[Row], options: Options, inner: float) -> Chart:
    is_single = options.width == "single"
    width = inner if is_single else (inner - 40) / 2
    charts = []
    for metric in ("distinct_words", "share_of_both"):
        own = _of(rows, metric=metric)
        if not own:
            continue
        x = _turns(own)
        y = alt.Y("value:Q", title=METRICS[metric], axis=alt.Axis(tickCount=5))
        charts.append(
            alt.layer(
                _band(own, x, y, color=alt.value(LIGHT.agent_a)),
                _chart(own)
                .mark_line(color=LIGHT.agent_a, point=_points(LIGHT.agent_a))
                .encode(x=x, y=y),
            ).properties(width=width, height=100)
        )
    return alt.concat(*charts, columns=1 if is_single else 2, spacing=12)


def _say_vocabulary(rows: list[Row], _options: Options) -> str:
    own = _of(rows, metric="distinct_words")
    return (
        "Distinct words that both agents together have said up to each turn, and the"
        f" share of them that both have said: means and {INTERVALS} (bands, {CUT})."
        f" {_range(own)} {ONE_VALUE} {TURNS}"
    )


def _draw_style(rows: list[Row], options: Options, inner: float) -> Chart:
    width = (inner - 40) / 2
    charts = []
    for metric in _distinct(rows, "metric"):
        own = _of(rows, metric=metric)
        x = _turns(rows, ticks=4 if options.width == "single" else 8)
        scale = alt.Scale(domainMin=0)
        if metric in ("similarity", "diversity"):
            scale = alt.Scale(domain=[0, 1])
        y = alt.Y(
            "value:Q",
            title=METRICS[metric],
            scale=scale,
            axis=alt.Axis(tickCount=4),
        )
        charts.append(
            alt.layer(
                _band(own, x, y, color=AGENTS["color"]),
                _chart(own).mark_line().encode(x=x, y=y, **AGENTS),
            ).properties(width=width, height=62 if options.width == "single" else 90)
        )
    return alt.concat(*charts, columns=2, spacing=12)


def _say_style(rows: list[Row], _options: Options) -> str:
    own = _of(rows, metric="words", agent="A") or rows
    return (
        "Messages of each agent over turns: words, lexical diversity (moving-average"
        " type-token ratio of the last 50 words or more), share of characters that are"
        " symbols, and similarity to the partner's last message. Means and"
        f" {INTERVALS} (bands, {CUT}). {_range(own)} {ONE_VALUE} {TURNS}"
    )


# --- start-and-end ---


def _draw_start_and_end(rows: list[Row], options: Options, inner: float) -> Chart:
    metrics = [
        metric
        for metric in ("score", "overlap", "words", "diversity")
        if _of(rows, metric=metric)
    ]
    columns = options.columns(len(metrics))
    width = (inner - (columns - 1) * 34) / columns
    x = alt.X(
        "moment:N",
        title=None,
        sort=["start", "end"],
        scale=alt.Scale(padding=0.6),
        axis=alt.Axis(labelAngle=0),
    )
    charts = []
    for metric in metrics:
        own = _of(rows, metric=metric)
        (change,) = _of(own, row_kind="mean", moment="change")
        means = [row for row in _of(own, row_kind="mean") if row["moment"] != "change"]
        single = _of(own, row_kind="conversation")
        scale = alt.Scale(zero=False)
        y = alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5))
        layers = [
            _chart(means, ["lower", "upper"])
            .mark_rule(color=LIGHT.text, strokeWidth=1.2)
            .encode(x=x, y=alt.Y("lower:Q", scale=scale, title=None), y2="upper:Q"),
            _chart(means)
            .mark_line(
                color=LIGHT.text,
                strokeWidth=1.6,
                point=_points(LIGHT.text, 28, "square"),
            )
            .encode(x=x, y=y, order=alt.Order("moment:N", sort="descending")),
        ]
        if single:
            layers.insert(
                0,
                _chart(single)
                .mark_line(
                    color=LIGHT.agent_a,
                    strokeWidth=0.5,
                    opacity=0.55,
                    point=_points(LIGHT.agent_a, 8),
                )
                .encode(
                    x=x,
                    y=y,
                    detail="conversation_id:N",
                    order=alt.Order("moment:N", sort="descending"),
                ),
            )
        name = options.score_name if metric == "score" else METRICS[metric]
        charts.append(
            alt.layer(*layers).properties(
                width=width,
                height=90,
                title=alt.TitleParams(
                    [name, _signed(change)], anchor="start", frame="group", offset=5
                ),
            )
        )
    return alt.concat(*charts, columns=columns, spacing=14)


def _signed(change: Row) -> str:
    """Write a change and its interval with as many digits as it bears."""
    digits = 1 if abs(change["value"]) >= 1 else 3
    said = f"{change['value']:+.{digits}f}"
    if change["lower"] is not None:
        said += f" [{change['lower']:+.{digits}f}, {change['upper']:+.{digits}f}]"
    return said.replace("-", "−")


def _say_start_and_end(rows: list[Row], options: Options) -> str:
    means = _of(rows, row_kind="mean", moment="change")
    single = _of(rows, row_kind="conversation")
    names = METRICS | {"score": options.score_name}
    counts = ", ".join(
        f"{names[row['metric']]} {row['conversations']:,}" for row in means
    )
    return (
        "Mean of the first three and of the last three turns of conversations with six"
        f" turns or more: means (squares) with {INTERVALS}. Above each panel: the mean"
        " change within conversations, with its interval; it is paired, and therefore"
        " narrower than the two separate intervals suggest."
        f" {_single(single, 'Thin lines are single conversations.')}"
        f" Conversations: {counts}. Words and diversity are means of both agents."
        f" {ONE_VALUE} {TURNS}"
    )


# --- patterns ---

PATTERN_NAMES = (
    *("loop", "farewell", "gratitude", "silence", "symbol ending"),
    *("vocabulary collapse", "echo chamber", "symbolic phase", "compression"),
)


def _draw_patterns(rows: list[Row], options: Options, inner: float) -> Chart:
    conversations = _of(rows, row_kind="conversation")
    found = _of(rows, row_kind="pattern")
    order = _distinct(conversations, "place")
    names = {row["place"]: row["conversation_id"] for row in conversations}
    own = [row | {"name": names[row["place"]], "first": 0} for row in conversations]
    places = alt.Y(
        "name:N",
        title=None,
        sort=[names[place] for place in order],
        axis=alt.Axis(labelLimit=70, labelFontSize=6),
    )
    last = max(row["turn_count"] for row in conversations)
    scale = alt.Scale(domain=[-0.5, last], nice=False)
    axis = alt.Axis(tickMinStep=1, format="d", tickCount=8)
    lines = (
        _chart(own)
        .mark_rule(color=FAINT, strokeWidth=0.8)
        .encode(
            x=alt.X("first:Q", scale=scale, title="Turn", axis=axis),
            x2="turn_count:Q",
            y=places,
        )
    )
    layers: list[Chart] = [lines]
    if found:
        shown = [name for name in PATTERN_NAMES if _of(found, pattern=name)]
        numbers = [PATTERN_NAMES.index(name) for name in shown]
        legend = alt.Legend(
            title=None, columns=2 if options.width == "single" else 5, symbolSize=45
        )
        layers.append(
            _chart([row | {"name": names[row["place"]]} for row in found])
            .mark_point(size=34, strokeWidth=1.1, opacity=1)
            .encode(
                x=alt.X("turn_number:Q", scale=scale, title="Turn", axis=axis),
                y=places,
                shape=alt.Shape(
                    "pattern:N",
                    scale=alt.Scale(
                        domain=shown, range=[SHAPES[number] for number in numbers]
                    ),
                    legend=legend,
                ),
                color=alt.Color(
                    "pattern:N",
                    scale=alt.Scale(
                        domain=shown,
                        range=[
                            LIGHT.series[number % len(LIGHT.series)]
                            for number in numbers
                        ],
                    ),
                    legend=legend,
                ),
            )
        )
    return alt.layer(*layers).properties(width=inner, height=alt.Step(8.5))


def _say_patterns(rows: list[Row], _options: Options) -> str:
    conversations = _of(rows, row_kind="conversation")
    found = _of(rows, row_kind="pattern")
    total = conversations[0]["conversations"]
    of = (
        ""
        if len(conversations) == total
        else f" of {total:,}, those with a pattern first"
    )
    counts = ", ".join(
        f"{name} {len(_of(found, pattern=name))}"
        for name in PATTERN_NAMES
        if _of(found, pattern=name)
    )
    return (
        f"First turn of each pattern in {_numbers(len(conversations), 'conversation')}"
        f"{of}; lines are as long as the conversations."
        f" Conversations with a pattern: {counts or 'none'}."
        " Turns are counted from 0."
    )


# --- tokens-and-cost ---


def _draw_tokens(rows: list[Row], options: Options, inner: float) -> Chart:
    is_single = options.width == "single"
    tokens = _of(rows, row_kind="tokens")
    width = (inner - 46) / 2
    upper = []
    for metric in _distinct(tokens, "metric"):
        own = _of(tokens, metric=metric)
        x = _turns(tokens, ticks=4 if is_single else 8)
        y = alt.Y(
            "value:Q",
            title=METRICS[metric],
            scale=alt.Scale(domainMin=0),
            axis=alt.Axis(tickCount=5, format=",d"),
        )
        upper.append(
            alt.layer(
                _band(own, x, y, color=AGENTS["color"]),
                _chart(own).mark_line().encode(x=x, y=y, **AGENTS),
            ).properties(width=width, height=80 if is_single else 100)
        )
    means = [row for row in _of(rows, row_kind="mean") if row["value"] is not None]
    charts: list[Chart] = [alt.hconcat(*upper, spacing=12)] if upper else []
    if means:
        groups = _distinct(means, "experiment")
        _check_count(groups, PANELS, "tokens-and-cost")
        y = alt.Y("experiment:N", title=None, sort=groups, axis=alt.Axis(grid=True))
        title, scale = "Cost of a conversation (US dollars)", alt.Scale(zero=True)
        charts.append(
            alt.layer(
                *_ticks(_of(rows, row_kind="conversation"), y, "value", title, scale),
                *_estimates(means, y, "value", title, scale),
            ).properties(width=inner * 0.72, height=alt.Step(12))
        )
    if not charts:
        raise FigureError(
            "There is nothing to draw: of these experiments neither tokens nor costs"
            " are known; name other experiments."
        )
    return alt.vconcat(*charts, spacing=12)


def _say_tokens(rows: list[Row], _options: Options) -> str:
    means = _of(rows, row_kind="mean")
    unknown = sum(row["without_known_cost"] for row in means)
    single = _of(rows, row_kind="conversation")
    said = (
        "Tokens of each agent's requests and replies up to each turn, counted by the"
        " provider or estimated by Pidgin, and the cost of conversations at list"
        f" prices. Means and {INTERVALS} (bands, bars)."
        f" {_single(single, 'Circles are single conversations.')}"
    )
    tokens = _of(rows, row_kind="tokens", metric="completion", agent="A")
    if tokens:
        said += f" {_range(tokens)}"
    known = ", ".join(f"{row['experiment']} {row['conversations']}" for row in means)
    said += f" Conversations of known cost: {known}."
    if unknown:
        said += f" Left out because their cost is not known: {unknown:,}."
    return f"{said} {ONE_VALUE}"


# --- response-times ---


def _draw_times(rows: list[Row], _options: Options, inner: float) -> Chart:
    models = _of(rows, row_kind="model")
    _check_count(_distinct(models, "model"), PANELS, "response-times")
    y = alt.Y(
        "model:N",
        title=None,
        sort=[row["model"] for row in sorted(models, key=lambda row: row["seconds"])],
        axis=alt.Axis(grid=True),
    )
    title, scale = "Median response time (seconds)", alt.Scale(zero=True)
    return alt.layer(
        *_ticks(_of(rows, row_kind="speaker"), y, "seconds", title, scale),
        *_estimates(models, y, "seconds", title, scale),
    ).properties(width=inner, height=alt.Step(15))


def _say_times(rows: list[Row], _options: Options) -> str:
    models = _of(rows, row_kind="model")
    counts = ", ".join(
        f"{row['model']} {row['conversations']:,} ({row['messages']:,} replies)"
        for row in models
    )
    single = _of(rows, row_kind="speaker")
    return (
        "Time from request to complete reply: the median of each agent's replies in a"
        " conversation, and per model the median (squares) and the middle half"
        " (bars: quartiles, no intervals) of these."
        f" {_single(single, 'Circles are single agents in a conversation.')}"
        f" Failed replies are left out. Conversations: {counts}."
    )


# --- words ---


def _draw_words(rows: list[Row], _options: Options, inner: float) -> Chart:
    words = _distinct(rows, "word")
    directions = ["A to B", "B to A"]
    return (
        _chart(rows)
        .mark_bar(stroke=LIGHT.text, strokeWidth=0.4)
        .encode(
            x=alt.X(
                "adopted_in:Q",
                title="Conversations in which it spread",
                axis=alt.Axis(tickMinStep=1, format="d", grid=True),
            ),
            y=alt.Y("word:N", title=None, sort=words, scale=alt.Scale(padding=0.25)),
            color=alt.Color(
                "direction:N",
                title="Spread from",
                scale=alt.Scale(
                    domain=directions, range=[LIGHT.agent_a, LIGHT.agent_b]
                ),
            ),
            order=alt.Order("direction:N"),
        )
        .properties(width=inner, height=alt.Step(10))
    )


def _say_words(rows: list[Row], _options: Options) -> str:
    conversations = _numbers(rows[0]["conversations"], "conversation")
    return (
        f"The {len(_distinct(rows, 'word'))} words that spread from one agent to the"
        f" other in most conversations, of {conversations}; function words are left"
        " out. A word spreads when an agent says it for the first time after its"
        " partner did; B can do so within the same turn. Words of the topic spread,"
        " too."
    )


FIGURES: dict[str, Kind] = {
    "convergence": Kind(
        "Convergence over turns: mean with interval, and each conversation",
        queries.CONVERGENCE,
        "complete turns that have a score",
        _draw_convergence,
        _say_convergence,
    ),
    "convergence-each": Kind(
        "Convergence of each conversation in its own panel",
        queries.CONVERGENCE_EACH,
        "complete turns that have a score",
        _draw_each,
        _say_each,
    ),
    "comparison": Kind(
        "Convergence over turns of several experiments or pairs of models",
        queries.COMPARISON,
        "complete turns that have a score",
        _draw_comparison,
        _say_comparison,
    ),
    "difference": Kind(
        "How much experiments or pairs of models differ in mean convergence",
        queries.DIFFERENCE,
        "conversations that have a score",
        _draw_difference,
        _say_difference,
    ),
    "start-and-end": Kind(
        "Convergence, overlap, length and diversity at the start and at the end",
        queries.START_AND_END,
        "conversations of at least six complete turns",
        _draw_start_and_end,
        _say_start_and_end,
    ),
    "vocabulary": Kind(
        "How the vocabulary grows, and how much of it both agents share",
        queries.VOCABULARY,
        "complete turns with words",
        _draw_vocabulary,
        _say_vocabulary,
    ),
    "style": Kind(
        "Length, diversity, symbols and similarity over turns, by agent",
        queries.STYLE,
        "messages of complete turns",
        _draw_style,
        _say_style,
    ),
    "words": Kind(
        "The words that spread from one agent to the other most often",
        queries.WORDS,
        "words that one agent adopted from the other",
        _draw_words,
        _say_words,
    ),
    "alignment": Kind(
        "Who adapts to whom: words that A adopts from B minus those of B from A",
        queries.ALIGNMENT,
        "complete turns with words",
        _draw_alignment,
        _say_alignment,
    ),
    "patterns": Kind(
        "When conversations loop, fall silent, or show other patterns",
        queries.PATTERNS,
        "conversations with a complete turn",
        _draw_patterns,
        _say_patterns,
    ),
    "tokens-and-cost": Kind(
        "Tokens up to each turn by agent, and what conversations cost",
        queries.TOKENS_AND_COST,
        "messages of complete turns",
        _draw_tokens,
        _say_tokens,
    ),
    "response-times": Kind(
        "How long models take to answer",
        queries.RESPONSE_TIMES,
        "messages whose response time was logged",
        _draw_times,
        _say_times,
    ),
}
