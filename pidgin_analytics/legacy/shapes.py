"""The shapes that Pidgin's databases have had, and how each is read."""

from __future__ import annotations

from collections import defaultdict
from datetime import tzinfo

from pidgin_analytics.legacy.events import (
    AGENTS,
    Conversation,
    Json,
    Message,
    Reader,
    Turn,
    as_duration,
    as_number,
    legacy_scores,
    measured,
    merged,
)
from pidgin_analytics.legacy.tables import (
    WIDE_COLUMNS,
    LegacyError,
    Problems,
    Row,
    Tables,
)


def reader_of(tables: Tables, zone: tzinfo, problems: Problems) -> Reader:
    """Recognise the shape of a database by its tables.

    Args:
        tables: What it holds.
        zone: Zone of the times that Pidgin wrote as local ones.
        problems: Where the reader notes what cannot be imported.

    Raises:
        LegacyError: Pidgin never wrote such tables.
    """
    names = set(tables.columns)
    if "fingerprint" in tables.columns.get("conversations", []):
        raise LegacyError("It is a warehouse of this project, no database of Pidgin's.")
    if {"experiments", "conversations"} <= names:
        if tables.is_duckdb and names & {"messages", "conversation_turns", "events"}:
            return DuckdbReader(tables, problems, zone)
        if not tables.is_duckdb and {"turn_metrics", "message_metrics"} <= names:
            return MetricsReader(tables, problems)
        if not tables.is_duckdb and "turns" in names:
            return TurnsReader(tables, problems)
    raise LegacyError(
        f"It holds no tables of Pidgin's, but {', '.join(sorted(names)[:9]) or 'none'}."
    )


class MetricsReader(Reader):
    """SQLite from 2025-06-18 to 2025-07-02: texts are among the metrics of messages."""

    kind = "SQLite, June 2025"

    def _turns(self, conversation_id: str) -> dict[int, Turn]:
        turns: dict[int, Turn] = defaultdict(Turn)
        for row in self._of("turn_metrics", conversation_id):
            turn = turns[row["turn_number"]]
            turn.is_listed = True
            turn.timestamp = self._time(row, "timestamp")
            turn.legacy_convergence_score = as_number(row.get("convergence_score"))
            document = self._object(row, "metrics_json")
            turn.metrics = merged(measured(row, "metrics_json", "timestamp"), document)
        for row in self._of("message_metrics", conversation_id):
            document = self._object(row, "metrics_json") or {}
            text = document.pop("message", None)
            if not isinstance(text, str):
                self.problems.note("Messages without text", row["place"])
                continue
            turn = turns[row["turn_number"]]
            metrics = merged(measured(row, "metrics_json"), document)
            turn.messages.append(
                Message(
                    row["agent_id"],
                    text,
                    turn.timestamp,
                    as_duration(metrics.get("response_time_ms")),
                    metrics,
                )
            )
        return turns


class TurnsReader(Reader):
    """SQLite of 2025-06-16 and 17: a row of `turns` is a message, with its metrics."""

    kind = "SQLite, 16 or 17 June 2025"

    def _turns(self, conversation_id: str) -> dict[int, Turn]:
        turns: dict[int, Turn] = defaultdict(Turn)
        for row in self._of("turns", conversation_id):
            if not isinstance(row["message"], str):
                self.problems.note("Messages without text", row["place"])
                continue
            # It counts messages: those of agent A are even.
            turn = turns[row["turn_number"] // 2]
            document = self._object(row, "additional_metrics")
            metrics = merged(
                measured(row, "message", "speaker", "timestamp", "additional_metrics"),
                document,
            )
            time = self._time(row, "timestamp")
            turn.timestamp = time or turn.timestamp
            turn.legacy_convergence_score = as_number(row.get("convergence_score"))
            turn.messages.append(
                Message(
                    row["speaker"],
                    row["message"],
                    time,
                    as_duration(metrics.get("response_time_ms")),
                    metrics,
                )
            )
        return turns


class DuckdbReader(Reader):
    """DuckDB from 2025-07-03 to Pidgin 1.1: tables made of logs, or instead of them."""

    kind = "DuckDB"

    def __init__(self, tables: Tables, problems: Problems, zone: tzinfo) -> None:
        """Take also the zone of the times that Pidgin wrote as local ones."""
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
        usage = [measured(used) for used in self._of("token_usage", conversation_id)]
        return {**start, "legacy_token_usage": usage} if usage else start

    def _turns(self, conversation_id: str) -> dict[int, Turn]:
        turns: dict[int, Turn] = defaultdict(Turn)
        times: dict[tuple[int, str], int | None] = {}
        for row in self._of("turn_metrics", conversation_id):
            turn = turns[row["turn_number"]]
            turn.is_listed = True
            turn.timestamp = self._time(row, "timestamp")
            turn.metrics = measured(row, "timestamp", "convergence_score")
            score = as_number(row.get("convergence_score"))
            if self.is_first and row.get("vocabulary_overlap") is not None:
                turn.legacy_convergence_score = score
            else:
                turn.convergence_score = score
            for agent, letter in zip(AGENTS, "ab", strict=True):
                time = row.get(f"message_{letter}_response_time_ms")
                times[row["turn_number"], agent] = as_duration(time)
        messages: dict[tuple[int, str], Message] = {}
        for row in self._of("conversation_turns", conversation_id):
            turn = turns[row["turn_number"]]
            turn.is_listed = True
            turn.timestamp = turn.timestamp or self._time(row, "timestamp")
            for agent in AGENTS:
                text = row.get(f"{agent}_message")
                if text:
                    messages[row["turn_number"], agent] = Message(
                        agent, text, turn.timestamp, None, {}
                    )
        for row in self._of("messages", conversation_id):
            key = (max(row["turn_number"], 0), row["agent_id"])
            if row["content"] or key not in messages:
                messages[key] = Message(
                    row["agent_id"],
                    row["content"] or "",
                    self._time(row, "timestamp"),
                    times.get(key),
                    measured(row, "content", "timestamp"),
                )
        for number, turn in turns.items():
            for agent in AGENTS:
                # The importer of July 2025 left empty messages out.
                if turn.is_listed and (number, agent) not in messages:
                    messages[number, agent] = Message(agent, "", None, None, {})
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
                        **measured(row),
                        "timestamp": self._time(row, "timestamp"),
                    }
                )
        return turns

    def _logged_events(self, row: Row, turns: dict[int, Turn]) -> list[Json] | None:
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
                event["legacy_conversation"] = measured(row)
            if event["event_type"] == "TurnCompleteEvent" and turn and turn.is_listed:
                event |= legacy_scores(turn)
            events.append(event)
        # In July 2025 the importer noted messages as the text of a Python object.
        holds_text = any(
            isinstance(event.get("message", event.get("turn")), dict)
            for event in events
        )
        return events if holds_text else None
