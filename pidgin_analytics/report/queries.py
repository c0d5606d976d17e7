"""What the report asks the warehouse: every figure on the page comes from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """A line of a chart: a column of `analysis.turns`.

    Attributes:
        key: Its name in the page.
        column: The column, which its description stands beside.
        scale: What the column is multiplied by for the page.
    """

    key: str
    column: str
    scale: float = 1


@dataclass(frozen=True)
class Metric:
    """A metric over turns, of the pair or of each agent.

    Attributes:
        key: Its name in the page.
        title: What people read.
        unit: Unit or range of the values.
        series: One line for the pair, or those of agents A and B in turn.
        labels: What the lines are called.
    """

    key: str
    title: str
    unit: str
    series: tuple[Series, ...]
    labels: tuple[str, ...] = ("pair",)


def _of_agents(column: str, scale: float = 1) -> tuple[Series, ...]:
    return tuple(
        Series(f"{agent}_{column}", f"{agent}_{column}", scale) for agent in "ab"
    )


AGENTS = ("agent A", "agent B")
METRICS = (
    Metric(
        "convergence_balanced",
        "Convergence, balanced weights",
        "score from 0 to 1",
        (Series("convergence_balanced", "convergence_balanced"),),
    ),
    Metric(
        "convergence_score",
        "Convergence, as recorded live",
        "score from 0 to 1",
        (Series("convergence_score", "convergence_score"),),
    ),
    Metric(
        "vocabulary_overlap",
        "Vocabulary overlap of the two messages",
        "share from 0 to 1",
        (Series("vocabulary_overlap", "vocabulary_overlap"),),
    ),
    Metric(
        "phrase_alignment",
        "Words that both messages share (phrase_alignment)",
        "share from 0 to 1",
        (Series("phrase_alignment", "phrase_alignment"),),
    ),
    Metric(
        "mimicry",
        "Shared phrases, as a share of each one's (mimicry scores)",
        "share from 0 to 1",
        (
            Series("mimicry_score_a_to_b", "mimicry_score_a_to_b"),
            Series("mimicry_score_b_to_a", "mimicry_score_b_to_a"),
        ),
        ("of A's phrases", "of B's phrases"),
    ),
    Metric(
        "word_count", "Length", "words per message", _of_agents("word_count"), AGENTS
    ),
    Metric(
        "recent_mattr",
        "Lexical diversity of what was said last (MATTR)",
        "share from 0 to 1",
        _of_agents("recent_mattr"),
        AGENTS,
    ),
    Metric(
        "symbol_share",
        "Symbols in place of words",
        "share from 0 to 1",
        _of_agents("symbol_share"),
        AGENTS,
    ),
    Metric(
        "self_repetition",
        "Words that equal the word before them",
        "share from 0 to 1",
        _of_agents("self_repetition"),
        AGENTS,
    ),
    Metric(
        "completion_tokens",
        "Completion tokens",
        "tokens per message",
        _of_agents("completion_tokens"),
        AGENTS,
    ),
    Metric(
        "prompt_tokens",
        "Prompt tokens",
        "tokens per request",
        _of_agents("prompt_tokens"),
        AGENTS,
    ),
    Metric(
        "response_time",
        "Response time",
        "seconds",
        _of_agents("response_time_ms", 0.001),
        AGENTS,
    ),
)
SERIES = tuple(series for metric in METRICS for series in metric.series)

PATTERNS = (
    ("loop_turn", "going in circles"),
    ("loop_escape_turn", "out of the circle"),
    ("farewell_loop_turn", "farewells"),
    ("gratitude_spiral_turn", "thanks and praise"),
    ("silence_turn", "silence"),
    ("symbol_ending_turn", "symbols in place of words"),
    ("vocabulary_collapse_turn", "vocabulary collapse"),
    ("echo_chamber_turn", "echo chamber"),
    ("symbolic_phase_turn", "symbolic phase"),
    ("compression_phase_turn", "shortening"),
)

# What the page shows of each conversation, in this order.
CONVERSATION_COLUMNS = (
    "conversation_id",
    "experiment_id",
    "status",
    "end_reason",
    "started_at",
    "agent_a_model",
    "agent_b_model",
    "agent_a_name",
    "agent_b_name",
    "initial_prompt",
    "awareness_a",
    "awareness_b",
    "temperature_a",
    "temperature_b",
    "max_turns",
    "convergence_threshold",
    "turn_count",
    "spoken_turn_count",
    "mean_convergence",
    "final_convergence",
    "mean_convergence_balanced",
    "final_convergence_balanced",
    "convergence_velocity",
    "cost_usd",
    "incident_count",
    *(pattern for pattern, _ in PATTERNS),
)

CONVERSATIONS = f"""
    with
    totals as (
        select
            conversation_id,
            count(*) as message_count,
            count(*) filter (where is_api_error) as placeholder_count
        from messages
        group by conversation_id
    ),
    words as (
        select
            conversation_id,
            sum(word_count) as word_count
        from message_metrics
        group by conversation_id
    ),
    usage as (
        select
            conversation_id,
            sum(prompt_tokens) as prompt_tokens,
            sum(completion_tokens) as completion_tokens,
            count(cost_usd) as priced_agents
        from token_usage
        group by conversation_id
    ),
    scores as (
        select
            conversation_id,
            count(convergence_score) as recorded_turn_count,
            count(convergence_balanced) as balanced_turn_count
        from turn_metrics
        where is_spoken
        group by conversation_id
    )
    select
        {", ".join(f"conversations.{column}" for column in CONVERSATION_COLUMNS)},
        coalesce(totals.message_count, 0) as message_count,
        coalesce(totals.placeholder_count, 0) as placeholder_count,
        words.word_count,
        usage.prompt_tokens,
        usage.completion_tokens,
        coalesce(scores.recorded_turn_count, 0) as recorded_turn_count,
        coalesce(scores.balanced_turn_count, 0) as balanced_turn_count
    from analysis.conversations as conversations
    left join totals using (conversation_id)
    left join words using (conversation_id)
    left join usage using (conversation_id)
    left join scores using (conversation_id)
    where list_contains($experiments, conversations.experiment_id)
    order by
        conversations.experiment_id,
        conversations.started_at,
        conversations.conversation_id
