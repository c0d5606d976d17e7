"""Pidgin's own queries, as its package and its documentation have them.

Those in code are asked by that code: its functions get a connection to either database.
Those in its documentation stand here word for word, since the package does not hold it.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from pidgin.database.conversation_repository import ConversationRepository
from pidgin.database.event_repository import EventRepository
from pidgin.database.event_store import EventStore
from pidgin.database.experiment_repository import ExperimentRepository
from pidgin.database.message_repository import MessageRepository
from pidgin.database.metrics_repository import MetricsRepository
from pidgin.database.schema_loader import SchemaLoader
from pidgin.database.thinking_repository import ThinkingRepository

TOLERANCE = 1e-9
SCHEMAS = SchemaLoader()  # type: ignore[no-untyped-call]

Rows = list[dict[str, Any]]

# What a query is asked about: nothing in particular, or each of these in turn.
SUBJECTS = {
    "": "select ''",
    "experiment": "select experiment_id from experiments order by all",
    "conversation": "select conversation_id from conversations order by all",
    "agent": """
        select conversation_id, agent_id
        from conversations, (select unnest(['agent_a', 'agent_b']) as agent_id)
        order by all
    """,
    # One turn in five, and where anybody thought: enough, and a second instead of ten.
    "turn": """
        select conversation_id, turn_number from turn_metrics
        where turn_number % 5 = 0 order by all
    """,
    "speaker": """
        select conversation_id, turn_number, agent_id from messages
        where conversation_id in (select conversation_id from thinking_traces)
        order by all
    """,
}

# Ids that the documentation makes up, in whose place those of the subjects go.
EXAMPLES = ("'exp_abc123'", "'your_conversation_id'", "'your_experiment_id'")

# Why values differ that both databases have, by column. Before the semicolon: what is
# here.
WHY = {
    "agent_a": "its logged name, and its temperature; there `Agent A`, and none",
    "agent_b": "its logged name, and its temperature; there `Agent B`, and none",
    "agent_a_response_time_ms": "of this turn; there of the last one, on every turn",
    "agent_b_response_time_ms": "of this turn; there of the last one, on every turn",
    "avg_chars": "with messages of turns that were never complete; there without",
    "avg_tokens": "as `token_count`",
    "avg_unique_words": "without error placeholders; there with them",
    "avg_words": "without error placeholders; there with them",
    "completed": (
        "conversations that logged such an end; there also those without an end, or"
        " what the manifest counted"
    ),
    "completed_at": "the logged end; there the end of the last turn",
    "completed_conversations": "as `completed`",
    "cost_usd": "as `total_cost`",
    "created_at": "the start of the conversation; there the time of the import",
    "cumulative_convergence_score": (
        "without the words of error placeholders; there with them"
    ),
    "message_count": "with messages of turns that were never complete; there without",
    "progress_pct": "as `completed`",
    "shared_vocabulary_size": (
        "0 in a turn with an error placeholder; there the words that it shares"
    ),
    "started_at": "the logged start; there the end of the first turn",
    "status": "by the logged ends; there `completed` where none was logged",
    "timestamp": "the end of the message; there of its turn, for both messages",
    "token_count": "of this message; there of the agent's last one, on every turn",
    "total_chars": "with messages of turns that were never complete; there without",
    "total_cost": (
        "cached tokens at their price; there at the full one, where Pidgin's list lacks"
        " theirs"
    ),
    "total_cost_cents": "as `total_cost`",
    "total_cost_usd": "as `total_cost`",
    "total_tokens": "as `token_count`",
    "value 0": "as `token_count`, in `get_total_tokens`",
}


def store(connection: duckdb.DuckDBPyConnection) -> EventStore:
    """Make Pidgin's store of a connection; its constructor would write tables."""
    made = EventStore.__new__(EventStore)
    made.db = connection
    made.events = EventRepository(connection)
    made.experiments = ExperimentRepository(connection)
    made.conversations = ConversationRepository(connection)
    made.messages = MessageRepository(connection)
    made.metrics = MetricsRepository(connection)
    made.thinking = ThinkingRepository(connection)
    return made


