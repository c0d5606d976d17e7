"""The command `pidgin-analytics` does what it says, and builds."""

from __future__ import annotations

import functools
import io
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from conftest import ProjectMaker
from helpers.harness import ROOT, Project
from rich.console import Console
from writers.databases import Talk, write_june
from writers.logs import OutputFolder, conversation

from pidgin_analytics import (
    ArchiveError,
    BuildError,
    WarehouseError,
    command_line,
)
from pidgin_analytics.archive import forget, restore, write
from pidgin_analytics.commands import progress

COMMAND = "from pidgin_analytics.command_line import main; main()"


@pytest.fixture
def built(project: ProjectMaker, tmp_path: Path) -> Project:
    """Build two experiments."""
    folder = OutputFolder(tmp_path / "output")
    for number in (1, 2):
        name = f"experiments/{number}_0000000{number}/events.jsonl"
        folder.write(name, conversation(f"conv_{number}"))
    made = project(folder.path)
    made.build_only()
    return made


def command(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, from another folder."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=project.home,
        env=project.environment
        | {
            "PYTHONPATH": str(ROOT),
            "PIDGIN_WAREHOUSE": str(project.published),
            "DBT_TARGET_PATH": str(project.home / "target"),
            "DBT_LOG_PATH": str(project.home / "logs"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_archive(built: Project) -> None:
    """One experiment moves, and the build after it says so."""
    finished = command(built, "archive", "--experiment", "experiment_00000002")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "experiment_00000002" in finished.stdout
    assert built.query(
        "select experiment_id, is_archived from experiments order by 1"
    ) == [("experiment_00000001", False), ("experiment_00000002", True)]


def test_import_legacy(built: Project) -> None:
    """A database comes in, but for what is here from a log; it stays as it is."""
    talks = [Talk("conv_1"), Talk("conv_old")]
    database = write_june(built.home / "experiments.db", talks)
    before = database.read_bytes()
    # Relative to where the user stands, which is not the project.
    finished = command(built, "import-legacy", database.name)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "conv_1: not imported" in finished.stdout
    assert "1 conversation, 2 complete turns, 4 messages: imported" in finished.stdout
    assert built.query(
        "select conversation_id, experiment_id, turn_count"
        " from conversations order by 1"
    ) == [
        ("conv_1", "experiment_00000001", 2),
        ("conv_2", "experiment_00000002", 2),
        ("conv_old", "exp_0a1b2c3d", 2),
    ]
    assert database.read_bytes() == before


def test_failure_is_an_exit_code(built: Project) -> None:
    """What is refused is said, and the command fails."""
    finished = command(built, "restore", "experiment_00000007")
    assert finished.returncode == 1
    assert "no such experiment here: experiment_00000007" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["archive", "--dry-run"],
            {"older_than_days": 30.0, "dry_run": True},
        ),
        (
            ["archive", "--older-than-days", "9.5", "--delete-logs"],
            {"older_than_days": 9.5, "delete_logs": True},
        ),
        (
            ["archive", "--experiment", "a", "--experiment", "b'; drop"],
            {"older_than_days": 30.0, "experiment_ids": ("a", "b'; drop")},
        ),
        (
            ["restore", "a", "b'; drop", "--keep-archives"],
            {"ids": ("a", "b'; drop"), "keep_archives": True},
        ),
        (
            ["forget", "a", "b'; drop", "--dry-run"],
            {"ids": ("a", "b'; drop"), "dry_run": True},
        ),
    ],
)
def test_options_reach_the_function(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: dict[str, object]
) -> None:
    """Each option is one of the function that does it."""
    said: dict[str, object] = {}

    def note(*ids: object, **options: object) -> None:
        if ids:
            (said["ids"],) = ids
        said.update({name: value for name, value in options.items() if value})

    monkeypatch.setattr(write, "archive_experiments", note)
    monkeypatch.setattr(restore, "restore_experiments", note)
    monkeypatch.setattr(forget, "forget", note)
    result = CliRunner().invoke(command_line.main, arguments)
    assert result.exit_code == 0, result.output
    assert said == expected


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ArchiveError("\x1b[31mIt is red."), "Error: \ufffd[31mIt is red.\n"),
        (WarehouseError("There is none."), "Error: There is none.\n"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (duckdb.IOException("IO Error: no\nroom"), "Error: IO Error: no room\n"),
        # dbt has said why.
        (BuildError("dbt build failed."), ""),
    ],
)
@pytest.mark.parametrize("arguments", [["archive"], ["restore", "a"], ["forget", "a"]])
def test_a_failure_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: Exception, said: str
) -> None:
    """What a terminal obeys is shown instead, and nothing of the calls before it."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(write, "archive_experiments", fail)
    monkeypatch.setattr(restore, "restore_experiments", fail)
    monkeypatch.setattr(forget, "forget", fail)
    result = CliRunner().invoke(command_line.main, arguments)
    assert result.exit_code == 1
    assert result.stderr == said or (said and result.stderr.endswith(f"{said}\n"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["archive", "--older-than-days", "-1"],
        ["archive", "x"],
        ["restore"],
        ["forget"],
        ["publish"],
        ["import-legacy"],
    ],
)
def test_wrong_arguments(arguments: list[str]) -> None:
    """They are explained, and nothing is run."""
    result = CliRunner().invoke(command_line.main, arguments)
    assert result.exit_code == 2
    assert "Error" in result.output


def test_help_names_every_option() -> None:
    """A user finds out without the documentation."""
    result = CliRunner().invoke(command_line.main, ["archive", "--help"])
    for option in ("--older-than-days", "--experiment", "--delete-logs", "--dry-run"):
        assert option in result.output
    assert os.linesep in result.output


@pytest.mark.parametrize("name", sorted(command_line.main.commands))
def test_examples_of_help_are_right(name: str) -> None:
    """Each command shows some, on lines of their own, and takes them."""
    result = CliRunner().invoke(command_line.main, [name, "--help"])
    examples = re.findall(r"^ +pidgin-analytics (.+)$", result.output, re.MULTILINE)
    assert examples
    for example in examples:
        command, *arguments = shlex.split(example)
        assert command == name
        command_line.main.commands[name].make_context(name, arguments)


def test_progress_is_for_terminals(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done now is shown there as text, and nowhere else."""
    with progress.shown_progress() as show:
        show("nothing")
    assert capsys.readouterr() == ("", "")
    shown = io.StringIO()
    terminal = functools.partial(Console, file=shown, force_terminal=True, width=40)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal())
    with progress.shown_progress() as show:
        show("[bold]a name[/bold]")
        time.sleep(0.3)
    assert "[bold]a name[/bold]" in shown.getvalue()
    shown.truncate(0)
    with progress.shown_progress(quiet=True) as show:
        show("nothing")
    assert shown.getvalue() == ""
