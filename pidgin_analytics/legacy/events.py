"""What the tables of a database tell, as the events that a log would hold."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from pidgin_analytics.legacy.tables import Problems, Row, Tables

Json = dict[str, Any]

AGENTS = ("agent_a", "agent_b")
# Where a run of Pidgin 1.x stopped that named no threshold of its own.
CONVERGENCE_THRESHOLD = 0.95


@dataclass
class Conversation:
    """A conversation of a database.

    Attributes:
        conversation_id: As in the database.
        events: What its log would hold, in order.
        claims: What its experiment's manifest would say of it.
        refusal: Why it cannot be imported; None if it can.
    """

    conversation_id: str
    events: list[Json]
    claims: Json
    refusal: str | None = None

    def count(self, event_type: str) -> int:
        """Count its events of a type."""
        return sum(event["event_type"] == event_type for event in self.events)


@dataclass
class Experiment:
    """An experiment of a database, with its manifest but for the conversations."""

    experiment_id: str
    manifest: Json
    conversations: list[Conversation]


@dataclass
class Database:
    """What a database holds, and in words what of it could not be read."""

    kind: str
    experiments: list[Experiment]
    problems: list[str]


@dataclass
class Message:
    """A message, as far as a database knows it."""

    agent_id: str
    content: str
    timestamp: str | None
    duration_ms: int | None
    metrics: Json


@dataclass
class Turn:
    """A turn, as far as a database knows it.

    Attributes:
        is_listed: Whether the database has a row for the turn itself.
        notes: Further events of the turn, which come before its messages.
    """

    timestamp: str | None = None
    is_listed: bool = False
    convergence_score: float | None = None
    legacy_convergence_score: float | None = None
    metrics: Json = field(default_factory=dict)
    notes: list[Json] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


class Reader:
    """Makes experiments of tables; each shape of database has a kind of its own."""

    kind = ""
    # SQLite's own clock.
    zone: tzinfo = UTC
    experiment_zone: tzinfo = UTC

    def __init__(self, tables: Tables, problems: Problems) -> None:
        """Take tables, and where to note what cannot be imported."""
        self.tables = tables
        self.problems = problems
        self.grouped: dict[str, dict[str, list[Row]]] = {}

    def read(self) -> Database:
        """Read everything."""
        listed = self._identified("conversations", "conversation_id", "experiment_id")
        for table in self.tables.rows:
            if table not in ("experiments", "conversations"):
                self.grouped[table] = self._by_conversation(table, set(listed))
        experiments = self._identified("experiments", "experiment_id")
        members: dict[str, list[Row]] = {name: [] for name in experiments}
        for conversation_id, row in listed.items():
            if row["experiment_id"] not in members:
                self.problems.note(
                    "Conversations of experiments that are not listed", conversation_id
                )
            members.setdefault(row["experiment_id"], []).append(row)
        return Database(
            self.kind,
            [
                self._experiment(experiments.get(name, {"experiment_id": name}), rows)
                for name, rows in members.items()
            ],
            self.problems.texts(),
        )

    def _identified(self, table: str, *keys: str) -> dict[str, Row]:
        """Return the rows of a table by their first key; all keys must be texts."""
        rows = {}
        for number, row in enumerate(self.tables[table], 1):
            if all(isinstance(row.get(key), str) and row[key] for key in keys):
                rows[row[keys[0]]] = row
            else:
                self.problems.note("Rows without an id", f"{table} row {number}")
        return rows

    def _by_conversation(self, table: str, known: set[str]) -> dict[str, list[Row]]:
        """Return the rows of a table by conversation, with sound keys only."""
        groups: dict[str, list[Row]] = defaultdict(list)
        # Pidgin of 2025-07-03 did not know the turn yet when it noted a message.
        first_turn = -1 if table == "messages" else 0
        for number, row in enumerate(self.tables[table], 1):
            place = f"{table} row {number}"
            conversation_id = row.get("conversation_id")
            turn = row.get("turn_number", 0)
            agent = row.get("agent_id", row.get("speaker", AGENTS[0]))
            if table == "events" and conversation_id is None:
                # Of the experiment, whose own row says the same.
                continue
            if not isinstance(conversation_id, str) or conversation_id not in known:
                self.problems.note("Rows of no conversation that is listed", place)
            elif not isinstance(turn, int) or not first_turn <= turn < 2**31 - 1:
                self.problems.note("Rows without a number of a turn", place)
            elif agent not in AGENTS:
                self.problems.note("Rows of neither agent", place)
            else:
                groups[conversation_id].append({**row, "place": place})
        return groups

    def _of(self, table: str, conversation_id: str) -> list[Row]:
        return self.grouped.get(table, {}).get(conversation_id, [])

    def _experiment(self, row: Row, members: list[Row]) -> Experiment:
        config = self._object(row, "config", row["experiment_id"])
        manifest = {
            **row,
            "config": config or {},
            **{
                name: self._time(row, name, self.experiment_zone)
                for name in ("created_at", "started_at", "completed_at")
                if name in row
            },
        }
        return Experiment(
            row["experiment_id"],
            manifest,
            [self._conversation(member, config or {}) for member in members],
        )

    def _conversation(self, row: Row, experiment_config: Json) -> Conversation:
        turns = self._turns(row["conversation_id"])
        start = self._start(row, experiment_config)
        events = [start, *self._turn_events(row["conversation_id"], turns)]
        end = self._end(row, turns, start["max_turns"], experiment_config)
        if end:
            events.append(end)
        return self._finished(row, events)

    def _finished(self, row: Row, events: list[Json]) -> Conversation:
        """Give events what every event has, and say what a manifest would."""
        moments = [event["timestamp"] for event in events if event["timestamp"]]
        for event in events:
            # In the order of a log of Pidgin 1.1.
            for name in ("timestamp", "event_type"):
                event[name] = event.pop(name)
            event["experiment_id"] = row["experiment_id"]
        claims = {
            "status": row.get("status"),
            "total_turns": row.get("total_turns"),
            "last_updated": max(moments, default=None),
        }
        return Conversation(row["conversation_id"], events, claims)

    def _start(self, row: Row, experiment_config: Json) -> Json:
        config = self._object(row, "config", row["conversation_id"]) or {}
        names = {
            name["agent_id"]: name.get("chosen_name")
            for name in self._of("agent_names", row["conversation_id"])
        }
        return {
            "event_type": "ConversationStartEvent",
            "timestamp": self._time(row, "started_at") or self._time(row, "created_at"),
            "conversation_id": row["conversation_id"],
            "config": config,
            **{
                f"{agent}_display_name": row.get(f"{agent}_chosen_name")
                or names.get(agent)
                for agent in AGENTS
            },
            **{f"{agent}_model": row.get(f"{agent}_model") for agent in AGENTS},
            "max_turns": _first(
                config.get("max_turns"),
                row.get("max_turns"),
                experiment_config.get("max_turns"),
            ),
            "initial_prompt": _first(
                config.get("initial_prompt"), row.get("initial_prompt")
            ),
            "temperature_a": _first(
                config.get("temperature_a"), row.get("agent_a_temperature")
            ),
            "temperature_b": _first(
                config.get("temperature_b"), row.get("agent_b_temperature")
            ),
            "legacy_conversation": measured(row, "config"),
        }

    def _end(
        self, row: Row, turns: dict[int, Turn], max_turns: object, config: Json
    ) -> Json | None:
        complete = [turn for _, turn in sorted(turns.items()) if is_complete(turn)]
        reason = self._end_reason(row, complete, max_turns, config)
        if reason is None:
            return None
        last = max(
            (turn.timestamp for turn in complete if turn.timestamp), default=None
        )
        return {
            "event_type": "ConversationEndEvent",
            "timestamp": self._time(row, "completed_at") or last,
            "conversation_id": row["conversation_id"],
            "total_turns": len(complete),
            "status": row.get("status"),
            "reason": reason,
            "error": row.get("error_message"),
            "duration_ms": row.get("duration_ms"),
        }

    def _end_reason(
        self, row: Row, complete: list[Turn], max_turns: object, config: Json
    ) -> str | None:
        """Say why a conversation ended, in a word of Pidgin's; None if it did not."""
        status, recorded = row.get("status"), row.get("convergence_reason")
        if not isinstance(status, str | None):
            self.problems.note("Statuses that are no text", row["conversation_id"])
        if not isinstance(status, str) or status in ("", "created", "running"):
            return None
        # Until 2025-06-28 every reason, since then only that of convergence.
        if isinstance(recorded, str) and recorded:
            return recorded
        if status == "failed":
            return "error"
        if status != "completed":
            return status
        # What stopped before its planned end did so at a threshold, or without a word:
        # Pidgin of June 2025 called that "completed".
        if isinstance(max_turns, int) and len(complete) < max_turns:
            threshold = as_number(config.get("convergence_threshold"))
            threshold = threshold or CONVERGENCE_THRESHOLD
            score = complete[-1].convergence_score if complete else None
            is_alike = score is not None and score >= threshold
            return "high_convergence" if is_alike else "completed"
        return "max_turns_reached"

    def _turns(self, conversation_id: str) -> dict[int, Turn]:
        """Return the turns of a conversation by number."""
        raise NotImplementedError

    def _turn_events(
        self, conversation_id: str, turns: dict[int, Turn]
    ) -> Iterable[Json]:
        for number, turn in sorted(turns.items()):
            base = {"conversation_id": conversation_id, "turn_number": number}
            yield {
                "event_type": "TurnStartEvent",
                "timestamp": _first(
                    *(note["timestamp"] for note in turn.notes),
                    *(message.timestamp for message in turn.messages),
                    turn.timestamp,
                ),
                **base,
            }
            for note in turn.notes:
                yield {**note, **base}
            for message in turn.messages:
                # Pidgin's has no number of the turn. Times are whole seconds here: the
                # same short reply in two turns would be the same line, and count once.
                yield {
                    "event_type": "MessageCompleteEvent",
                    "timestamp": message.timestamp,
                    **base,
                    "agent_id": message.agent_id,
                    "message": _logged(message),
                    "duration_ms": message.duration_ms,
                    "legacy_metrics": message.metrics,
                }
            if is_complete(turn):
                last = {message.agent_id: message for message in turn.messages}
                yield {
                    "event_type": "TurnCompleteEvent",
                    "timestamp": turn.timestamp,
                    **base,
                    "turn": {
                        f"{agent}_message": _logged(last[agent]) for agent in AGENTS
                    },
                    "convergence_score": turn.convergence_score,
                    **legacy_scores(turn),
                }
            elif turn.is_listed:
                self.problems.note(
                    "Turns without both messages", f"{conversation_id} turn {number}"
                )

    def _time(self, row: Row, column: str, zone: tzinfo | None = None) -> str | None:
        """Return a time in UTC as Pidgin logs it; None if there is none."""
        value = row.get(column)
        if value is None:
            return None
        try:
            time = datetime.fromisoformat(value) if isinstance(value, str) else value
            if time.tzinfo is None:
                time = time.replace(tzinfo=zone or self.zone)
            return str(time.astimezone(UTC).isoformat())
        except (AttributeError, ValueError, OverflowError):
            self.problems.note("Times that cannot be read", repr(value)[:40])
            return None

    def _object(self, row: Row, column: str, place: str = "") -> Json | None:
        """Return a column's JSON object; None if there is none."""
        value = row.get(column)
        if value is None:
            return None
        document = _parsed(value)
        if document is None:
            self.problems.note(f"Unreadable {column}", place or row["place"])
        return document


