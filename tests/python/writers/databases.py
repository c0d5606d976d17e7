"""Writes databases as Pidgin kept them before its logs, and as nobody should.

The tables are those of Pidgin's history, with the columns that mean anything here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

Json = dict[str, Any]

START = datetime(2025, 6, 20, 10, 0)  # noqa: DTZ001
REPLIES = (("Hello there, world.", "Hello again, old world!"), ("More?", "No more."))


@dataclass
class Talk:
    """A conversation as a database tells it.

    Attributes:
        texts: What both said, by turn.
        last_word: What agent A said in a turn that was never complete.
        row: Further columns of its row.
    """

    conversation_id: str
    experiment_id: str = "exp_0a1b2c3d"
    texts: Sequence[tuple[str, str]] = REPLIES
    status: str | None = "completed"
    last_word: str | None = None
    config: Json | None = None
    row: Json = field(default_factory=dict)

    @property
    def settings(self) -> Json:
        """What Pidgin knew of it before it began."""
        return {
            "agent_a_model": "local:test",
            "agent_b_model": "claude",
            "initial_prompt": "Talk about tea.",
            "max_turns": len(self.texts),
            "temperature_a": 0.5,
            "temperature_b": None,
            "first_speaker": "agent_a",
        } | (self.config or {})

    def moment(self, turn: int) -> datetime:
        """Say when a turn was complete."""
        return START + timedelta(minutes=turn + 1)

    def score(self, turn: int) -> float:
        """Return the score of the SQLite era."""
        return 0.125 + turn / 64


def experiments_of(talks: Sequence[Talk]) -> list[Json]:
    """Return the rows of experiments that these conversations need."""
    names = dict.fromkeys(talk.experiment_id for talk in talks)
    return [
        {
            "experiment_id": name,
            "name": f"name of {name}",
            "created_at": str(START - timedelta(minutes=1)),
            "started_at": str(START),
            "completed_at": None,
            "status": "completed",
            "config": json.dumps({"awareness": "firm", "max_turns": 7}),
            "total_conversations": sum(talk.experiment_id == name for talk in talks),
        }
        for name in names
    ]


def conversation_row(talk: Talk) -> Json:
    """Return the row of a conversation."""
    is_over = talk.status not in (None, "created", "running")
    return {
        "conversation_id": talk.conversation_id,
        "experiment_id": talk.experiment_id,
        "created_at": str(START - timedelta(seconds=1)),
        "started_at": str(START),
        "completed_at": str(talk.moment(len(talk.texts))) if is_over else None,
        "status": talk.status,
        "config": json.dumps(talk.settings),
        "first_speaker": "agent_a",
        "agent_a_model": "local:test",
        "agent_b_model": "claude",
        "agent_a_chosen_name": None,
        "agent_b_chosen_name": None,
        "total_turns": len(talk.texts),
        "convergence_reason": None,
        "final_convergence_score": None,
        "error_message": None,
    } | talk.row


EXPERIMENTS = """
    create table experiments (
        experiment_id TEXT PRIMARY KEY, name TEXT, created_at TIMESTAMP,
        started_at TIMESTAMP, completed_at TIMESTAMP, status TEXT, config JSON,
        total_conversations INTEGER, completed_conversations INTEGER DEFAULT 0,
        failed_conversations INTEGER DEFAULT 0, metadata JSON
    );
"""
CONVERSATIONS = """
    create table conversations (
        conversation_id TEXT PRIMARY KEY, experiment_id TEXT, created_at TIMESTAMP,
        started_at TIMESTAMP, completed_at TIMESTAMP, status TEXT, config JSON,
        first_speaker TEXT, agent_a_model TEXT, agent_b_model TEXT,
        agent_a_chosen_name TEXT, agent_b_chosen_name TEXT, total_turns INTEGER,
        convergence_reason TEXT, final_convergence_score REAL, error_message TEXT
    );
