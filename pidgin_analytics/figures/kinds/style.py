"""The figure ``style``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    AGENTS,
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
    distinct,
    rows_of,
    say_range,
    turn_axis,
)

QUERY = """
with

measured as (
    select
        turn_number,
        upper(agent_id[-1]) as agent,
        unnest(['words', 'diversity', 'symbols', 'similarity']) as metric,
        unnest([word_count, recent_mattr, symbol_share, similarity_to_partner]) as value
    from analysis.messages
    where list_contains($experiments, experiment_id) and is_spoken
),

means as (
    select
        metric,
        agent,
        turn_number,
        count(*) as conversations,
        avg(value order by value) as value,
        $t_quantiles[count(*) - 1]
        * stddev_samp(value order by value)
        / sqrt(count(*)) as half_width
    from measured
    where value is not null
    group by metric, agent, turn_number
)

select
    metric,
    agent,
    turn_number,
    value,
    value - half_width as lower,
    value + half_width as upper,
    conversations
from means
order by
    list_position(['words', 'diversity', 'symbols', 'similarity'], metric),
    agent,
    turn_number
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    width = (inner - 40) / 2
    charts = []
    for metric in distinct(rows, "metric"):
        own = rows_of(rows, metric=metric)
        x = turn_axis(rows, ticks=4 if options.width == "single" else 8)
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
                band(own, x, y, color=AGENTS["color"]),
                chart_of(own).mark_line().encode(x=x, y=y, **AGENTS),
            ).properties(width=width, height=62 if options.width == "single" else 90)
        )
    return alt.concat(*charts, columns=2, spacing=12)


def _caption(rows: list[Row], _options: Options) -> str:
    own = rows_of(rows, metric="words", agent="A") or rows
    return (
        "Messages of each agent over turns: words, lexical diversity (moving-average"
        " type-token ratio of the last 50 words or more), share of characters that are"
        " symbols, and similarity to the partner's last message. Means and"
        f" {INTERVALS} (bands, {CUT}). {say_range(own)} {ONE_VALUE} {TURNS}"
    )


KIND = Kind(
    title="Length, diversity, symbols and similarity over turns, by agent",
    query=QUERY,
    needs="messages of complete turns",
    draw=_draw,
    caption=_caption,
)
