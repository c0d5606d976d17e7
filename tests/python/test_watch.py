"""`pidgin-analytics watch` refreshes when there is reason to, and never gives up."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import ProjectMaker
from helpers.harness import ROOT, Project
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from writers.logs import OutputFolder, conversation

from pidgin_analytics import (
    Warehouse,
    WarehouseError,
    publishing,
    watch,
    watch_files,
    watch_view,
)
from pidgin_analytics.command_line import main
from pidgin_analytics.watch_files import Ends, Folder, Schedule, output_files

COMMAND = "from pidgin_analytics.command_line import main; main()"
END = '{"event_type":"ConversationEndEvent"}\n'
# Generous, because other tests may run beside this one.
TIMEOUT = 120
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOSTILE = "[red]x[/red]\x1b[2J\u202egnp"
HELD = watch_view.Holdings(
    NOW, 2, 1, 3, 6, 4, (watch_view.Running(HOSTILE, HOSTILE, None, 3, None, NOW),)
)


# When to refresh.

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("wait"), st.floats(0.1, 30), st.just(False)),
        st.tuples(st.just("outcome"), st.booleans(), st.just(False)),
    ),
    max_size=40,
)


class Simulation:
    """A schedule, with a clock that is set and refreshes that succeed or fail."""

    def __init__(self) -> None:
        """Begin with the first refresh due."""
        self.schedule = Schedule(10)
        self.now = 0.0
        self.succeeds = True
        # When each change was noticed that no refresh has covered.
        self.uncovered: list[float] = []
        self.refreshes = 0

    def refresh_if_due(self, during: str | None = None) -> bool:
        """Do what the loop does; a file may change during the refresh."""
        due = self.schedule.due(self.now)
        if due is None or due > self.now:
            return False
        assert self.schedule.changed or self.schedule.has_failed or not self.refreshes
        self.refreshes += 1
        self.schedule.begin(self.now)
        covered, self.uncovered = self.uncovered, []
        if during is not None:
            self.change(during, is_urgent=False)
        if not self.succeeds:
            self.uncovered += covered
        self.schedule.end(is_success=self.succeeds)
        return True

    def change(self, path: str, *, is_urgent: bool) -> None:
        """Notice a change."""
        self.uncovered.append(self.now)
        self.schedule.note({path}, is_urgent=is_urgent)


@given(STEPS, st.booleans())
def test_every_change_is_covered(
    steps: list[tuple[str, Any, bool]], changes_meanwhile: bool
) -> None:
    """Whatever the order: at once after an end, else within the interval."""
    simulation = Simulation()
    assert simulation.refresh_if_due()
    for kind, value, is_urgent in steps:
        if kind == "change":
            simulation.change(value, is_urgent=is_urgent)
            began = simulation.refresh_if_due("d" if changes_meanwhile else None)
            assert began or not is_urgent
        elif kind == "outcome":
            simulation.succeeds = value
        else:
            simulation.now += value
            simulation.refresh_if_due()
        if simulation.succeeds and simulation.uncovered:
            due = simulation.schedule.due(simulation.now)
            assert due is not None
            assert due <= simulation.now + simulation.schedule.interval
    simulation.succeeds = True
    for _ in range(2):
        simulation.now += simulation.schedule.interval
        simulation.refresh_if_due()
    assert not simulation.uncovered
    # And then there is quiet.
    count = simulation.refreshes
    simulation.now += 1000
    assert not simulation.refresh_if_due()
    assert simulation.refreshes == count
    assert simulation.schedule.due(simulation.now) is None


def test_a_failure_is_tried_again_after_the_interval() -> None:
    """Not at once, even if it was for an end, lest it fail without pause."""
    schedule = Schedule(10)
    schedule.note({"a"}, is_urgent=True)
    schedule.begin(0)
    schedule.end(is_success=False)
    assert schedule.due(1) == 10
    assert schedule.reason() == "failed before"
    assert schedule.changed == {"a"}
    schedule.note({"b"}, is_urgent=True)
    assert schedule.due(2) == 2


# What changed.


@given(
    st.lists(st.sampled_from(['{"a":1}\n', END, "\n", "x" * 30 + "\n", "half"])),
    st.lists(st.integers(0, 200), max_size=6),
    st.integers(1, 50),
)
def test_ends_are_found_in_what_is_appended(
    lines: list[str], cuts: list[int], chunk: int
) -> None:
    """Once each, with the piece that makes the line whole, however it is cut."""
    content = "".join(lines).encode()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch_files, "CHUNK", chunk)
        path = Path(folder, "events.jsonl")
        ends = Ends()
        seen = 0
        for cut in [*sorted(min(cut, len(content)) for cut in cuts), len(content)]:
            path.write_bytes(content[:cut])
            whole = content.rfind(b"\n", 0, cut) + 1
            expected = b"ConversationEndEvent" in content[seen:whole]
            files = output_files(folder, folder)
            assert ends.found([str(path)], files) == expected
            seen = whole


def test_a_log_that_is_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    """One that was there before is only read from its end on."""
    log = tmp_path / "events.jsonl"
    log.write_text(END * 3)
    folder = Folder(str(tmp_path), str(tmp_path / "archive"))
    assert folder.look() == (set(), False)
    log.write_text(END * 3 + "{}\n")
    assert folder.look() == ({str(log)}, False)
    log.write_text(END)
    assert folder.look() == ({str(log)}, True)
    log.unlink()
    assert folder.look() == ({str(log)}, False)


def test_which_files_count(tmp_path: Path) -> None:
    """Those that a build reads; links to files are followed, to folders not."""
    kept = [
        "a/events.jsonl",
        "b.NDJSON.gz",
        "c/manifest.json",
        "d.jsonl.zst",
        ".e.jsonl",
    ]
    passed = ["manifest.json.tmp", "._a.jsonl", "notes.txt", "x.jsonl.bak", "y.parquet"]
    for name in [*kept, *passed, "archive/old.parquet"]:
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "f.jsonl").write_text("x")
    out = tmp_path / "out"
    (out / "linked").symlink_to(elsewhere)
    (out / "link.jsonl").symlink_to(elsewhere / "f.jsonl")
    (out / "broken.jsonl").symlink_to(elsewhere / "none")
    (out / "folder.jsonl").mkdir()
    os.mkfifo(out / "pipe.jsonl")
    found = output_files(str(out), str(out / "archive"))
    names = {str(Path(path).relative_to(out)) for path in found}
    assert names == {*kept, "link.jsonl", "archive/old.parquet"}


def test_a_missing_folder(tmp_path: Path) -> None:
    """It is a change when it goes, and one that cannot wait when it is back."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "events.jsonl").write_text(END)
    folder = Folder(str(out), str(out / "archive"))
    out.rename(tmp_path / "away")
    assert folder.look() == ({str(out)}, False)
    assert folder.look() == (set(), False)
    (tmp_path / "away").rename(out)
    assert folder.look() == ({str(out)}, True)
    assert folder.look() == (set(), False)