"""
METRICS = """
    create table turn_metrics (
        id INTEGER PRIMARY KEY AUTOINCREMENT, conversation_id TEXT, turn_number INTEGER,
        timestamp TIMESTAMP, convergence_score REAL, vocabulary_overlap REAL,
        structural_similarity REAL, topic_similarity REAL, style_match REAL,
        metrics_json JSON
    );
    create table message_metrics (
        id INTEGER PRIMARY KEY AUTOINCREMENT, conversation_id TEXT, turn_number INTEGER,
        agent_id TEXT, message_length INTEGER, word_count INTEGER, unique_words INTEGER,
        type_token_ratio REAL, avg_word_length REAL, response_time_ms INTEGER,
        metrics_json JSON
    );
    create table word_frequencies (
        id INTEGER PRIMARY KEY AUTOINCREMENT, conversation_id TEXT, turn_number INTEGER,
        agent_id TEXT, word TEXT, frequency INTEGER
    );
"""
TURNS = """
    create table turns (
        conversation_id TEXT, turn_number INTEGER, speaker TEXT, timestamp TIMESTAMP,
        message TEXT, message_length INTEGER, word_count INTEGER,
        convergence_score REAL, response_time_ms INTEGER, additional_metrics JSON,
        PRIMARY KEY (conversation_id, turn_number)
    );
    create table word_frequencies (
        conversation_id TEXT, turn_number INTEGER, speaker TEXT, word TEXT,
        frequency INTEGER, is_new_word BOOLEAN
    );
    create table agent_names (
        conversation_id TEXT, agent_id TEXT, chosen_name TEXT, turn_chosen INTEGER
    );
"""


def insert(connection: Any, table: str, row: Json) -> None:
    """Insert a row given by columns."""
    marks = ", ".join("?" * len(row))
    connection.execute(
        f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values())
    )


def write_june(path: Path, talks: Sequence[Talk]) -> Path:
    """Write SQLite of 2025-06-18 to 2025-07-02."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(EXPERIMENTS + CONVERSATIONS + METRICS)
        for row in experiments_of(talks):
            insert(connection, "experiments", row)
        for talk in talks:
            insert(connection, "conversations", conversation_row(talk))
            for turn, texts in enumerate(talk.texts):
                metrics = {"convergence_score": talk.score(turn), "mimicry_score": 0.5}
                insert(
                    connection,
                    "turn_metrics",
                    {
                        "conversation_id": talk.conversation_id,
                        "turn_number": turn,
                        "timestamp": str(talk.moment(turn)),
                        "convergence_score": talk.score(turn),
                        "vocabulary_overlap": 0.5,
                        "metrics_json": json.dumps(metrics),
                    },
                )
                for agent, text in zip(("agent_a", "agent_b"), texts, strict=True):
                    insert_message(connection, talk, turn, agent, text)
            if talk.last_word is not None:
                last = len(talk.texts)
                insert_message(connection, talk, last, "agent_a", talk.last_word)
    return path


def insert_message(
    connection: sqlite3.Connection, talk: Talk, turn: int, agent: str, text: str
) -> None:
    """Insert a message of June 2025."""
    metrics = {
        "message": text,
        "message_length": len(text),
        "self_repetition_score": 0.25,
        "response_time_ms": 100 + turn,
    }
    insert(
        connection,
        "message_metrics",
        {
            "conversation_id": talk.conversation_id,
            "turn_number": turn,
            "agent_id": agent,
            "message_length": len(text),
            "metrics_json": json.dumps(metrics),
        },
    )