def views() -> dict[str, str]:
    """Return what Pidgin's file of views selects, by the name of the view."""
    found: list[tuple[str, str]] = re.findall(
        r"CREATE OR REPLACE VIEW (\w+) AS\n(.+?);", SCHEMAS.get_views_sql(), re.S
    )
    return dict(found)


@dataclass(frozen=True)
class Query:
    """One query of Pidgin's."""

    asks: str
    place: str
    # What asks it: SQL, or a function of Pidgin's store.
    source: str | Callable[..., Any]
    about: str = ""
    # Columns that tell apart the rows about one subject.
    key: tuple[str, ...] = ()
    # Why it fails in Pidgin's database, or in both.
    fails: str = ""
    fails_here: bool = False
    # Why there are rows that only one of the two has.
    surplus: str = ""

    def rows(
        self, connection: duckdb.DuckDBPyConnection, subjects: Iterable[Sequence[Any]]
    ) -> Rows:
        """Ask about each of the subjects; each row says which it is about."""
        return [
            {"about": tuple(subject)} | row
            for subject in subjects
            for row in self._answer(connection, list(subject) if self.about else [])
        ]

    def _answer(
        self, connection: duckdb.DuckDBPyConnection, subject: Sequence[Any]
    ) -> Rows:
        if not isinstance(self.source, str):
            return _as_rows(self.source(store(connection), *subject))
        sql = self.source
        for example in EXAMPLES:
            sql = sql.replace(example, "?")
        answer = connection.execute(sql, list(subject))
        columns = [column[0] for column in answer.description]
        return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def _as_rows(answer: Any) -> Rows:
    """Take whatever a function of Pidgin's gives back for rows."""
    if answer is None:
        return []
    return [
        row
        if isinstance(row, dict)
        else {
            f"value {number}": value
            for number, value in enumerate(row if isinstance(row, tuple) else (row,))
        }
        for row in (answer if isinstance(answer, list) else [answer])
    ]


