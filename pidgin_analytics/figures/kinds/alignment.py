"""The figure ``alignment``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    INTERVALS,
    ONE_VALUE,
    PANELS,
    Chart,
    Kind,
    Options,
    Row,
    check_count,
    circles,
    distinct,
    estimates,
    group_axis,
    per_group,
    rows_of,
    say_single,
    zero_line,
)

QUERY = """
with

rates as (
    select
        if($by_model, model_pair, $labels[list_position($experiments, experiment_id)])
            as group_name,
        if($by_model, 0, list_position($experiments, experiment_id)) as position,
        conversation_id,
        100 * sum(a_newly_shared_words) / nullif(sum(a_word_count), 0) as rate_a,
        100 * sum(b_newly_shared_words) / nullif(sum(b_word_count), 0) as rate_b,
        rate_a - rate_b as difference
    from analysis.turns
    where list_contains($experiments, experiment_id)
    group by group_name, position, conversation_id
),

means as (
    select
        group_name,
        row_number() over (order by position, group_name) as position,
        count(*) as conversations,
        avg(rate_a order by rate_a) as rate_a,
        avg(rate_b order by rate_b) as rate_b,
        avg(difference order by difference) as difference,
        $t_quantiles[count(*) - 1]
        * stddev_samp(difference order by difference)
        / sqrt(count(*)) as half_width
    from rates
    where difference is not null
    group by group_name, position
)

select
    'conversation' as row_kind,
    rates.group_name,
    means.position,
    rates.conversation_id,
    rates.rate_a,
    rates.rate_b,
    rates.difference,
    cast(null as double) as lower,
    cast(null as double) as upper,
    cast(null as bigint) as conversations
from rates
inner join means on rates.group_name = means.group_name
where
    rates.difference is not null
    and (select count(difference) from rates) <= $shown
union all by name
select
    'mean' as row_kind,
    group_name,
    position,
    rate_a,
    rate_b,
    difference,
    difference - half_width as lower,
    difference + half_width as upper,
    conversations
from means
order by row_kind, position, conversation_id
"""


def _draw(rows: list[Row], _options: Options, inner: float) -> Chart:
    means = rows_of(rows, row_kind="mean")
    groups = distinct(means, "group_name")
    check_count(groups, PANELS, "alignment")
    y = group_axis(groups)
    title = ["New words adopted from the partner,", "per 100 words: A minus B"]
    scale = alt.Scale(zero=True)
    return alt.layer(
        zero_line(),
        *circles(rows_of(rows, row_kind="conversation"), y, "difference", title, scale),
        *estimates(means, y, "difference", title, scale),
    ).properties(width=inner, height=alt.Step(15))


def _caption(rows: list[Row], options: Options) -> str:
    means = rows_of(rows, row_kind="mean")
    single = rows_of(rows, row_kind="conversation")
    return (
        "Who adapts to whom: adopted words, which an agent says for the first time"
        " after its partner said them, per hundred words of its own; A's rate minus"
        " B's, below 0 if B adopts more. B speaks second in each turn and so always has"
        " one more message to adopt words from: compare groups with each other, not"
        " with 0. This is not the column alignment_gain."
        f" Means (squares) with {INTERVALS}."
        f" {say_single(single, 'Circles are single conversations.')} Conversations by"
        f" {options.group_name}: {per_group(means, 'group_name')}. {ONE_VALUE}"
    )


KIND = Kind(
    title="Who adapts to whom: words that A adopts from B minus those of B from A",
    query=QUERY,
    needs="complete turns with words",
    draw=_draw,
    caption=_caption,
)
