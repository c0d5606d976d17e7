"""Write logs as pidgin-ai 1.1.0 does, of any size: fast, and the same for each seed.

Usage: python -m benchmarks.corpus DIR --turns 5000 [--turns-per-conversation 50]
       [--histories] [--seed TEXT]

Without --histories each MessageRequestEvent carries an empty `conversation_history`;
with it, all that was said so far, as Pidgin writes it. The sample's recorder is the
reference: `benchmarks.corpus_check` compares what both write. It looks at each message
many times and is too slow for large corpora. Recorded convergence scores are a random
walk.
"""

import argparse
import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from random import Random
from typing import Any

from sampler.events import (
    RATE_LIMIT_MESSAGE,
    SYSTEM_PROMPTS,
    Agent,
    Clock,
    EventWriter,
    Usage,
    as_line,
)
from sampler.models import GPT_4O, GPT_MINI, HAIKU, SONNET, Model
from sampler.recorder import Experiment, agents_of

from benchmarks.texts import Texts

Json = dict[str, Any]

CONVERSATIONS_PER_EXPERIMENT = 10
# The last experiment plans that many more than it holds, and still runs.
SPARE_CONVERSATIONS = 10
MODEL_PAIRS = (
    (SONNET, GPT_4O),
    (HAIKU, HAIKU),
    (GPT_4O, GPT_MINI),
    (SONNET, HAIKU),
    (GPT_MINI, GPT_MINI),
)
PROMPTS = (
    "What would you put on a map of an island that neither of you has seen?",
    "Plan the first winter of a lighthouse together.",
    "Which instrument would a river play, and why?",
)
FIRST_START = datetime(2026, 1, 1, 6, tzinfo=UTC)
# A build takes files that were written within two seconds of it for unsettled.
SETTLED = datetime(2026, 10, 1, tzinfo=UTC)
HISTORY_MARK = "\x00"

# Shares of conversations, and of messages.
API_ERROR_SHARE = 0.05
CONVERGED_SHARE, INTERRUPTED_SHARE = 0.06, 0.04
PACE_SHARE = 0.02


