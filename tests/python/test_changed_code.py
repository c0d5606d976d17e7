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
    "a metric": Change(
        "models/marts/metrics/message_metrics.sql",
        "cast(counts.message_length as integer)",
        "cast(counts.message_length + 1 as integer)",
        "select sum(message_length) from message_metrics",
    ),
    "a macro": Change(
        "macros/text/python_text.sql",
        "string_split({{ text }}, '')",
        "string_split({{ text }} || '*', '')",
        "select sum(character_entropy) from message_metrics",
    ),
    "a mart of experiments": Change(
        "models/marts/dashboard/experiment_dashboard.sql",
        "avg(",
        "2 * avg(",
        "select sum(avg_convergence) from experiment_dashboard",
    ),
    "the reading of files": Change(
        "models/staging/pidgin/stg_pidgin__event_lines.sql",
        "if(is_nested, envelope[10], envelope[6]) as agent_id",
        "upper(if(is_nested, envelope[10], envelope[6])) as agent_id",
        "select max(agent_id) from events",
    ),
}


def build(project: Path, output_dir: Path, warehouse: Path) -> None:
    """Run `dbt build` as somebody who works on the project."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIDGIN_", "DBT_"))
    }
    finished = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--quiet", "build", *WITHOUT_TESTS],
        cwd=project,
        env=kept
        | {"PIDGIN_OUTPUT_DIR": str(output_dir), "PIDGIN_WAREHOUSE": str(warehouse)},
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


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_definition_reaches_what_is_built(
    change: Change, tmp_path: Path
) -> None:
    """The warehouse that was built before says what a new one says."""
    project = tmp_path / "project"
    for part in ("models", "macros", "seeds", "tests/generic", "pidgin_analytics"):
        shutil.copytree(ROOT / part, project / part)
    for part in ("dbt_project.yml", "profiles.yml", "selectors.yml"):
        shutil.copy(ROOT / part, project)
    folder = OutputFolder(tmp_path / "pidgin_output")
    folder.write(
        "experiments/tea_00000001/events_tea.jsonl",
        conversation("tea", [("Shall we?", "We shall."), ("Now.", "Yes, now!")]),
    )

    warehouse = tmp_path / "built before.duckdb"
    build(project, folder.path, warehouse)
    before = value(warehouse, change.value)

    file = project / change.file
    sql = file.read_text(encoding="utf-8")
    assert change.before in sql
    file.write_text(sql.replace(change.before, change.after), encoding="utf-8")
    build(project, folder.path, warehouse)
    new_warehouse = tmp_path / "new.duckdb"
    build(project, folder.path, new_warehouse)

    assert value(warehouse, change.value) == value(new_warehouse, change.value)
    assert value(warehouse, change.value) != before