# What is said.

EVENTS: list[watch_view.Event] = [
    watch_view.Started(7, f"/out/{HOSTILE}", "/wh/pidgin.duckdb", 60),
    watch_view.Refreshing("ended", 2),
    watch_view.Refreshing("interval", 1, "Waiting up to 60 seconds: process 8"),
    watch_view.Failed(0.5, f"no {HOSTILE}", NOW),
    watch_view.Refreshed(2.0, True, 100, 50.0, HELD),
    watch_view.Waiting(1, NOW),
    watch_view.Stopped(NOW),
]


def assert_harmless(text: str) -> None:
    """Nothing in a text moves the cursor or turns the direction of writing."""
    assert not set(text) & set("\x1b\u202e")
    assert "[red]x[/red]" in text


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is a line, without anything that a terminal obeys."""
    with watch_view.LineDisplay() as display:
        for event in EVENTS:
            display.show(event)
    said = capsys.readouterr().out
    assert_harmless(said)
    assert len(said.splitlines()) == len(EVENTS) - 1
    for part in (
        "Refreshing: a conversation ended, 2 files changed.",
        "Waiting up to 60 seconds: process 8",
        "Refreshed in 2.0 s, published. Read 100 lines, 50 per second."
        " 2 conversations (1 running), 3 turns, 6 messages, 4 rejected lines.",
        "Stopped. Last published at ",
    ):
        assert part in said


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is an object in a line."""
    with watch_view.JsonDisplay() as display:
        for event in EVENTS:
            display.show(event)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["event"] for one in said] == [
        *("started", "refreshing", "refreshing", "failed", "refreshed"),
        *("waiting", "stopped"),
    ]
    assert all(datetime.fromisoformat(one["time"]).tzinfo for one in said)
    (running,) = said[4]["holdings"]["newest_running"]
    assert running["conversation_id"] == HOSTILE
    assert said[5]["next_refresh"] == "2026-03-01T12:00:00.000+00:00"


