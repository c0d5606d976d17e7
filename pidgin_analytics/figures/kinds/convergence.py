"""The figure ``convergence``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    CUT,
    FAINT,
    GREY,
    INTERVALS,
    ONE_VALUE,
    TURNS,
    Chart,
    Kind,
    Options,
    Row,
    band,
    chart_of,
    points,
    rows_of,
    say_range,
    say_single,
    score_axis,
    turn_axis,
)
from pidgin_analytics.palette import LIGHT

QUERY = """
with

scores as (
    select
        conversation_id,
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
        turn_number,
        count(*) as conversations,
        avg(score order by score) as score,
        $t_quantiles[count(*) - 1]
        * stddev_samp(score order by score)
        / sqrt(count(*)) as half_width
    from scores
    group by turn_number
)

select
    'mean' as row_kind,
    cast(null as varchar) as conversation_id,
    turn_number,
    score,
    score - half_width as lower,
    score + half_width as upper,
    conversations
from means
union all by name
select
    'conversation' as row_kind,
    conversation_id,
    turn_number,
    score
from scores
where (select count(distinct conversation_id) from scores) <= $shown
order by row_kind desc, conversation_id, turn_number
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    means = rows_of(rows, row_kind="mean")
    single = rows_of(rows, row_kind="conversation")
    x, y = turn_axis(rows, title=None, has_labels=False), score_axis(options)
    layers = [
        chart_of(single)
        .mark_line(color=FAINT, strokeWidth=0.4, opacity=0.8)
        .encode(x=x, y=y, detail="conversation_id:N"),
        band(means, x, y, color=alt.value(LIGHT.agent_a)),
        chart_of(means)
        .mark_line(color=LIGHT.agent_a, strokeWidth=1.6, point=points(LIGHT.agent_a))
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
        chart_of(means)
        .mark_bar(color=GREY, size=max(1.0, min(8.0, inner / (len(means) + 1) * 0.6)))
        .encode(
            x=turn_axis(means),
            y=alt.Y(
                "conversations:Q",
                title="n",
                axis=alt.Axis(tickCount=2, tickMinStep=1, format="d"),
            ),
        )
        .properties(width=inner, height=28)
    )


def _caption(rows: list[Row], options: Options) -> str:
    means = rows_of(rows, row_kind="mean")
    single = rows_of(rows, row_kind="conversation")
    return (
        f"{options.score_name} over turns: mean and {INTERVALS} (band, {CUT})."
        f" {say_single(single, 'Thin lines are single conversations.')}"
        f" {say_range(means)} Only conversations that went on reach the later turns."
        f" {ONE_VALUE} {TURNS}"
    )


KIND = Kind(
    title="Convergence over turns: mean with interval, and each conversation",
    query=QUERY,
    needs="complete turns that have a score",
    draw=_draw,
    caption=_caption,
)
