"""What people open is what the last whole green build left, and always whole."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from conftest import ProjectMaker
from helpers.harness import ROOT, WITHOUT_TESTS, Outcome, Project
from hypothesis import settings
from writers.logs import OutputFolder, conversation

from pidgin_analytics import Warehouse, publishing

# `make soak` tries more often.
IS_SOAK = settings.get_current_profile_name() == "soak"
KILLS = 100 if IS_SOAK else 2
FULL_DISKS = 20 if IS_SOAK else 1
READERS, BUILDS = (10, 20) if IS_SOAK else (3, 2)

# Opens the warehouse again and again until it is told to stop. Five tables that a build
# changes one after the other must always agree, and what was seen once never goes.
READ_IN_A_LOOP = """
import os, sys, duckdb
path, stop = sys.argv[1:]
seen, states, opened = 0, set(), 0
while not os.path.exists(stop) or opened < 2:
    with duckdb.connect(path, read_only=True) as connection:
        counts = connection.execute(
            "select (select count(*) from conversations),"
            " (select count(*) from conversation_state),"
            " (select count(distinct conversation_id) from messages),"
            " (select count(distinct conversation_id) from turn_metrics),"
            " (select sum(conversations)::bigint from experiment_dashboard)"
        ).fetchone()
    assert len(set(counts)) == 1 and counts[0] >= seen, (counts, seen)
    seen = counts[0]
    states.add(seen)
    opened += 1
print(len(states), opened)
"""


@pytest.fixture(scope="module")
def original(
    project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """Build one conversation, and publish it."""
    folder = OutputFolder(tmp_path_factory.mktemp("published") / "pidgin_output")
    folder.write("tea_00000001/events_one.jsonl", conversation("one"))
    built = project(folder.path)
    outcome = built.build()
    assert f"{built.published}, published." in outcome.text
    return built


@pytest.fixture
def built(original: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Take a copy of both files, and the folder as it was."""
    folder = Path(original.output_dir)
    for log in folder.rglob("*.jsonl"):
        if log.name != "events_one.jsonl":
            log.unlink()
    copy = original.copied(tmp_path_factory.mktemp("project"))
    shutil.copy2(original.published, copy.published)
    return copy


def add(built: Project, name: str) -> None:
    """Write the log of another conversation."""
    path = Path(built.output_dir) / f"tea_00000001/events_{name}.jsonl"
    path.write_text("".join(f"{line}\n" for line in conversation(name)))
    os.utime(path, (1_700_000_000, 1_700_000_000))


def names(built: Project) -> list[str]:
    """Return the conversations that people see."""
    with Warehouse(built.published) as warehouse:
        return sorted(row["conversation_id"] for row in warehouse.conversations())


def build(built: Project, *options: str) -> Outcome:
    """Run a build that may fail."""
    return built.dbt("build", *options)


def test_what_is_open_stays_until_it_is_opened_again(built: Project) -> None:
    """A reader never keeps a build out, nor does it see a build at work."""
    assert names(built) == ["one"]
    with closing(duckdb.connect(str(built.published), read_only=True)) as reader:
        add(built, "two")
        outcome = build(built)
        assert outcome.success
        assert f"Warehouse: {built.published}, published." in outcome.text
        count = "select count(*) from conversations"
        assert reader.execute(count).fetchall() == [(1,)]
        assert names(built) == ["one", "two"]
    identity = built.published.stat()
    outcome = build(built)
    assert f"Warehouse: {built.published}, unchanged." in outcome.text
    assert os.path.samestat(built.published.stat(), identity)
    # Whole, and with nothing beside it.
    assert {path.name for path in built.home.glob("*pidgin*")} == {
        built.published.name,
        f"{built.published.name}.building",
    }
    digest = built.value("select digest from staging.published_state")
    assert publishing.published_digest(str(built.published)) == digest


def test_only_a_whole_green_build_is_published(built: Project) -> None:
    """Others say why not, and what people see stays as it was."""
    add(built, "two")
    parts: list[tuple[tuple[str, ...], str]] = [
        (WITHOUT_TESTS, "only a part of it was built"),
        (("--select", "end_reasons"), "only a part of it was built"),
        (("--empty", "--select", "end_reasons"), "it was built without data"),
    ]
    for options, reason in parts:
        outcome = build(built, *options)
        assert outcome.success, outcome.text
        assert f"not published, because {reason}" in outcome.text
        assert names(built) == ["one"]
    outcome = built.dbt("seed")
    assert "not published, because only a whole dbt build is" in outcome.text

    def spoil(score: str) -> None:
        with duckdb.connect(str(built.warehouse)) as connection:
            connection.execute(f"update turn_metrics set convergence_score = {score}")

    spoil("7")
    attempts: list[tuple[tuple[str, ...], str]] = [
        (("--fail-fast",), "of the build failed or did not run"),
        (("--select", "end_reasons"), "only a part of it was built"),
    ]
    for options, reason in attempts:
        outcome = build(built, *options)
        assert outcome.success == bool("--select" in options)
        assert reason in outcome.text
        assert names(built) == ["one"]
    spoil("0.5")
    assert build(built).success
    assert names(built) == ["one", "two"]


