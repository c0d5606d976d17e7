"""What the patterns are worth: on made-up dialogues, and on some that readers labelled.

The labelled ones are a public collection that is no part of this project: its folder
and the labels come from PIDGIN_TEST_DIALOGUES and PIDGIN_TEST_LABELS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import ProjectMaker
from helpers.harness import Project
from lexicalrichness import LexicalRichness
from oracles.courses import phases, table, thresholds, turns_of
from oracles.own_metrics import words_of

from benchmarks.detectors import scoring
from benchmarks.detectors.dialogues import LABELS, Dialogue, collection, write_logs
from benchmarks.detectors.injection import CLEAN, dialogue_with, injected, permuted
from benchmarks.detectors.scoring import PATTERNS, Found

DIALOGUES = os.environ.get("PIDGIN_TEST_DIALOGUES")
READINGS = os.environ.get("PIDGIN_TEST_LABELS")
# With PIDGIN_VALIDITY_REPORT=file.md, what cross-validation finds is written there.
REPORT = os.environ.get("PIDGIN_VALIDITY_REPORT")
# Thresholds that are chosen anew for each model, from the dialogues of all others.
GRIDS: Mapping[str, Mapping[str, Sequence[float]]] = {
    "loop": {
        "loop_share": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5),
        "loop_similarity": (0.45, 0.5, 0.55, 0.6, 0.7),
    },
    "farewell_loop": {
        "farewell_closing_share": (0.1, 0.2, 0.3),
        "farewell_ending_share": (0.02, 0.03, 0.04, 0.06, 0.08),
        "farewell_silent_ratio": (0.1, 0.15, 0.2, 0.25, 0.3),
    },
    "gratitude_spiral": {
        "gratitude_spiral_share": (0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.2, 0.25)
    },
    "silence": {"silence_words": (0, 1, 2, 3, 4, 5)},
    "symbol_ending": {"symbol_ending_share": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)},
    "compression_phase": {
        "compression_phase_ratio": (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
    },
}


def found_in(
    dialogues: list[Dialogue], folder: Path, project: ProjectMaker
) -> tuple[Project, Found]:
    """Build the patterns of dialogues."""
    write_logs(dialogues, folder)
    built = project(folder)
    built.build_only("--select", "+conversation_patterns")
    columns = ", ".join(f"{pattern}_turn" for pattern in PATTERNS)
    rows = built.query(f"select conversation_id, {columns} from conversation_patterns")
    return built, {
        name: dict(zip(PATTERNS, turns, strict=True)) for name, *turns in rows
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Dialogue]:
    """Make dialogues with a pattern, and without."""
    return [*injected(each=4, seed=1)]


@pytest.fixture(scope="module")
def made_project(
    made: list[Dialogue],
    tmp_path_factory: pytest.TempPathFactory,
    project: ProjectMaker,
) -> tuple[Project, Found]:
    """Build them once."""
    return found_in(made, tmp_path_factory.mktemp("made"), project)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_found_where_it_begins(
    pattern: str, made: list[Dialogue], made_project: tuple[Project, Found]
) -> None:
    """At middle and full strength within two turns, and never where there is none."""
    _, found = made_project
    groups = scoring.grouped(made, lambda dialogue: dialogue.group)
    for strength in ("middle", "strong"):
        hits = scoring.hits(groups[f"{pattern}-{strength}"], found, pattern)
        assert sum(hits) >= len(hits) - 1, strength
    assert not any(scoring.alarms(groups[CLEAN], found, pattern))


def test_a_loop_and_a_collapse_are_told_apart(
    made: list[Dialogue], made_project: tuple[Project, Found]
) -> None:
    """Messages that come again have many words; few words come in new orders."""
    _, found = made_project
    groups = scoring.grouped(made, lambda dialogue: dialogue.group)
    for pattern, other in (
        ("loop", "vocabulary_collapse"),
        ("vocabulary_collapse", "loop"),
    ):
        assert not any(scoring.alarms(groups[f"{pattern}-middle"], found, other))


def test_diversity_equals_that_of_lexicalrichness(
    made: list[Dialogue], made_project: tuple[Project, Found]
) -> None:
    """Of the same words, the package and the warehouse say the same."""
    built, _ = made_project
    texts = {
        (dialogue.name, number, agent): text
        for dialogue in made
        for number, turn in enumerate(dialogue.turns)
        for agent, text in zip(("agent_a", "agent_b"), turn, strict=True)
    }
    rows = built.query(
        "select conversation_id, turn_number, agent_id, mattr, mtld, hd_d"
        " from message_metrics order by all"
    )
    compared = 0
    for *key, mattr, mtld, hd_d in Random(1).sample(rows, 400):
        words = words_of(texts[tuple(key)])
        theirs = LexicalRichness(words, preprocessor=None, tokenizer=None)
        assert mtld == (pytest.approx(theirs.mtld(), rel=1e-9) if words else None)
        assert mattr == (
            pytest.approx(theirs.mattr(50), rel=1e-9) if len(words) >= 50 else None
        )
        assert hd_d == (
            pytest.approx(theirs.hdd(42), rel=1e-9) if len(words) >= 42 else None
        )
        compared += len(words) >= 50
    assert compared > 100


def test_kappa() -> None:
    """Agreement by chance is 0, and one that always says no agrees with nobody."""
    assert scoring.kappa([(True, True), (False, False)]) == 1
    assert (
        scoring.kappa([(True, True), (True, False), (False, True), (False, False)]) == 0
    )
    assert scoring.kappa([(False, True), (False, False)]) == 0
    assert scoring.interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)


def test_a_dialogue_is_made_the_same_each_time() -> None:
    """A seed decides everything, so that detectors can be compared."""
    one, other = (dialogue_with("loop", "middle", 0, Random("seed")) for _ in range(2))
    assert one == other
    assert sorted(sum(permuted(one, 1).turns, ())) == sorted(sum(one.turns, ()))


@pytest.fixture(scope="module")
def labelled(
    tmp_path_factory: pytest.TempPathFactory, project: ProjectMaker
) -> tuple[list[Dialogue], Project, Found]:
    """Build the labelled dialogues, and the same with messages in another order."""
    if not DIALOGUES or not READINGS:
        pytest.skip("PIDGIN_TEST_DIALOGUES and PIDGIN_TEST_LABELS are not set")
    read = collection(Path(DIALOGUES), Path(READINGS))
    originals = [dialogue for dialogue in read if dialogue.readings]
    dialogues = originals + [permuted(dialogue, 1) for dialogue in originals]
    folder = tmp_path_factory.mktemp("labelled")
    return originals, *found_in(dialogues, folder, project)


@pytest.mark.parametrize(
    ("pattern", "least"),
    [
        (pattern, 0.6 if pattern == "gratitude_spiral" else 0.8)
        for pattern in LABELS.values()
    ],
)
def test_patterns_agree_with_readers(
    pattern: str, least: float, labelled: tuple[list[Dialogue], Project, Found]
) -> None:
    """Kappa with both readings, and the turn in which a pattern begins."""
    dialogues, _, found = labelled
    for reading in (0, 1):
        agreement = scoring.agreement(dialogues, found, pattern, reading)
        median: Any = agreement.median_error
        assert agreement.kappa >= least
        assert median <= 1


@pytest.mark.parametrize("pattern", LABELS.values())
def test_no_pattern_comes_by_chance(
    pattern: str, labelled: tuple[list[Dialogue], Project, Found]
) -> None:
    """Where no reader sees it, the same messages in another order do not make it."""
    dialogues, _, found = labelled
    without = [
        permuted(dialogue, 1)
        for dialogue in dialogues
        if all(reading[pattern] is None for reading in dialogue.readings)
    ]
    assert sum(scoring.alarms(without, found, pattern)) <= 1


@pytest.fixture(scope="module")
def report() -> Iterator[list[str]]:
    """Collect a table of what is found; it is written at the end."""
    rows: list[str] = []
    yield rows
    if REPORT:
        head = ("Pattern", "Kappa", "Lowest and highest of all thresholds")
        cells = [row.split("|") for row in rows]
        Path(REPORT).write_text(scoring.table(head, cells) + "\n", encoding="utf-8")


@pytest.mark.parametrize("pattern", GRIDS)
def test_thresholds_hold_for_models_that_they_were_not_chosen_on(
    pattern: str,
    labelled: tuple[list[Dialogue], Project, Found],
    report: list[str],
) -> None:
    """Chosen on the dialogues of all other models, they find a model's own."""
    dialogues, project, _ = labelled
    turns = turns_of(project)
    messages: dict[str, dict[tuple[int, str], Any]] = {}
    for (name, number, agent), row in table(project, "message_metrics", 3).items():
        messages.setdefault(name, {})[number, agent] = row
    candidates: list[Found] = []
    for values in product(*GRIDS[pattern].values()):
        lines = thresholds() | dict(zip(GRIDS[pattern], values, strict=True))
        candidates.append(
            {
                name: {
                    pattern: phases([*turns[name]], turns[name], said, lines)[pattern]
                }
                for name, said in messages.items()
            }
        )
    chosen: dict[str, Any] = {}
    for model, own in scoring.grouped(dialogues, lambda each: each.group).items():
        others = [dialogue for dialogue in dialogues if dialogue.group != model]
        kappas = [scoring.mean_kappa(others, found, pattern) for found in candidates]
        best = [each for each, kappa in enumerate(kappas) if kappa == max(kappas)]
        found = candidates[best[len(best) // 2]]
        chosen |= {dialogue.name: found[dialogue.name] for dialogue in own}
    kappa = scoring.mean_kappa(dialogues, chosen, pattern)
    every = [scoring.mean_kappa(dialogues, found, pattern) for found in candidates]
    report.append(f"{pattern}|{kappa:.2f}|{min(every):.2f} to {max(every):.2f}")
    assert kappa >= (0.6 if pattern == "gratitude_spiral" else 0.8)