def test_the_view() -> None:
    """It shows everything in few lines, and ids as they are."""
    console = Console(file=io.StringIO(), width=150, height=20)
    display = watch_view.LiveDisplay(console)
    for event in EVENTS[:-2]:
        display.show(event)
    many = tuple(
        watch_view.Running(f"{HOSTILE}{n}", "tea", "a + b", n, 0.5, NOW)
        for n in range(15)
    )
    held = watch_view.Holdings(NOW, 40, 30, 3, 6, 4, many)
    display.show(watch_view.Refreshed(2.0, True, 100, 50.0, held))
    display.show(watch_view.Failed(0.5, "It is broken.", NOW))
    display.show(watch_view.Waiting(1, NOW))
    with console.capture() as captured:
        console.print(display)
    text = captured.get()
    assert_harmless(text)
    assert len(text.splitlines()) <= console.height
    for part in (
        "30 running",
        "and 20 more",
        "0.50",
        "4 rejected lines",
        "It is broken",
    ):
        assert part in text
    assert "took 2.0 s, published; read 100 lines, 50 per second" in text
    assert "in 0 s, 1 file changed" in text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "Compilation Error in operation x (./dbt_project.yml)\n  It is\n  gone.\n\n"
            "  > in macro y\n  > called by z",
            "It is gone.",
        ),
        ("Runtime Error\n  Database Error\n    No space", "No space"),
        ("Runtime Error", "Runtime Error"),
        ("x" * 600, "x" * 500 + " …"),
    ],
)
def test_an_error_is_one_line(text: str, line: str) -> None:
    """Without dbt's headings."""
    assert watch.one_line(text) == line


# The command.


