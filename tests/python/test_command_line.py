"""The command `pidgin-analytics` does what dbt's operations do, and builds."""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from conftest import ProjectMaker
from harness import ROOT, Project
from legacy_writer import Talk, write_june
from log_writer import OutputFolder, conversation
from rich.console import Console

from pidgin_analytics import command_line, compaction, progress, publishing

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
    """What the operation refuses is said, and the command fails."""
    finished = command(built, "restore", "experiment_00000007")
    assert finished.returncode == 1
    assert "no such experiment here: experiment_00000007" in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        (
            ["archive", "--dry-run"],
            [["archive_experiments", {"older_than_days": 30.0, "dry_run": True}]],
        ),
        (
            ["archive", "--older-than-days", "9.5", "--delete-logs"],
            [
                ["archive_experiments", {"older_than_days": 9.5, "delete_logs": True}],
                "build",
            ],
        ),
        (
            ["restore", "a", "b'; drop", "--keep-archives"],
            [
                [
                    "restore_experiments",
                    {"experiment_ids": ["a", "b'; drop"], "keep_archives": True},
                ],
                "build",
            ],
        ),
        (
            ["forget", "a", "b'; drop", "--dry-run"],
            [["forget", {"ids": ["a", "b'; drop"], "dry_run": True}]],
        ),
        (["forget", "a"], [["forget", {"ids": ["a"]}], "build", "compact", "publish"]),
    ],
)
def test_options_reach_dbt(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], commands: list[object]
) -> None:
    """Each option is an argument of the operation; a dry run builds nothing."""
    said: list[object] = []

    def note(*command: str) -> None:
        if command[0] == "run-operation":
            options = {
                name: value for name, value in json.loads(command[3]).items() if value
            }
            said.append([command[1], options])
        else:
            said.append(command[0])

    monkeypatch.setattr(command_line, "dbt", note)
    monkeypatch.setattr(compaction, "compact", lambda _: said.append("compact"))
    monkeypatch.setattr(publishing, "publish", lambda _: said.append("publish"))
    result = CliRunner().invoke(command_line.main, arguments)
    assert result.exit_code == 0, result.output
    assert said == commands


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


def test_any_id_reaches_dbt() -> None:
    """Options are JSON, which dbt reads as YAML."""
    ids = ["\x00\x1b\x7f\x85\u2028\ufeff\uffff", "caf\u00e9 \U0001f375", "it's \\ \"#"]
    text = command_line.yaml({"experiment_ids": ids})
    assert yaml.safe_load(text) == json.loads(text) == {"experiment_ids": ids}
