"""Pidgin's own databases, read as the logs that their conversations would have.

Until July 2025 Pidgin kept experiments in SQLite and wrote no logs of them; later it
read its logs into DuckDB. Such a file may be all that is left of a conversation.
``docs/decisions/0005-databases-of-earlier-days.md`` says what becomes of what.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import duckdb

from pidgin_analytics.sql_text import identifier

Json = dict[str, Any]
Row = dict[str, Any]

AGENTS = ("agent_a", "agent_b")
SQLITE_MAGIC = b"SQLite format 3\0"
DUCKDB_MAGIC = b"DUCK"
# Where a file of DuckDB says which version wrote it.
WRITER = slice(52, 84)

# The tables that are read, and of each what is not: what is counted in the text again.
TABLES: dict[str, tuple[str, ...]] = {
    "experiments": (),
    "conversations": (),
    "agent_names": (),
    "turns": (),
    "turn_metrics": ("word_frequencies_a", "word_frequencies_b", "shared_vocabulary"),
    "message_metrics": (),
    "messages": (),
    "conversation_turns": (),
    "thinking_traces": (),
    "token_usage": (),
    "context_truncations": (),
    "events": (),
}
# The wide table of Pidgin 1.x has 150 more: metrics as in the marts, and tokens and
# times of the conversation's last message in every row.
WIDE_COLUMNS = (
    *("experiment_id", "conversation_id", "turn_number", "timestamp"),
    *("agent_a_model", "agent_b_model", "awareness_a", "awareness_b"),
    *("temperature_a", "temperature_b", "initial_prompt"),
    *("agent_a_message", "agent_b_message"),
)
# Where a run of Pidgin 1.x stopped that named no threshold of its own.
CONVERGENCE_THRESHOLD = 0.95


class LegacyError(Exception):
    """A database cannot be imported; the message says why."""


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


def read_database(path: Path, zone: tzinfo) -> Database:
    """Read a database of any shape, without writing to it.

    Args:
        path: The file.
        zone: Zone of the times that Pidgin wrote as local ones.

    Raises:
        LegacyError: it is no database of Pidgin's, or cannot be read now.
    """
    problems = _Problems()
    try:
        with path.open("rb") as file:
            start = file.read(WRITER.stop)
        if start.startswith(SQLITE_MAGIC):
            # In WAL mode a reader makes files beside it. Nobody writes this one now.
            is_quiet = start[18:20] == b"\2\2" and not Path(f"{path}-wal").exists()
            tables = _read_sqlite(path, is_quiet, problems)
        elif start[8:12] == DUCKDB_MAGIC:
            tables = _read_duckdb(path)
        else:
            raise LegacyError("It is no database of SQLite or DuckDB.")
    except (OSError, sqlite3.Error, duckdb.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        if "a database file with version number" in reason:
            writer = start[WRITER].rstrip(b"\0").decode("ascii", "replace")
            raise LegacyError(
                f"It was written by DuckDB {writer}, and DuckDB {duckdb.__version__},"
                " which is here, cannot read that: copy it with the one that wrote it"
                " (attach 'old.duckdb' as old; attach 'new.duckdb' as new"
                " (storage_version 'v1.0.0'); copy from database old to new) and import"
                " the copy."
            ) from error
        raise LegacyError(f"It cannot be read: {reason}") from error
    is_duckdb = not start.startswith(SQLITE_MAGIC)
    try:
        return _reader(tables, is_duckdb, zone, problems).read()
    except KeyError as error:
        raise LegacyError(f"A table of it lacks the column {error}.") from error


class _Problems:
    """What cannot be imported, gathered by kind."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = defaultdict(list)

    def note(self, problem: str, place: str) -> None:
        self._places[problem].append(place)

    def texts(self) -> list[str]:
        return [
            f"{problem} ({len(places)}): {', '.join(places[:3])}"
            + (", ..." if len(places) > 3 else "")
            for problem, places in self._places.items()
        ]


@dataclass
class _Tables:
    """The tables of a database: all their columns, and the rows of those in use."""

    columns: dict[str, list[str]]
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> list[Row]:
        return self.rows.get(name, [])


