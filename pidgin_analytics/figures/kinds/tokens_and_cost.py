"""The figure ``tokens-and-cost``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    AGENTS,
    INTERVALS,
    METRICS,
    ONE_VALUE,
    PANELS,
    Chart,
    FigureError,
    Kind,
    Options,
    Row,
    band,
    chart_of,
    check_count,
    circles,
    distinct,
    estimates,
    rows_of,
    say_range,
    say_single,
    turn_axis,
)

# A sum over turns of which one is not known is not known.
QUERY = """
with

so_far as (
    select
        turn_number,
        upper(agent_id[-1]) as agent,
        unnest(['prompt', 'completion']) as metric,
        unnest([
            if(
                count(prompt_tokens) over speaker = count(*) over speaker,
                sum(prompt_tokens) over speaker,
                null
            ),
            if(
                count(completion_tokens) over speaker = count(*) over speaker,
                sum(completion_tokens) over speaker,
                null
            )
        ]) as value
    from analysis.messages
    where list_contains($experiments, experiment_id) and is_turn_complete
    window speaker as (partition by conversation_id, agent_id order by turn_number)
),

token_means as (
    select
        metric,
        agent,
        turn_number,
        count(*) as conversations,
        avg(value order by value) as value,
        $t_quantiles[count(*) - 1]
        * stddev_samp(value order by value)
        / sqrt(count(*)) as half_width
    from so_far
    where value is not null
    group by metric, agent, turn_number
),

costs as (
    select
        $labels[list_position($experiments, experiment_id)] as experiment,
        list_position($experiments, experiment_id) as position,
        conversation_id,
        cost_usd
    from analysis.conversations
    where list_contains($experiments, experiment_id)
),

cost_means as (
    select
        experiment,
        position,
        count(cost_usd) as conversations,
        count(*) - count(cost_usd) as without_known_cost,
        avg(cost_usd order by cost_usd) as value,
        $t_quantiles[count(cost_usd) - 1]
        * stddev_samp(cost_usd order by cost_usd)
        / sqrt(nullif(count(cost_usd), 0)) as half_width
    from costs
    group by experiment, position
)

select
    'tokens' as row_kind,
    metric,
    agent,
    turn_number,
    value,
    value - half_width as lower,
    value + half_width as upper,
    conversations,
    cast(null as varchar) as experiment,
    cast(null as bigint) as position,
    cast(null as varchar) as conversation_id,
    cast(null as bigint) as without_known_cost
from token_means
union all by name
select
    'conversation' as row_kind,
    'cost' as metric,
    experiment,
    position,
    conversation_id,
    cost_usd as value
from costs
where cost_usd is not null and (select count(cost_usd) from costs) <= $shown
union all by name
select
    'mean' as row_kind,
    'cost' as metric,
    experiment,
    position,
    value,
    value - half_width as lower,
    value + half_width as upper,
    conversations,
    without_known_cost
from cost_means
order by row_kind, metric desc, position, agent, turn_number, conversation_id
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    is_single = options.width == "single"
    tokens = rows_of(rows, row_kind="tokens")
    width = (inner - 46) / 2
    upper = []
    for metric in distinct(tokens, "metric"):
        own = rows_of(tokens, metric=metric)
        x = turn_axis(tokens, ticks=4 if is_single else 8)
        y = alt.Y(
            "value:Q",
            title=METRICS[metric],
            scale=alt.Scale(domainMin=0),
            axis=alt.Axis(tickCount=5, format=",d"),
        )
        upper.append(
            alt.layer(
                band(own, x, y, color=AGENTS["color"]),
                chart_of(own).mark_line().encode(x=x, y=y, **AGENTS),
            ).properties(width=width, height=80 if is_single else 100)
        )
    means = [row for row in rows_of(rows, row_kind="mean") if row["value"] is not None]
    charts: list[Chart] = [alt.hconcat(*upper, spacing=12)] if upper else []
    if means:
        groups = distinct(means, "experiment")
        check_count(groups, PANELS, "tokens-and-cost")
        y = alt.Y("experiment:N", title=None, sort=groups, axis=alt.Axis(grid=True))
        title, scale = "Cost of a conversation (US dollars)", alt.Scale(zero=True)
        charts.append(
            alt.layer(
                *circles(
                    rows_of(rows, row_kind="conversation"), y, "value", title, scale
                ),
                *estimates(means, y, "value", title, scale),
            ).properties(width=inner * 0.72, height=alt.Step(12))
        )
    if not charts:
        raise FigureError(
            "There is nothing to draw: of these experiments neither tokens nor costs"
            " are known; name other experiments."
        )
    return alt.vconcat(*charts, spacing=12)


def _caption(rows: list[Row], _options: Options) -> str:
    means = rows_of(rows, row_kind="mean")
    unknown = sum(row["without_known_cost"] for row in means)
    single = rows_of(rows, row_kind="conversation")
    said = (
        "Tokens of each agent's requests and replies up to each turn, counted by the"
        " provider or estimated by Pidgin, and the cost of conversations at list"
        f" prices. Means and {INTERVALS} (bands, bars)."
        f" {say_single(single, 'Circles are single conversations.')}"
    )
    tokens = rows_of(rows, row_kind="tokens", metric="completion", agent="A")
    if tokens:
        said += f" {say_range(tokens)}"
    known = ", ".join(f"{row['experiment']} {row['conversations']}" for row in means)
    said += f" Conversations of known cost: {known}."
    if unknown:
        said += f" Left out because their cost is not known: {unknown:,}."
    return f"{said} {ONE_VALUE}"


KIND = Kind(
    title="Tokens up to each turn by agent, and what conversations cost",
    query=QUERY,
    needs="messages of complete turns",
    draw=_draw,
    caption=_caption,
)
