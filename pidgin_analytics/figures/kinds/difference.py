"""The figure ``difference``."""

from __future__ import annotations

import altair as alt

from pidgin_analytics.figures.shared import (
    INTERVALS,
    ONE_VALUE,
    PANELS,
    Chart,
    FigureError,
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

# Welch's interval. Its degrees of freedom are rounded down, which makes it wider.
QUERY = """
with

scores as (
    select
        if($by_model, model_pair, $labels[list_position($experiments, experiment_id)])
            as group_name,
        if($by_model, 0, list_position($experiments, experiment_id)) as position,
        conversation_id,
        if($recorded, mean_convergence, mean_convergence_balanced) as score
    from analysis.conversations
    where
        list_contains($experiments, experiment_id)
        and if($recorded, mean_convergence, mean_convergence_balanced) is not null
),

means as (
    select
        group_name,
        row_number() over (order by position, group_name) as position,
        count(*) as conversations,
        avg(score order by score) as score,
        var_samp(score order by score) / count(*) as squared_error
    from scores
    group by group_name, position
),

differences as (
    select
        means.group_name,
        means.position,
        means.conversations,
        reference.group_name as reference,
        means.score - reference.score as difference,
        means.squared_error + reference.squared_error as squared_error,
        (means.squared_error + reference.squared_error) ** 2
        / nullif(
            means.squared_error ** 2 / (means.conversations - 1)
            + reference.squared_error ** 2 / (reference.conversations - 1),
            0
        ) as degrees
    from means
    inner join means as reference on reference.position = 1 and means.position > 1
),

half_widths as (
    select
        *,
        $t_quantiles[cast(floor(degrees) as integer)] * sqrt(squared_error)
            as half_width
    from differences
)

select
    'conversation' as row_kind,
    scores.group_name,
    means.position,
    scores.conversation_id,
    scores.score as value
from scores
inner join means on scores.group_name = means.group_name
where (select count(*) from scores) <= $shown
union all by name
select
    'mean' as row_kind,
    group_name,
    position,
    score as value,
    score - $t_quantiles[conversations - 1] * sqrt(squared_error) as lower,
    score + $t_quantiles[conversations - 1] * sqrt(squared_error) as upper,
    conversations
from means
union all by name
select
    'difference' as row_kind,
    group_name,
    position,
    difference as value,
    difference - half_width as lower,
    difference + half_width as upper,
    conversations,
    reference,
    degrees
from half_widths
order by row_kind, position, conversation_id
"""


def _draw(rows: list[Row], options: Options, inner: float) -> Chart:
    means = rows_of(rows, row_kind="mean")
    differences = rows_of(rows, row_kind="difference")
    if not differences:
        raise FigureError(
            "difference compares at least two groups, and this is one; name another"
            " experiment, or compare pairs of models."
        )
    groups = distinct(means, "group_name")
    check_count(groups, PANELS, "difference")
    height = alt.Step(15)
    is_single = options.width == "single"
    width = inner if is_single else (inner - 20) / 2
    scale = alt.Scale(zero=False)
    title = f"Mean {options.score_name[0].lower()}{options.score_name[1:]}"
    left = alt.layer(
        *circles(
            rows_of(rows, row_kind="conversation"),
            group_axis(groups),
            "value",
            title,
            scale,
        ),
        *estimates(means, group_axis(groups), "value", title, scale),
    ).properties(width=width, height=height)
    y = group_axis(groups[1:])
    if not is_single:
        # The same rows as on the left.
        y = alt.Y(
            "group_name:N",
            title=None,
            scale=alt.Scale(domain=groups),
            axis=alt.Axis(labels=False, ticks=False, grid=True),
        )
    right = alt.layer(
        zero_line(),
        *estimates(
            differences,
            y,
            "value",
            f"Difference to {differences[0]['reference']}",
            alt.Scale(zero=True),
        ),
    ).properties(width=width, height=height)
    return (
        alt.vconcat(left, right, spacing=12)
        if is_single
        else alt.hconcat(left, right, spacing=20)
    )


def _caption(rows: list[Row], options: Options) -> str:
    means = rows_of(rows, row_kind="mean")
    single = rows_of(rows, row_kind="conversation")
    return (
        f"Mean {options.score_name.lower()} of conversations by {options.group_name}"
        f" (squares) with {INTERVALS}, and differences from the first"
        f" with Welch's 95 % intervals, degrees of freedom rounded down. Not corrected"
        f" for multiple comparisons."
        f" {say_single(single, 'Circles are single conversations.')}"
        f" Conversations: {per_group(means, 'group_name')}. {ONE_VALUE}"
    )


KIND = Kind(
    title="How much experiments or pairs of models differ in mean convergence",
    query=QUERY,
    needs="conversations that have a score",
    draw=_draw,
    caption=_caption,
)
