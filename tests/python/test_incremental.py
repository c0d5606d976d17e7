"""Any history of the output folder leads to the marts of a fresh build.

Each step changes several experiments, each in a way of its own, then builds, and
compares every row of every mart with those of a new warehouse over the same folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from conftest import ProjectMaker
from helpers.harness import Project, assert_same_contents
from oracles.logs import Logs
from writers.logs import (
    OutputFolder,
    conversation,
    joined,
    manifest,
)

EXPERIMENTS = {
    name: f"{name}_{number:08x}"
    for number, name in enumerate(
        (
            "still",
            "growing",
            "rewritten",
            "truncated",
            "deleted",
            "copied",
            "renamed",
            "relabelled",
            "orphaned",
            "torn",
            "emptied",
            "moved",
        ),
        start=1,
    )
}
LONG = [(f"Question {n}, then?", f"Answer {n}: {'so ' * n}.") for n in range(8)]


def log_of(name: str) -> str:
    """Name the log of an experiment's only conversation."""
    return f"experiments/{EXPERIMENTS[name]}/events_{name}.jsonl"


def manifest_of(name: str) -> str:
    """Name the manifest of an experiment."""
    return f"experiments/{EXPERIMENTS[name]}/manifest.json"


def experiment_id(name: str) -> str:
    """Name an experiment."""
    return f"experiment_{EXPERIMENTS[name][-8:]}"


@dataclass(frozen=True)
class History:
    """An output folder, and a warehouse that has followed it from the start."""

    folder: OutputFolder
    project: Project
    make: ProjectMaker

    def assert_equals_fresh_build(self, folder: Path | None = None) -> None:
        """Compare with a new warehouse over the folder."""
        fresh: Project = self.make(folder or self.folder.path)
        fresh.build_only()
        assert_same_contents(self.project.contents(), fresh.contents())

    def path(self, name: str) -> Path:
        """Return the path of a file in the folder."""
        return self.folder.path / name


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, project: ProjectMaker) -> History:
    """Write one conversation for each thing that can happen to it, and build."""
    folder = OutputFolder(tmp_path_factory.mktemp("history") / "pidgin_output")
    for name in EXPERIMENTS:
        folder.write(log_of(name), conversation(name, LONG[:3]))
        folder.write(manifest_of(name), manifest(experiment_id(name), [name]))
    folder.write(log_of("growing"), conversation("growing", LONG)[:10])
    folder.write(log_of("torn"), joined(conversation("torn", LONG[:3]))[:-30])
    folder.write(log_of("truncated"), conversation("truncated", LONG))
    built = project(folder.path)
    built.build_only()
    return History(folder, built, project)


def test_changes_of_every_kind_in_one_build(history: History) -> None:
    """Appended, rewritten, cut, copied, new: each as if read for the first time."""
    folder = history.folder
    before = history.project.contents()
    lines = conversation("growing", LONG)
    folder.append(log_of("growing"), lines[10:20])
    folder.write(log_of("rewritten"), conversation("rewritten", LONG[3:5], "error"))
    folder.write(log_of("truncated"), conversation("truncated", LONG)[:7])
    folder.write("new_000000ff/events_new.jsonl", conversation("new"))
    folder.write("new_000000ff/manifest.json", manifest("experiment_000000ff", ["new"]))
    shutil.copytree(
        history.path("experiments/" + EXPERIMENTS["copied"]),
        history.path("experiments/a copy of " + EXPERIMENTS["copied"]),
    )
    folder.write(
        manifest_of("relabelled"),
        manifest(
            experiment_id("relabelled"),
            ["relabelled"],
            name="another name",
            config={"temperature": 1.5, "awareness": "firm"},
        ),
    )
    folder.append(log_of("torn"), joined(conversation("torn", LONG[:3]))[-30:])
    folder.write(log_of("emptied"), b"")
    history.project.build_only()
    history.assert_equals_fresh_build()

    # The changes did arrive, and only where they should.
    states = Logs(folder.path).states()
    assert states["growing"].turn_count > 2
    assert history.project.query(
        "select conversation_id, status, turn_count from conversation_state"
        " order by all"
    ) == sorted((key, state.status, state.turn_count) for key, state in states.items())
    assert history.project.query(
        "select name, temperature_a from experiments join conversations"
        " using (experiment_id) where conversation_id = 'relabelled'"
    ) == [("another name", 1.5)]
    still = [row for row in before["messages"] if '["still"' in row]
    assert still
    assert set(still) <= set(history.project.contents()["messages"])


def test_conversation_that_moves_between_experiments(history: History) -> None:
    """Both experiments follow, the one that loses and the one that wins."""
    history.folder.write(
        manifest_of("still"),
        manifest(experiment_id("still"), ["still", "moved"]),
    )
    history.folder.write(manifest_of("moved"), manifest(experiment_id("moved"), []))
    history.folder.write(
        log_of("growing"), conversation("growing", LONG, "high_convergence")
    )
    history.project.build_only()
    history.assert_equals_fresh_build()
    assert history.project.query(
        "select experiment_id, conversations from experiment_dashboard"
        " where experiment_id in (?, ?) order by all",
        [experiment_id("still"), experiment_id("moved")],
    ) == [(experiment_id("still"), 2), (experiment_id("moved"), 0)]


