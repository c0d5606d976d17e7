"""Runs the project as a user would, each time with a warehouse of its own.

Everything that a build writes (warehouse, published copy, target and log folders) goes
below one folder of the test, so that tests neither meet each other nor leave anything.

Most of a short build is dbt reading the project. It does that again whenever a setting
of the profile changes, so every project here calls its warehouse by the same path,
which leads to its own, and all hand on what dbt understood.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data" / "pidgin_output"
STORE = "staging.stg_pidgin__event_lines"
# Enough to build, where a test looks at the rows itself.
WITHOUT_TESTS = ("--exclude-resource-type", "test", "unit_test")

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """What a dbt command came to."""

    success: bool
    messages: tuple[str, ...]
    errors: tuple[str, ...]

    @property
    def text(self) -> str:
        """All that it said."""
        return "\n".join(self.messages)


@dataclass(frozen=True)
class Project:
    """The dbt project with one output folder and one warehouse."""

    output_dir: Path | str
    home: Path
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that is built."""
        return self.home / "pidgin.duckdb"

    @property
    def _place(self) -> Path:
        """The folder of this project, under the name that all projects share."""
        return self.home.parent / "current project"

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, with every setting of the project replaced."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIDGIN_", "DBT_"))
        }
        return kept | {
            "PIDGIN_OUTPUT_DIR": str(self.output_dir),
            "PIDGIN_WAREHOUSE": str(self._place / self.warehouse.name),
            "PIDGIN_PUBLISHED_DIR": str(self._place / "published"),
            **dict(self.settings),
        }

    def reading(self, output_dir: Path | str) -> Project:
        """Point the same warehouse at another output folder."""
        return Project(output_dir, self.home, self.settings)

    def arguments(self, *command: str) -> list[str]:
        """Complete a dbt command with the places of this project."""
        return [
            "--quiet",
            "--no-use-colors",
            "--no-write-json",
            *command,
            "--project-dir",
            str(ROOT),
            "--profiles-dir",
            str(ROOT),
            "--target-path",
            str(self.home / "target"),
            "--log-path",
            str(self.home / "logs"),
        ]

    def dbt(self, *command: str) -> Outcome:
        """Run a dbt command inside this process, which saves dbt's start-up time."""
        # Late, because it takes seconds and not every test module needs it.
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        messages: list[str] = []
        errors: list[str] = []

        def note(event: Any) -> None:
            if event.info.level == "error":
                errors.append(event.info.msg)
            if event.info.level not in ("debug", "test"):
                messages.append(event.info.msg)

        with self._parsed_project(), _surroundings(self.environment):
            try:
                result = dbtRunner(callbacks=[note]).invoke(self.arguments(*command))
            finally:
                # dbt keeps the warehouse open, and with it the lock on the file.
                DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        if result.exception is not None:
            errors.append(str(result.exception))
        return Outcome(result.success, tuple(messages), tuple(errors))

    def dbt_process(self, *command: str) -> subprocess.Popen[str]:
        """Start a dbt command in a process of its own; wait for it before another."""
        self._take_place()
        return subprocess.Popen(
            [sys.executable, "-m", "dbt.cli.main", *self.arguments(*command)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _take_place(self) -> None:
        """Make the shared path lead to this project."""
        self._place.unlink(missing_ok=True)
        self._place.symlink_to(self.home, target_is_directory=True)

    @contextlib.contextmanager
    def _parsed_project(self) -> Iterator[None]:
        """Begin with what the last project parsed, and leave the same to the next."""
        self._take_place()
        own = self.home / "target" / "partial_parse.msgpack"
        shared = self.home.parent / own.name
        if shared.exists() and not own.exists():
            own.parent.mkdir(exist_ok=True)
            shutil.copy(shared, own)
        yield
        if own.exists():
            shutil.copy(own, shared)

    def build(self, *options: str) -> Outcome:
        """Run `dbt build`, with the tests of the data, and insist that it succeeds."""
        outcome = self.dbt("build", *options)
        assert outcome.success, "\n".join(outcome.errors)
        return outcome

    def build_only(self, *options: str) -> Outcome:
        """Build without the project's own data tests."""
        return self.build(*WITHOUT_TESTS, *options)

    def query(
        self, sql: str, parameters: Sequence[Any] = (), *, timezone: str = "UTC"
    ) -> list[Row]:
        """Ask the warehouse, opened for reading only."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute(f"set TimeZone = '{timezone}'")
            return connection.execute(sql, list(parameters)).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Ask for one value."""
        ((value,),) = self.query(sql, parameters)
        return value

    def marts(self) -> list[str]:
        """Name every mart."""
        return [
            name
            for (name,) in self.query(
                "select table_name from information_schema.tables"
                " where table_schema = 'main' order by table_name"
            )
        ]

    def contents(self, *, rowids: bool = False) -> dict[str, list[str]]:
        """Return every row of every mart, in a form and an order that compare exactly.

        With rowids, the marts that are tables, the stores that they are built from, and
        where each row lies: one that was deleted and written again has another rowid.
        """
        if not rowids:
            return {name: self.rows(f"main.{name}") for name in self.marts()}
        tables = self.query(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where schema_name in ('main', 'staging') order by all"
        )
        return {name: self.rows(name, "rowid, *") for (name,) in tables}

    def rows(self, relation: str, columns: str = "*") -> list[str]:
        """Return every row of one relation as text, sorted."""
        return sorted(
            json.dumps(row, default=repr, ensure_ascii=False)
            for row in self.query(f"select {columns} from {relation}")
        )

    def compiled(self, model: str) -> str:
        """Return the SQL that the last build ran for a model."""
        (path,) = (self.home / "target" / "compiled").rglob(f"{model}.sql")
        return path.read_text(encoding="utf-8")


@contextlib.contextmanager
def _surroundings(environment: dict[str, str]) -> Iterator[None]:
    """Swap the environment, and stand in the project as dbt's users do."""
    saved = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        with contextlib.chdir(ROOT):
            yield
    finally:
        os.environ.clear()
        os.environ.update(saved)


def assert_same_contents(
    actual: dict[str, list[str]], expected: dict[str, list[str]]
) -> None:
    """Compare two warehouses' marts, naming the first rows that differ."""
    assert sorted(actual) == sorted(expected)
    differences = []
    for name, rows in expected.items():
        if actual[name] == rows:
            continue
        surplus = sorted(set(actual[name]) - set(rows))
        missing = sorted(set(rows) - set(actual[name]))
        differences.append(
            f"{name}: {len(actual[name])} rows, not {len(rows)};"
            f"\n  not expected {surplus[:2]}\n  missing {missing[:2]}"
        )
    assert not differences, "\n".join(differences)
