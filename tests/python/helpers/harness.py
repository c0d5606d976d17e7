"""Runs the project as a user would, each time with a warehouse of its own.

Everything that a build writes (warehouse, published copy, target and log folders) goes
below one folder of the test, so that tests neither meet each other nor leave anything.

Much of a short build is dbt reading the project. It does that again whenever a setting
of the profile changes, so every project here calls its warehouse by the same path,
which leads to its own, and all hand on what dbt understood. Nor does dbt keep a log,
whose every line costs more than many a query here, or make the events that only a log
would show.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

import duckdb

from pidgin_analytics.publishing import working_file

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "sample_data" / "pidgin_output"
STORE = "staging.stg_pidgin__event_lines"
# Enough to build, where a test looks at the rows itself.
WITHOUT_TESTS = ("--exclude-resource-type", "test", "unit_test")

Row = tuple[Any, ...]

# What dbt made of the project, by the environment in which it read it.
_manifests: dict[tuple[tuple[str, str], ...], Manifest] = {}


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

    @property
    def logs_read(self) -> int:
        """How many logs a build says that it read."""
        (count,) = re.findall(r"^(?:Nothing new in|Read ([\d,]+)) ", self.text, re.M)
        return int(count.replace(",", "") or 0)


@dataclass(frozen=True)
class Project:
    """The dbt project with one output folder and one warehouse."""

    output_dir: Path | str
    home: Path
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def published(self) -> Path:
        """The file that people open: what the last whole green build left."""
        return self.home / "pidgin.duckdb"

    @property
    def warehouse(self) -> Path:
        """The file that is built. Most builds of tests are of a part."""
        return working_file(self.published)

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
            "PIDGIN_WAREHOUSE": str(self._place / "pidgin.duckdb"),
            **dict(self.settings),
        }

    @property
    def variables(self) -> dict[str, str]:
        """The variables of its dbt commands."""
        return {}

    def reading(self, output_dir: Path | str) -> Project:
        """Point the same warehouse at another output folder."""
        return Project(output_dir, self.home, self.settings)

    def copied(self, home: Path) -> Self:
        """Take a copy of the warehouse to a place of its own."""
        copy = replace(self, home=home)
        copy.warehouse.parent.mkdir(parents=True)
        shutil.copy2(self.warehouse, copy.warehouse)
        return copy

    def arguments(self, *command: str) -> list[str]:
        """Complete a dbt command with the places of this project."""
        return [
            "--quiet",
            "--no-use-colors",
            "--no-write-json",
            "--log-level-file",
            "none",
            *command,
            "--project-dir",
            str(ROOT),
            "--profiles-dir",
            str(ROOT),
            "--target-path",
            str(self.home / "target"),
            "--log-path",
            str(self.home / "logs"),
            *(["--vars", json.dumps(self.variables)] if self.variables else []),
        ]

    def dbt(self, *command: str) -> Outcome:
        """Run a dbt command inside this process, which saves dbt's start-up time."""
        # Late, because it takes seconds and not every test module needs it.
        from dbt.cli.main import dbtRunner

        from pidgin_analytics.dbt_plugin import close_connections

        messages: list[str] = []
        errors: list[str] = []
        arguments = ["--log-level", "none", *self.arguments(*command)]
        environment = self.environment
        if "plain" in command:
            # Without the plugin a build writes the file that it is told.
            self.warehouse.parent.mkdir(exist_ok=True)
            place = self.warehouse.with_name(self.published.name.split("_as_of_")[0])
            environment["PIDGIN_WAREHOUSE"] = str(place.with_suffix(".duckdb"))
        if command[0] == "build":
            # Two threads of one Python take a third longer here than one.
            arguments += ["--threads", "1"]

        def note(event: Any) -> None:
            if event.info.level == "error":
                errors.append(event.info.msg)
            if event.info.level not in ("debug", "test"):
                messages.append(event.info.msg)

        with (
            self._parsed_project(),
            _surroundings(environment),
            _without_debug_events(),
        ):
            try:
                runner = dbtRunner(self._manifest(command), callbacks=[note])
                result = runner.invoke(arguments)
            finally:
                # dbt keeps the warehouse open, and with it the lock on it.
                close_connections()
        success = result.success
        if result.exception is not None:
            errors.append(str(result.exception))
        if not success:
            # Errors hold on to what they passed through, cursors among it, and these
            # to the warehouse.
            del result, runner
            gc.collect()
        return Outcome(success, tuple(messages), tuple(errors))

    def command(self, *arguments: str, build: bool = True) -> Outcome:
        """Run `pidgin-analytics` inside this process.

        A build that it would run is one of the tables alone, or none at all.
        """
        # Late, as above.
        from click.testing import CliRunner

        from pidgin_analytics import building, command_line

        def run(*command: str) -> bool:
            assert command == ("build",)
            if build:
                self.build_only()
            return True

        self._take_place()
        with (
            _surroundings(self.environment),
            mock.patch.object(building, "run", run),
        ):
            result = CliRunner().invoke(command_line.main, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(
            result.exit_code == 0,
            tuple(result.output.splitlines()),
            tuple(result.stderr.splitlines()),
        )

    def python_process(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a script that uses the package in a process of its own."""
        self._take_place()
        return subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            cwd=ROOT,
            env=self.environment
            | {
                "PYTHONPATH": str(ROOT),
                "DBT_TARGET_PATH": str(self.home / "target"),
                "DBT_LOG_PATH": str(self.home / "logs"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def manifest(self) -> Manifest:
        """Return what dbt makes of the project: every model, test and exposure."""
        with self._parsed_project(), _surroundings(self.environment):
            found = self._manifest(("parse",))
        assert found
        return found

    def _manifest(self, command: Sequence[str]) -> Manifest | None:
        """Return what dbt made of the project, unless the command can change that."""
        from dbt.cli.main import dbtRunner

        if not {"--vars", "--target"}.isdisjoint(command):
            return None
        settings = tuple(sorted((self.environment | self.variables).items()))
        if settings not in _manifests:
            parsed = dbtRunner().invoke(self.arguments("parse"))
            if not parsed.success:
                # The command itself will say why.
                return None
            _manifests[settings] = parsed.result  # type: ignore[assignment]
        return _manifests[settings]

    def dbt_process(
        self, *command: str, file_size_limit: int | None = None
    ) -> subprocess.Popen[str]:
        """Start a dbt command in a process of its own; wait for it before another.

        With a limit, the process can write no file beyond so many bytes.
        """
        self._take_place()
        self._take_parsed_project()

        def limit_file_size() -> None:
            if file_size_limit is not None:
                limits = (file_size_limit, file_size_limit)
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        return subprocess.Popen(
            [sys.executable, "-m", "dbt.cli.main", *self.arguments(*command)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Safe: no other thread of this process holds a lock that it needs.
            preexec_fn=limit_file_size,
        )

    def _take_place(self) -> None:
        """Make the shared path lead to this project."""
        self._place.unlink(missing_ok=True)
        self._place.symlink_to(self.home, target_is_directory=True)

    @property
    def _parsed(self) -> Path:
        return self.home / "target" / "partial_parse.msgpack"

    def _take_parsed_project(self) -> None:
        """Begin with what the last project parsed."""
        shared = self.home.parent / self._parsed.name
        if shared.exists() and not self._parsed.exists():
            self._parsed.parent.mkdir(exist_ok=True)
            shutil.copy(shared, self._parsed)

    @contextlib.contextmanager
    def _parsed_project(self) -> Iterator[None]:
        """Begin with what the last project parsed, and leave the same to the next."""
        self._take_place()
        self._take_parsed_project()
        yield
        if self._parsed.exists():
            shutil.copy(self._parsed, self.home.parent)

    def build_and_test(self) -> Outcome:
        """Build with every data test, those of the code too."""
        return self.build("--select", "*", "--exclude-resource-type", "unit_test")

    def build(self, *options: str) -> Outcome:
        """Run `dbt build` and insist that it succeeds."""
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
        with self.opened(timezone) as connection:
            return connection.execute(sql, list(parameters)).fetchall()

    @contextlib.contextmanager
    def opened(self, timezone: str = "UTC") -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse for reading only."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute(f"set TimeZone = '{timezone}'")
            yield connection

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Ask for one value."""
        ((value,),) = self.query(sql, parameters)
        return value

    def contents(self, *, rowids: bool = False) -> dict[str, list[str]]:
        """Return every row of every mart, in a form and an order that compare exactly.

        With rowids, the marts that are tables, the stores that they are built from, and
        where each row lies: one that was deleted and written again has another rowid.
        """
        if rowids:
            return self.relations(
                "select schema_name || '.' || table_name from duckdb_tables()"
                # Without the listing of files, which is of the moment, and what it was
                # made of.
                " where schema_name in ('main', 'staging')"
                " and table_name not in ('stg_pidgin__files', 'relations')",
                "rowid, *",
            )
        return self.relations(
            "select table_name from information_schema.tables"
            " where table_schema = 'main'"
        )

    def relations(self, names: str, columns: str = "*") -> dict[str, list[str]]:
        """Return every row of the relations that a query names."""
        with self.opened() as connection:
            return {
                name: _texts(connection.execute(f"select {columns} from {name}"))
                for (name,) in connection.execute(names).fetchall()
            }

    def rows(self, relation: str, columns: str = "*") -> list[str]:
        """Return every row of one relation as text, sorted."""
        with self.opened() as connection:
            return _texts(connection.execute(f"select {columns} from {relation}"))

    def compiled(self, node: str) -> str:
        """Return the SQL that the last build ran for a model or test."""
        (path,) = (self.home / "target" / "compiled").rglob(f"{node}.sql")
        return path.read_text(encoding="utf-8")


def _texts(result: duckdb.DuckDBPyConnection) -> list[str]:
    """Write rows as text, sorted."""
    return sorted(
        json.dumps(row, default=repr, ensure_ascii=False) for row in result.fetchall()
    )


@contextlib.contextmanager
def _without_debug_events() -> Iterator[None]:
    """Spare dbt what it would tell a log: a seventh of a short build."""
    from dbt_common.events.base_types import BaseEvent, DebugLevel
    from dbt_common.events.event_manager import EventManager

    make, fire = BaseEvent.__init__, EventManager.fire_event

    def make_if_shown(self: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(self, DebugLevel):
            make(self, *args, **kwargs)

    def fire_if_shown(self: Any, event: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(event, DebugLevel):
            fire(self, event, *args, **kwargs)

    with (
        mock.patch.object(BaseEvent, "__init__", make_if_shown),
        mock.patch.object(EventManager, "fire_event", fire_if_shown),
    ):
        yield


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
