"""The events of a conversation and their lines, as pidgin-ai 1.1.0 writes them.

The order of keys is Pidgin's. Times are in UTC, but inside a message they are local
ones, and do not say so.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from sampler.models import Model

Json = dict[str, Any]

# Texts from here to the next blank line are Pidgin's own, word for word.
SYSTEM_PROMPTS = {
    "none": "",
    "basic": "You are an AI having a conversation with another AI.",
    "research": (
        "You are {own} (an AI) in a research conversation with {partner} (also an AI). "
        "No humans are participating in this conversation. "
        "Focus on exploring ideas together."
    ),
}
RATE_LIMIT_MESSAGE = (
    "Rate limit reached. "
    "The system will automatically retry with exponential backoff..."
)
CONTEXT_LIMIT_MESSAGE = (
    "Context window limit reached. "
    "The conversation has grown too long for the model's context window."
)

LOCAL_ZONE = timezone(timedelta(hours=1))


def as_line(event: Json) -> str:
    """Write an event as Pidgin does: compact, with ASCII only."""
    return json.dumps(event, separators=(",", ":"))


def event_of(
    event_type: str, conversation_id: str, timestamp: str, **fields: Any
) -> Json:
    """Make an event; one that does not own an experiment id gets a null."""
    event = {
        "conversation_id": conversation_id,
        **fields,
        "timestamp": timestamp,
        "event_type": event_type,
    }
    event.setdefault("experiment_id", None)
    return event


@dataclass(frozen=True)
class Agent:
    """One side of a conversation; the fields are those of ConversationStartEvent."""

    id: str
    model: str
    display_name: str
    model_display_name: str
    temperature: float | None
    thinking_enabled: bool | None
    thinking_budget: int | None
    max_tokens: int | None


@dataclass(frozen=True)
class Usage:
    """The tokens of one message."""

    prompt: int
    completion: int
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        """Add up what the provider's rate limit counts."""
        return self.prompt + self.completion