"""  # noqa: S608

EXPERIMENTS = """
    select
        experiment_id,
        name,
        status,
        created_at,
        models,
        conversations,
        turns,
        spoken_turns,
        messages,
        words,
        prompt_tokens,
        completion_tokens,
        cost_usd,
        incidents,
        avg_convergence,
        avg_convergence_balanced,
        convergence_trend_within,
        convergence_trend_within_balanced
    from experiment_dashboard
    where $experiments is null or list_contains($experiments, experiment_id)
    order by created_at, experiment_id
"""

# Conversations that the page always takes together, so that what it shows of any
# selection follows from these rows without loss.
CURVES = f"""
    select
        experiment_id,
        agent_a_model,
        agent_b_model,
        status,
        turn_number,
        {
    ", ".join(
        f"count({series.column}) as {series.key}__count,"
        f" avg({series.column}) * {series.scale} as {series.key}__mean,"
        f" var_pop({series.column}) * count({series.column})"
        f" * {series.scale * series.scale} as {series.key}__squares"
        for series in SERIES
    )
}
    from analysis.turns
    where
        is_spoken
        and list_contains($experiments, experiment_id)
        and turn_number % $every = 0
    group by all
    order by all
"""  # noqa: S608

COUNT_CURVES = """
    select
        count(
            distinct (experiment_id, agent_a_model, agent_b_model, status, turn_number)
        ) as rows
    from analysis.turns
    where is_spoken and list_contains($experiments, experiment_id)
"""

# Conversations of each experiment that are shown one by one: the first by the order of
# their hash, which has nothing to do with what they hold.
SHOWN = """
    select conversation_id
    from analysis.conversations
    where list_contains($experiments, experiment_id) and turn_count > 0
    qualify
        row_number() over (
            partition by experiment_id order by md5(conversation_id), conversation_id
        ) <= $of_each
