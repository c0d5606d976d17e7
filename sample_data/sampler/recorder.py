"""Record conversations the way pidgin-ai 1.1.0 does: event lines and a manifest.

Everything a reader of the files could trip over is kept: the order of keys, UTC times
outside and naive local times inside a message, a history that is repeated in full in
every request, and counts that Pidgin itself gets slightly wrong.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from random import Random
from typing import Any

from sampler.convergence import Exchange, live_score
from sampler.dialogue import Script, Theme, think
from sampler.events import (
    SYSTEM_PROMPTS,
    Agent,
    Clock,
    EventWriter,
    Usage,
    milliseconds,
)
from sampler.models import Model

Json = dict[str, Any]

REPLY_TIMEOUT = timedelta(seconds=60)
USAGE_WINDOW = timedelta(minutes=1)
SHORTEST_REPORTED_WAIT = timedelta(milliseconds=100)
OPENAI_CACHE_BLOCK = 128
COMPLETED_REASONS = ("max_turns", "high_convergence")


class Trouble(Enum):
    """What can go wrong while an agent is asked for a message."""

    API_ERROR = auto()
    CONTEXT_LIMIT = auto()
    EMPTY_REPLY = auto()
    TIMEOUT = auto()
    INTERRUPT_BEFORE_TURN = auto()
    INTERRUPT_WHILE_WAITING = auto()
    STILL_WAITING = auto()


@dataclass(frozen=True)
class Incident:
    """A trouble, and where in the conversation it strikes."""

    trouble: Trouble
    turn: int
    agent_id: str = "agent_a"
    message: str = ""
    error_type: str = ""


@dataclass(frozen=True)
class Experiment:
    """What a user asked Pidgin to run, and what then happens."""

    name: str
    models: tuple[Model, Model]
    prompt: str
    max_turns: int
    script: Script
    starts_at: datetime
    repetitions: int = 1
    incidents: Mapping[int, Sequence[Incident]] = field(default_factory=dict)
    temperatures: tuple[float | None, float | None] = (None, None)
    awareness: tuple[str | None, str | None] = (None, None)
    thinking_about: Theme | None = None
    think_budget: int | None = None
    max_tokens: int | None = None
    # Pidgin's default where an API model takes part.
    convergence_threshold: float = 0.95
    display_mode: str = "chat"

    def config(self) -> Json:
        """Build the configuration that opens the manifest."""
        return {
            "name": self.name,
            "agent_a_model": self.models[0].model_id,
            "agent_b_model": self.models[1].model_id,
            "custom_prompt": self.prompt,
            "max_turns": self.max_turns,
            "repetitions": self.repetitions,
            "temperature": None,
            "temperature_a": self.temperatures[0],
            "temperature_b": self.temperatures[1],
            "think": self.thinking_about is not None,
            "think_a": None,
            "think_b": None,
            "think_budget": self.think_budget,
            "max_tokens": self.max_tokens,
            "awareness": "basic",
            "awareness_a": self.awareness[0],
            "awareness_b": self.awareness[1],
            "max_parallel": 1,
            "choose_names": False,
            "convergence_threshold": self.convergence_threshold,
            "convergence_action": "stop",
            "display_mode": self.display_mode,
            "prompt_tag": "[HUMAN]",
            "allow_truncation": False,
            "branch_from_conversation": None,
            "branch_from_turn": None,
            "branch_messages": None,
            "metadata": {},
        }

    def manifest(
        self,
        experiment_id: str,
        conversations: Mapping[str, Json],
        times: tuple[str, str, str | None],
    ) -> Json:
        """Build the manifest of its conversations so far.

        Args:
            experiment_id: The experiment's id.
            conversations: What the manifest says of each, by id.
            times: Of creation, start and end; while it runs, the last is None.
        """
        created_at, started_at, completed_at = times
        running = sum(entry["status"] == "running" for entry in conversations.values())
        manifest = {
            "experiment_id": experiment_id,
            "name": self.name,
            "created_at": created_at,
            "config": self.config(),
            "total_conversations": self.repetitions,
            "status": "running" if completed_at is None else "completed",
            "conversations": dict(conversations),
            "started_at": started_at,
            # Interrupted conversations count as completed ones.
            "completed_conversations": len(conversations) - running,
            "failed_conversations": 0,
            "running_conversations": running,
        }
        return manifest | ({"completed_at": completed_at} if completed_at else {})


class UsageMeter:
    """Tokens used per provider in the last minute, over a whole experiment."""

    def __init__(self) -> None:
        """Start with nothing used."""
        self._used: list[tuple[str, datetime, int]] = []

    def add(self, provider: str, at: datetime, tokens: int) -> float:
        """Record a message and return the rate that includes it."""
        self._used.append((provider, at, tokens))
        recent = [
            used
            for name, when, used in self._used
            if name == provider and at - USAGE_WINDOW <= when <= at
        ]
        return float(sum(recent))


@dataclass
class Session:
    """What the conversations of an experiment have in common."""

    experiment: Experiment
    experiment_id: str
    clock: Clock
    meter: UsageMeter = field(default_factory=UsageMeter)


class CutShortError(Exception):
    """A conversation stops in the middle of a turn."""

    def __init__(self, reason: str | None) -> None:
        """Keep the reason that Pidgin records; none if it is still running."""
        super().__init__(reason)
        self.reason = reason


class ConversationRecorder:
    """Plays one conversation and keeps the lines that Pidgin would write."""

    def __init__(self, session: Session, conversation_id: str, rng: Random) -> None:
        """Register the conversation, as Pidgin does before the first event."""
        self._events = EventWriter(
            conversation_id, session.experiment_id, session.clock
        )
        self.manifest_entry: Json = {
            "status": "created",
            "jsonl": f"events_{conversation_id}.jsonl",
            "last_line": 0,
            "total_turns": 0,
            "last_updated": session.clock.tick(),
            "token_usage": {
                "agent_a": _no_tokens(),
                "agent_b": _no_tokens(),
                "total": 0,
            },
        }
        self._experiment = session.experiment
        self._clock = session.clock
        self._meter = session.meter
        self._rng = rng
        self._agents = agents_of(session.experiment)
        self._models = {
            agent.id: model
            for agent, model in zip(
                self._agents, session.experiment.models, strict=True
            )
        }
        self._messages: list[Json] = []
        self._spoken: list[Exchange] = []
        self._cached_prompt = {"agent_a": 0, "agent_b": 0}
        self._last_request: dict[str, datetime] = {}
        self._late_reply: tuple[Agent, int, str, datetime] | None = None
        self._incidents: dict[tuple[int, str], Incident] = {}

    @property
    def lines(self) -> list[str]:
        """The lines of its log."""
        return self._events.lines

    @property
    def is_running(self) -> bool:
        """Tell whether the conversation has not ended yet."""
        return bool(self.manifest_entry["status"] == "running")

    def play(
        self, exchanges: Sequence[Exchange], incidents: Sequence[Incident]
    ) -> None:
        """Play the conversation to the end that its incidents leave it."""
        self._incidents = {(each.turn, each.agent_id): each for each in incidents}
        started = self._clock.now
        self._start()
        try:
            reason = self._play_turns(exchanges)
        except CutShortError as cut:
            if cut.reason is None:
                return
            reason = cut.reason
        self._end(reason, started)
        if self._late_reply is not None:
            # Pidgin goes on with its next conversation while this reply is on its way.
            resumes = self._clock.now
            self._reply(*self._late_reply)
            self._clock.now = resumes

    def _start(self) -> None:
        levels = [level or "basic" for level in self._experiment.awareness]
        names = [model.model_id for model in self._experiment.models]
        prompts = [
            SYSTEM_PROMPTS[levels[0]].format(own=names[0], partner=names[1]),
            SYSTEM_PROMPTS[levels[1]].format(own=names[1], partner=names[0]),
        ]
        # The history opens with agent A's prompt only; agent B is sent that one too.
        if prompts[0]:
            self._messages.append(self._events.message("system", prompts[0], "system"))
        self._messages.append(
            self._events.message("user", self._experiment.prompt, "human")
        )
        for agent, prompt in zip(self._agents, prompts, strict=True):
            if prompt:
                self._events.system_prompt(agent, prompt)
        self._events.conversation_start(
            self._agents,
            (levels[0], levels[1]),
            self._experiment.prompt,
            self._experiment.max_turns,
        )
        self._update_manifest("running")

    def _play_turns(self, exchanges: Sequence[Exchange]) -> str:
        for turn, texts in enumerate(exchanges):
            incident = self._incidents.get((turn, "agent_a"))
            if incident and incident.trouble is Trouble.INTERRUPT_BEFORE_TURN:
                self._events.interrupt(turn)
                return "user_interrupt"
            self._events.turn_start(turn)
            message_a, message_b = (
                self._ask(agent, turn, text)
                for agent, text in zip(self._agents, texts, strict=True)
            )
            self._spoken.append((message_a["content"], message_b["content"]))
            score = live_score(self._spoken)
            self._events.turn_complete(turn, (message_a, message_b), score)
            self._update_manifest("running")
            if score >= self._experiment.convergence_threshold:
                return "high_convergence"
        return "max_turns"

    def _end(self, reason: str, started: datetime) -> None:
        status = "completed" if reason in COMPLETED_REASONS else "interrupted"
        self._clock.tick()
        # Counts the prompts too, hence mostly one more than there were turns.
        self._events.conversation_end(len(self._messages) // 2, status, reason, started)
        self._update_manifest(status)

    def _ask(self, agent: Agent, turn: int, text: str) -> Json:
        """Ask an agent for its message; raise if none comes in time."""
        self._keep_pace(agent)
        self._events.message_request(agent, turn, self._messages)
        asked = self._clock.now
        incident = self._incidents.get((turn, agent.id))
        if incident is None:
            message = self._reply(agent, turn, text, asked)
        elif incident.trouble is Trouble.API_ERROR:
            message = self._fail(agent, turn, incident, asked)
        else:
            raise self._cut_short(agent, turn, text, incident, asked)
        self._messages.append(message)
        return message

    def _keep_pace(self, agent: Agent) -> None:
        """Wait as long as Pidgin would to stay below the provider's request limit."""
        provider = self._models[agent.id].provider
        interval = timedelta(minutes=1) / provider.requests_per_minute
        previous = self._last_request.get(provider.name)
        asked = self._clock.now
        if previous is not None and asked - previous < interval:
            self._clock.advance(interval - (asked - previous))
            self._clock.tick()
        waited = self._clock.now - asked
        self._last_request[provider.name] = self._clock.now
        if waited > SHORTEST_REPORTED_WAIT:
            self._events.pace(self._models[agent.id], waited)

    def _reply(self, agent: Agent, turn: int, text: str, asked: datetime) -> Json:
        """Let the agent answer, its reasoning first if it was asked to think."""
        model = self._models[agent.id]
        theme = self._experiment.thinking_about
        thoughts = think(self._rng, theme) if theme is not None else ""
        usage = self._usage(agent, text, thoughts)
        tempo = self._rng.uniform(0.8, 1.25)
        first_token = timedelta(milliseconds=model.first_token_ms * tempo)
        writing = timedelta(milliseconds=model.ms_per_token * usage.completion * tempo)
        self._clock.now = asked + first_token + writing
        if thoughts:
            tokens = _estimated_tokens(thoughts)
            self._events.emit(
                "ThinkingCompleteEvent",
                turn_number=turn,
                agent_id=agent.id,
                thinking_content=thoughts,
                thinking_tokens=tokens,
                # Pidgin stops this watch only when the whole answer is there.
                duration_ms=milliseconds(writing),
            )
            spent = self.manifest_entry["token_usage"][agent.id]
            spent["thinking_tokens"] = spent.get("thinking_tokens", 0) + tokens
        message = self._complete(agent, text, usage, asked)
        if model.reports_usage:
            self._emit_usage(agent, usage)
        return message

    def _fail(
        self, agent: Agent, turn: int, incident: Incident, asked: datetime
    ) -> Json:
        """Let a request fail: Pidgin puts a placeholder where the message would be."""
        # Three attempts, one and two seconds apart.
        self._clock.now = asked + timedelta(seconds=self._rng.uniform(4.5, 6.0))
        self._events.api_error(
            agent,
            self._models[agent.id],
            turn,
            incident.error_type,
            incident.message,
        )
        return self._complete(agent, f"[API error: {incident.message}]", None, asked)

    def _cut_short(
        self, agent: Agent, turn: int, text: str, incident: Incident, asked: datetime
    ) -> CutShortError:
        """Record why no message comes, and say how the conversation ends."""
        model = self._models[agent.id]
        delay = timedelta(milliseconds=model.first_token_ms * self._rng.uniform(0.4, 1))
        match incident.trouble:
            case Trouble.CONTEXT_LIMIT:
                self._clock.advance(delay)
                self._events.emit(
                    "ContextLimitEvent",
                    agent_id=agent.id,
                    turn_number=turn,
                    error_message=incident.message,
                    provider=model.provider.class_name,
                )
                return CutShortError("context_limit_reached")
            case Trouble.EMPTY_REPLY:
                self._clock.advance(delay)
                self._events.emit(
                    "EmptyResponseEvent",
                    agent_id=agent.id,
                    turn_number=turn,
                    provider=model.provider.class_name,
                )
                return CutShortError("empty_response")
            case Trouble.TIMEOUT:
                seconds = REPLY_TIMEOUT.total_seconds()
                self._clock.advance(REPLY_TIMEOUT)
                self._events.emit(
                    "ProviderTimeoutEvent",
                    error_type="timeout",
                    error_message=(
                        f"{agent.display_name} did not respond within {seconds} seconds"
                    ),
                    agent_id=agent.id,
                    # Here Pidgin names the model, or what stands before its colon.
                    provider=model.model_id.split(":")[0],
                    timeout_seconds=seconds,
                    context=f"Turn {turn}",
                )
                return CutShortError("timeout")
            case Trouble.INTERRUPT_WHILE_WAITING:
                self._clock.advance(delay)
                self._events.pause(turn, f"waiting_for_{agent.id}")
                # The request is not withdrawn: its reply lands after the end.
                self._late_reply = (agent, turn, text, asked)
                return CutShortError("interrupted")
            case _:
                return CutShortError(None)

    def _complete(
        self, agent: Agent, text: str, usage: Usage | None, asked: datetime
    ) -> Json:
        """Emit the message; one without usage stands in for a failed request."""
        self._clock.tick()
        message = self._events.message("assistant", text, agent.id)
        self._events.message_complete(agent, message, usage, asked)
        return message

    def _emit_usage(self, agent: Agent, usage: Usage) -> None:
        model = self._models[agent.id]
        rate = self._meter.add(model.provider.name, self._clock.now, usage.total)
        self._events.token_usage(agent, model, usage, rate)
        spent = self.manifest_entry["token_usage"]
        spent[agent.id]["prompt_tokens"] += usage.prompt
        spent[agent.id]["completion_tokens"] += usage.completion
        spent[agent.id]["total_tokens"] += usage.total
        spent[agent.id]["model"] = model.api_id
        spent["total"] += usage.total

    def _usage(self, agent: Agent, text: str, thoughts: str) -> Usage:
        """Count tokens as the provider bills them, or as Pidgin guesses without it."""
        model = self._models[agent.id]
        history = [message["content"] for message in self._messages]
        if not model.reports_usage:
            guesses = [_estimated_tokens(content) + 4 for content in history]
            return Usage(sum(guesses) + 3, _estimated_tokens(text))
        prompt = sum(_billed_tokens(content) + 4 for content in history)
        completion = _billed_tokens(text) + _billed_tokens(thoughts)
        smallest = model.smallest_cached_prompt
        if smallest is None or prompt < smallest:
            return Usage(prompt, completion)
        read = self._cached_prompt[agent.id]
        self._cached_prompt[agent.id] = prompt
        if model.provider.name == "anthropic":
            return Usage(prompt, completion, read, cache_write=prompt - read)
        # OpenAI caches in blocks, and does not bill for filling them.
        return Usage(prompt, completion, read - read % OPENAI_CACHE_BLOCK)

    def _update_manifest(self, status: str) -> None:
        self.manifest_entry["status"] = status
        self.manifest_entry["last_line"] = len(self.lines)
        self.manifest_entry["total_turns"] = len(self._spoken)
        self.manifest_entry["last_updated"] = self._clock.tick()