def _read_sqlite(path: Path, is_quiet: bool, problems: _Problems) -> _Tables:
    def decode(content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError:
            text = content.decode(errors="replace")
            problems.note("Bytes that are no text, now U+FFFD", repr(text[:40]))
            return text

    address = f"{path.absolute().as_uri()}?mode=ro" + "&immutable=1" * is_quiet
    with closing(sqlite3.connect(address, uri=True, timeout=1)) as connection:
        connection.text_factory = decode
        names = [
            name
            for (name,) in connection.execute(
                "select name from sqlite_master where type = 'table' order by name"
            )
        ]
        tables = _Tables({})
        for name in names:
            found = connection.execute(f"pragma table_info({identifier(name)})")
            tables.columns[name] = [column[1] for column in found]
        # All of one moment, should somebody write.
        connection.execute("begin")
        for name in TABLES:
            if name in tables.columns:
                tables.rows[name] = _rows(connection, name, tables.columns[name])
    return tables


def _read_duckdb(path: Path) -> _Tables:
    with closing(duckdb.connect(str(path.absolute()), read_only=True)) as connection:
        # A column of a stranger's table may be computed when it is read.
        connection.execute("set enable_external_access = false; begin")
        tables = _Tables({})
        for name, column in connection.execute(
            "select table_name, column_name from duckdb_columns()"
            " where schema_name = 'main' and database_name = current_database()"
            " and table_oid in (select table_oid from duckdb_tables())"
            " order by table_name, column_index"
        ).fetchall():
            tables.columns.setdefault(name, []).append(column)
        for name, left_out in TABLES.items():
            columns = [
                column
                for column in tables.columns.get(name, [])
                if column not in left_out
                and (name != "conversation_turns" or column in WIDE_COLUMNS)
            ]
            if columns:
                tables.rows[name] = _rows(connection, name, columns)
    return tables


def _rows(
    connection: sqlite3.Connection | duckdb.DuckDBPyConnection,
    table: str,
    columns: list[str],
) -> list[Row]:
    chosen = ", ".join(map(identifier, columns))
    found = connection.execute(
        f"select {chosen} from {identifier(table)} order by rowid"  # noqa: S608
    )
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def _reader(
    tables: _Tables, is_duckdb: bool, zone: tzinfo, problems: _Problems
) -> _Reader:
    """Recognise the shape of a database by its tables.

    Raises:
        LegacyError: Pidgin never wrote such tables.
    """
    names = set(tables.columns)
    if "fingerprint" in tables.columns.get("conversations", []):
        raise LegacyError("It is a warehouse of this project, no database of Pidgin's.")
    if {"experiments", "conversations"} <= names:
        if is_duckdb and names & {"messages", "conversation_turns", "events"}:
            return _DuckdbReader(tables, problems, zone)
        if not is_duckdb and {"turn_metrics", "message_metrics"} <= names:
            return _MetricsReader(tables, problems)
        if not is_duckdb and "turns" in names:
            return _TurnsReader(tables, problems)
    raise LegacyError(
        f"It holds no tables of Pidgin's, but {', '.join(sorted(names)[:9]) or 'none'}."
    )


@dataclass
class _Message:
    """A message, as far as a database knows it."""

    agent_id: str
    content: str
    timestamp: str | None
    duration_ms: int | None
    metrics: Json


@dataclass
class _Turn:
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
    messages: list[_Message] = field(default_factory=list)


class _Reader:
    """Makes experiments of tables; each shape of database has a kind of its own."""

    kind = ""
    # SQLite's own clock.
    zone: tzinfo = UTC
    experiment_zone: tzinfo = UTC

    def __init__(self, tables: _Tables, problems: _Problems) -> None:
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
            "legacy_conversation": _measured(row, "config"),
        }

    def _end(
        self, row: Row, turns: dict[int, _Turn], max_turns: object, config: Json
    ) -> Json | None:
        complete = [turn for _, turn in sorted(turns.items()) if _is_complete(turn)]
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
        self, row: Row, complete: list[_Turn], max_turns: object, config: Json
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
            threshold = _number(config.get("convergence_threshold"))
            threshold = threshold or CONVERGENCE_THRESHOLD
            score = complete[-1].convergence_score if complete else None
            is_alike = score is not None and score >= threshold
            return "high_convergence" if is_alike else "completed"
        return "max_turns_reached"

    def _turns(self, conversation_id: str) -> dict[int, _Turn]:
        """Return the turns of a conversation by number."""
        raise NotImplementedError

    def _turn_events(
        self, conversation_id: str, turns: dict[int, _Turn]
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
            if _is_complete(turn):
                last = {message.agent_id: message for message in turn.messages}
                yield {
                    "event_type": "TurnCompleteEvent",
                    "timestamp": turn.timestamp,
                    **base,
                    "turn": {
                        f"{agent}_message": _logged(last[agent]) for agent in AGENTS
                    },
                    "convergence_score": turn.convergence_score,
                    **_legacy_scores(turn),
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


class _MetricsReader(_Reader):
    """SQLite from 2025-06-18 to 2025-07-02: texts are among the metrics of messages."""

    kind = "SQLite, June 2025"

    def _turns(self, conversation_id: str) -> dict[int, _Turn]:
        turns: dict[int, _Turn] = defaultdict(_Turn)
        for row in self._of("turn_metrics", conversation_id):
            turn = turns[row["turn_number"]]
            turn.is_listed = True
            turn.timestamp = self._time(row, "timestamp")
            turn.legacy_convergence_score = _number(row.get("convergence_score"))
            document = self._object(row, "metrics_json")
            turn.metrics = _merged(
                _measured(row, "metrics_json", "timestamp"), document
            )
        for row in self._of("message_metrics", conversation_id):
            document = self._object(row, "metrics_json") or {}
            text = document.pop("message", None)
            if not isinstance(text, str):
                self.problems.note("Messages without text", row["place"])
                continue
            turn = turns[row["turn_number"]]
            metrics = _merged(_measured(row, "metrics_json"), document)
            turn.messages.append(
                _Message(
                    row["agent_id"],
                    text,
                    turn.timestamp,
                    _duration(metrics.get("response_time_ms")),
                    metrics,
                )
            )
        return turns


class _TurnsReader(_Reader):
    """SQLite of 2025-06-16 and 17: a row of `turns` is a message, with its metrics."""

    kind = "SQLite, 16 or 17 June 2025"

    def _turns(self, conversation_id: str) -> dict[int, _Turn]:
        turns: dict[int, _Turn] = defaultdict(_Turn)
        for row in self._of("turns", conversation_id):
            if not isinstance(row["message"], str):
                self.problems.note("Messages without text", row["place"])
                continue
            # It counts messages: those of agent A are even.
            turn = turns[row["turn_number"] // 2]
            document = self._object(row, "additional_metrics")
            metrics = _merged(
                _measured(row, "message", "speaker", "timestamp", "additional_metrics"),
                document,
            )
            time = self._time(row, "timestamp")
            turn.timestamp = time or turn.timestamp
            turn.legacy_convergence_score = _number(row.get("convergence_score"))
            turn.messages.append(
                _Message(
                    row["speaker"],
                    row["message"],
                    time,
                    _duration(metrics.get("response_time_ms")),
                    metrics,
                )
            )
        return turns


class _DuckdbReader(_Reader):
    """DuckDB from 2025-07-03 to Pidgin 1.1: tables made of logs, or instead of them."""

    kind = "DuckDB"

    def __init__(self, tables: _Tables, problems: _Problems, zone: tzinfo) -> None:
        super().__init__(tables, problems)
        self.zone = zone
        # Before there was an importer, scores were those of the SQLite era and all
        # times local. The importer takes those of experiments from manifests, in UTC.
        columns = tables.columns.get("turn_metrics", ["cumulative_overlap"])
        self.is_first = "cumulative_overlap" not in columns
        if self.is_first:
            self.experiment_zone = zone
        known = {row.get("conversation_id") for row in tables["conversations"]}
        for row in tables["conversation_turns"]:
            if row["conversation_id"] not in known:
                # In July 2025 the importer filled this table alone.
                known.add(row["conversation_id"])
                tables["conversations"].append(
                    {
                        column: row.get(column)
                        for column in (
                            *("conversation_id", "experiment_id", "initial_prompt"),
                            *("agent_a_model", "agent_b_model"),
                        )
                    }
                )

    def _conversation(self, row: Row, experiment_config: Json) -> Conversation:
        conversation_id = row["conversation_id"]
        turns = self._turns(conversation_id)
        logged = self._logged_events(row, turns)
        if logged is not None:
            end = self._end(row, turns, row.get("max_turns"), experiment_config)
            if end and not any(
                event["event_type"] == "ConversationEndEvent" for event in logged
            ):
                logged.append(end)
            return self._finished(row, logged)
        conversation = super()._conversation(row, experiment_config)
        messages = [message for turn in turns.values() for message in turn.messages]
        if (turns or row.get("total_turns")) and not any(
            message.content for message in messages
        ):
            conversation.refusal = (
                "the database holds no text of it, like all that Pidgin 1.0 made;"
                " its text can come from its log alone"
            )
        return conversation

    def _start(self, row: Row, experiment_config: Json) -> Json:
        start = super()._start(row, experiment_config)
        conversation_id = row["conversation_id"]
        for turn in self._of("conversation_turns", conversation_id)[:1]:
            start["config"] = {
                name: turn[name]
                for name in WIDE_COLUMNS
                if name.startswith(("awareness_", "temperature_"))
                and turn.get(name) is not None
            }
        usage = [_measured(used) for used in self._of("token_usage", conversation_id)]
        return {**start, "legacy_token_usage": usage} if usage else start

    def _turns(self, conversation_id: str) -> dict[int, _Turn]:
        turns: dict[int, _Turn] = defaultdict(_Turn)
        times: dict[tuple[int, str], int | None] = {}
        for row in self._of("turn_metrics", conversation_id):
            turn = turns[row["turn_number"]]
            turn.is_listed = True
            turn.timestamp = self._time(row, "timestamp")
            turn.metrics = _measured(row, "timestamp", "convergence_score")
            score = _number(row.get("convergence_score"))
            if self.is_first and row.get("vocabulary_overlap") is not None:
                turn.legacy_convergence_score = score
            else:
                turn.convergence_score = score
            for agent, letter in zip(AGENTS, "ab", strict=True):
                time = row.get(f"message_{letter}_response_time_ms")
                times[row["turn_number"], agent] = _duration(time)
        messages: dict[tuple[int, str], _Message] = {}
        for row in self._of("conversation_turns", conversation_id):
            turn = turns[row["turn_number"]]
            turn.is_listed = True
            turn.timestamp = turn.timestamp or self._time(row, "timestamp")
            for agent in AGENTS:
                text = row.get(f"{agent}_message")
                if text:
                    messages[row["turn_number"], agent] = _Message(
                        agent, text, turn.timestamp, None, {}
                    )
        for row in self._of("messages", conversation_id):
            key = (max(row["turn_number"], 0), row["agent_id"])
            if row["content"] or key not in messages:
                messages[key] = _Message(
                    row["agent_id"],
                    row["content"] or "",
                    self._time(row, "timestamp"),
                    times.get(key),
                    _measured(row, "content", "timestamp"),
                )
        for number, turn in turns.items():
            for agent in AGENTS:
                # The importer of July 2025 left empty messages out.
                if turn.is_listed and (number, agent) not in messages:
                    messages[number, agent] = _Message(agent, "", None, None, {})
        for (number, _), message in sorted(messages.items(), key=lambda item: item[0]):
            turns[number].messages.append(message)
        for table, event_type in (
            ("thinking_traces", "ThinkingCompleteEvent"),
            ("context_truncations", "ContextTruncationEvent"),
        ):
            for row in self._of(table, conversation_id):
                turns[row["turn_number"]].notes.append(
                    {
                        "event_type": event_type,
                        "agent_id": row["agent_id"],
                        **_measured(row),
                        "timestamp": self._time(row, "timestamp"),
                    }
                )
        return turns

    def _logged_events(self, row: Row, turns: dict[int, _Turn]) -> list[Json] | None:
        """Return the log of a conversation where the database is one; else None."""
        events: list[Json] = []
        entries = sorted(
            self._of("events", row["conversation_id"]),
            key=lambda entry: (
                entry["timestamp"] is None,
                entry["timestamp"],
                entry.get("sequence") or 0,
            ),
        )
        for entry in entries:
            data = self._object(entry, "event_data")
            if data is None:
                continue
            if not entry["event_type"]:
                self.problems.note("Events without a type", entry["place"])
                continue
            time = self._time(data, "timestamp") or self._time(entry, "timestamp")
            event = {
                **data,
                "event_type": entry["event_type"],
                "timestamp": time,
                "conversation_id": row["conversation_id"],
            }
            number = data.get("turn_number")
            turn = turns.get(number) if isinstance(number, int) else None
            if event["event_type"] == "ConversationStartEvent":
                event["legacy_conversation"] = _measured(row)
            if event["event_type"] == "TurnCompleteEvent" and turn and turn.is_listed:
                event |= _legacy_scores(turn)
            events.append(event)
        # In July 2025 the importer noted messages as the text of a Python object.
        holds_text = any(
            isinstance(event.get("message", event.get("turn")), dict)
            for event in events
        )
        return events if holds_text else None


def _is_complete(turn: _Turn) -> bool:
    return {message.agent_id for message in turn.messages} == set(AGENTS)


def _logged(message: _Message) -> Json:
    return {
        "role": "assistant",
        "content": message.content,
        "agent_id": message.agent_id,
        "timestamp": message.timestamp,
    }


def _legacy_scores(turn: _Turn) -> Json:
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


def _measured(row: Row, *left_out: str) -> Json:
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


def _merged(columns: Json, document: Json | None) -> Json:
    """Put columns and a JSON document that says mostly the same into one."""
    merged = dict(document or {})
    for name, value in columns.items():
        if merged.setdefault(name, value) != value:
            merged[f"{name} (column)"] = value
    return merged


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _duration(value: object) -> int | None:
    """Return milliseconds; Pidgin wrote 0 where it knew none."""
    return value if isinstance(value, int) and value > 0 else None