@dataclass(frozen=True)
class Comparison:
    """The answers to one query in both databases, or why there is none."""

    here: Rows | Exception
    own: Rows | Exception
    key: tuple[str, ...] = ()

    @property
    def only_here(self) -> int:
        """Rows that Pidgin's database does not have."""
        return len(self._keyed(self.here).keys() - self._keyed(self.own).keys())

    @property
    def only_own(self) -> int:
        """Rows that are missing here."""
        return len(self._keyed(self.own).keys() - self._keyed(self.here).keys())

    @property
    def filled(self) -> set[str]:
        """Columns that differ, but only where Pidgin's database has nothing."""
        return self._columns(lambda _here, own: own is None)

    @property
    def withheld(self) -> set[str]:
        """Columns that differ, but only where they are NULL here."""
        return self._columns(lambda here, _own: here is None) - self.filled

    @property
    def changed(self) -> set[str]:
        """Columns in which both have a value somewhere, and not the same."""
        differing = self._columns(lambda _here, _own: True)
        return differing - self.filled - self.withheld

    def pairs(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return the rows that both have, side by side."""
        here, own = self._keyed(self.here), self._keyed(self.own)
        return [(here[key], own[key]) for key in here if key in own]

    def _columns(self, rule: Callable[[Any, Any], bool]) -> set[str]:
        """Name the columns that differ, and follow a rule wherever they do."""
        differences: dict[str, bool] = {}
        for here, own in self.pairs():
            for column in here.keys() | own.keys():
                one, other = here.get(column), own.get(column)
                if not same(one, other):
                    kept = differences.get(column, True) and rule(one, other)
                    differences[column] = kept
        return {column for column, kept in differences.items() if kept}

    def _keyed(self, rows: Rows | Exception) -> dict[tuple[Any, ...], dict[str, Any]]:
        if isinstance(rows, Exception):
            return {}
        keyed = {
            (row["about"], *(row[column] for column in self.key)): row for row in rows
        }
        assert len(keyed) == len(rows), f"the key {self.key} does not tell rows apart"
        return keyed


def compare(
    query: Query, here: duckdb.DuckDBPyConnection, own: duckdb.DuckDBPyConnection
) -> Comparison:
    """Ask both databases the same, about all that there is in the one here."""
    subjects = here.execute(SUBJECTS[query.about]).fetchall()
    answers: list[Rows | Exception] = []
    for connection in (here, own):
        try:
            answers.append(query.rows(connection, subjects))
        except (duckdb.Error, ValueError) as error:
            answers.append(error)
    return Comparison(answers[0], answers[1], query.key)


def same(one: Any, other: Any) -> bool:
    """Compare values; numbers up to the dust of their binary fractions."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            same(one[key], other[key]) for key in one
        )
    if isinstance(one, str) and isinstance(other, str) and one.startswith(("[", "{")):
        with contextlib.suppress(json.JSONDecodeError):
            return bool(json.loads(one) == json.loads(other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)


NO_TURN = "messages of turns that were never complete"
NO_COLUMN = "its schema has no such column"

# From the documentation in Pidgin's repository, version 1.0.1, the last that is public.
DOCUMENTED = [
    Query(
        "an experiment's summary",
        "docs/database.md, Get experiment summary",
        """
SELECT * FROM experiment_dashboard
WHERE experiment_id = 'exp_abc123';
""",
        "experiment",
    ),
    Query(
        "turns of high convergence",
        "docs/database.md, Find high-convergence moments",
        """
SELECT conversation_id, turn_number, convergence_score
FROM turn_metrics
WHERE convergence_score > 0.8
ORDER BY convergence_score DESC;
""",
        key=("conversation_id", "turn_number"),
    ),
    Query(
        "mean words and distinct words, turn by turn",
        "docs/database.md, Analyze vocabulary compression",
        """
SELECT
    turn_number,
    AVG(message_a_word_count) as avg_words,
    AVG(message_a_unique_words) as avg_unique_words
FROM turn_metrics
GROUP BY turn_number
ORDER BY turn_number;
""",
        key=("turn_number",),
    ),
    Query(
        "tokens and cost by model",
        "docs/database.md, Calculate experiment costs",
        """
SELECT
    provider,
    model,
    SUM(total_tokens) as tokens,
    SUM(total_cost) / 100.0 as cost_usd
FROM token_usage
WHERE conversation_id IN (
    SELECT conversation_id FROM conversations
    WHERE experiment_id = 'exp_abc123'
)
GROUP BY provider, model;
""",
        "experiment",
        key=("provider", "model"),
    ),
    Query(
        "a dashboard of experiments",
        "docs/database.md, experiment_dashboard",
        """
SELECT
    e.*,
    COUNT(DISTINCT c.conversation_id) as actual_conversations,
    AVG(c.final_convergence_score) as avg_convergence,
    SUM(tu.total_tokens) as total_tokens,
    SUM(tu.total_cost) / 100.0 as total_cost_usd
FROM experiments e
LEFT JOIN conversations c ON e.experiment_id = c.experiment_id
LEFT JOIN (SELECT conversation_id, SUM(total_tokens) as total_tokens,
           SUM(total_cost) as total_cost
           FROM token_usage GROUP BY conversation_id) tu
    ON c.conversation_id = tu.conversation_id
GROUP BY e.experiment_id;
""",
        fails="selects columns that it does not group by",
        fails_here=True,
    ),
    Query(
        "the score, smoothed over five turns",
        "docs/database.md, convergence_trends",
        """
SELECT
    conversation_id,
    turn_number,
    convergence_score,
    AVG(convergence_score) OVER (
        PARTITION BY conversation_id
        ORDER BY turn_number
        ROWS BETWEEN 4 PRECEDING AND CURRENT ROW
    ) as rolling_avg_5
FROM turn_metrics;
""",
        key=("conversation_id", "turn_number"),
    ),
    Query(
        "all experiments",
        "docs/analysis.md, Direct DuckDB Queries",
        """
    SELECT experiment_id, name, status, created_at
    FROM experiments
    ORDER BY created_at DESC
""",
        key=("experiment_id",),
    ),
    Query(
        "tokens and score of a conversation's turns",
        "docs/analysis.md, Direct DuckDB Queries",
        """
    SELECT
        turn_number,
        agent_a_tokens,
        agent_b_tokens,
        convergence_score
    FROM turn_metrics
    WHERE conversation_id = ?
    ORDER BY turn_number
""",
        "conversation",
        key=("turn_number",),
        fails=NO_COLUMN,
    ),
    Query(
        "turns, mean score and tokens of an experiment",
        "docs/analysis.md, Direct DuckDB Queries",
        """
    SELECT
        COUNT(*) as total_turns,
        AVG(convergence_score) as avg_convergence,
        SUM(agent_a_tokens + agent_b_tokens) as total_tokens
    FROM turn_metrics
    WHERE experiment_id = ?
""",
        "experiment",
        fails=NO_COLUMN,
    ),
    Query(
        "all turns of an experiment, to save them",
        "docs/analysis.md, Exporting Data",
        """
    SELECT * FROM turn_metrics
    WHERE experiment_id = ?
""",
        "experiment",
        key=("conversation_id", "turn_number"),
        fails=NO_COLUMN,
    ),
    Query(
        "how a conversation converges",
        "docs/convergence.md, Querying Convergence Data",
        """
    SELECT
        turn_number,
        convergence_score,
        vocabulary_overlap,
        mutual_mimicry
    FROM turn_metrics
    WHERE conversation_id = ?
    ORDER BY turn_number
""",
        "conversation",
        key=("turn_number",),
    ),
    Query(
        "conversations of high convergence",
        "docs/convergence.md, Querying Convergence Data",
        """
    SELECT
        conversation_id,
        MAX(convergence_score) as peak_convergence,
        MAX(turn_number) as final_turn
    FROM turn_metrics
    GROUP BY conversation_id
    HAVING MAX(convergence_score) > 0.8
""",
        key=("conversation_id",),
    ),
    Query(
        "a conversation's thinking",
        "docs/extended-thinking.md, Database Queries",
        """
SELECT agent_id, turn_number, thinking_content, thinking_tokens
FROM thinking_traces
WHERE conversation_id = 'your_conversation_id'
ORDER BY turn_number;
""",
        "conversation",
        key=("turn_number", "agent_id"),
    ),
    Query(
        "how much each agent thought",
        "docs/extended-thinking.md, Database Queries",
        """
SELECT
  agent_id,
  COUNT(*) as trace_count,
  SUM(thinking_tokens) as total_tokens,
  AVG(thinking_tokens) as avg_tokens
FROM thinking_traces
WHERE experiment_id = 'your_experiment_id'
GROUP BY agent_id;
""",
        "experiment",
        key=("agent_id",),
        fails=NO_COLUMN,
    ),
    Query(
        "mean score, turn by turn",
        "docs/man/pidgin-metrics.7, Average convergence by turn",
        """
SELECT turn_number, AVG(overall_convergence) as avg_conv
FROM conversation_turns
WHERE experiment_id = ?
GROUP BY turn_number
ORDER BY turn_number;
""",
        "experiment",
        key=("turn_number",),
    ),
    Query(
        "conversations of high convergence",
        "docs/man/pidgin-metrics.7, High convergence conversations",
        """
SELECT conversation_id, MAX(overall_convergence) as peak
FROM conversation_turns
GROUP BY conversation_id
HAVING peak > 0.9
ORDER BY peak DESC;
""",
        key=("conversation_id",),
    ),
    Query(
        "how vocabularies grow",
        "docs/man/pidgin-metrics.7, Vocabulary growth",
        """
SELECT turn_number,
       AVG(cumulative_vocabulary_a) as avg_vocab_a,
       AVG(cumulative_vocabulary_b) as avg_vocab_b
FROM conversation_turns
WHERE experiment_id = ?
GROUP BY turn_number;
""",
        "experiment",
        key=("turn_number",),
        fails=NO_COLUMN,
    ),
]

# What the package's views select from its tables.
VIEWS = [
    Query(
        f"the view `{name}`, out of the tables",
        f"database/schemas/views.sql, {name}",
        select,
        key=("experiment_id",)
        if name == "experiment_dashboard"
        else ("conversation_id", "turn_number"),
    )
    for name, select in views().items()
]

CODE = [
    Query(
        "an experiment",
        "database/experiment_repository.py, get_experiment",
        lambda store, experiment: store.get_experiment(experiment),
        "experiment",
    ),
    Query(
        "the latest experiments",
        "database/experiment_repository.py, list_experiments",
        lambda store: store.list_experiments(),
        key=("experiment_id",),
    ),
    Query(
        "counts and scores of an experiment",
        "database/experiment_repository.py, get_experiment_metrics",
        lambda store, experiment: store.get_experiment_metrics(experiment),
        "experiment",
    ),
    Query(
        "an experiment in one line",
        "database/experiment_repository.py, get_experiment_summary",
        lambda store, experiment: store.get_experiment_summary(experiment),
        "experiment",
    ),
    Query(
        "an experiment's conversations",
        "database/event_store.py, get_experiment_conversations",
        lambda store, experiment: store.get_experiment_conversations(experiment),
        "experiment",
        key=("conversation_id",),
    ),
    Query(
        "an experiment's turns",
        "database/event_store.py, get_experiment_turn_metrics",
        lambda store, experiment: store.get_experiment_turn_metrics(experiment),
        "experiment",
        key=("conversation_id", "turn_number"),
    ),
    Query(
        "an experiment's messages",
        "database/event_store.py, get_experiment_messages",
        lambda store, experiment: store.get_experiment_messages(experiment),
        "experiment",
        key=("conversation_id", "turn_number", "agent_id"),
        fails=NO_COLUMN,
    ),
    Query(
        "a conversation's turns, for transcripts and notebooks",
        "database/event_store.py, get_conversation_turn_metrics",
        lambda store, conversation: store.get_conversation_turn_metrics(conversation),
        "conversation",
        key=("turn_number",),
    ),
    Query(
        "a conversation's messages, for transcripts",
        "database/event_store.py, get_conversation_messages",
        lambda store, conversation: store.get_conversation_messages(conversation),
        "conversation",
        key=("turn_number", "agent_id"),
        surplus=NO_TURN,
    ),
    Query(
        "a conversation's tokens and cost, for transcripts",
        "database/event_store.py, get_conversation_token_usage",
        lambda store, conversation: store.get_conversation_token_usage(conversation),
        "conversation",
    ),
    Query(
        "a conversation",
        "database/conversation_repository.py, get_conversation",
        lambda store, conversation: store.get_conversation(conversation),
        "conversation",
    ),
    Query(
        "what was said in a conversation",
        "database/conversation_repository.py, get_conversation_history",
        lambda store, conversation: store.get_conversation_history(conversation),
        "conversation",
        key=("turn_number", "agent_id"),
        surplus=NO_TURN,
    ),
    Query(
        "names of the agents",
        "database/conversation_repository.py, get_agent_names",
        lambda store, conversation: store.get_agent_names(conversation),
        "conversation",
    ),
    Query(
        "models and temperatures of the agents",
        "database/conversation_repository.py, get_conversation_agent_configs",
        lambda store, conversation: store.get_conversation_agent_configs(conversation),
        "conversation",
    ),
    Query(
        "range of a conversation's scores",
        "database/conversation_repository.py, calculate_convergence_metrics",
        lambda store, conversation: store.calculate_convergence_metrics(conversation),
        "conversation",
    ),
    Query(
        "messages of a turn",
        "database/message_repository.py, get_turn_messages",
        lambda store, *turn: store.get_turn_messages(*turn),
        "turn",
        key=("agent_id",),
    ),
    Query(
        "a conversation's messages",
        "database/message_repository.py, get_conversation_messages",
        lambda store, conversation: store.messages.get_conversation_messages(
            conversation
        ),
        "conversation",
        key=("turn_number", "agent_id"),
        surplus=NO_TURN,
    ),
    Query(
        "number of a conversation's messages",
        "database/message_repository.py, get_message_count",
        lambda store, conversation: store.messages.get_message_count(conversation),
        "conversation",
        fails="Pidgin's list of tables lacks `messages`",
        fails_here=True,
    ),
    Query(
        "tokens of a conversation's messages",
        "database/message_repository.py, get_total_tokens",
        lambda store, conversation: store.messages.get_total_tokens(conversation),
        "conversation",
    ),
    Query(
        "how much an agent said",
        "database/message_repository.py, get_agent_message_stats",
        lambda store, *agent: store.messages.get_agent_message_stats(*agent),
        "agent",
    ),
    Query(
        "a turn",
        "database/metrics_repository.py, get_turn_metrics",
        lambda store, *turn: store.metrics.get_turn_metrics(*turn),
        "turn",
    ),
    Query(
        "a conversation's turns",
        "database/metrics_repository.py, get_conversation_metrics",
        lambda store, conversation: store.metrics.get_conversation_metrics(
            conversation
        ),
        "conversation",
        key=("turn_number",),
    ),
    Query(
        "a conversation's scores",
        "database/metrics_repository.py, get_convergence_progression",
        lambda store, conversation: store.metrics.get_convergence_progression(
            conversation
        ),
        "conversation",
        key=("value 0",),
    ),
    Query(
        "tokens and cost of a conversation",
        "database/metrics_repository.py, get_token_usage_stats",
        lambda store, conversation: store.metrics.get_token_usage_stats(conversation),
        "conversation",
    ),
    Query(
        "an agent's thinking in a turn",
        "database/thinking_repository.py, get_thinking_for_turn",
        lambda store, *speaker: store.get_thinking_for_turn(*speaker),
        "speaker",
    ),
    Query(
        "a conversation's thinking",
        "database/thinking_repository.py, get_thinking_for_conversation",
        lambda store, conversation: store.get_thinking_for_conversation(conversation),
        "conversation",
        key=("turn_number", "agent_id"),
    ),
    Query(
        "tokens of a conversation's thinking",
        "database/thinking_repository.py, get_total_thinking_tokens",
        lambda store, conversation: store.get_total_thinking_tokens(conversation),
        "conversation",
    ),
    Query(
        "how much an agent thought",
        "database/thinking_repository.py, get_agent_thinking_stats",
        lambda store, *agent: store.thinking.get_agent_thinking_stats(*agent),
        "agent",
    ),
    Query(
        "a conversation's events",
        "database/event_repository.py, get_events",
        lambda store, conversation: store.get_events(conversation_id=conversation),
        "conversation",
        key=("timestamp", "event_type"),
        surplus="Pidgin's importer fills no table of events",
    ),
    Query(
        "turns that an experiment has",
        "database/import_service.py, import_all_pending",
        "SELECT COUNT(*) FROM conversation_turns WHERE experiment_id = ?",
        "experiment",
    ),
]

QUERIES = DOCUMENTED + VIEWS + CODE
