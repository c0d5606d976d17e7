"""The figure ``response-times``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    PANELS,
    Chart,
    Kind,
    Options,
    Row,
    check_count,
    circles,
    distinct,
    estimates,
    rows_of,
    say_single,
)

QUERY = """
with

speakers as (
    select
        model,
        conversation_id,
        agent_id,
        count(*) as messages,
        median(response_time_ms) / 1000 as seconds
    from analysis.messages
    where
        list_contains($experiments, experiment_id)
        and not is_api_error
        and response_time_ms is not null
    group by model, conversation_id, agent_id
)

select
    'speaker' as row_kind,
    model,
    conversation_id,
    agent_id,
    seconds,
    cast(null as double) as lower,
    cast(null as double) as upper,
    messages,
    cast(null as bigint) as conversations
from speakers
where (select count(*) from speakers) <= 2 * $shown
union all by name
select
    'model' as row_kind,
    model,
    median(seconds) as seconds,
    quantile_cont(seconds, 0.25) as lower,
    quantile_cont(seconds, 0.75) as upper,
    cast(sum(messages) as bigint) as messages,
    count(distinct conversation_id) as conversations
from speakers
group by model
order by row_kind, model, conversation_id, agent_id
"""


def _draw(rows: list[Row], _options: Options, inner: float) -> Chart:
    models = rows_of(rows, row_kind="model")
    check_count(distinct(models, "model"), PANELS, "response-times")
    y = alt.Y(
        "model:N",
        title=None,
        sort=[row["model"] for row in sorted(models, key=lambda row: row["seconds"])],
        axis=alt.Axis(grid=True),
    )
    title, scale = "Median response time (seconds)", alt.Scale(zero=True)
    return alt.layer(
        *circles(rows_of(rows, row_kind="speaker"), y, "seconds", title, scale),
        *estimates(models, y, "seconds", title, scale),
    ).properties(width=inner, height=alt.Step(15))


def _caption(rows: list[Row], _options: Options) -> str:
    models = rows_of(rows, row_kind="model")
    counts = ", ".join(
        f"{row['model']} {row['conversations']:,} ({row['messages']:,} replies)"
        for row in models
    )
    single = rows_of(rows, row_kind="speaker")
    return (
        "Time from request to complete reply: the median of each agent's replies in a"
        " conversation, and per model the median (squares) and the middle half"
        " (bars: quartiles, no intervals) of these."
        f" {say_single(single, 'Circles are single agents in a conversation.')}"
        f" Failed replies are left out. Conversations: {counts}."
    )


KIND = Kind(
    title="How long models take to answer",
    query=QUERY,
    needs="messages whose response time was logged",
    draw=_draw,
    caption=_caption,
)
