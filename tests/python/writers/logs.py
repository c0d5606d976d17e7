"""Writes logs and manifests as Pidgin 1.1.0 does, and as nobody should."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sampler.events import as_line as as_line
from sampler.events import event_of

Json = dict[str, Any]

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REPLIES = (("Hello there, world.", "Hello again, old world!"), ("More?", "No more."))


@dataclass
class Conversation:
    """Makes the events of one conversation, a second apart."""

    conversation_id: str
    start: datetime = START
    count: int = 0

    def event(self, kind: str, **fields: Any) -> Json:
        """Make the next event of the conversation."""
        moment = self.start + timedelta(seconds=self.count)
        self.count += 1
        return event_of(
            f"{kind}Event", self.conversation_id, moment.isoformat(), **fields
        )

    def begin(self, **fields: Any) -> Json:
        """Make the start event."""
        agents = {
            f"{agent}_{key}": "local:test"
            for agent in ("agent_a", "agent_b")
            for key in ("model", "display_name")
        }
        return self.event("ConversationStart", **agents, max_turns=9, **fields)

    def message(self, agent: str, content: Any, **fields: Any) -> Json:
        """Make the event of one reply."""
        fields = {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "duration_ms": 120,
            **fields,
        }
        return self.event(
            "MessageComplete",
            agent_id=agent,
            message={"role": "assistant", "content": content, "agent_id": agent},
            **fields,
        )

    def turn(self, number: Any, a: str, b: str, score: Any = 0.5) -> list[Json]:
        """Make all events of a complete turn."""
        messages = {
            f"{agent}_message": {"role": "assistant", "content": text}
            for agent, text in (("agent_a", a), ("agent_b", b))
        }
        return [
            self.event("TurnStart", turn_number=number),
            self.message("agent_a", a),
            self.message("agent_b", b),
            self.event(
                "TurnComplete",
                turn_number=number,
                turn=messages,
                convergence_score=score,
            ),
        ]

    def end(self, reason: str = "max_turns") -> Json:
        """Make the end event."""
        return self.event("ConversationEnd", reason=reason, status="completed")


def conversation(
    conversation_id: str,
    replies: Sequence[tuple[str, str]] = REPLIES,
    reason: str | None = "max_turns",
    start: datetime = START,
) -> list[str]:
    """Write the lines of a whole conversation; without a reason, of a running one."""
    maker = Conversation(conversation_id, start)
    events = [maker.begin()]
    for number, (a, b) in enumerate(replies):
        events += maker.turn(number, a, b, score=0.25 + number / 8)
    if reason is not None:
        events.append(maker.end(reason))
    return [as_line(event) for event in events]


def manifest(
    experiment_id: str, conversation_ids: Iterable[str], **fields: Any
) -> Json:
    """Write a manifest."""
    listed = {
        conversation_id: {
            "status": "completed",
            "last_updated": (START + timedelta(hours=1)).isoformat(),
        }
        for conversation_id in conversation_ids
    }
    return {
        "experiment_id": experiment_id,
        "name": experiment_id,
        "created_at": START.isoformat(),
        "config": {"repetitions": len(listed), "temperature": 0.7},
        "total_conversations": len(listed),
        "status": "completed",
        "conversations": listed,
    } | fields


def joined(lines: Iterable[str], separator: str = "\n") -> bytes:
    """Write lines as the bytes of a file, each with its separator."""
    return "".join(line + separator for line in lines).encode()


@dataclass
class OutputFolder:
    """An output folder whose files were all written at distinct, past times.

    The time of a file tells a build whether it changed. It is never the present here,
    where a build has to look twice.
    """

    path: Path
    _clock: float = field(default=START.timestamp())

    def write(self, name: str, content: bytes | str | Json | Iterable[str]) -> Path:
        """Write a file: bytes, text, a manifest or lines."""
        if isinstance(content, dict):
            content = json.dumps(content, indent=2)
        if isinstance(content, str):
            content = content.encode()
        if not isinstance(content, bytes):
            content = joined(content)
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.touch(path)
        return path

    def append(self, name: str, content: bytes | Iterable[str]) -> Path:
        """Append to a file."""
        added = content if isinstance(content, bytes) else joined(content)
        return self.write(name, (self.path / name).read_bytes() + added)

    def touch(self, path: Path) -> None:
        """Give a file a time of its own."""
        self._clock += 60
        os.utime(path, (self._clock, self._clock))