class Clock:
    """The time inside the sample. It moves only when told to."""

    def __init__(self, start: datetime, rng: Random) -> None:
        """Start the clock; the generator supplies the small gaps between events."""
        self.now = start
        self._rng = rng

    def tick(self) -> str:
        """Let a fraction of a millisecond pass, and return the time in UTC."""
        self.now += timedelta(microseconds=self._rng.randint(120, 900))
        return self.now.isoformat()

    def local(self) -> str:
        """Return the time as messages hold it: local, and without saying so."""
        return self.now.astimezone(LOCAL_ZONE).replace(tzinfo=None).isoformat()

    def advance(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span


class EventWriter:
    """Writes the events of one conversation, each a moment after the one before."""

    def __init__(self, conversation_id: str, experiment_id: str, clock: Clock) -> None:
        """Begin with no lines."""
        self.lines: list[str] = []
        self._conversation_id = conversation_id
        self._experiment_id = experiment_id
        self._clock = clock

    def emit(self, event_type: str, **fields: Any) -> None:
        """Append an event."""
        event = event_of(
            event_type, self._conversation_id, self._clock.tick(), **fields
        )
        self.lines.append(as_line(event))

    def message(self, role: str, content: str, agent_id: str) -> Json:
        """Make a message of this moment, as events and histories hold it."""
        return {
            "role": role,
            "content": content,
            "agent_id": agent_id,
            "timestamp": self._clock.local(),
        }

    def system_prompt(self, agent: Agent, prompt: str) -> None:
        """Say what an agent was told before the first message."""
        self.emit(
            "SystemPromptEvent",
            agent_id=agent.id,
            prompt=prompt,
            agent_display_name=None,
        )

    def conversation_start(
        self,
        agents: tuple[Agent, Agent],
        awareness: tuple[str, str],
        prompt: str,
        max_turns: int,
    ) -> None:
        """Say who talks, and under which conditions."""
        agent_a, agent_b = agents
        self.emit(
            "ConversationStartEvent",
            agent_a=asdict(agent_a),
            agent_b=asdict(agent_b),
            experiment_id=self._experiment_id,
            config={
                "initial_prompt": prompt,
                "max_turns": max_turns,
                "temperature_a": agent_a.temperature,
                "temperature_b": agent_b.temperature,
                "awareness_a": awareness[0],
                "awareness_b": awareness[1],
                "choose_names": False,
                "prompt_tag": "[HUMAN]",
            },
            agent_a_display_name=agent_a.display_name,
            agent_b_display_name=agent_b.display_name,
            agent_a_model=agent_a.model,
            agent_b_model=agent_b.model,
            max_turns=max_turns,
            initial_prompt=prompt,
            # Never filled in by this version, whatever the configuration says.
            temperature_a=None,
            temperature_b=None,
        )

    def conversation_end(
        self, total_turns: int, status: str, reason: str, started: datetime
    ) -> None:
        """Say how it ended, and how long it took."""
        self.emit(
            "ConversationEndEvent",
            total_turns=total_turns,
            status=status,
            experiment_id=self._experiment_id,
            reason=reason,
            error=None,
            duration_ms=milliseconds(self._clock.now - started),
        )

    def turn_start(self, turn: int) -> None:
        """Begin a turn."""
        self.emit("TurnStartEvent", turn_number=turn)

    def turn_complete(
        self, turn: int, messages: tuple[Json, Json], score: float
    ) -> None:
        """End a turn with both of its messages."""
        self.emit(
            "TurnCompleteEvent",
            turn_number=turn,
            turn={"agent_a_message": messages[0], "agent_b_message": messages[1]},
            convergence_score=score,
        )

    def message_request(self, agent: Agent, turn: int, history: list[Any]) -> None:
        """Ask an agent; the history goes along."""
        self.emit(
            "MessageRequestEvent",
            agent_id=agent.id,
            turn_number=turn,
            conversation_history=history,
            temperature=agent.temperature,
            allow_truncation=False,
            thinking_enabled=agent.thinking_enabled,
            thinking_budget=agent.thinking_budget,
            max_tokens=agent.max_tokens,
        )

    def message_complete(
        self, agent: Agent, message: Json, usage: Usage | None, asked: datetime
    ) -> None:
        """Take an answer; one without usage stands in for a failed request."""
        counted = usage or Usage(0, 0)
        self.emit(
            "MessageCompleteEvent",
            agent_id=agent.id,
            message=message,
            prompt_tokens=counted.prompt,
            completion_tokens=counted.completion,
            total_tokens=counted.total,
            duration_ms=milliseconds(self._clock.now - asked),
            cache_read_tokens=None if usage is None else usage.cache_read,
            cache_write_tokens=None if usage is None else usage.cache_write,
        )

    def token_usage(
        self, agent: Agent, model: Model, usage: Usage, rate: float
    ) -> None:
        """Count the tokens of an answer, and the rate that they make."""
        self.emit(
            "TokenUsageEvent",
            provider=model.provider.class_name,
            tokens_used=usage.total,
            tokens_per_minute_limit=model.provider.tokens_per_minute,
            current_usage_rate=rate,
            agent_id=agent.id,
            model=model.api_id,
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
        )

    def api_error(
        self, agent: Agent, model: Model, turn: int, error_type: str, message: str
    ) -> None:
        """Say why a request failed, after its last attempt."""
        self.emit(
            "APIErrorEvent",
            error_type=error_type,
            error_message=message,
            agent_id=agent.id,
            provider=model.provider.class_name,
            context=f"During message generation for turn {turn}",
            error_code=None,
            retryable=True,
            retry_count=0,
        )

    def pace(self, model: Model, waited: timedelta) -> None:
        """Say how long a request waited for the provider's limit."""
        self.emit(
            "RateLimitPaceEvent",
            provider=model.provider.name,
            wait_time=waited.total_seconds(),
            reason="mixed",
        )

    def interrupt(self, turn: int) -> None:
        """Let the user ask for an end between two turns."""
        self.emit("InterruptRequestEvent", turn_number=turn, interrupt_source="user")
        self.pause(turn, "between_turns")

    def pause(self, turn: int, paused_during: str) -> None:
        """Stop, and say at which point."""
        self.emit(
            "ConversationPausedEvent", turn_number=turn, paused_during=paused_during
        )


def milliseconds(span: timedelta) -> int:
    """Return whole milliseconds."""
    return span // timedelta(milliseconds=1)