def test_file_that_disappears_leaves_its_events(history: History) -> None:
    """Deleted, renamed or without a manifest: the marts are those of all files seen."""
    folder, project = history.folder, history.project
    attic = folder.path.parent / "attic"
    for name in (log_of("deleted"), log_of("renamed"), manifest_of("orphaned")):
        (attic / name).parent.mkdir(parents=True, exist_ok=True)
        history.path(name).rename(attic / name)
    renamed = "experiments/renamed by hand/events_renamed.jsonl"
    folder.write(renamed, (attic / log_of("renamed")).read_bytes())
    project.build_only()
    kept = project.contents()
    # Everything is built anew, but from a store of events that is kept.
    project.build_only("--full-refresh")
    assert_same_contents(project.contents(), kept)

    # Of what was renamed, the new name speaks.
    sources = (
        "select source_file, count(*) from events where conversation_id = 'renamed'"
        " group by all"
    )
    lines = len(conversation("renamed", LONG[:3]))
    assert project.query(sources) == [(str(folder.path / renamed), lines)]

    # They come back: the renamed log is there under both names, and counts once, under
    # the one that sorts first.
    for name in (log_of("deleted"), log_of("renamed"), manifest_of("orphaned")):
        (attic / name).rename(history.path(name))
    project.build_only()
    history.assert_equals_fresh_build()
    assert project.query(sources) == [(str(folder.path / renamed), lines)]


def test_nothing_new_changes_nothing(history: History) -> None:
    """Not a row moves, in any table, and no log is opened."""
    history.project.build_only()
    before = history.project.contents(rowids=True)
    assert history.project.build_and_test().logs_read == 0
    assert_same_contents(history.project.contents(rowids=True), before)


def test_other_folder_and_back(history: History) -> None:
    """One warehouse can follow several folders, one at a time, if it is told to."""
    other = OutputFolder(history.folder.path.parent / "another output")
    other.write("other_00000001/events_other.jsonl", conversation("other"))
    # Shares lines and an experiment's id with the first folder.
    other.write("still_00000001/events_still.jsonl", conversation("still", LONG[:3]))
    elsewhere = History(other, history.project.reading(other.path), history.make)
    before = history.project.contents()

    refused = elsewhere.project.dbt("build")
    assert not refused.success
    assert f"conversations of {history.folder.path}, and PIDGIN_OUTPUT_DIR is now" in (
        refused.text
    )
    assert_same_contents(history.project.contents(), before)

    switch = ("--vars", json.dumps({"switch_output_dir": True}))
    elsewhere.project.build_only(*switch)
    elsewhere.assert_equals_fresh_build()
    # From then on it is the folder of this warehouse.
    elsewhere.project.build_only()
    assert not history.project.dbt("build").success
    history.project.build_only(*switch)
    assert_same_contents(history.project.contents(), before)


def test_without_the_plugin(history: History) -> None:
    """The target without Python code gives the same marts, but for what needs it.

    The next build with it adds that.
    """
    plain = history.make(history.folder.path)
    plain.build_only("--target", "plain")
    # Lossless compression is Python's; fingerprints say whether it was there.
    others = "columns(lambda name: name not in ('compression_ratio', 'fingerprint'))"
    expected = history.project.contents()
    assert_same_contents(
        *(
            {name: project.rows(f"main.{name}", others) for name in expected}
            for project in (plain, history.project)
        )
    )

    plain.build_only()
    assert_same_contents(plain.contents(), expected)


def test_tables_of_others_stay(tmp_path: Path, project: ProjectMaker) -> None:
    """A build has tables of its own for a while, and takes no other of their names."""
    folder = OutputFolder(tmp_path / "out")
    folder.write("first.jsonl", conversation("first"))
    built = project(folder.path)
    built.build_only()
    names = (
        *("read_files", "read_logs", "read_text_lines", "read_other_lines"),
        *("read_lines", "read_manifests", "reject_errors", "reject_scans"),
    )
    with duckdb.connect(str(built.warehouse)) as connection:
        for name in names:
            connection.execute(f"create table {name} as select 'theirs' as owner")
    folder.write("second.jsonl", joined(conversation("second")) + b"\xff\n")
    built.build_only()
    assert built.value("select count(distinct conversation_id) from conversations") == 2
    assert [built.value(f"select owner from {name}") for name in names] == [
        "theirs"
    ] * len(names)


def test_change_within_the_second_of_a_build(
    tmp_path: Path, project: ProjectMaker
) -> None:
    """A file that was just written is read again, even if its time did not change.

    File times are whole seconds to DuckDB: a line that changes within the second in
    which a build listed the file cannot be told from its time or size.
    """
    folder = OutputFolder(tmp_path / "out")
    paths = [
        folder.write(f"{name}.jsonl", conversation(name, [("before", "before")]))
        for name in ("fresh", "old")
    ]
    built = project(folder.path)
    settled = (
        "select bool_and(is_settled) from staging.stg_pidgin__event_lines"
        " where source_file = ?"
    )
    with being_written(paths[0]):
        built.build_only()
        # A build that stood still for seconds listed the file long before it read it,
        # and then rightly takes it as settled.
        for _ in range(5):
            if not built.value(settled, [str(paths[0])]):
                break
            built.build_only()
    assert [built.value(settled, [str(path)]) for path in paths] == [False, True]
    for path in paths:
        listed = built.value(
            "select epoch(modified_at) from event_files where source_file = ?",
            [str(path)],
        )
        path.write_bytes(path.read_bytes().replace(b"before", b"behind"))
        os.utime(path, (listed, listed))
    built.build_only()
    assert built.query(
        "select distinct conversation_id, content from messages order by all"
    ) == [("fresh", "behind"), ("old", "before")]


@contextlib.contextmanager
def being_written(path: Path) -> Iterator[None]:
    """Give a file the present time again and again."""
    stopped = threading.Event()

    def touch() -> None:
        while not stopped.wait(0.1):
            path.touch()

    thread = threading.Thread(target=touch)
    path.touch()
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
