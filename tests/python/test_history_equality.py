"""Any history of files and builds leads to the marts of a fresh build, row for row.

Each step changes files and builds: all, a selection, until it is killed, or while a log
grows. After each whole build every relation is compared with that of a new warehouse.

A history takes as long as ten builds, so the suite tries few; `make soak` tries many.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import ProjectMaker
from helpers.harness import Project
from helpers.history import (
    CONVERSATIONS,
    DEBRIS,
    FRUITS,
    LOGS,
    MANIFESTS,
    MODELS,
    Change,
    Complete,
    Delete,
    Follower,
    Grow,
    Inputs,
    Late,
    Move,
    RenameFolder,
    Revert,
    Reword,
    Spoil,
    Story,
    Touch,
    Truncate,
    Write,
    WriteManifest,
    changes,
    numbers,
    stories,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)
from writers.logs import OutputFolder

IS_SOAK = settings.get_current_profile_name() == "soak"
# Of a soak, so that several processes share it.
PARTS = 30 if IS_SOAK else 1
HISTORIES = settings(
    max_examples=settings().max_examples // PARTS if IS_SOAK else 1,
    stateful_step_count=3,
    suppress_health_check=list(HealthCheck),
)

selections = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "", "+"]),
        st.sampled_from(MODELS),
        st.sampled_from(["", "", "+"]),
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory, project: ProjectMaker) -> Project:
    """Make a warehouse that holds the seeds, which do not change here, and no more."""
    made = project(tmp_path_factory.mktemp("histories") / "pidgin_output")
    assert made.dbt("seed").success
    return made


@pytest.fixture
def follower(seeded: Project, tmp_path_factory: pytest.TempPathFactory) -> Follower:
    """Make an empty output folder and a warehouse that follows it."""
    return follow(seeded, tmp_path_factory)


def follow(seeded: Project, places: pytest.TempPathFactory) -> Follower:
    """Empty the one output folder, which all share so that dbt is spared reading."""
    folder = Path(seeded.output_dir)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()

    def fresh() -> Project:
        return seeded.copied(places.mktemp("project"))

    return Follower(Inputs(OutputFolder(folder)), fresh(), fresh)


class Histories(RuleBasedStateMachine):
    """Changes of files, and builds of every kind."""

    def __init__(self, follower: Follower) -> None:
        """Begin with two conversations, one of which runs."""
        super().__init__()
        self.follower = follower
        self.is_compared = False
        self.happen(
            [
                Write("experiments/one_00000001/events_a.jsonl", Story("a", 2)),
                Write(
                    "experiments/two_00000002/events/b.jsonl",
                    Story("b", 3, is_ended=False),
                ),
                WriteManifest(
                    "experiments/two_00000002/manifest.json",
                    2,
                    ("b",),
                    "two",
                    "running",
                    1,
                ),
            ]
        )

    def happen(self, happenings: Sequence[Change]) -> None:
        """Change files."""
        self.is_compared = False
        for change in happenings:
            change.apply(self.follower.inputs)

    def compare(self) -> None:
        """Compare with a fresh build."""
        self.follower.assert_equals_fresh_build()
        self.is_compared = True

    @rule(happenings=st.lists(changes, max_size=6))
    def build(self, happenings: list[Change]) -> None:
        """Build everything."""
        self.happen(happenings)
        self.follower.build()
        self.compare()

    @rule(happenings=st.lists(changes, max_size=6), statement=st.integers(0, 260))
    def build_until_killed(self, happenings: list[Change], statement: int) -> None:
        """Build until a statement, as if killed there."""
        self.happen(happenings)
        self.follower.build_until(statement)

    @rule(
        happenings=st.lists(changes, max_size=6),
        selection=selections,
        is_full=st.sampled_from([False, False, False, True]),
    )
    def build_selection(
        self, happenings: list[Change], selection: list[str], is_full: bool
    ) -> None:
        """Build some models, from what is there of the others."""
        if not self.follower.has_built:
            self.follower.build()
        self.happen(happenings)
        full = ["--full-refresh"] if is_full else []
        self.follower.build_in_part(*full, "--select", *selection)

    @rule(happenings=st.lists(changes, max_size=3))
    def build_anew(self, happenings: list[Change]) -> None:
        """Build everything anew, from the events that are stored."""
        self.happen(happenings)
        self.follower.build("--full-refresh")
        self.compare()

    @rule(
        number=numbers,
        story=stories,
        count=st.integers(1, 3),
        missing=st.integers(0, 99),
        statement=st.integers(0, 60),
    )
    def build_while_growing(
        self, number: int, story: Story, count: int, missing: int, statement: int
    ) -> None:
        """Build while a log grows, and once more."""
        self.follower.build_while(Grow(number, story, count, missing), statement)
        self.follower.build()
        self.compare()

    def teardown(self) -> None:
        """Whatever came last, a plain build heals it."""
        if not self.is_compared:
            self.build([])
        shutil.rmtree(self.follower.project.home)


@pytest.mark.parametrize("part", range(PARTS))
def test_any_history(
    seeded: Project,
    tmp_path_factory: pytest.TempPathFactory,
    part: int,
) -> None:
    """Incremental builds equal a fresh one, whatever happened before."""

    class Followed(Histories):
        def __init__(self) -> None:
            super().__init__(follow(seeded, tmp_path_factory))

    run_state_machine_as_test(Followed, settings=HISTORIES)


def test_history_of_everything(follower: Follower) -> None:
    """One history in which each kind of change and of build has a part."""
    one, shared, two, _, chat = LOGS
    steps: list[tuple[list[Change], Callable[[], None] | None]] = [
        (
            [
                Write(one, Story("a", 2, is_ended=False)),
                Write(two, Story("b", 3)),
                Write(chat, Story("c", 2, is_nested=True)),
                Write(shared, Story("c", 1), Story(CONVERSATIONS[3], 2)),
                WriteManifest(MANIFESTS[1], 2, ("b",), FRUITS[0], "running", 1),
            ],
            None,
        ),
        # Each of these alone is easily missed: by size, by number of lines, by time.
        ([Reword(0), Reword(1), Reword(2), Late(3, "b", 60)], None),
        (
            [
                Grow(3, Story("a", 3, FRUITS[1]), 9, missing=40),
                Truncate(4, 70),
                WriteManifest(MANIFESTS[0], 1, ("b", "c"), FRUITS[1], "failed", 3),
            ],
            lambda: follower.build_until(120),
        ),
        ([Complete(0), Spoil(0, DEBRIS[6]), Move(1, 3, is_copy=True)], None),
        ([Revert(1), Delete(3), RenameFolder(5)], lambda: follower.build_until(60)),
        (
            [Touch(0), Move(0, 2, is_copy=False)],
            lambda: follower.build_in_part("--select", "conversations+", "+messages"),
        ),
        ([Revert(0), Revert(6)], None),
    ]
    for happenings, build in steps:
        for change in happenings:
            change.apply(follower.inputs)
        if build is None:
            follower.build()
            follower.assert_equals_fresh_build()
        else:
            build()


def test_selection_that_skips_what_speech_is_measured_by(follower: Follower) -> None:
    """A turn without speech waits for the other turns of its conversation."""
    name = "experiments/two_00000002/events/b.jsonl"
    Write(name, Story("b", 1)).apply(follower.inputs)
    follower.build()
    Write(name, Story("b", 3)).apply(follower.inputs)
    follower.build_in_part(
        *("--select", "+int_message_tokens", "int_turns", "turn_metrics")
    )
    follower.build()
    follower.assert_equals_fresh_build()


def test_selection_between_two_states_of_a_file(follower: Follower) -> None:
    """What is built of one state never passes for what is built of another."""
    name = "experiments/two_00000002/events/b.jsonl"
    first, second, third = (
        Write(name, Story("b", 1, fruit)) for fruit in (*FRUITS, FRUITS[0])
    )
    first.apply(follower.inputs)
    follower.build()
    second.apply(follower.inputs)
    follower.build_in_part("--select", "+int_conversations")
    third.apply(follower.inputs)
    follower.build_in_part("--select", "stg_pidgin__event_lines")
    follower.build_in_part("--select", "messages")
    second.apply(follower.inputs)
    follower.build()
    follower.assert_equals_fresh_build()