def is_complete(turn: Turn) -> bool:
    """Tell whether both agents spoke."""
    return {message.agent_id for message in turn.messages} == set(AGENTS)


def _logged(message: Message) -> Json:
    return {
        "role": "assistant",
        "content": message.content,
        "agent_id": message.agent_id,
        "timestamp": message.timestamp,
    }


def legacy_scores(turn: Turn) -> Json:
    """Return what only the database says of a turn, as fields of its last event."""
    return {
        "legacy_convergence_score": turn.legacy_convergence_score,
        "legacy_metrics": turn.metrics,
    }


def _parsed(value: object) -> Json | None:
    try:
        document = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def measured(row: Row, *left_out: str) -> Json:
    """Return what a row says beside its keys and where it says anything."""
    keys = (
        "id",
        "conversation_id",
        "experiment_id",
        "turn_number",
        "agent_id",
        "place",
    )
    return {
        name: value
        for name, value in row.items()
        if value is not None and name not in keys and name not in left_out
    }


def merged(columns: Json, document: Json | None) -> Json:
    """Put columns and a JSON document that says mostly the same into one."""
    merged = dict(document or {})
    for name, value in columns.items():
        if merged.setdefault(name, value) != value:
            merged[f"{name} (column)"] = value
    return merged


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def as_number(value: object) -> float | None:
    """Return a number as a float; of anything else None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def as_duration(value: object) -> int | None:
    """Return milliseconds; Pidgin wrote 0 where it knew none."""
    return value if isinstance(value, int) and value > 0 else None
