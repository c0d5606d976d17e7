"""Pidgin's own queries, as its package and its documentation have them.

Those in code are asked by that code: its functions get a connection to either database.
Those in its documentation stand here word for word, since the package does not hold it.
"""

from __future__ import annotations

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

Rows = list[dict[str, Any]]

# What a query is asked about: nothing in particular, or each of these.
SUBJECTS = {
    "": "select ''",
    "experiment": "select experiment_id from experiments order by all",
    "conversation": "select conversation_id from conversations order by all",
    "agent": """
        select conversation_id, agent_id
        from conversations, (select unnest(['agent_a', 'agent_b']) as agent_id)
        order by all
    """,
    "turn": "select conversation_id, turn_number from turn_metrics order by all",
    "speaker": """
        select conversation_id, turn_number, agent_id
        from turn_metrics, (select unnest(['agent_a', 'agent_b']) as agent_id)
        order by all
    """,
    "provider": "select distinct provider from token_usage order by all",
}

# The names that Pidgin's documentation asks about, to be replaced by ones that exist.
EXAMPLES = ("exp_abc123", "your_conversation_id", "your_experiment_id")


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


@dataclass(frozen=True)
class Query:
    """One query of Pidgin's, and how its two answers compare."""

    name: str
    asks: str
    place: str
    # What asks it: SQL, or a function of Pidgin's store.
    source: str | Callable[..., Any]
    about: str = ""
    # Columns that tell the rows of one answer apart.
    key: tuple[str, ...] = ()
    # Columns of which some values differ; `WHY` says why.
    differs: frozenset[str] = frozenset()
    # Rows are only in one of the two, or a side fails: the reason.
    remark: str = ""

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
            if subject and f"'{example}'" in sql:
                sql, subject = sql.replace(f"'{example}'", "?"), [subject[0]]
        answer = connection.execute(sql, list(subject))
        columns = [column[0] for column in answer.description]
        return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def _as_rows(answer: Any) -> Rows:
    """Take whatever a function of Pidgin's gives back for rows."""
    if answer is None:
        return []
    if not isinstance(answer, list):
        answer = [answer]
    return [
        row
        if isinstance(row, dict)
        else {
            f"value {number}": value
            for number, value in enumerate(row if isinstance(row, tuple) else (row,))
        }
        for row in answer
    ]


@dataclass(frozen=True)
class Comparison:
    """What came of one query in both databases."""

    here: Rows | Exception
    own: Rows | Exception
    key: tuple[str, ...]

    @property
    def only_here(self) -> int:
        """Rows that Pidgin's database does not have."""
        return len(self._keyed(self.here).keys() - self._keyed(self.own).keys())

    @property
    def only_own(self) -> int:
        """Rows that are missing here."""
        return len(self._keyed(self.own).keys() - self._keyed(self.here).keys())

    @property
    def different_columns(self) -> set[str]:
        """Columns of which a row of both holds different values."""
        here, own = self._keyed(self.here), self._keyed(self.own)
        return {
            column
            for key in here.keys() & own.keys()
            for column in here[key].keys() | own[key].keys()
            if not same(here[key].get(column), own[key].get(column))
        }

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
    """Ask both databases the same, about all that is in the one here."""
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
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)


def view_queries() -> dict[str, str]:
    """Return what Pidgin's file of views selects, by the name of the view."""
    found = re.findall(
        r"CREATE OR REPLACE VIEW (\w+) AS\n(.+?);", SchemaLoader().get_views_sql(), re.S
    )
    return dict(found)


PLACEHOLDERS = "an error placeholder is no speech here"
LAST_MESSAGE = "Pidgin repeats the agent's last message on every turn"
PER_MESSAGE = "each message has its own here"
IMPORT = "Pidgin has the time of the import"

# Why a column differs, in a few words for the page.
WHY: dict[str, str] = {}


def _documented() -> list[Query]:
    return []


QUERIES: list[Query] = []