def test_a_refresh_leaves_out_what_logs_do_not_change(built: Project) -> None:
    """It is published as long as that stands; else the next whole build is."""
    refresh = ("--selector", "refresh")
    add(built, "two")
    outcome = build(built, *refresh)
    assert outcome.success
    assert f"Warehouse: {built.published}, published." in outcome.text
    assert names(built) == ["one", "two"]

    with duckdb.connect(str(built.warehouse)) as connection:
        connection.execute("drop view analysis.turns")
    add(built, "three")
    outcome = build(built, *refresh)
    assert outcome.success
    assert "not published, because only a part of it was built" in outcome.text
    assert names(built) == ["one", "two"]
    assert build(built).success
    assert names(built) == ["one", "three", "two"]
    assert built.value("select count(*) from analysis.turns") == 6

    # Other settings are another project, of which nothing whole was built.
    add(built, "four")
    outcome = build(built, *refresh, "--vars", "{search_b: 0.5}")
    assert "only a part of it was built" in outcome.text
    assert names(built) == ["one", "three", "two"]


def test_a_missing_folder_publishes_nothing(built: Project, tmp_path: Path) -> None:
    """A build that cannot begin leaves what there is."""
    before = built.published.stat()
    assert not build(built.reading(tmp_path / "none")).success
    assert os.path.samestat(built.published.stat(), before)


