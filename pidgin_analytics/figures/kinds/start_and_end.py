"""The figure ``start-and-end``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    INTERVALS,
    METRICS,
    ONE_VALUE,
    TURNS,
    Chart,
    Kind,
    Options,
    Row,
    chart_of,
    points,
    rows_of,
    say_single,
)
from pidgin_analytics.palette import LIGHT

# Three turns each, which do not overlap.
QUERY = """
with

turns as (
    select
        conversation_id,
        if($recorded, convergence_score, convergence_balanced) as score,
        vocabulary_overlap as overlap,
        (a_word_count + b_word_count) / 2 as words,
        (a_recent_mattr + b_recent_mattr) / 2 as diversity,
        row_number() over (partition by conversation_id order by turn_number) as number,
        count(*) over (partition by conversation_id) as turn_count
    from analysis.turns
    where list_contains($experiments, experiment_id) and is_spoken
),

measured as (
    select
        conversation_id,
        if(number <= 3, 'start', 'end') as moment,
        unnest(['score', 'overlap', 'words', 'diversity']) as metric,
        unnest([score, overlap, words, diversity]) as value
    from turns
    where turn_count >= 6 and (number <= 3 or number > turn_count - 3)
),

conversations as (
    select
        conversation_id,
        metric,
        avg(value order by value) filter (where moment = 'start') as start_value,
        avg(value order by value) filter (where moment = 'end') as end_value
    from measured
    group by conversation_id, metric
    having start_value is not null and end_value is not null
),

moments as (
    select
        conversation_id,
        metric,
        unnest(['start', 'end', 'change']) as moment,
        unnest([start_value, end_value, end_value - start_value]) as value
    from conversations
),

summary as (
    select
        metric,
        moment,
        count(*) as conversations,
        avg(value order by value) as value,
        $t_quantiles[count(*) - 1]
        * stddev_samp(value order by value)
        / sqrt(count(*)) as half_width
    from moments
    group by metric, moment
)

select
    'mean' as row_kind,
    metric,
    moment,
    cast(null as varchar) as conversation_id,
    value,
    value - half_width as lower,
    value + half_width as upper,
    conversations
from summary
union all by name
select
    'conversation' as row_kind,
    metric,
    moment,
    conversation_id,
    value
from moments
where
    moment != 'change'
    and (select count(distinct conversation_id) from conversations) <= $shown
order by row_kind desc, metric, conversation_id, moment desc
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    metrics = [
        metric
        for metric in ("score", "overlap", "words", "diversity")
        if rows_of(rows, metric=metric)
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
        own = rows_of(rows, metric=metric)
        (change,) = rows_of(own, row_kind="mean", moment="change")
        means = [
            row for row in rows_of(own, row_kind="mean") if row["moment"] != "change"
        ]
        single = rows_of(own, row_kind="conversation")
        scale = alt.Scale(zero=False)
        y = alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=5))
        layers = [
            chart_of(means, ["lower", "upper"])
            .mark_rule(color=LIGHT.text, strokeWidth=1.2)
            .encode(x=x, y=alt.Y("lower:Q", scale=scale, title=None), y2="upper:Q"),
            chart_of(means)
            .mark_line(
                color=LIGHT.text,
                strokeWidth=1.6,
                point=points(LIGHT.text, 28, "square"),
            )
            .encode(x=x, y=y, order=alt.Order("moment:N", sort="descending")),
        ]
        if single:
            layers.insert(
                0,
                chart_of(single)
                .mark_line(
                    color=LIGHT.agent_a,
                    strokeWidth=0.5,
                    opacity=0.55,
                    point=points(LIGHT.agent_a, 8),
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


def _caption(rows: list[Row], options: Options) -> str:
    means = rows_of(rows, row_kind="mean", moment="change")
    single = rows_of(rows, row_kind="conversation")
    names = METRICS | {"score": options.score_name}
    counts = ", ".join(
        f"{names[row['metric']]} {row['conversations']:,}" for row in means
    )
    return (
        "Mean of the first three and of the last three turns of conversations with six"
        f" turns or more: means (squares) with {INTERVALS}. Above each panel: the mean"
        " change within conversations, with its interval; it is paired, and therefore"
        " narrower than the two separate intervals suggest."
        f" {say_single(single, 'Thin lines are single conversations.')}"
        f" Conversations: {counts}. Words and diversity are means of both agents."
        f" {ONE_VALUE} {TURNS}"
    )


KIND = Kind(
    title="Convergence, overlap, length and diversity at the start and at the end",
    query=QUERY,
    needs="conversations of at least six complete turns",
    draw=_draw,
    caption=_caption,
)
