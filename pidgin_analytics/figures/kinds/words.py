"""The figure ``words``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    Chart,
    Kind,
    Options,
    Row,
    chart_of,
    counted,
    distinct,
)
from pidgin_analytics.palette import LIGHT

QUERY = """
with

adoptions as (
    select * from word_adoptions
    where list_contains($experiments, experiment_id) and not is_stop_word
),

totals as (
    select count(*) as conversations
    from analysis.conversations
    where list_contains($experiments, experiment_id) and spoken_turn_count > 0
),

words as (
    select
        word,
        row_number() over (order by count(*) desc, sum(adopter_uses) desc, word) as rank
    from adoptions
    group by word
)

select
    words.rank,
    words.word,
    if(adoptions.origin_agent_id = 'agent_a', 'A to B', 'B to A') as direction,
    count(*) as adopted_in,
    avg(adoptions.adopted_turn - adoptions.origin_turn) as turns_until_adopted,
    cast(sum(adoptions.adopter_uses) as bigint) as uses_of_the_adopter,
    any_value(totals.conversations) as conversations
from words
inner join adoptions on words.word = adoptions.word
cross join totals
where words.rank <= 20
group by words.rank, words.word, direction
order by words.rank, direction
"""


def _draw(rows: list[Row], _options: Options, inner: float) -> Chart:
    words = distinct(rows, "word")
    directions = ["A to B", "B to A"]
    return (
        chart_of(rows)
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


def _caption(rows: list[Row], _options: Options) -> str:
    conversations = counted(rows[0]["conversations"], "conversation")
    return (
        f"The {len(distinct(rows, 'word'))} words that spread from one agent to the"
        f" other in most conversations, of {conversations}; function words are left"
        " out. A word spreads when an agent says it for the first time after its"
        " partner did; B can do so within the same turn. Words of the topic spread,"
        " too."
    )


KIND = Kind(
    title="The words that spread from one agent to the other most often",
    query=QUERY,
    needs="words that one agent adopted from the other",
    draw=_draw,
    caption=_caption,
)