def write_turns(path: Path, talks: Sequence[Talk]) -> Path:
    """Write SQLite of 2025-06-16 and 17, where turns count messages."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(EXPERIMENTS + CONVERSATIONS + TURNS)
        for row in experiments_of(talks):
            insert(connection, "experiments", row)
        for talk in talks:
            insert(connection, "conversations", conversation_row(talk))
            insert(
                connection,
                "agent_names",
                {
                    "conversation_id": talk.conversation_id,
                    "agent_id": "agent_b",
                    "chosen_name": "Echo",
                    "turn_chosen": 0,
                },
            )
            messages = [text for texts in talk.texts for text in texts]
            for number, text in enumerate(messages):
                insert(
                    connection,
                    "turns",
                    {
                        "conversation_id": talk.conversation_id,
                        "turn_number": number,
                        "speaker": "agent_b" if number % 2 else "agent_a",
                        "timestamp": str(talk.moment(number // 2)),
                        "message": text,
                        "message_length": len(text),
                        "convergence_score": talk.score(number // 2),
                        "response_time_ms": 100,
                        "additional_metrics": json.dumps({"length_ratio": 0.75}),
                    },
                )
    return path


DUCKDB_CONVERSATIONS = """
    create table conversations (
        conversation_id TEXT, experiment_id TEXT, created_at TIMESTAMP,
        started_at TIMESTAMP, completed_at TIMESTAMP, status TEXT, agent_a_model TEXT,
        agent_a_temperature DOUBLE, agent_a_chosen_name TEXT, agent_b_model TEXT,
        agent_b_temperature DOUBLE, agent_b_chosen_name TEXT, initial_prompt TEXT,
        max_turns INTEGER, total_turns INTEGER, final_convergence_score DOUBLE,
        convergence_reason TEXT, duration_ms INTEGER, error_message TEXT
    );
    create table messages (
        conversation_id TEXT, turn_number INTEGER, agent_id TEXT, content TEXT,
        timestamp TIMESTAMP, token_count INTEGER, model_reported_tokens INTEGER
    );
    create table token_usage (
        id UUID, timestamp TIMESTAMP, conversation_id TEXT, provider TEXT, model TEXT,
        prompt_tokens INTEGER, total_cost DOUBLE
    );
"""
FIRST_DUCKDB = """
    create table events (
        event_id UUID DEFAULT gen_random_uuid(), timestamp TIMESTAMP, event_type TEXT,
        conversation_id TEXT, experiment_id TEXT, event_data JSON, event_date DATE
    );
    create table turn_metrics (
        conversation_id TEXT, turn_number INTEGER, timestamp TIMESTAMP,
        convergence_score DOUBLE, vocabulary_overlap DOUBLE, word_frequencies_a JSON,
        message_a_response_time_ms INTEGER, message_b_response_time_ms INTEGER
    );
"""
LATER_DUCKDB = """
    create table turn_metrics (
        conversation_id TEXT, turn_number INTEGER, timestamp TIMESTAMP,
        convergence_score DOUBLE, cumulative_overlap DOUBLE, message_a_length INTEGER,
        shared_vocabulary JSON
    );
    create table conversation_turns (
        experiment_id TEXT, conversation_id TEXT, turn_number SMALLINT,
        timestamp TIMESTAMP, awareness_a TEXT, agent_a_message TEXT,
        agent_b_message TEXT, overall_convergence DOUBLE
    );
    create table thinking_traces (
        conversation_id TEXT, turn_number INTEGER, agent_id TEXT, thinking_content TEXT,
        thinking_tokens INTEGER, duration_ms INTEGER, timestamp TIMESTAMP
    );
