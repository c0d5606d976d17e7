"""The figure ``comparison``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    CUT,
    DASHES,
    INTERVALS,
    ONE_VALUE,
    SHAPES,
    TURNS,
    Chart,
    Kind,
    Options,
    Row,
    band,
    chart_of,
    check_count,
    distinct,
    per_group,
    rows_of,
    score_axis,
    turn_axis,
)
from pidgin_analytics.palette import LIGHT

# Lines that can be told apart without colour.
GROUPS = 8

QUERY = """
with

scores as (
    select
        if($by_model, model_pair, $labels[list_position($experiments, experiment_id)])
            as group_name,
        if($by_model, 0, list_position($experiments, experiment_id)) as position,
        turn_number,
        if($recorded, convergence_score, convergence_balanced) as score
    from analysis.turns
    where
        list_contains($experiments, experiment_id)
        and is_spoken
        and if($recorded, convergence_score, convergence_balanced) is not null
),

means as (
    select
        group_name,
        position,
        turn_number,
        count(*) as conversations,
        avg(score order by score) as score,
        $t_quantiles[count(*) - 1]
        * stddev_samp(score order by score)
        / sqrt(count(*)) as half_width
    from scores
    group by group_name, position, turn_number
)

select
    group_name,
    turn_number,
    score,
    score - half_width as lower,
    score + half_width as upper,
    conversations
from means
order by position, group_name, turn_number
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    groups = distinct(rows, "group_name")
    check_count(groups, GROUPS, "comparison")
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
    x, y = turn_axis(rows), score_axis(options)
    line = chart_of(rows).encode(x=x, y=y, color=colour)
    return alt.layer(
        band(rows, x, y, color=colour).mark_area(
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


def _caption(rows: list[Row], options: Options) -> str:
    groups = [
        max(rows_of(rows, group_name=group), key=lambda row: row["conversations"])
        for group in distinct(rows, "group_name")
    ]
    return (
        f"{options.score_name} over turns by {options.group_name}: means and"
        f" {INTERVALS} (bands, {CUT})."
        f" Conversations: {per_group(groups, 'group_name')};"
        f" fewer at later turns. {ONE_VALUE} {TURNS}"
    )


KIND = Kind(
    title="Convergence over turns of several experiments or pairs of models",
    query=QUERY,
    needs="complete turns that have a score",
    draw=_draw,
    caption=_caption,
)
