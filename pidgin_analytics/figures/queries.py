"""The query of each figure, and what is bound to it.

A query is the only definition of what its figure shows: means, intervals and counts are
computed here and drawn as they are. All take `$experiments`, a list of ids, and those
that name them `$labels`, a list of the same length. `$recorded` says whether the score
is the one that Pidgin recorded instead of the balanced one, and `$by_model` whether
groups are pairs of models instead of experiments.

The conversation is the unit. Intervals are t-intervals over conversations, one value
of each: the mean, plus and minus `$t_quantiles[n - 1]` times the standard error. An
interval of one conversation is NULL.

Sums run in the order of their values, so that the last digit is the same every time.
Single conversations are among the rows up to `$shown` of them, and as panels or lines
of their own up to `$panels`: more could not be told apart.
"""

from __future__ import annotations

CONVERGENCE_EACH = """
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

CONVERGENCE = """
with

scores as (
    select
        conversation_id,
        turn_number,
        if($recorded, convergence_score, convergence_balanced) as score
    from analysis.turns
    where
        list_contains($experiments, experiment_id)
        and is_spoken
        and if($recorded, convergence_score, convergence_balanced) is not null
),

means as (
    select
        turn_number,
        count(*) as conversations,
        avg(score order by score) as score,
        $t_quantiles[count(*) - 1]
        * stddev_samp(score order by score)
        / sqrt(count(*)) as half_width
    from scores
    group by turn_number
)

select
    'mean' as row_kind,
    cast(null as varchar) as conversation_id,
    turn_number,
    score,
    score - half_width as lower,
    score + half_width as upper,
    conversations
from means
union all by name
select
    'conversation' as row_kind,
    conversation_id,
    turn_number,
    score
from scores
where (select count(distinct conversation_id) from scores) <= $shown
order by row_kind desc, conversation_id, turn_number
"""

COMPARISON = """
with

scores as (
    select
        if($by_model, model_pair, $labels[list_position($experiments, experiment_id)])
            as group_name,
        if($by_model, 0, list_position($experiments, experiment_id)) as position,
        turn_number,
        if($recorded, convergence_score, convergence_balanced) as score
    from analysis.turns
    where
        list_contains($experiments, experiment_id)
        and is_spoken
        and if($recorded, convergence_score, convergence_balanced) is not null
),

means as (
    select
        group_name,
        position,
        turn_number,
        count(*) as conversations,
        avg(score order by score) as score,
        $t_quantiles[count(*) - 1]
        * stddev_samp(score order by score)
        / sqrt(count(*)) as half_width
    from scores
    group by group_name, position, turn_number
)

select
    group_name,
    turn_number,
    score,
    score - half_width as lower,
    score + half_width as upper,
    conversations
from means
order by position, group_name, turn_number
"""

# Welch's interval. Its degrees of freedom are rounded down, which makes it wider.
DIFFERENCE = """
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

VOCABULARY = """
with

so_far as (
    select
        conversation_id,
        turn_number,
        sum(a_new_words + b_new_words - a_newly_shared_words - b_newly_shared_words)
            over conversation as distinct_words,
        sum(a_newly_shared_words + b_newly_shared_words) over conversation
            as shared_words
    from analysis.turns
    where list_contains($experiments, experiment_id) and is_spoken
    window conversation as (partition by conversation_id order by turn_number)
),

measured as (
    select
        conversation_id,
        turn_number,
        unnest(['distinct_words', 'share_of_both']) as metric,
        unnest([distinct_words, shared_words / nullif(distinct_words, 0)]) as value
    from so_far
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

STYLE = """
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

# Three turns each, which do not overlap.
START_AND_END = """
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

PATTERNS = """
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

# A sum over turns of which one is not known is not known.
TOKENS_AND_COST = """
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

RESPONSE_TIMES = """
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

WORDS = """
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

ALIGNMENT = """
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
    where list_contains($experiments, experiment_id) and is_spoken
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
