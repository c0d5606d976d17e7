"""The figure ``convergence-each``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    GREY,
    TURNS,
    Chart,
    Kind,
    Options,
    Row,
    chart_of,
    counted,
    distinct,
    score_axis,
    turn_axis,
)
from pidgin_analytics.palette import LIGHT

QUERY = """
with

conversations as (
    select
        conversation_id,
        $labels[list_position($experiments, experiment_id)] as experiment,
        count(*) over () as conversations,
        row_number() over (
            order by
                list_position($experiments, experiment_id),
                started_at,
                conversation_id
        ) as panel
    from analysis.conversations
    where
        list_contains($experiments, experiment_id)
        and if($recorded, mean_convergence, mean_convergence_balanced) is not null
)

select
    conversations.panel,
    conversations.conversations,
    conversations.experiment,
    turns.conversation_id,
    turns.turn_number,
    if($recorded, turns.convergence_score, turns.convergence_balanced) as score,
    if($recorded, turns.rolling_avg_5, turns.balanced_rolling_avg_5) as rolling_mean
from analysis.turns as turns
inner join conversations on turns.conversation_id = conversations.conversation_id
where
    turns.is_spoken
    and conversations.panel <= $panels
    and if($recorded, turns.convergence_score, turns.convergence_balanced) is not null
order by panel, turn_number
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    columns = options.columns(len(distinct(rows, "panel")))
    width = (inner - (columns - 1) * 8) / columns
    has_names = len(distinct(rows, "experiment")) > 1
    titled = [
        row
        | {
            "title": f"{row['experiment']}\n{row['conversation_id']}"
            if has_names
            else row["conversation_id"]
        }
        for row in rows
    ]
    x = turn_axis(rows, ticks=4)
    y = score_axis(options, title="Convergence", ticks=3)
    mean = y.copy()
    mean.shorthand = "rolling_mean:Q"
    base = chart_of(titled)
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
            "title:N", title=None, sort=distinct(titled, "title"), header=header
        ),
        columns=columns,
        spacing=8,
    )


def _caption(rows: list[Row], options: Options) -> str:
    panels, total = len(distinct(rows, "panel")), rows[0]["conversations"]
    of = "" if panels == total else f" of {total:,}, by experiment and start"
    return (
        f"{options.score_name} of {counted(panels, 'conversation')}{of}: each complete"
        f" turn (points) and the mean of up to five turns (line). {TURNS}"
    )


KIND = Kind(
    title="Convergence of each conversation in its own panel",
    query=QUERY,
    needs="complete turns that have a score",
    draw=_draw,
    caption=_caption,
)
