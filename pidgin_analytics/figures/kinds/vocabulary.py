"""The figure ``vocabulary``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    CUT,
    INTERVALS,
    METRICS,
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
    turn_axis,
)
from pidgin_analytics.palette import LIGHT

QUERY = """
with

-- Also of turns in which one agent alone spoke: what it said is known from then on.
new_words as (
    select
        conversation_id,
        turn_number,
        is_spoken,
        coalesce(a_new_words, 0) + coalesce(b_new_words, 0) as new_words,
        coalesce(a_newly_shared_words, 0) + coalesce(b_newly_shared_words, 0)
            as newly_shared_words
    from analysis.turns
    where list_contains($experiments, experiment_id)
),

so_far as (
    select
        conversation_id,
        turn_number,
        is_spoken,
        sum(new_words - newly_shared_words) over conversation as distinct_words,
        sum(newly_shared_words) over conversation as shared_words
    from new_words
    window conversation as (partition by conversation_id order by turn_number)
),

measured as (
    select
        conversation_id,
        turn_number,
        unnest(['distinct_words', 'share_of_both']) as metric,
        unnest([distinct_words, shared_words / nullif(distinct_words, 0)]) as value
    from so_far
    where is_spoken
),

means as (
    select
        metric,
        turn_number,
        count(*) as conversations,
        avg(value order by value) as value,
        $t_quantiles[count(*) - 1]
        * stddev_samp(value order by value)
        / sqrt(count(*)) as half_width
    from measured
    where value is not null
    group by metric, turn_number
)

select
    metric,
    turn_number,
    value,
    value - half_width as lower,
    value + half_width as upper,
    conversations
from means
order by metric, turn_number
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    is_single = options.width == "single"
    width = inner if is_single else (inner - 40) / 2
    charts = []
    for metric in ("distinct_words", "share_of_both"):
        own = rows_of(rows, metric=metric)
        if not own:
            continue
        x = turn_axis(own)
        y = alt.Y("value:Q", title=METRICS[metric], axis=alt.Axis(tickCount=5))
        charts.append(
            alt.layer(
                band(own, x, y, color=alt.value(LIGHT.agent_a)),
                chart_of(own)
                .mark_line(color=LIGHT.agent_a, point=points(LIGHT.agent_a))
                .encode(x=x, y=y),
            ).properties(width=width, height=100)
        )
    return alt.concat(*charts, columns=1 if is_single else 2, spacing=12)


def _caption(rows: list[Row], _options: Options) -> str:
    own = rows_of(rows, metric="distinct_words")
    return (
        "Distinct words that both agents together have said up to each turn, and the"
        f" share of them that both have said: means and {INTERVALS} (bands, {CUT})."
        f" {say_range(own)} {ONE_VALUE} {TURNS}"
    )


KIND = Kind(
    title="How the vocabulary grows, and how much of it both agents share",
    query=QUERY,
    needs="complete turns with words",
    draw=_draw,
    caption=_caption,
)