@dataclass(frozen=True)
class Corpus:
    """What a corpus is made of: numbers of turns, and whether requests hold histories.

    The last conversation is shorter where the turns do not come out even.
    """

    turns: int
    turns_per_conversation: int = 50
    histories: bool = False
    seed: str = "benchmark"

    @property
    def conversations(self) -> int:
        """The number of conversations."""
        return -(-self.turns // self.turns_per_conversation)

    @property
    def experiments(self) -> int:
        """The number of experiments."""
        return -(-self.conversations // CONVERSATIONS_PER_EXPERIMENT)

    @property
    def label(self) -> str:
        """The corpus in words."""
        histories = "full histories" if self.histories else "no histories"
        return f"{self.turns:,} turns, {histories}"

    def conversations_of(self, experiment: int) -> Iterator[tuple[int, int]]:
        """Yield number and turns of each conversation of an experiment."""
        first = experiment * CONVERSATIONS_PER_EXPERIMENT
        last = min(first + CONVERSATIONS_PER_EXPERIMENT, self.conversations)
        for number in range(first, last):
            before = number * self.turns_per_conversation
            yield number, min(self.turns_per_conversation, self.turns - before)


class ConversationLog:
    """The lines of one conversation, written as it goes on."""

    def __init__(self, recording: "ExperimentRecording", number: int) -> None:
        """Begin the conversation of that number; numbers make ids."""
        self.recording = recording
        # An odd factor: each number gives another id, and neighbours look unlike.
        self.id = f"conv_{number * 0x9E3779B1 % 2**32:08x}"
        self.turn_count = 0
        self.status = "running"
        self.tokens = {"agent_a": [0, 0], "agent_b": [0, 0]}
        seed = f"{recording.corpus.seed}/{number}"
        self._rng = Random(seed)
        self._texts = Texts(self._rng)
        self._clock = Clock(recording.starts_at, self._rng)
        self._events = EventWriter(self.id, recording.experiment_id, self._clock)
        self._history: list[str] = []
        self._history_tokens = 0
        self._cached_tokens = {"agent_a": 0, "agent_b": 0}
        self._score = self._rng.uniform(0.2, 0.5)
        self._start()

    @property
    def lines(self) -> list[str]:
        """Its lines so far."""
        return self._events.lines

    @property
    def _models(self) -> Iterator[tuple[Agent, Model]]:
        return zip(self.recording.agents, self.recording.experiment.models, strict=True)

    def _start(self) -> None:
        experiment, agents = self.recording.experiment, self.recording.agents
        system = SYSTEM_PROMPTS["basic"]
        self._remember(self._events.message("system", system, "system"))
        self._remember(self._events.message("user", experiment.prompt, "human"))
        for agent in agents:
            self._events.system_prompt(agent, system)
        self._events.conversation_start(
            agents, ("basic", "basic"), experiment.prompt, experiment.max_turns
        )

    def add_turns(self, count: int) -> None:
        """Go on for that many turns; one of twenty times, a request fails in them."""
        fails = self._rng.random() < API_ERROR_SHARE
        failing = self._rng.randrange(count) if fails and count else None
        for position in range(count):
            self.add_turn(fails=position == failing)

    def add_turn(self, *, fails: bool = False) -> None:
        """Go on for one turn; agent B may be answered by an error."""
        turn = self.turn_count
        self._events.turn_start(turn)
        message_a, message_b = (
            self._ask(agent, model, turn, fails=fails and agent.id == "agent_b")
            for agent, model in self._models
        )
        self._score = min(max(self._score + self._rng.uniform(-0.06, 0.07), 0.0), 0.99)
        self._events.turn_complete(turn, (message_a, message_b), round(self._score, 2))
        self.turn_count += 1

    def end(self) -> None:
        """End the conversation, mostly because its turns are over."""
        dice = self._rng.random()
        if dice < INTERRUPTED_SHARE:
            self.interrupt()
        elif dice < INTERRUPTED_SHARE + CONVERGED_SHARE:
            self._end("high_convergence", "completed")
        else:
            self._end("max_turns", "completed")

    def interrupt(self) -> None:
        """End the conversation as a user does."""
        self._events.interrupt(self.turn_count)
        self._end("user_interrupt", "interrupted")

    def _end(self, reason: str, status: str) -> None:
        # As in Pidgin, the prompts count.
        self._events.conversation_end(
            self.turn_count + 1, status, reason, self.recording.starts_at
        )
        self.status = status

    def _ask(self, agent: Agent, model: Model, turn: int, *, fails: bool) -> Json:
        if self._rng.random() < PACE_SHARE:
            wait = timedelta(seconds=self._rng.uniform(0.1, 1.2))
            self._clock.advance(wait)
            self._events.pace(model, wait)
        self._request(agent, turn)
        asked = self._clock.now
        if fails:
            return self._fail(agent, model, turn, asked)
        text = self._texts.message()
        completion = -(-len(text.encode()) // 4)
        tempo = self._rng.uniform(0.8, 1.25)
        waits = (model.first_token_ms + model.ms_per_token * completion) * tempo
        self._clock.advance(timedelta(milliseconds=waits))
        read = self._cached_tokens[agent.id]
        prompt = self._history_tokens
        self._cached_tokens[agent.id] = prompt
        usage = Usage(prompt, completion, read, cache_write=prompt - read)
        message = self._complete(agent, text, asked, usage)
        self._events.token_usage(agent, model, usage, float(usage.total))
        self.tokens[agent.id][0] += prompt
        self.tokens[agent.id][1] += completion
        self._history_tokens += completion + 4
        return message

    def _request(self, agent: Agent, turn: int) -> None:
        """Ask; the history goes in as the texts that it is made of."""
        histories = self.recording.corpus.histories
        self._events.message_request(agent, turn, [HISTORY_MARK] if histories else [])
        if histories:
            mark, history = json.dumps(HISTORY_MARK), ",".join(self._history)
            self.lines[-1] = self.lines[-1].replace(mark, history, 1)

    def _fail(self, agent: Agent, model: Model, turn: int, asked: datetime) -> Json:
        self._clock.advance(timedelta(seconds=5))
        self._events.api_error(agent, model, turn, "rate_limit", RATE_LIMIT_MESSAGE)
        text = f"[API error: {RATE_LIMIT_MESSAGE}]"
        return self._complete(agent, text, asked, None)

    def _complete(
        self, agent: Agent, text: str, asked: datetime, usage: Usage | None
    ) -> Json:
        message = self._events.message("assistant", text, agent.id)
        self._events.message_complete(agent, message, usage, asked)
        self._remember(message)
        return message

    def _remember(self, message: Json) -> None:
        if self.recording.corpus.histories:
            self._history.append(as_line(message))

    def manifest_entry(self) -> Json:
        """Build the conversation's part of the manifest."""
        usage: Json = {
            agent.id: {
                "prompt_tokens": self.tokens[agent.id][0],
                "completion_tokens": self.tokens[agent.id][1],
                "total_tokens": sum(self.tokens[agent.id]),
                "model": model.api_id,
            }
            for agent, model in self._models
        }
        return {
            "status": self.status,
            "jsonl": f"events_{self.id}.jsonl",
            "last_line": len(self.lines),
            "total_turns": self.turn_count,
            "last_updated": self._clock.now.isoformat(),
            "token_usage": usage | {"total": sum(map(sum, self.tokens.values()))},
        }


class ExperimentRecording:
    """One experiment: its folder, its manifest, and what its conversations share."""

    def __init__(self, corpus: Corpus, number: int) -> None:
        """Set up the experiment of that number, with no conversation yet."""
        self.corpus = corpus
        self.starts_at = FIRST_START + number * timedelta(hours=3)
        is_last = number == corpus.experiments - 1
        planned = len([*corpus.conversations_of(number)])
        planned += SPARE_CONVERSATIONS if is_last else 0
        suffix = f"{number * 0x85EBCA6B % 2**32:08x}"
        self.experiment_id = f"experiment_{suffix}"
        self.experiment = Experiment(
            name=f"bench-{number}",
            models=MODEL_PAIRS[number % len(MODEL_PAIRS)],
            prompt=PROMPTS[number % len(PROMPTS)],
            max_turns=corpus.turns_per_conversation,
            repetitions=planned,
            script=lambda _rng, _turns: [],
            starts_at=self.starts_at,
            display_mode="none",
        )
        self.agents = agents_of(self.experiment)
        self.directory = f"{self.experiment.name}_{suffix}"
        self.conversations: list[ConversationLog] = []

    def add_conversation(self, number: int, turns: int) -> ConversationLog:
        """Play a conversation of that many turns, without an end."""
        conversation = ConversationLog(self, number)
        conversation.add_turns(turns)
        self.conversations.append(conversation)
        return conversation

    def manifest(self) -> Json:
        """Build the manifest, as it stands after the last event."""
        planned = self.experiment.repetitions
        is_running = len(self.conversations) < planned or any(
            each.status == "running" for each in self.conversations
        )
        started = self.starts_at.isoformat()
        # The conversations of the benchmark run side by side, for hours.
        ended = (self.starts_at + timedelta(hours=3)).isoformat()
        return self.experiment.manifest(
            self.experiment_id,
            {each.id: each.manifest_entry() for each in self.conversations},
            (started, started, None if is_running else ended),
        )

    def write(
        self,
        output: Path,
        conversations: list[ConversationLog],
        modified_at: datetime = SETTLED,
    ) -> None:
        """Write these conversations and the manifest, as modified at that time."""
        folder = output / "experiments" / self.directory
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            f"events_{each.id}.jsonl": "".join(f"{line}\n" for line in each.lines)
            for each in conversations
        }
        files["manifest.json"] = json.dumps(self.manifest(), indent=2)
        for name, text in files.items():
            path = folder / name
            path.write_bytes(text.encode())
            os.utime(path, (modified_at.timestamp(),) * 2)


def record(corpus: Corpus, number: int) -> ExperimentRecording:
    """Play the experiment of that number."""
    recording = ExperimentRecording(corpus, number)
    for conversation, turns in corpus.conversations_of(number):
        recording.add_conversation(conversation, turns).end()
    return recording


def write_corpus(corpus: Corpus, output: Path) -> None:
    """Write all experiments below a folder, with as many processes as cores."""
    numbers = range(corpus.experiments)
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(_write_experiment, repeat(corpus), numbers, repeat(output)):
            pass


def _write_experiment(corpus: Corpus, number: int, output: Path) -> None:
    recording = record(corpus, number)
    recording.write(output, recording.conversations)


def main() -> None:
    """Read the command line and write a corpus."""
    parser = argparse.ArgumentParser(description="Write logs to measure with.")
    parser.add_argument("output", type=Path, metavar="DIR")
    parser.add_argument("--turns", type=int, default=5_000)
    parser.add_argument("--turns-per-conversation", type=int, default=50)
    parser.add_argument("--histories", action="store_true")
    parser.add_argument("--seed", default="benchmark")
    options = parser.parse_args()
    corpus = Corpus(
        options.turns, options.turns_per_conversation, options.histories, options.seed
    )
    write_corpus(corpus, options.output)


if __name__ == "__main__":
    main()
