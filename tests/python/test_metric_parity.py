"""The metrics that Pidgin computes, too, equal those of its own calculators.

Runs on the bundled sample and on every folder that PIDGIN_TEST_OUTPUT_DIRS lists
(separated as in PATH). With PIDGIN_PARITY_REPORT=file.md, a table of how many values
were compared and how much they differed is written there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ProjectMaker
from harness import SAMPLE, Project
from log_oracle import Logs, is_placeholder
from metric_oracle import (
    MESSAGE_METRICS,
    PROFILES,
    TURN_METRICS,
    Comparison,
    Turn,
    compared,
)

EXTRA = [
    Path(folder)
    for folder in os.environ.get("PIDGIN_TEST_OUTPUT_DIRS", "").split(os.pathsep)
    if folder
]
REPORT = os.environ.get("PIDGIN_PARITY_REPORT")
# The live score looks at the last ten messages.
WINDOW = 5


@dataclass(frozen=True)
class Reading:
    """A folder that was built, and what was said in it by the oracle's reading."""

    project: Project
    logs: Logs
    conversations: dict[str, list[Turn]]
    comparison: Comparison


@pytest.fixture(scope="module")
def report() -> Iterator[list[str]]:
    """Collect the lines of the report, which is written at the end."""
    lines: list[str] = []
    yield lines
    if REPORT:
        Path(REPORT).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module", params=[SAMPLE, *EXTRA], ids=str)
def reading(
    request: pytest.FixtureRequest, project: ProjectMaker, report: list[str]
) -> Reading:
    """Build the metrics of one folder, and compare them with Pidgin's."""
    folder: Path = request.param
    built = project(folder)
    built.build_only("--select", "+message_metrics", "+turn_metrics")
    logs = Logs(folder)
    conversations = spoken_turns(logs)
    comparison = compared(built, conversations)
    report += [f"## {folder}", "", *comparison.table(), ""]
    return Reading(built, logs, conversations, comparison)


def spoken_turns(logs: Logs) -> dict[str, list[Turn]]:
    """Tell what was said in each complete turn, error placeholders left out."""
    result: dict[str, list[Turn]] = {}
    for conversation_id, number in sorted(logs.turns):
        texts = (
            logs.messages[conversation_id, number, agent].content
            for agent in ("agent_a", "agent_b")
        )
        a, b = (None if is_placeholder(text) else text for text in texts)
        result.setdefault(conversation_id, []).append(Turn(number, a, b))
    return result


def test_metrics_equal_pidgins(reading: Reading) -> None:
    """Every value of every metric is Pidgin's; where nobody spoke, there is none."""
    reading.comparison.insist()
    counts = reading.comparison.compared
    spoken = sum(
        len(turn.messages) for turns in reading.conversations.values() for turn in turns
    )
    turn_count = sum(map(len, reading.conversations.values()))
    assert spoken > 0
    assert reading.project.value("select count(*) from message_metrics") == spoken
    assert reading.project.value("select count(*) from turn_metrics") == turn_count
    assert {counts[metric] for metric in MESSAGE_METRICS} == {spoken}
    assert {counts[metric] for metric in (*TURN_METRICS, *PROFILES)} == {turn_count}


def test_one_profile_explains_the_recorded_scores(reading: Reading) -> None:
    """Each conversation's recorded scores are those of one of the profiles.

    Pidgin counts placeholders as messages, so turns with one among the last five are
    left out. A run with weights of its own would fit no profile.
    """
    columns = ", ".join(PROFILES)
    computed = {
        (conversation_id, number): scores
        for conversation_id, number, *scores in reading.project.query(
            f"select conversation_id, turn_number, {columns} from turn_metrics"
        )
    }
    unexplained = {}
    for conversation_id, turns in reading.conversations.items():
        recorded = {
            turn.number: reading.logs.turns[conversation_id, turn.number].score
            for place, turn in enumerate(turns)
            if all(seen.is_spoken for seen in turns[: place + 1][-WINDOW:])
        }
        differing = [
            [
                (number, score, scores[profile])
                for number, score in recorded.items()
                if (scores := computed[conversation_id, number])[profile] != score
                and score is not None
            ]
            for profile in range(len(PROFILES))
        ]
        if all(differing):
            unexplained[conversation_id] = min(differing, key=len)[:5]
    assert not unexplained, f"turn, recorded, computed: {unexplained}"


def test_recorded_score_is_kept(reading: Reading) -> None:
    """The recorded score and the time stand beside the computed ones."""
    actual = {
        (conversation_id, number): tuple(values)
        for conversation_id, number, *values in reading.project.query(
            "select conversation_id, turn_number, convergence_score, timestamp"
            " from turn_metrics"
        )
    }
    expected = {
        key: (turn.score, turn.completed_at) for key, turn in reading.logs.turns.items()
    }
    assert actual == expected