def test_a_full_disk(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build fails with the reason, and the next one publishes."""
    add(built, "two")

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_copy_some", fail)
        outcome = build(built)
    assert not outcome.success
    assert "could not be replaced (No space left on device)" in "".join(outcome.errors)
    assert names(built) == ["one"]
    assert not list(built.home.glob(".*.part"))
    assert build(built).success
    assert names(built) == ["one", "two"]


def test_a_warehouse_of_before_is_taken_over(built: Project) -> None:
    """What was built in its own place, or copied there, is not built again."""
    with duckdb.connect(str(built.published)) as connection:
        # Its last change is still in the file beside it.
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute("create table main.last as select 7 as change")
    assert publishing.log_of(built.published).exists()
    shutil.rmtree(built.warehouse.parent)
    rows = "select rowid, fingerprint, * from turn_metrics order by all"
    with duckdb.connect(str(built.published), read_only=True) as connection:
        before = connection.execute(rows).fetchall()
    outcome = build(built)
    assert outcome.success, outcome.errors
    assert "Nothing new in 1 event log" in outcome.text
    assert built.query(rows) == before
    assert built.value("select change from main.last") == 7
    # A log of changes of the file that was there before belongs to no other.
    add(built, "later")
    assert build(built).success
    assert not publishing.log_of(built.published).exists()
    assert built.value("select change from main.last") == 7


def test_leftovers_are_removed(built: Project) -> None:
    """What a killed build had begun to copy is gone after the next one."""
    part = built.published.with_name(f".{built.published.name}.part")
    part.write_bytes(b"half")
    build(built, "--select", "end_reasons")
    assert not part.exists()


def test_a_build_waits_for_another(built: Project) -> None:
    """It says for which, and goes on when that one is done."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]);"
            " print(flush=True); sys.stdin.readline()",
            str(built.warehouse),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    patient = replace(built, settings=(("PIDGIN_LOCK_TIMEOUT", "100"),))
    arguments = patient.arguments("build", "--select", "end_reasons")
    arguments.remove("--quiet")
    process = subprocess.Popen(
        [sys.executable, "-m", "dbt.cli.main", *arguments],
        cwd=ROOT,
        env=patient.environment | {"PIDGIN_WAREHOUSE": str(patient.published)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "Waiting up to 100 seconds: process" in line:
            assert f"process {holder.pid} (" in line
            holder.communicate("\n")
    assert process.wait() == 0, "".join(said)
    assert sum("Waiting up to" in line for line in said) == 1


@pytest.mark.parametrize("timeout", ["soon", "-1", "inf"])
def test_a_wrong_timeout(built: Project, timeout: str) -> None:
    """One sentence says what is wrong."""
    wrong = replace(built, settings=(("PIDGIN_LOCK_TIMEOUT", timeout),))
    outcome = wrong.dbt("build", *WITHOUT_TESTS)
    assert not outcome.success
    assert f"PIDGIN_LOCK_TIMEOUT is {timeout}, which is no number" in outcome.text


def test_copying_keeps_the_lock(built: Project) -> None:
    """A process that copies its open database still keeps others out of it."""
    attempt = (
        "import duckdb, sys; duckdb.connect(sys.argv[1])",
        str(built.warehouse),
    )
    with duckdb.connect(str(built.warehouse)):
        for _ in range(2):
            assert publishing.publish(str(built.published)) is None
            refused = subprocess.run(
                [sys.executable, "-c", *attempt], capture_output=True, check=False
            )
            assert refused.returncode != 0
            assert b"Could not set lock" in refused.stderr
    assert subprocess.run([sys.executable, "-c", *attempt], check=False).returncode == 0


def test_a_link_stays_a_link(built: Project, tmp_path: Path) -> None:
    """What it leads to is replaced."""
    place = tmp_path / "elsewhere.duckdb"
    shutil.move(built.published, place)
    built.published.symlink_to(place)
    add(built, "two")
    assert build(built).success
    assert built.published.is_symlink()
    assert names(built) == ["one", "two"]
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def shown(built: Project) -> list[str]:
    """Return the turns that people see, checked to agree with the dashboard."""
    with Warehouse(built.published) as warehouse, warehouse.snapshot() as snapshot:
        rows = snapshot.fetch("select * from analysis.turns order by all")
        assert snapshot.fetch(
            "select sum(turns) as turns from experiment_dashboard"
        ) == [{"turns": len(rows)}]
    return [repr(row) for row in rows]


@pytest.mark.parametrize("number", range(KILLS))
def test_kill(built: Project, number: int) -> None:
    """Killed anywhere, also while it publishes, it leaves one whole state."""
    before = shown(built)
    add(built, "two")
    process = built.dbt_process("build")
    # From where it writes to where it is done; the first kills are where it publishes.
    part = built.published.with_name(f".{built.published.name}.part")
    log = publishing.log_of(built.warehouse)
    while process.poll() is None and not (part if number % 2 else log).exists():
        time.sleep(0.0005)
    if not number % 2:
        time.sleep(random.random() * 10)
    process.kill()
    process.communicate()
    after = shown(built)
    assert after == before or len(after) == 2 * len(before)
    outcome = build(built)
    assert outcome.success, outcome.errors
    assert names(built) == ["one", "two"]
    assert len(shown(built)) == 2 * len(before)
    assert not part.exists()


def test_many_readers_through_many_builds(built: Project, tmp_path: Path) -> None:
    """No reader is ever refused or sees two states, and none keeps a build out."""
    stop = tmp_path / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ_IN_A_LOOP, built.published, stop],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(READERS)
    ]
    try:
        # A notebook that nobody closes.
        with duckdb.connect(str(built.published), read_only=True) as notebook:
            for number in range(BUILDS):
                add(built, f"more{number}")
                outcome = build(built)
                assert outcome.success, outcome.errors
                assert notebook.sql("from conversations").fetchall()[1:] == []
    finally:
        stop.touch()
    for reader in readers:
        output, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        # DuckDB tells of its progress where opening takes long.
        states, opened = map(int, output.split()[-2:])
        assert states > 1
        assert opened > BUILDS
    assert len(names(built)) == 1 + BUILDS


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system in memory; only root may."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=1g", "tmpfs", place],
            check=False,
            capture_output=True,
        ).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def resize(disk: Path, size: str) -> None:
    """Give a file system in memory another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.parametrize("number", range(FULL_DISKS))
def test_a_disk_that_fills_up(built: Project, small_disk: Path, number: int) -> None:
    """Wherever the space ends, one whole state stays, and the next build heals."""
    home = small_disk / "project"
    copy = built.copied(home)
    shutil.copy2(built.published, copy.published)
    before = shown(copy)
    add(built, "two")
    # What dbt leaves lies there, too.
    process = copy.dbt_process("parse")
    process.communicate()
    used = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    # From no space at all to enough for the working file, but not for a copy of it.
    room = int(used + built.published.stat().st_size * (number + 0.5) / FULL_DISKS)
    resize(small_disk, f"{room // 1024}k")
    process = copy.dbt_process("build")
    output, _ = process.communicate()
    after = shown(copy)
    assert after == before or process.returncode == 0, output
    resize(small_disk, "1g")
    outcome = build(copy)
    assert outcome.success, outcome.errors
    assert names(copy) == ["one", "two"]
    assert len(shown(copy)) == 2 * len(before)
    assert process.returncode != 0 or after != before
