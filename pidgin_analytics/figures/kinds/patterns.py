"""The figure ``patterns``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    FAINT,
    SHAPES,
    Chart,
    Kind,
    Options,
    Row,
    chart_of,
    counted,
    distinct,
    rows_of,
)
from pidgin_analytics.palette import LIGHT

PATTERN_NAMES = (
    *("loop", "farewell", "gratitude", "silence", "symbol ending"),
    *("vocabulary collapse", "echo chamber", "symbolic phase", "compression"),
)

QUERY = """
with

onsets as (
    select
        conversation_id,
        $labels[list_position($experiments, experiment_id)] as experiment,
        turn_count,
        map_from_entries([
            ('loop', loop_turn),
            ('farewell', farewell_loop_turn),
            ('gratitude', gratitude_spiral_turn),
            ('silence', silence_turn),
            ('symbol ending', symbol_ending_turn),
            ('vocabulary collapse', vocabulary_collapse_turn),
            ('echo chamber', echo_chamber_turn),
            ('symbolic phase', symbolic_phase_turn),
            ('compression', compression_phase_turn)
        ]) as turns,
        row_number() over (
            order by
                list_position($experiments, experiment_id),
                started_at,
                conversation_id
        ) as place
    from analysis.conversations
    where list_contains($experiments, experiment_id) and spoken_turn_count > 0
),

conversations as (
    select
        *,
        len(list_filter(map_values(turns), lambda turn: turn is not null)) as patterns,
        count(*) over () as conversations,
        row_number() over (order by patterns > 0 desc, place) as rank
    from onsets
),

shown as (
    select * from conversations where rank <= $panels
),

found as (
    select
        place,
        experiment,
        conversation_id,
        turn_count,
        conversations,
        unnest(map_keys(turns)) as pattern,
        unnest(map_values(turns)) as turn_number
    from shown
)

select
    'conversation' as row_kind,
    place,
    experiment,
    conversation_id,
    turn_count,
    conversations,
    cast(null as varchar) as pattern,
    cast(null as integer) as turn_number
from shown
union all by name
select 'pattern' as row_kind, * from found where turn_number is not null
order by row_kind, place, turn_number, pattern
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    conversations = rows_of(rows, row_kind="conversation")
    found = rows_of(rows, row_kind="pattern")
    order = distinct(conversations, "place")
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
        chart_of(own)
        .mark_rule(color=FAINT, strokeWidth=0.8)
        .encode(
            x=alt.X("first:Q", scale=scale, title="Turn", axis=axis),
            x2="turn_count:Q",
            y=places,
        )
    )
    layers: list[Chart] = [lines]
    if found:
        shown = [name for name in PATTERN_NAMES if rows_of(found, pattern=name)]
        numbers = [PATTERN_NAMES.index(name) for name in shown]
        legend = alt.Legend(
            title=None, columns=2 if options.width == "single" else 5, symbolSize=45
        )
        layers.append(
            chart_of([row | {"name": names[row["place"]]} for row in found])
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


def _caption(rows: list[Row], _options: Options) -> str:
    conversations = rows_of(rows, row_kind="conversation")
    found = rows_of(rows, row_kind="pattern")
    total = conversations[0]["conversations"]
    of = (
        ""
        if len(conversations) == total
        else f" of {total:,}, those with a pattern first"
    )
    counts = ", ".join(
        f"{name} {len(rows_of(found, pattern=name))}"
        for name in PATTERN_NAMES
        if rows_of(found, pattern=name)
    )
    return (
        f"First turn of each pattern in {counted(len(conversations), 'conversation')}"
        f"{of}; lines are as long as the conversations."
        f" Conversations with a pattern: {counts or 'none'}."
        " Turns are counted from 0."
    )


KIND = Kind(
    title="When conversations loop, fall silent, or show other patterns",
    query=QUERY,
    needs="conversations with a complete turn",
    draw=_draw,
    caption=_caption,
)
