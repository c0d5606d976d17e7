"""Notebooks run from first to last cell, whatever experiments are called."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
import pytest
from click.testing import CliRunner, Result
from conftest import ProjectMaker
from helpers.harness import ROOT, Project
from writers.logs import Conversation, OutputFolder, as_line, conversation, manifest

from pidgin_analytics import notebooks
from pidgin_analytics.command_line import main
from pidgin_analytics.figures import Figure

# Would run, if it were code or a page.
NAME = (
    '"); open("harm", "w") #\n\n"""\n[x](javascript:alert(1)) <script>alert(1)</script>'
    " `*_{7*7}_*` $x$ \\ \u2028\u202e שלום"
)
ID = 'id"""\'\\\nopen("harm", "w")\n{experiment} %/../..\u2028'
FIRST_LOOK = ROOT / "notebooks" / "first_look.py"


@pytest.fixture(scope="module")
def built(project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build two experiments of one name and two that mean harm."""
    folder = OutputFolder(tmp_path_factory.mktemp("logs") / "output")
    replies = [(f"The sea is calm {n}.", f"Calm is the storm {n}.") for n in range(7)]
    for name, experiment, title in (
        ("harm", ID, NAME),
        ("one", "experiment_1", "twins"),
        ("two", "experiment_2", "twins"),
    ):
        ids = [f"conv_{name}_{number}" for number in range(2)]
        for number, one in enumerate(ids):
            folder.write(f"{name}/events_{number}.jsonl", conversation(one, replies))
        folder.write(f"{name}/manifest.json", manifest(experiment, ids, name=title))
    mute = Conversation("conv_mute")
    folder.write("mute/events.jsonl", [as_line(mute.begin())])
    folder.write("mute/manifest.json", manifest("mute", ["conv_mute"]))
    made = project(folder.path)
    made.build_only()
    return made


def command(built: Project, *arguments: str) -> Result:
    """Run the command in this process."""
    runner = CliRunner(
        env=built.environment | {"PIDGIN_WAREHOUSE": str(built.warehouse)}
    )
    return runner.invoke(main, ["notebook", *arguments])


def run(notebook: dict[str, Any]) -> list[Any]:
    """Run all cells in order, as a kernel does, and return what each shows."""
    names: dict[str, Any] = {}
    shown = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        code = ast.parse("".join(cell["source"]))
        last = code.body.pop() if isinstance(code.body[-1], ast.Expr) else None
        place = f"cell {number}"
        exec(compile(code, place, "exec"), names)  # noqa: S102
        if isinstance(last, ast.Expr):
            shown.append(
                eval(  # noqa: S307
                    compile(ast.Expression(last.value), place, "eval"), names
                )
            )
    return shown


@pytest.mark.parametrize("experiment", [ID, "experiment_1"])
def test_it_runs(
    experiment: str, built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cell, from any folder, with figures and tables of this experiment."""
    monkeypatch.chdir(tmp_path)
    result = command(built, experiment, "-o", "out/n.ipynb")
    assert result.exit_code == 0, result.output
    written = (tmp_path / "out" / "n.ipynb").read_text(encoding="utf-8")
    shown = run(json.loads(written))
    # No name became code.
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

    drawn = {one.name: one for one in shown if isinstance(one, Figure)}
    assert set(drawn) >= {
        *("convergence", "convergence-each", "start-and-end", "vocabulary", "style"),
        *("words", "alignment", "patterns", "tokens-and-cost", "response-times"),
    }
    assert not [one for one in shown if isinstance(one, str)]
    key = "harm" if experiment == ID else "one"
    ids = {f"conv_{key}_0", f"conv_{key}_1"}
    assert set(drawn["convergence-each"].data["conversation_id"]) == ids
    tables = [one for one in shown if isinstance(one, pd.DataFrame)]
    assert set(tables[0]["conversation_id"]) == ids
    assert len(tables) == 5


def test_without_turns(built: Project, tmp_path: Path) -> None:
    """Figures that cannot be say why, and the rest goes on."""
    result = command(built, "mute", "-o", str(tmp_path / "n.ipynb"))
    assert result.exit_code == 0, result.output
    shown = run(json.loads((tmp_path / "n.ipynb").read_bytes()))
    said = [one for one in shown if isinstance(one, str)]
    assert len(said) > 5
    assert all(one.startswith("There is nothing to draw") for one in said)


def test_it_is_a_notebook(built: Project, tmp_path: Path) -> None:
    """As the format has it, and its text is text."""
    result = command(built, NAME, "-o", str(tmp_path / "n.ipynb"))
    assert result.exit_code == 0, result.output
    notebook = json.loads((tmp_path / "n.ipynb").read_bytes())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        keys = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            keys |= {"execution_count", "outputs"}
            assert cell["outputs"] == []
        assert set(cell) == keys
        assert all(re.fullmatch(r".*\n", line) for line in cell["source"][:-1])
    (title, *_) = notebook["cells"]
    text = "".join(title["source"])
    # One heading and one paragraph, without anything that Markdown or HTML act upon.
    assert len(text.split("\n\n")) == 2
    assert not re.search(r"[<>\[\]`*_$\\]", text)
    assert "open&#40;&#34;harm&#34;" in text
    assert notebooks.markdown_text("<b>שלום</b>") == "&#60;b&#62;שלום&#60;&#47;b&#62;"


def test_literals_are_what_they_stand_for() -> None:
    """An id in the code is that id and no more."""
    for text in (ID, NAME, "", "'''", "\x00\x7f\ufeff", "{0}", "\\", "\U0001f4a5"):
        literal = notebooks.python_literal(text)
        assert ast.literal_eval(literal) == text
        assert re.fullmatch(r"[ -~]*", literal)


def test_where_it_goes(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default beside the user, under a name without folders; never over a file."""
    monkeypatch.chdir(tmp_path)
    assert command(built, ID).exit_code == 0
    (path,) = tmp_path.iterdir()
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.ipynb", path.name)
    before = path.read_bytes()
    again = command(built, ID)
    assert again.exit_code == 1
    assert "is there already; --overwrite replaces it." in again.output
    assert path.read_bytes() == before
    assert command(built, ID, "--overwrite").exit_code == 0
    assert notebooks.file_name("../../etc") == "_etc.ipynb"
    assert notebooks.file_name("") == "_.ipynb"
    assert len(notebooks.file_name("x" * 1000)) < 100


@pytest.mark.parametrize(
    ("experiment", "says"),
    [
        ("twin", "There is no experiment twin; did you mean twins"),
        ("twins", "There are 2 experiments of this name; say which by its id: exper"),
        ("\x1b[1m", "There is no experiment \ufffd[1m; "),
    ],
)
def test_refusals(experiment: str, says: str, built: Project, tmp_path: Path) -> None:
    """One sentence says why, and no file is left."""
    result = command(built, experiment, "-o", str(tmp_path / "n.ipynb"))
    assert result.exit_code == 1
    assert says in result.output
    assert not list(tmp_path.iterdir())


def test_without_a_warehouse(tmp_path: Path) -> None:
    """It is said what makes one."""
    runner = CliRunner(env={"PIDGIN_WAREHOUSE": str(tmp_path / "no.duckdb")})
    result = runner.invoke(main, ["notebook", "x", "-o", str(tmp_path / "n.ipynb")])
    assert result.exit_code == 1
    assert "dbt build" in result.output
    assert not list(tmp_path.iterdir())


FIRST_LOOK_CHECK = """
import runpy
app = runpy.run_path({path!r})["app"]
outputs, names = app.run()
print(len(names["experiments"]), len(names["pairs"]))
print(names["convergence"].name, names["start_and_end"].name)
print(sum("data:image/svg+xml" in getattr(one, "text", "") for one in outputs))
"""


def test_first_look(built: Project, tmp_path: Path) -> None:
    """It runs as a script, and ends with two figures and a table."""
    environment = {
        **os.environ,
        "PIDGIN_WAREHOUSE": str(built.warehouse),
        "PYTHONPATH": str(ROOT),
        # Where marimo keeps its settings.
        "HOME": str(tmp_path),
    }
    for arguments in (
        [str(FIRST_LOOK)],
        ["-c", FIRST_LOOK_CHECK.format(path=str(FIRST_LOOK))],
    ):
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    experiments, pairs = built.query(
        "select (select count(*) from experiments), count(distinct model_pair)"
        " from analysis.conversations where final_convergence_balanced is not null"
    )[0]
    assert done.stdout.splitlines() == [
        f"{experiments} {pairs}",
        "convergence start-and-end",
        "2",
    ]
