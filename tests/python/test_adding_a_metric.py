"""CONTRIBUTING says how a metric is added: its steps, in a copy of the project."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml
from helpers.harness import ROOT

PARTS = (
    "docs",
    "macros",
    "models",
    "pidgin_analytics",
    "sample_data",
    "seeds",
    "tests",
)
# Files and lines that the recipe may change, for a metric of a message and of a turn.
LIMITS = {"Of a message": (5, 25), "Of a turn": (6, 40)}


@dataclass(frozen=True)
class Step:
    """Lines that go into a file, above a line or at the end."""

    path: str
    above: str | None
    lines: str


def steps_of(recipe: str) -> list[Step]:
    """Read the steps of one metric: each a place, and what goes there."""
    steps: list[Step] = []
    for place, lines in re.findall(
        r"([^\n]*):\n\n```\w+\n(.*?)^```$", recipe, re.DOTALL | re.MULTILINE
    ):
        names = re.findall(r"`([^`]+)`", place)
        path = names[0] if "/" in names[0] else steps[-1].path
        above = None if place.endswith("at the end") else names[-1]
        assert above is None or f"above `{above}`" in place, place
        steps.append(Step(path, above, lines))
    return steps


def recipes() -> dict[str, list[Step]]:
    """Read what CONTRIBUTING says."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## Adding a metric\n")[2].partition("\n## ")[0]
    parts = re.split(r"\*\*(Of a \w+)\.\*\* ", section)[1:]
    return {
        name: steps_of(part) for name, part in zip(parts[::2], parts[1::2], strict=True)
    }