"""


def duckdb_row(talk: Talk) -> Json:
    """Return the row of a conversation in DuckDB, which has no `config`."""
    row = conversation_row(talk)
    for name in ("config", "first_speaker"):
        del row[name]
    return row | {"initial_prompt": "Talk about tea.", "max_turns": None}


def write_first_duckdb(path: Path, talks: Sequence[Talk]) -> Path:
    """Write DuckDB of 2025-07-03: the log is a table, `messages` a beginning of it."""
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(EXPERIMENTS + DUCKDB_CONVERSATIONS + FIRST_DUCKDB)
        for row in experiments_of(talks):
            insert(connection, "experiments", row)
        for talk in talks:
            insert(connection, "conversations", duckdb_row(talk))
            for kind, moment, data in logged_events(talk):
                insert(
                    connection,
                    "events",
                    {
                        "timestamp": str(moment),
                        "event_type": kind,
                        "conversation_id": talk.conversation_id,
                        "event_data": json.dumps(data),
                    },
                )
            for turn in range(len(talk.texts)):
                insert(
                    connection,
                    "turn_metrics",
                    {
                        "conversation_id": talk.conversation_id,
                        "turn_number": turn,
                        "timestamp": str(talk.moment(turn)),
                        "convergence_score": talk.score(turn),
                        "vocabulary_overlap": 0.5,
                    },
                )
            insert(
                connection,
                "messages",
                {
                    "conversation_id": talk.conversation_id,
                    "turn_number": -1,
                    "agent_id": "agent_a",
                    "content": talk.texts[0][0],
                },
            )
    return path


def logged_events(talk: Talk) -> list[tuple[str, datetime, Json]]:
    """Make the events of a conversation as its bus noted them, live scores included."""
    name = {"conversation_id": talk.conversation_id}
    events: list[tuple[str, datetime, Json]] = [
        ("ConversationStartEvent", START, name | talk.settings)
    ]
    for turn, texts in enumerate(talk.texts):
        messages = {
            f"{agent}_message": {
                "role": "assistant",
                "content": text,
                "agent_id": agent,
            }
            for agent, text in zip(("agent_a", "agent_b"), texts, strict=True)
        }
        moment = talk.moment(turn)
        events.append(("TurnStartEvent", moment, name | {"turn_number": turn}))
        events += [
            (
                "MessageCompleteEvent",
                moment,
                name
                | {
                    "agent_id": message["agent_id"],
                    "message": message,
                    "duration_ms": 9,
                },
            )
            for message in messages.values()
        ]
        ending = {"turn_number": turn, "turn": messages, "convergence_score": 0.75}
        events.append(("TurnCompleteEvent", moment, name | ending))
    ended = talk.moment(len(talk.texts))
    reason = {"completed": "max_turns_reached", "failed": "error"}.get(
        talk.status or ""
    )
    if reason:
        events.append(("ConversationEndEvent", ended, name | {"reason": reason}))
    return events


def write_later_duckdb(
    path: Path, talks: Sequence[Talk], *, without_text: Sequence[str] = ()
) -> Path:
    """Write DuckDB of Pidgin 1.x; 1.0 left the texts of all conversations out."""
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(EXPERIMENTS + DUCKDB_CONVERSATIONS + LATER_DUCKDB)
        for row in experiments_of(talks):
            insert(connection, "experiments", row)
        for talk in talks:
            insert(connection, "conversations", duckdb_row(talk))
            keys = {"conversation_id": talk.conversation_id}
            insert(
                connection,
                "token_usage",
                keys | {"provider": "local", "model": "test", "total_cost": 0.5},
            )
            for turn, texts in enumerate(talk.texts):
                said = ("", "") if talk.conversation_id in without_text else texts
                place = keys | {
                    "turn_number": turn,
                    "timestamp": str(talk.moment(turn)),
                }
                insert(
                    connection,
                    "conversation_turns",
                    place
                    | {
                        "experiment_id": talk.experiment_id,
                        "agent_a_message": said[0],
                        "agent_b_message": said[1],
                        "awareness_a": "research",
                        "overall_convergence": 0.99,
                    },
                )
                insert(
                    connection,
                    "turn_metrics",
                    place | {"convergence_score": 0.25, "message_a_length": 5},
                )
                for agent, text in zip(("agent_a", "agent_b"), said, strict=True):
                    message = {"agent_id": agent, "content": text, "token_count": 7}
                    insert(connection, "messages", place | message)
            thought = {
                "agent_id": "agent_b",
                "thinking_content": "Hm.",
                "duration_ms": 3,
            }
            insert(connection, "thinking_traces", place | thought)
    return path
