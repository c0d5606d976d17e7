"""Pidgin itself runs experiments, and builds follow it, as on a user's machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import test_marts_match_logs as comparison
from conftest import ProjectMaker
from helpers.harness import STORE, Project, assert_same_contents
from oracles.logs import Logs

TURNS, CONVERSATIONS = 4, 2


def run_pidgin(home: Path, name: str) -> None:
    """Run an experiment offline, with the model that Pidgin has for tests."""
    subprocess.run(
        [
            Path(sys.executable).with_name("pidgin"),
            "run",
            *("-a", "local:test", "-b", "local:test"),
            *("-t", str(TURNS), "-r", str(CONVERSATIONS)),
            *("--name", name, "-p", "Speak of the sea.", "--tail"),
        ],
        cwd=home,
        # It writes below PWD, which a change of directory leaves as it was.
        env=os.environ | {"HOME": str(home), "PWD": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )
    assert list(home.glob(f"pidgin_output/experiments/{name}_*/events_*.jsonl"))
    # Files of the last two seconds would be read again by the next build.
    time.sleep(3)


@dataclass(frozen=True)
class Step:
    """The warehouse after one build."""

    logs: set[str]
    logs_read: int
    store: dict[str, list[str]]
    contents: dict[str, list[str]]


def step(project: Project, output: Path) -> Step:
    """Build, and note what there is and what was read."""
    outcome = project.build_only()
    rows: dict[str, list[str]] = {}
    for row in project.query(
        f"select source_file, rowid, line_number, event_id from {STORE} order by all"
    ):
        rows.setdefault(row[0], []).append(repr(row))
    return Step(
        logs={str(path) for path in output.rglob("*.jsonl")},
        logs_read=outcome.logs_read,
        store=rows,
        contents=project.contents(rowids=True),
    )


@dataclass(frozen=True)
class Story:
    """Two experiments and four builds."""

    project: Project
    output: Path
    first: Step
    second: Step
    third: Step


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, project: ProjectMaker) -> Story:
    """Run, build, run, build, build."""
    home = tmp_path_factory.mktemp("pidgin")
    output = home / "pidgin_output"
    built = project(output)
    run_pidgin(home, "first")
    first = step(built, output)
    run_pidgin(home, "second")
    return Story(built, output, first, step(built, output), step(built, output))


def test_marts_say_what_pidgin_ran(story: Story) -> None:
    """Two experiments of two conversations, complete, with the turns of their logs."""
    logs = [Path(path).read_text(encoding="utf-8") for path in story.third.logs]
    # Conversations of the test model may converge and end early.
    turns = sum(log.count('"TurnCompleteEvent"') for log in logs)
    assert 0 < turns <= 2 * CONVERSATIONS * TURNS
    assert story.project.query(
        "select name, status, manifest_status, stats.total_conversations,"
        " stats.completed_conversations from experiments order by all"
    ) == [
        (name, "completed", "completed", CONVERSATIONS, CONVERSATIONS)
        for name in ("first", "second")
    ]
    assert (
        story.project.value("select sum(stats.total_turns) from experiments") == turns
    )
    assert story.project.query(
        "select distinct status, max_turns, initial_prompt, agent_a_model,"
        " agent_b_model from conversations"
    ) == [("completed", TURNS, "Speak of the sea.", "local:test", "local:test")]
    assert story.project.query(
        "select count(*), bool_and(is_turn_complete), bool_or(is_api_error)"
        " from messages"
    ) == [(2 * turns, True, False)]
    assert story.project.query("select * from rejected_lines") == []


def test_marts_match_the_logs(story: Story) -> None:
    """All that Pidgin wrote is there, as it wrote it."""
    reading = comparison.Reading(story.project, Logs(story.output))
    comparison.test_events(reading)
    comparison.test_event_files(reading)
    comparison.test_conversation_state(reading)
    comparison.test_conversations(reading)
    comparison.test_messages(reading)
    comparison.test_token_usage(reading)
    comparison.test_turn_scores(reading)
    comparison.test_lexical_metrics(reading)
    comparison.test_experiment_dashboard(reading)


def test_only_new_files_are_read(story: Story) -> None:
    """The second build reads as many logs as the second experiment has."""
    old, new = story.first.logs, story.second.logs - story.first.logs
    assert len(old) == len(new) == CONVERSATIONS
    assert [story.first.logs_read, story.second.logs_read] == [CONVERSATIONS] * 2


def test_rows_of_old_files_stay_where_they_are(story: Story) -> None:
    """The first experiment's rows are physically the same after the second build."""
    assert set(story.first.store) == story.first.logs
    assert story.first.store == {
        path: story.second.store[path] for path in story.first.logs
    }


def test_a_build_with_nothing_new_reads_and_changes_nothing(story: Story) -> None:
    """The third build opens no log; no row of any table is written again."""
    assert story.third.logs == story.second.logs
    assert story.third.logs_read == 0
    assert_same_contents(story.third.contents, story.second.contents)


def test_everything_holds(story: Story) -> None:
    """The project's own tests pass on real data, and change nothing either."""
    story.project.build_and_test()
    assert_same_contents(story.project.contents(rowids=True), story.third.contents)