@dataclass(frozen=True)
class Copy:
    """A copy of the project with a warehouse of its own."""

    folder: Path

    def take(self, step: Step) -> None:
        """Put lines where a step says."""
        path = self.folder / step.path
        text = path.read_text(encoding="utf-8")
        place = len(text)
        if step.above is not None:
            lines = re.findall(
                rf"^ *{re.escape(step.above)}.*$", text, flags=re.MULTILINE
            )
            assert len(lines) == 1, (step.path, step.above, lines)
            place = text.index(lines[0])
        path.write_text(text[:place] + step.lines + text[place:], encoding="utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run Python in it, with the copy's own package."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIDGIN_", "DBT_"))
        }
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=kept | {"PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    def insist(self, *command: str) -> None:
        """Run Python in it, and insist that it succeeds."""
        outcome = self.run(*command)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr

    def texts(self) -> dict[str, list[str]]:
        """Read the files that a recipe may change."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_text("utf-8").split(
                "\n"
            )
            for part in PARTS
            for path in (self.folder / part).rglob("*")
            if path.suffix in (".md", ".py", ".sql", ".yml")
        }


def changes(
    before: Mapping[str, list[str]], after: Mapping[str, list[str]]
) -> Counter[str]:
    """Count the lines of each file that are new or others, or are gone."""
    counts = Counter[str]()
    for path in before.keys() | after.keys():
        old, new = before.get(path, []), after.get(path, [])
        if old == new:
            continue
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        for kind, first, last, start, end in matcher.get_opcodes():
            if kind != "equal":
                counts[path] += max(last - first, end - start)
    return counts


@pytest.fixture(scope="module")
def changed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Copy, dict[str, Counter[str]]]:
    """Take all steps in a copy, and build it; tell what each recipe changed."""
    copy = Copy(tmp_path_factory.mktemp("copy"))
    caches = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        shutil.copytree(ROOT / part, copy.folder / part, ignore=caches)
    for name in ("dbt_project.yml", "profiles.yml", "selectors.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, copy.folder)
    (copy.folder / "warehouse").mkdir()
    found = {}
    for recipe, steps in recipes().items():
        before = copy.texts()
        for step in steps:
            copy.take(step)
        copy.insist("docs/write_metrics_page.py")
        found[recipe] = changes(before, copy.texts())
    copy.insist("-m", "dbt.cli.main", "build")
    return copy, found


Changed = tuple[Copy, dict[str, Counter[str]]]


def test_few_files_and_lines_change(changed: Changed) -> None:
    """What is generated counts, too."""
    _, counts = changed
    assert counts.keys() == LIMITS.keys()
    for recipe, (files, lines) in LIMITS.items():
        assert 3 < len(counts[recipe]) <= files, counts[recipe]
        assert 10 < counts[recipe].total() <= lines, counts[recipe]


def test_values_are_in_the_marts_and_views(changed: Changed) -> None:
    """In the marts, and without being named in the views, as the texts have them."""
    copy, _ = changed
    warehouse = copy.folder / "warehouse" / "pidgin.duckdb"
    with duckdb.connect(str(warehouse), read_only=True) as connection:

        def ask(sql: str) -> list[tuple[object, ...]]:
            return connection.execute(sql).fetchall()

        rows = ask(
            "select content, ellipsis_count from message_metrics inner join messages"
            " using (conversation_id, turn_number, agent_id)"
        )
        assert len(rows) > 100
        for content, count in rows:
            assert len(re.findall(r"…|\.\.\.", str(content))) == count
        ((measured, differing),) = ask(
            "select count(ellipsis_difference),"
            " count(*) filter (ellipsis_difference != abs(a.ellipsis_count"
            " - b.ellipsis_count)) from turn_metrics"
            " inner join message_metrics as a on turn_metrics.conversation_id"
            " = a.conversation_id and turn_metrics.turn_number = a.turn_number"
            " and a.agent_id = 'agent_a'"
            " inner join message_metrics as b on turn_metrics.conversation_id"
            " = b.conversation_id and turn_metrics.turn_number = b.turn_number"
            " and b.agent_id = 'agent_b'"
        )
        assert isinstance(measured, int)
        assert measured > 100
        assert differing == 0
        assert ask(
            "select count(ellipsis_count), sum(ellipsis_count) from analysis.messages"
        ) == ask("select count(*), sum(ellipsis_count) from message_metrics")
        assert ask(
            "select sum(a_ellipsis_count) + sum(b_ellipsis_count),"
            " sum(ellipsis_difference) from analysis.turns"
        ) == ask(
            "select (select sum(ellipsis_count) from message_metrics),"
            " (select sum(ellipsis_difference) from turn_metrics)"
        )
        comments = dict(
            connection.execute(
                "select schema_name || '.' || table_name || '.' || column_name, comment"
                " from duckdb_columns() where column_name like '%ellipsis%'"
                " and schema_name in ('main', 'analysis')"
            ).fetchall()
        )
        # Columns that stood there have their places.
        (last,) = ask(
            "select list(column_name order by column_index)[-4:] from duckdb_columns()"
            " where schema_name = 'main' and table_name = 'message_metrics'"
        )
    assert last == (
        ["formality_score", "flesch_reading_ease", "ellipsis_count", "fingerprint"],
    )
    assert comments["main.message_metrics.ellipsis_count"] == (
        "Runs of three points, and signs that stand for them. At least 0. Unit: count."
        " Own definition."
    )
    assert comments["analysis.turns.b_ellipsis_count"] == (
        "Of agent B's message: Runs of three points, and signs that stand for them."
        " At least 0. Unit: count. NULL if that message is a placeholder or missing."
        " Own definition."
    )
    assert comments["analysis.turns.ellipsis_difference"].endswith(
        "NULL if a message is a placeholder or missing. Own definition."
    )
    assert len(comments) == 6


def test_the_page_of_metrics_has_both(changed: Changed) -> None:
    copy, _ = changed
    copy.insist("docs/write_metrics_page.py", "--check")
    page = (copy.folder / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert (
        "| `ellipsis_count` | integer | Runs of three points, and signs that stand for"
        " them. | At least 0. | count | Never. | Own definition. |" in page
    )
    assert "| `ellipsis_difference` | integer |" in page


def test_formulas_hold_and_ranges_are_tested(changed: Changed) -> None:
    """Unit tests and oracles agree; another range in `meta` is another test."""
    copy, _ = changed
    copy.insist(
        "-m", "dbt.cli.main", "test", "--select", "test_type:unit,*__ellipses__*"
    )
    copy.insist(
        *(
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "tests/python/test_metric_parity.py",
        ),
        *("-k", "test_metrics_equal_the_oracles or test_no_metric_is_left_out"),
    )
    for mart, metric in (
        ("message_metrics", "ellipsis_count"),
        ("turn_metrics", "ellipsis_difference"),
    ):
        path = copy.folder / "models" / "marts" / "metrics" / f"{mart}.yml"
        text = path.read_text(encoding="utf-8")
        head, mark, tail = text.partition(f"- name: {metric}\n")
        assert yaml.safe_load(text)["models"][0]["name"] == mart
        path.write_text(head + mark + tail.replace("[0, null]", "[-9, -1]", 1), "utf-8")
        outcome = copy.run(
            "-m", "dbt.cli.main", "test", "--select", f"{mart}_values_in_range"
        )
        path.write_text(text, encoding="utf-8")
        assert outcome.returncode != 0
        assert "FAIL 1" in outcome.stdout
