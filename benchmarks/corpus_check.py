"""Check that the generated logs have the shape of the recorder's, event by event.

Usage: python -m benchmarks.corpus_check

A shape is the order of keys and the types of values, all the way down. Both write the
same conversation: three turns, in one of which a request fails, and an interrupt.
"""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

from sampler.convergence import Exchange
from sampler.events import RATE_LIMIT_MESSAGE
from sampler.models import GPT_MINI
from sampler.recorder import Experiment, Incident, Trouble, record

from benchmarks.corpus import Corpus, ExperimentRecording

TURNS = 3
FAILING_TURN = 1
PACE = "RateLimitPaceEvent"


def shape(value: Any) -> Any:
    """Describe a JSON value: keys in their order, and the types of the leaves."""
    match value:
        case dict():
            return [(key, shape(held)) for key, held in value.items()]
        case list():
            return [shape(held) for held in value]
        case _:
            return type(value).__name__


def reference() -> tuple[list[str], Any]:
    """Let the recorder write the conversation: its lines, and its manifest."""

    def script(_rng: Random, turns: int) -> list[Exchange]:
        # Short, so that the recorder has to wait for the provider's limit.
        return [("One more.", "And one for you.")] * (turns + 1)

    recording = record(
        Experiment(
            name="shape",
            models=(GPT_MINI, GPT_MINI),
            prompt="Count.",
            max_turns=TURNS,
            script=script,
            incidents={
                0: (
                    Incident(
                        Trouble.API_ERROR,
                        turn=FAILING_TURN,
                        agent_id="agent_b",
                        message=RATE_LIMIT_MESSAGE,
                        error_type="rate_limit",
                    ),
                    Incident(Trouble.INTERRUPT_BEFORE_TURN, turn=TURNS),
                )
            },
            convergence_threshold=1.1,
            starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        "shape",
    )
    (log,) = (text for name, text in recording.files.items() if "events" in name)
    return log.splitlines(), json.loads(recording.files["manifest.json"])


def generated() -> tuple[list[str], Any]:
    """Let the generator write it."""
    recording = ExperimentRecording(Corpus(TURNS, histories=True), number=4)
    conversation = recording.add_conversation(0, 0)
    for turn in range(TURNS):
        conversation.add_turn(fails=turn == FAILING_TURN)
    conversation.interrupt()
    return conversation.lines, recording.manifest()


def events(lines: list[str]) -> list[tuple[str, Any]]:
    """Name and describe each event, but for the waits, which are up to the dice."""
    parsed = [json.loads(line) for line in lines]
    return [
        (event["event_type"], shape(event))
        for event in parsed
        if event["event_type"] != PACE
    ]


def manifest_shape(manifest: Any) -> Any:
    """Describe a manifest, whatever its conversations are called."""
    (conversation,) = manifest["conversations"].values()
    return shape(manifest | {"conversations": conversation})


def check() -> None:
    """Raise ValueError where the two differ."""
    (expected, expected_manifest), (actual, manifest) = reference(), generated()
    for theirs, ours in zip(events(expected), events(actual), strict=True):
        if theirs != ours:
            raise ValueError(f"the recorder writes {theirs}, the generator {ours}")
    if manifest_shape(expected_manifest) != manifest_shape(manifest):
        raise ValueError("the manifests differ in shape")


if __name__ == "__main__":
    check()
