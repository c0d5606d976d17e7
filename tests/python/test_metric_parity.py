"""Every metric equals what plain Python makes of the logs.

Those that Pidgin computes, too, equal its own calculators'; the others, what their
descriptions say, in oracles.own_metrics and oracles.courses.

Runs on the bundled sample and on every folder that PIDGIN_TEST_OUTPUT_DIRS lists
(separated as in PATH). With PIDGIN_PARITY_REPORT=file.md, a table of how many values
were compared and how much they differed is written there; `make site` shows it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ProjectMaker
from helpers.harness import SAMPLE, Project
from oracles.courses import KEYS, compared_patterns, compared_rolling
from oracles.logs import Logs, is_placeholder
from oracles.pidgin_metrics import (
    MESSAGE_COLUMNS,
    PROFILES,
    TURN_COLUMNS,
    TURN_METRICS,
    UNSTORED_METRICS,
    WINDOW,
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


@dataclass(frozen=True)
class Reading:
    """A folder that was built, and what was said in it by the oracle's reading."""

    folder: Path
    project: Project
    logs: Logs
    conversations: dict[str, list[Turn]]
    comparison: Comparison


# By metric and then folder: how many values were compared, and the largest difference.
Report = defaultdict[str, dict[str, tuple[int, float]]]


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    """Collect what was compared; it is written at the end."""
    cells: Report = defaultdict(dict)
    yield cells
    if REPORT:
        Path(REPORT).write_text("\n".join(page_of(cells)) + "\n", encoding="utf-8")


def page_of(report: Report) -> list[str]:
    """Return the lines of a section with a table: a column for each folder."""
    folders = list(dict.fromkeys(folder for row in report.values() for folder in row))
    lines = [
        "## What was compared",
        "",
        "How many values of each metric, and the largest difference in brackets.",
        "",
        "| Metric | " + " | ".join(folders) + " |",
        "|---|" + "---:|" * len(folders),
    ]
    for metric, row in report.items():
        cells = (row.get(folder, (0, 0.0)) for folder in folders)
        texts = (f"{count:,} ({largest:.2g})" for count, largest in cells)
        lines.append(f"| `{metric}` | " + " | ".join(texts) + " |")
    return lines


def note(report: Report, folder: Path, mart: str, comparison: Comparison) -> None:
    """Note a comparison under the folder's name."""
    name = folder.parent.name if folder.name == SAMPLE.name else folder.name
    for metric, count in comparison.compared.items():
        report[mart + metric][name] = (count, comparison.largest[metric])


@pytest.fixture(scope="module", params=[SAMPLE, *EXTRA], ids=str)
def reading(
    request: pytest.FixtureRequest, project: ProjectMaker, report: Report
) -> Reading:
    """Build the metrics of one folder, and compare them with Pidgin's."""
    folder: Path = request.param
    built = project(folder)
    built.build_only("--select", "+rolling_convergence", "+conversation_patterns")
    logs = Logs(folder)
    conversations = spoken_turns(logs)
    comparison = compared(built, conversations)
    note(report, folder, "", comparison)
    return Reading(folder, built, logs, conversations, comparison)


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


def test_metrics_equal_the_oracles(reading: Reading) -> None:
    """Every value of every metric is the oracle's; where nobody spoke, there is none.

    For most metrics the oracle is Pidgin.
    """
    reading.comparison.insist()
    counts = reading.comparison.compared
    spoken = sum(
        len(turn.messages) for turns in reading.conversations.values() for turn in turns
    )
    turn_count = sum(map(len, reading.conversations.values()))
    assert spoken > 0
    assert reading.project.value("select count(*) from message_metrics") == spoken
    assert reading.project.value("select count(*) from turn_metrics") == turn_count
    assert {counts[metric] for metric in MESSAGE_COLUMNS} == {spoken}
    for metric in (*TURN_METRICS, *PROFILES, *UNSTORED_METRICS):
        assert counts[metric] == turn_count, metric


def test_no_metric_is_left_out(reading: Reading) -> None:
    """Each column of both marts is a key, or compared here or in a test below.

    The score that only a database has is compared in test_legacy.py.
    """
    scores = {"convergence_score", "legacy_convergence_score"}
    others = {"fingerprint", "experiment_id", "timestamp", "is_spoken"}
    others |= {*KEYS, *scores}
    for mart, compared_columns in (
        ("message_metrics", MESSAGE_COLUMNS),
        ("turn_metrics", TURN_COLUMNS),
    ):
        columns = {name for (name, *_) in reading.project.query(f"describe {mart}")}
        assert columns - others == {*compared_columns}


def test_rolling_convergence(reading: Reading, report: Report) -> None:
    """Averages, spreads and trends follow from the scores of the turns."""
    comparison = compared_rolling(reading.project)
    note(report, reading.folder, "rolling_convergence.", comparison)
    comparison.insist()


def test_conversation_patterns(reading: Reading, report: Report) -> None:
    """Patterns and alignment follow from the metrics of turns and messages."""
    comparison = compared_patterns(reading.project)
    note(report, reading.folder, "conversation_patterns.", comparison)
    comparison.insist()


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
    """The recorded score and the time stand beside the computed ones.

    So does whether both agents spoke, for the recorded one does not tell.
    """
    actual = {
        (conversation_id, number): tuple(values)
        for conversation_id, number, *values in reading.project.query(
            "select conversation_id, turn_number, convergence_score, timestamp,"
            " is_spoken from turn_metrics"
        )
    }
    spoken = {
        (conversation_id, turn.number): turn.is_spoken
        for conversation_id, turns in reading.conversations.items()
        for turn in turns
    }
    expected = {
        key: (turn.score, turn.completed_at, spoken[key])
        for key, turn in reading.logs.turns.items()
    }
    assert actual == expected