class Runner:
    """Stands for dbt: succeeds or fails as it is told."""

    succeeds = True

    def __init__(self, *_: object, **__: object) -> None:
        """Take what dbt takes."""

    def invoke(self, _: list[str]) -> Any:
        """Return what dbt would."""
        from dbt.cli.main import dbtRunnerResult

        if self.succeeds:
            return dbtRunnerResult(success=True, result=None)
        return dbtRunnerResult(success=False, exception=ValueError(f"No {HOSTILE}"))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Name a folder and a warehouse, and take dbt away."""
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("PIDGIN_OUTPUT_DIR", str(tmp_path / "out"))
    monkeypatch.setenv("PIDGIN_WAREHOUSE", str(tmp_path / "pidgin.duckdb"))
    monkeypatch.setattr(watch, "dbtRunner", Runner)
    return tmp_path


@pytest.mark.parametrize("succeeds", [True, False])
def test_once(place: Path, monkeypatch: pytest.MonkeyPatch, succeeds: bool) -> None:
    """It refreshes once, and its exit code says how that went."""
    monkeypatch.setattr(Runner, "succeeds", succeeds)
    result = CliRunner().invoke(main, ["watch", "--once"])
    assert result.exit_code == (0 if succeeds else 1)
    assert ("Refreshed in" in result.output) == succeeds
    assert "Stopped. Nothing is published yet." in result.output
    if not succeeds:
        assert_harmless(result.output)
    result = CliRunner().invoke(main, ["watch", "--once", "--json"])
    events = [json.loads(line)["event"] for line in result.output.splitlines()]
    assert events == [
        *("started", "refreshing", "refreshed" if succeeds else "failed", "stopped")
    ]


def test_one_watch_for_each_warehouse(place: Path) -> None:
    """The other one is named; when it is gone, the next may begin."""
    with watch.only_one(place / "pidgin.duckdb"):
        result = CliRunner().invoke(main, ["watch", "--once"])
        assert result.exit_code == 1
        assert (
            f"Process {os.getpid()} is already watching the warehouse" in result.output
        )
    assert CliRunner().invoke(main, ["watch", "--once"]).exit_code == 0


def test_a_place_that_cannot_be_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence says so."""
    (place / "file").touch()
    monkeypatch.setenv("PIDGIN_WAREHOUSE", str(place / "file/pidgin.duckdb"))
    result = CliRunner().invoke(main, ["watch"])
    assert result.exit_code == 1
    assert "cannot be watched: " in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(
    place: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """A refresh is cut short, which is no failure, and the watch ends."""

    def invoke(*_: object) -> Any:
        from dbt.cli.main import dbtRunnerResult

        try:
            os.kill(os.getpid(), number)
            time.sleep(TIMEOUT)
        except BaseException as error:
            # As dbt does.
            return dbtRunnerResult(success=False, exception=error)

    monkeypatch.setattr(Runner, "invoke", invoke)
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    result = CliRunner().invoke(main, ["watch", "--json"])
    assert result.exit_code == 0, result.output
    events = [json.loads(line)["event"] for line in result.output.splitlines()]
    assert events == ["started", "refreshing", "stopped"]
    assert handlers == [signal.getsignal(o) for o in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("interval", ["0", "nan", "-1", "1.5"])
def test_wrong_intervals(interval: str) -> None:
    """They are explained."""
    result = CliRunner().invoke(main, ["watch", "--interval", interval])
    assert result.exit_code == 2


# All of it.


@contextmanager
def watching(project: Project, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "watch", "--json", *options],
        cwd=project.home,
        env=project.environment
        | {
            "PYTHONPATH": str(ROOT),
            "PIDGIN_WAREHOUSE": str(project.published),
            "DBT_TARGET_PATH": str(project.home / "target"),
            "DBT_LOG_PATH": str(project.home / "logs"),
        },
        stdout=(project.home / "events").open("a"),
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(project: Project, condition: Callable[[], bool]) -> None:
    """Wait for something to come true; a warehouse may not be there yet."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        with suppress(WarehouseError):
            if condition():
                return
        time.sleep(0.2)
    pytest.fail((project.home / "events").read_text())


def test_a_watch(project: ProjectMaker, tmp_path: Path) -> None:
    """What is written is published, a failure is survived, and the end is clean."""
    folder = OutputFolder(tmp_path / "output")
    log = "tea_00000001/events_one.jsonl"
    lines = conversation("one")
    folder.write(log, lines[:5])
    made = project(folder.path)
    warehouse = Warehouse(made.published)

    def states() -> list[tuple[str, str, int]]:
        return [
            (row["conversation_id"], row["status"], row["turn_count"])
            for row in warehouse.conversations()
        ]

    def events(kind: str) -> list[dict[str, Any]]:
        said = [
            json.loads(line) for line in (made.home / "events").read_text().splitlines()
        ]
        return [one for one in said if one["event"] == kind]

    with watching(made, "--interval", "1") as process:
        wait_for(made, lambda: states() == [("one", "unfinished", 1)])
        folder.append(log, lines[5:])
        wait_for(made, lambda: states() == [("one", "completed", 2)])
        wait_for(made, lambda: len(events("waiting")) > 0)

        with watching(made, "--once") as other:
            assert other.wait(TIMEOUT) == 1
        said = (made.home / "events").read_text()
        refusal = f"Error: Process {process.pid} is already watching the warehouse"
        assert refusal in said
        (made.home / "events").write_text("")

        folder.path.rename(tmp_path / "away")
        wait_for(made, lambda: len(events("failed")) > 0)
        assert "which does not exist" in events("failed")[0]["error"]
        assert states() == [("one", "completed", 2)]
        # A refresh that finds the tables as it did not leave them builds all of them.
        with publishing.open_for_writing(made.warehouse, {}, TIMEOUT, print) as held:
            held.execute("drop view analysis.turns")
        (tmp_path / "away").rename(folder.path)
        folder.write("tea_00000001/events_two.jsonl", conversation("two", reason=None))
        wait_for(made, lambda: len(states()) == 2)
        (rows,) = warehouse.fetch("select count(*) as turns from analysis.turns")
        assert rows["turns"] == sum(turns for _, _, turns in states())

        count = len(events("refreshing"))
        folder.write("tea_00000001/events_three.jsonl", conversation("three"))
        wait_for(made, lambda: len(events("refreshing")) > count)
        # In the midst of the build, as far as one can tell.
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    assert len(events("stopped")) == 1
    assert len(states()) >= 2
    # The next one takes up what that one left.
    with watching(made, "--once") as process:
        assert process.wait(TIMEOUT) == 0
    assert sorted(name for name, _, _ in states()) == ["one", "three", "two"]