"""

TURNS = """
    select
        turns.conversation_id,
        turns.turn_number,
        turns.is_spoken,
        turns.convergence_balanced,
        turns.balanced_rolling_avg_5,
        turns.convergence_score,
        turns.rolling_avg_5,
        turns.vocabulary_overlap
    from analysis.turns as turns
    semi join (select unnest($conversations) as conversation_id) as wanted
        using (conversation_id)
    order by turns.conversation_id, turns.turn_number
"""

INCIDENTS = """
    select
        conversation_id,
        turn_number,
        agent_id,
        incident_type,
        detail,
        seconds
    from incidents
    semi join (select unnest($conversations) as conversation_id) as wanted
        using (conversation_id)
    order by conversation_id, occurred_at, event_id
"""

# The words that most conversations of an experiment took over, and how many of each of
# the parts of CURVES did.
WORDS = """
    with
    adoptions as (
        select
            adoptions.*,
            conversations.agent_a_model,
            conversations.agent_b_model,
            conversations.status
        from word_adoptions as adoptions
        inner join analysis.conversations as conversations using (conversation_id)
        where
            not adoptions.is_stop_word
            and list_contains($experiments, adoptions.experiment_id)
    ),
    words as (
        select
            experiment_id,
            word
        from adoptions
        group by experiment_id, word
        qualify
            row_number() over (
                partition by experiment_id
                order by count(*) desc, sum(origin_uses + adopter_uses) desc, word
            ) <= $of_each
    )
    select
        experiment_id,
        agent_a_model,
        agent_b_model,
        status,
        word,
        count(*) filter (where origin_agent_id = 'agent_a') as a_to_b,
        count(*) filter (where origin_agent_id = 'agent_b') as b_to_a
    from adoptions
    semi join words using (experiment_id, word)
    group by all
    order by all
"""

QUALITY = """
    select
        count(*) as files,
        sum(line_count) as lines,
        sum(event_count) as events,
        sum(duplicate_count) as duplicates,
        sum(rejected_count) as rejected,
        sum(pending_count) as pending,
        sum(forgotten_count) as forgotten,
        count(*) filter (where problem is not null) as files_with_problem
    from event_files
"""

REJECTED = """
    select reason, count(*) as lines
    from rejected_lines
    group by reason
    order by lines desc, reason
    limit 10
"""

# What people read when they ask what a column means.
DEFINITIONS = """
    select
        schema_name,
        table_name,
        column_name,
        comment
    from duckdb_columns()
    where
        comment is not null
        and (
            (schema_name = 'analysis' and table_name in ('conversations', 'turns'))
            or (
                schema_name = 'main'
                and table_name in ('experiment_dashboard', 'event_files')
            )
        )
"""

TRANSCRIPT_SIZES = """
    select
        conversation_id,
        sum(strlen(content)) as bytes
    from messages
    where list_contains($experiments, experiment_id)
    group by conversation_id
"""

MESSAGES = """
    select
        messages.conversation_id,
        messages.turn_number,
        messages.agent_id,
        messages.content,
        messages.sent_at,
        messages.is_api_error,
        messages.is_turn_complete,
        messages.response_time_ms,
        messages.prompt_tokens,
        messages.completion_tokens,
        messages.thinking_content,
        messages.word_count,
        messages.mattr,
        messages.symbol_share
    from analysis.messages as messages
    semi join (select unnest($conversations) as conversation_id) as wanted
        using (conversation_id)
    order by messages.conversation_id, messages.turn_number, messages.agent_id
"""

# Of all at once: the view looks at every word in any case.
ADOPTIONS = """
    select
        conversation_id,
        word,
        origin_agent_id,
        origin_turn,
        adopted_turn
    from word_adoptions
    where
        not is_stop_word
        and list_contains($experiments, experiment_id)
    order by conversation_id, adopted_turn, word
"""
