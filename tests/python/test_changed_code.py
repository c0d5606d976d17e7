"""Who changes the SQL gets every row by the new definition from the next build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from harness import ROOT, WITHOUT_TESTS
from log_writer import OutputFolder, conversation


@dataclass(frozen=True)
class Change:
    """One definition, before and after, and a value of the warehouse that shows it."""

    file: str
    before: str
    after: str
    value: str


CHANGES = {
    "a macro": Change(
        "macros/text/python_text.sql",
        "string_split({{ text }}, '')",
        "string_split({{ text }} || '*', '')",
        "select sum(character_entropy) from message_metrics",
    ),
    "the reading of files": Change(
        "macros/text/event_documents.sql",
        "if(is_nested, envelope[10], envelope[6]) as agent_id",
        "upper(if(is_nested, envelope[10], envelope[6])) as agent_id",
        "select max(agent_id) from events",
    ),
    "the reader of a source": Change(
        "models/staging/pidgin/_pidgin__sources.yml",
        "header = false",
        "header = true",
        "select count(*) from events",
    ),
    "a seed": Change(
        "seeds/model_providers.csv",
        "local:,local,",
        "local:,my own machine,",
        "select max(agent_a_provider) from analysis.conversations",
    ),
    "a setting of the reading": Change(
        "dbt_project.yml",
        "rejected_line_length: 1000",
        "rejected_line_length: 2",
        "select line from rejected_lines",
    ),
}


def build(home: Path, warehouse: str) -> None:
    """Run `dbt build` as somebody who works on the project."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIDGIN_", "DBT_"))
    }
    settings = {
        "PIDGIN_OUTPUT_DIR": "../pidgin_output",
        "PIDGIN_WAREHOUSE": f"../{warehouse}",
    }
    finished = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--quiet", "build", *WITHOUT_TESTS],
        cwd=home / "project",
        env=kept | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout


def value(warehouse: Path, query: str) -> object:
    """Ask the warehouse for one value."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        (found,) = connection.execute(query).fetchall()
    return found[0]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a copy of the project, a log and the warehouse built of it."""
    home = tmp_path_factory.mktemp("built")
    for part in ("models", "macros", "seeds", "tests/generic", "pidgin_analytics"):
        shutil.copytree(
            ROOT / part,
            home / "project" / part,
            ignore=shutil.ignore_patterns("*__unit_tests.yml"),
        )
    for part in ("dbt_project.yml", "profiles.yml", "selectors.yml"):
        shutil.copy(ROOT / part, home / "project")
    folder = OutputFolder(home / "pidgin_output")
    folder.write(
        "experiments/tea_00000001/events_tea.jsonl",
        conversation("tea", [("Shall we?", "We shall."), ("Now.", "Yes, now!")]),
    )
    folder.write("experiments/tea_00000001/events_none.jsonl", b"\nno event\n")
    build(home, "old.duckdb")
    return home


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_definition_reaches_what_is_built(
    change: Change, built: Path, tmp_path: Path
) -> None:
    """The warehouse that was built before says what a new one says."""
    home = tmp_path / "home"
    shutil.copytree(built, home)
    before = value(home / "old.duckdb", change.value)

    file = home / "project" / change.file
    sql = file.read_text(encoding="utf-8")
    assert change.before in sql
    file.write_text(sql.replace(change.before, change.after), encoding="utf-8")
    build(home, "old.duckdb")
    build(home, "new.duckdb")

    after = value(home / "old.duckdb", change.value)
    assert after == value(home / "new.duckdb", change.value)
    assert after != before