@dataclass(frozen=True)
class Recording:
    """The files of one experiment, by name."""

    directory: str
    files: dict[str, str]


def record(experiment: Experiment, seed: str) -> Recording:
    """Run an experiment to its end, or to the point where it is still running."""
    # A generator for each conversation: a change to one leaves the others' texts.
    rng = Random(f"{seed}/{experiment.name}")
    suffix = _hex_id(rng)
    clock = Clock(experiment.starts_at, rng)
    session = Session(experiment, f"experiment_{suffix}", clock)
    created_at, started_at = clock.tick(), clock.tick()
    recorders: dict[str, ConversationRecorder] = {}
    for repetition in range(experiment.repetitions):
        own_rng = Random(f"{seed}/{experiment.name}/{repetition}")
        conversation_id = f"conv_{_hex_id(own_rng)}"
        recorder = ConversationRecorder(session, conversation_id, own_rng)
        recorders[conversation_id] = recorder
        exchanges = experiment.script(own_rng, experiment.max_turns)
        recorder.play(exchanges, experiment.incidents.get(repetition, ()))
        if recorder.is_running:
            break
    entries = {
        conversation_id: recorder.manifest_entry
        for conversation_id, recorder in recorders.items()
    }
    completed_at = None
    if not any(recorder.is_running for recorder in recorders.values()):
        # Pidgin first imports and transcribes what it has.
        clock.advance(timedelta(milliseconds=rng.randint(900, 2_400)))
        completed_at = clock.tick()
    manifest = experiment.manifest(
        session.experiment_id, entries, (created_at, started_at, completed_at)
    )
    files = {
        f"events_{conversation_id}.jsonl": "".join(
            f"{line}\n" for line in recorder.lines
        )
        for conversation_id, recorder in recorders.items()
    }
    files["manifest.json"] = json.dumps(manifest, indent=2)
    return Recording(f"{experiment.name}_{suffix}", files)


def agents_of(experiment: Experiment) -> tuple[Agent, Agent]:
    """Return the two sides of an experiment's conversations."""
    thinking = True if experiment.thinking_about else None
    same_model = experiment.models[0] == experiment.models[1]

    def agent(position: int, letter: str) -> Agent:
        model = experiment.models[position]
        return Agent(
            id=f"agent_{letter.lower()}",
            model=model.model_id,
            display_name=model.display_name + (f"-{letter}" if same_model else ""),
            model_display_name=model.display_name,
            temperature=experiment.temperatures[position],
            thinking_enabled=thinking,
            thinking_budget=experiment.think_budget if thinking else None,
            max_tokens=experiment.max_tokens,
        )

    return agent(0, "A"), agent(1, "B")


def _no_tokens() -> Json:
    return {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "model": None,
    }


def _billed_tokens(text: str) -> int:
    """Count four bytes as a token, which is about right for English and for emoji."""
    return -(-len(text.encode()) // 4)


def _estimated_tokens(text: str) -> int:
    """Guess like Pidgin does when the provider reports nothing."""
    return int((len(text) / 4 + len(text.split()) * 1.3) / 2)


def _hex_id(rng: Random) -> str:
    return f"{rng.getrandbits(32):08x}"
