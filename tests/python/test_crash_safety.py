"""A build that dies leaves nothing that the next plain build does not heal.

Killed, out of disk space, locked out or without permission: whatever the warehouse
shows then is either what it showed before or what it was to show, conversation by
conversation.

A kill takes as long as two builds, so the suite tries few; `make soak` tries many.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pytest
from conftest import ProjectMaker
from helpers.harness import WITHOUT_TESTS, Project, assert_same_contents
from hypothesis import settings
from writers.logs import OutputFolder, conversation, manifest

KILLS = 100 if settings.get_current_profile_name() == "soak" else 1
LONG = [
    (f"Question {n}, then? Thank you!", f"Answer {n}: {'so ' * n}.") for n in range(9)
]

# Relation, key, rows of the key.
Rows = dict[tuple[str, str], list[str]]


@dataclass(frozen=True)
class Update:
    """A warehouse, and what a build is to make of it."""

    project: Project
    before: Rows
    after: Rows
    contents: dict[str, list[str]]
    homes: Iterator[Path]

    def again(self) -> Project:
        """Return the warehouse as it was before the build, in a place of its own."""
        return self.project.copied(next(self.homes))

    def assert_whole(self, project: Project) -> None:
        """Each conversation is as it was before the build or as it is after it."""
        present = rows_by_key(project)
        keys = present.keys() | self.before.keys() | self.after.keys()
        mixed = [
            key
            for key in sorted(keys)
            if present.get(key) not in (self.before.get(key), self.after.get(key))
        ]
        assert not mixed, {key: present.get(key) for key in mixed[:3]}

    def assert_heals(self, project: Project) -> None:
        """The next build makes of it what the first was to make."""
        project.build_only()
        assert_same_contents(project.contents(), self.contents)


def rows_by_key(project: Project) -> Rows:
    """Return the rows of every mart that is stored, by conversation or experiment.

    Messages and thinking traces are stored below the views of these names.
    """
    rows: Rows = defaultdict(list)
    with project.opened() as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'main'"
            " union all values ('messages'), ('thinking_traces')"
        ).fetchall()
        for (table,) in tables:
            key = "experiment_id" if "experiment" in table else "conversation_id"
            for value, row in connection.execute(
                f"select {key}, to_json({table}) from {table} order by all"
            ).fetchall():
                rows[table, value].append(row)
    return dict(rows)


@pytest.fixture(scope="module")
def update(
    tmp_path_factory: pytest.TempPathFactory, project: ProjectMaker
) -> Iterator[Update]:
    """Build, then change every other conversation, and see what a build makes of it."""
    folder = OutputFolder(tmp_path_factory.mktemp("crash") / "pidgin_output")
    names = [f"conversation {number}" for number in range(8)]
    for number, name in enumerate(names):
        folder.write(f"one_00000001/events_{number}.jsonl", conversation(name, LONG))
    folder.write(
        "one_00000001/manifest.json", manifest("experiment_00000001", names[:6])
    )
    built = project(folder.path)
    built.build_only()
    before = rows_by_key(built)

    for number, name in enumerate(names[::2]):
        path = f"one_00000001/events_{2 * number}.jsonl"
        lines = conversation(name, LONG[number + 2 :], ("error", None)[number % 2])
        folder.write(path, lines)
    folder.write("two_00000002/events_new.jsonl", conversation("new", LONG[:4]))
    folder.write(
        "one_00000001/manifest.json",
        manifest("experiment_00000001", names[2:], name="other"),
    )

    def homes() -> Iterator[Path]:
        while True:
            yield tmp_path_factory.mktemp("project")

    updated = built.copied(next(homes()))
    updated.build_only()
    fresh = project(folder.path)
    fresh.build_only()
    assert_same_contents(updated.contents(), fresh.contents())
    after = rows_by_key(updated)
    # There is something to lose in every table but those of trouble and thinking.
    changed = {
        table for table, key in before if before[table, key] != after[table, key]
    }
    assert len(changed) >= 8
    yield Update(built, before, after, fresh.contents(), homes())


def until_writing(project: Project, process: subprocess.Popen[str]) -> float:
    """Wait until a build writes, and return that moment."""
    log = project.warehouse.with_suffix(".duckdb.wal")
    while process.poll() is None and not log.exists():
        time.sleep(0.002)
    return time.monotonic()


@pytest.fixture(scope="module")
def seconds(update: Update) -> float:
    """Measure how long a build of its own process writes."""
    project = update.again()
    process = project.dbt_process("build", *WITHOUT_TESTS)
    begin = until_writing(project, process)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return time.monotonic() - begin


@pytest.mark.parametrize("number", range(KILLS))
def test_kill(update: Update, seconds: float, number: int) -> None:
    """A build that is killed leaves whole conversations, and the next heals all."""
    project = update.again()
    # Each kill in a part of the build of its own, anywhere in it.
    moment = (number + random.random()) / KILLS * seconds
    process = project.dbt_process("build", *WITHOUT_TESTS)
    until_writing(project, process)
    time.sleep(moment)
    process.kill()
    process.communicate()
    update.assert_whole(project)
    update.assert_heals(project)


def test_disk_full(update: Update) -> None:
    """A build that can write no more says so, and the next heals all.

    A limit to the size of files stands for a full disk, which only root can arrange.
    """
    project = update.again()
    # What dbt itself would write of the project is larger than what a build writes.
    process = project.dbt_process(
        "--no-partial-parse", "build", *WITHOUT_TESTS, file_size_limit=128 * 1024
    )
    output, _ = process.communicate()
    assert process.returncode != 0
    assert "File too large" in output
    update.assert_whole(project)
    update.assert_heals(project)


def test_locked(update: Update) -> None:
    """A build that another program keeps out waits, says so, and changes nothing."""
    project = replace(update.again(), settings=(("PIDGIN_LOCK_TIMEOUT", "0.3"),))
    with duckdb.connect(str(project.warehouse), read_only=True):
        process = project.dbt_process("build", *WITHOUT_TESTS)
        output, _ = process.communicate()
    assert process.returncode != 0
    assert f"process {os.getpid()} (" in output
    assert "still writes this warehouse after 0.3 seconds" in output
    # Sentences, without the calls that led to them.
    assert "Traceback" not in output
    assert rows_by_key(project) == update.before
    update.assert_heals(project)


@contextlib.contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Take the right to write a file, from root, too, or skip the test."""
    mode = path.stat().st_mode
    path.chmod(0o444)
    is_frozen = False
    try:
        if os.access(path, os.W_OK):
            frozen = subprocess.run(["chattr", "+i", path], check=False)
            is_frozen = frozen.returncode == 0
            if not is_frozen:
                pytest.skip("root may write everywhere here")
        yield
    finally:
        if is_frozen:
            subprocess.run(["chattr", "-i", path], check=True)
        path.chmod(mode)


def test_unwritable_warehouse(update: Update) -> None:
    """A build that may not write says so, and leaves all as it was."""
    project = update.again()
    with unwritable(project.warehouse):
        outcome = project.dbt("build", *WITHOUT_TESTS)
        assert not outcome.success
        assert str(project.warehouse.name) in outcome.text
        assert rows_by_key(project) == update.before
    update.assert_heals(project)


def test_warehouse_below_a_file(update: Update, tmp_path: Path) -> None:
    """A place where no warehouse can be is named."""
    path = tmp_path / "file"
    path.touch()
    project = replace(
        update.project, settings=(("PIDGIN_WAREHOUSE", str(path / "pidgin.duckdb")),)
    )
    outcome = project.dbt("build", *WITHOUT_TESTS)
    assert not outcome.success
    assert str(path) in outcome.text
