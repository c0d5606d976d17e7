"""A lake holds what a file holds, and a team can read it while one of them builds."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import psycopg
import pytest
from helpers.harness import ROOT, SAMPLE, WITHOUT_TESTS, Project, assert_same_contents
from helpers.lake_servers import (
    PASSWORD,
    Postgres,
    object_store,
    postgres,
    skipped_without,
)
from hypothesis import settings
from writers.logs import START, OutputFolder, conversation, manifest

from pidgin_analytics import Warehouse, WarehouseError, lake, lake_maintenance

# `make soak` tries more often.
IS_SOAK = settings.get_current_profile_name() == "soak"
BUILDER_KILLS = 20 if IS_SOAK else 1
SERVER_KILLS = 5 if IS_SOAK else 1
READERS, BUILDS = (4, 10) if IS_SOAK else (4, 2)
COMMAND = Path(sys.executable).with_name("pidgin-analytics")
BUCKET = "pidgin-lab"

# Asks again and again, in a process of its own, until it is told to stop. Five tables
# that a build changes one after the other must always agree, and what was seen once
# never goes.
READ_IN_A_LOOP = """
import os, sys
from pidgin_analytics import Warehouse
(stop,) = sys.argv[1:]
seen, states, asked = 0, set(), 0
with Warehouse() as warehouse:
    while not os.path.exists(stop) or asked < 2:
        (row,) = warehouse.fetch(
            "select (select count(*) from conversations) as a,"
            " (select count(*) from conversation_state) as b,"
            " (select count(distinct conversation_id) from messages) as c,"
            " (select count(distinct conversation_id) from turn_metrics) as d,"
            " (select sum(conversations)::bigint from experiment_dashboard) as e"
        )
        counts = set(row.values())
        assert len(counts) == 1 and row["a"] >= seen, (row, seen)
        seen = row["a"]
        states.add(seen)
        asked += 1
print(len(states), asked)
"""


@dataclass(frozen=True)
class LakeProject(Project):
    """The dbt project with one output folder and one lake."""

    as_of: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The moment that it shows, if it is a past one."""
        return {"as_of": self.as_of} if self.as_of else {}

    @property
    def place(self) -> lake.Lake:
        """Where the lake is."""
        with self.chosen():
            return lake.of_environment(self.as_of)

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Let this process see what its user does."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield

    @contextmanager
    def opened(self, timezone: str = "UTC") -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the newest state for reading only, whether it is published or not."""
        with self.chosen(), closing(duckdb.connect()) as connection:
            self.place.attach(connection)
            connection.execute(f"use pidgin; set TimeZone = '{timezone}'")
            yield connection

    def names(self) -> list[str]:
        """Return the conversations that people see."""
        with self.chosen(), Warehouse() as warehouse:
            return sorted(row["conversation_id"] for row in warehouse.conversations())

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run the project's command."""
        return subprocess.run(
            [COMMAND, *command],
            check=False,
            capture_output=True,
            text=True,
            env=self.environment
            | {"DBT_TARGET_PATH": str(self.home / "target")}
            | {"DBT_LOG_PATH": str(self.home / "logs")},
        )


LakeMaker = Callable[..., LakeProject]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run PostgreSQL, which this process, too, may ask."""
    with skipped_without(), postgres() as one, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", PASSWORD)
        yield one


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a store that speaks S3."""
    folder = tmp_path_factory.mktemp("store")
    with skipped_without(), object_store(folder, BUCKET) as environment:
        yield environment


@pytest.fixture(scope="module")
def make(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> LakeMaker:
    """Make projects: `make(output_dir)`, each with a new lake."""

    def maker(output_dir: Path | str, **settings: str) -> LakeProject:
        home = tmp_path_factory.mktemp("project")
        name = f"lab_{uuid.uuid4().hex[:12]}"
        chosen = {
            "PIDGIN_TARGET": "lake",
            "PIDGIN_LAKE_CATALOG": server.create(name),
            "PIDGIN_LAKE_DATA": str(home / "lake"),
            "PIDGIN_LOCK_TIMEOUT": "600",
        }
        return LakeProject(output_dir, home, tuple((chosen | settings).items()))

    return maker


@pytest.fixture(scope="module")
def built(make: LakeMaker, tmp_path_factory: pytest.TempPathFactory) -> LakeProject:
    """Build a lake of a conversation, to which tests add others."""
    folder = OutputFolder(tmp_path_factory.mktemp("logs") / "pidgin_output")
    folder.write("tea_00000001/events_one.jsonl", conversation("one"))
    folder.write("tea_00000001/manifest.json", manifest("experiment_1", ["one"]))
    project = make(folder.path)
    outcome = project.build()
    assert f"Warehouse: {project.place}, published." in outcome.text
    return project


def add(project: Project, name: str) -> None:
    """Write the log of another conversation."""
    path = Path(project.output_dir) / f"tea_00000001/events_{name}.jsonl"
    path.write_text("".join(f"{line}\n" for line in conversation(name)))
    os.utime(path, (1_700_000_000, 1_700_000_000))


def beside(project: Project, output_dir: Path | None = None) -> Project:
    """Make the project that keeps the same in a file."""
    home = project.home.with_name(f"{project.home.name}_file")
    home.mkdir(exist_ok=True)
    chosen = dict(project.settings) | {"PIDGIN_TARGET": "dev"}
    return Project(output_dir or project.output_dir, home, tuple(chosen.items()))


def as_published(project: LakeProject) -> dict[str, list[str]]:
    """Return every row of what people see."""
    found = project.place
    with closing(lake.Reader(found)) as reader:
        state = reader.published()
    assert state is not None
    return at_snapshot(project, state.snapshot_id)


def at_snapshot(project: LakeProject, snapshot_id: int) -> dict[str, list[str]]:
    """Return every row of a snapshot."""
    with project.chosen(), closing(duckdb.connect()) as connection:
        project.place.attach(connection, snapshot_id=snapshot_id)
        connection.execute("use pidgin; set TimeZone = 'UTC'")
        names = connection.execute(
            "select table_name from information_schema.tables"
            " where table_schema = 'main' and table_catalog = 'pidgin'"
        ).fetchall()
        return {
            name: sorted(map(repr, connection.execute(f"from {name}").fetchall()))
            for (name,) in names
        }


def rows_of(file: Project, query: str) -> list[dict[str, object]]:
    """Ask what people see in a file."""
    with Warehouse(file.published) as warehouse:
        return warehouse.fetch(query)


def output_dirs() -> list[str]:
    """Name the folders to compare: the sample, and others on demand."""
    found = os.environ.get("PIDGIN_TEST_OUTPUT_DIRS", "")
    return [str(SAMPLE), *filter(None, found.split(":"))]


@pytest.mark.parametrize("output_dir", output_dirs())
def test_a_lake_holds_what_a_file_holds(
    make: LakeMaker, store: dict[str, str], tmp_path: Path, output_dir: str
) -> None:
    """Row by row, after all that may happen, with its data in a store."""
    folder = tmp_path / "pidgin_output"
    shutil.copytree(output_dir, folder)
    logs = sorted(folder.rglob("*.jsonl"))
    late = max(logs, key=lambda log: log.stat().st_size)
    text = late.read_bytes()
    late.unlink()
    project = make(
        folder, PIDGIN_LAKE_DATA=f"s3://{BUCKET}/{uuid.uuid4().hex}", **store
    )
    file = beside(project)

    def compare() -> None:
        assert_same_contents(project.contents(), file.contents())

    for one in (project, file):
        one.build()
    compare()
    published = as_published(project)
    assert "unchanged." in project.build().text
    assert as_published(project) == published

    late.write_bytes(text)
    for one in (project, file):
        one.build_only()
    compare()
    assert project.build().success
    before = project.contents()
    for one in (project, file):
        one.build("--full-refresh")
    compare()
    assert_same_contents(project.contents(), before)

    found = "select * from search_messages('\"the\" of') order by all"
    assert project.query(found) == file.query(found)
    with project.chosen(), Warehouse() as warehouse:
        assert sorted(map(repr, warehouse.fetch(found))) == sorted(
            map(repr, rows_of(file, found))
        )
    ((moment,),) = file.query("select median(timestamp)::varchar from events")
    past = replace(project, as_of=moment)
    past.build()
    function = f"conversation_state_as_of(timestamptz '{moment}')"
    columns = ", ".join(name for name, *_ in file.query(f"describe from {function}"))
    assert past.rows("conversation_state", columns) == file.rows(function)
    assert project.rows(function) == file.rows(function)
    # It takes on what the present has read since.
    earlier = folder / "earlier" / "events_earlier.jsonl"
    earlier.parent.mkdir()
    begin = datetime.fromisoformat(moment) - timedelta(days=1)
    lines = conversation("earlier", start=begin)
    earlier.write_text("".join(f"{line}\n" for line in lines))
    for one in (project, file):
        one.build()
    past.build()
    assert past.rows("conversation_state", columns) == file.rows(function)
    found = "select count(*) from conversations where conversation_id = 'earlier'"
    assert past.value(found) == 1

    for one in (project, file):
        outcome = one.command("archive", "--older-than-days", "0", "--delete-logs")
        assert outcome.success, outcome.errors
        ids = sorted(
            path.parent.name.partition("=")[2] for path in folder.rglob("*.parquet")
        )
        assert ids
        assert not list(folder.rglob(f"*{ids[0][-8:]}/*.jsonl"))
        outcome = one.command("restore", *ids)
        assert outcome.success, outcome.errors
        if one is project:
            after = project.contents()
            compare()
    assert_same_contents(file.contents(), after)


def test_four_readers_see_only_whole_states(built: LakeProject, tmp_path: Path) -> None:
    """No reader is ever refused or sees two states, and none keeps a build out."""
    before = len(built.names())
    stop = tmp_path / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ_IN_A_LOOP, stop],
            cwd=ROOT,
            env=built.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(READERS)
    ]
    try:
        with built.chosen(), Warehouse() as warehouse, warehouse.snapshot() as held:
            for number in range(BUILDS):
                add(built, f"more{number}")
                built.build()
                (seen,) = held.fetch("select count(*) as n from conversations")
                assert seen["n"] == before
            (seen,) = warehouse.fetch("select count(*) as n from conversations")
            assert seen["n"] == before + BUILDS
    finally:
        stop.touch()
    for reader in readers:
        output, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        states, asked = map(int, output.split())
        assert states > 1
        assert asked > BUILDS


def test_a_second_builder_waits(built: LakeProject) -> None:
    """It says for whom, and goes on when that one is done."""
    with closing(lake.Builder(built.place, 0, print)):
        process = started(built, "build", "--select", "end_reasons")
        said: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "Waiting up to" in line:
                break
    rest, _ = process.communicate()
    assert process.returncode == 0, "".join(said) + rest
    assert f"Waiting up to 600 seconds: process {os.getpid()} on" in said[-1]

    with closing(lake.Builder(built.place, 0, print)):
        hasty = replace(
            built,
            settings=(*built.settings, ("PIDGIN_LOCK_TIMEOUT", "0")),
        )
        outcome = hasty.dbt("build", *WITHOUT_TESTS)
        assert not outcome.success
        assert "still writes this lake after 0 seconds" in outcome.text


def started(project: LakeProject, *command: str) -> subprocess.Popen[str]:
    """Start dbt with all that it says."""
    arguments = project.arguments(*command)
    arguments.remove("--quiet")
    return subprocess.Popen(
        [sys.executable, "-m", "dbt.cli.main", *arguments],
        cwd=ROOT,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def at_work(project: LakeProject) -> subprocess.Popen[str]:
    """Start a build, and wait until it makes its first relation."""
    process = started(project, "build")
    assert process.stdout is not None
    for line in process.stdout:
        if " START " in line:
            break
    return process


def test_two_builders_at_once(built: LakeProject) -> None:
    """One builds, then the other, and nothing is missing."""
    add(built, "together")
    both = [started(built, "build"), started(built, "build")]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Waiting up to" in text for text in said) == 1
    assert "together" in built.names()


@pytest.mark.parametrize("number", range(BUILDER_KILLS))
def test_a_killed_builder(built: LakeProject, number: int) -> None:
    """The published state stays, and the next build heals."""
    before, names = as_published(built), built.names()
    add(built, f"killed{number}")
    process = at_work(built)
    time.sleep(random.random() * 20)
    process.kill()
    process.communicate()
    now = built.names()
    assert now in (names, sorted([*names, f"killed{number}"]))
    if now == names:
        assert as_published(built) == before
    built.build()
    assert built.names() == sorted([*names, f"killed{number}"])


@pytest.mark.parametrize("number", range(SERVER_KILLS))
def test_a_killed_server(built: LakeProject, server: Postgres, number: int) -> None:
    """The build fails, readers see what they saw, and the next build heals."""
    names = built.names()
    add(built, f"power{number}")
    with built.chosen(), Warehouse() as reader:
        process = at_work(built)
        time.sleep(random.random() * 15)
        server.kill()
        try:
            said, _ = process.communicate(timeout=120)
        finally:
            server.start()
        # It may have been done just before.
        assert process.returncode != 0 or "Warehouse: " in said
        # The connection of before is of no use any more.
        now = sorted(row["conversation_id"] for row in reader.conversations())
    assert now in (names, sorted([*names, f"power{number}"]))
    built.build()
    assert built.names() == sorted([*names, f"power{number}"])


def test_a_builder_without_its_lock_stops(built: LakeProject) -> None:
    """Or it would write into the next one's build."""
    names = built.names()
    add(built, "unlocked")
    process = at_work(built)
    with psycopg.connect(built.place.catalog, password=PASSWORD) as session:
        ended = session.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name like 'pidgin-analytics build%'"
        ).fetchall()
    assert ended == [(True,)]
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "The build has lost its lock on the lake" in said
    assert built.names() == names
    built.build()
    assert "unlocked" in built.names()


def test_a_lake_has_its_folder_for_itself(
    make: LakeMaker, built: LakeProject, tmp_path: Path
) -> None:
    """What another lake or another program has there is neither used nor deleted."""
    foreign = tmp_path / "pidgin" / "other.parquet"
    foreign.parent.mkdir()
    duckdb.sql(f"copy (select 1 as one) to '{foreign}'")
    project = make(built.output_dir, PIDGIN_LAKE_DATA=str(tmp_path))
    outcome = project.dbt("build", *WITHOUT_TESTS)
    assert not outcome.success
    assert "holds the files of another lake; name another" in outcome.text
    # Nor does a build delete what comes later.
    foreign.rename(tmp_path / "later.parquet")
    (tmp_path / "pidgin").rmdir()
    project.build_only()
    (tmp_path / "later.parquet").rename(foreign)
    os.utime(foreign, (1_000_000_000, 1_000_000_000))
    project.build("--full-refresh")
    assert foreign.exists()


def test_only_green_builds_are_published(built: LakeProject) -> None:
    """What a red one leaves is not for people, nor does cleaning publish it."""
    names = built.names()
    add(built, "red")
    assert "only a part of it was built" in built.build(*WITHOUT_TESTS).text
    assert built.names() == names
    with closing(duckdb.connect()) as connection:
        built.place.attach(connection)
        connection.execute("update pidgin.turn_metrics set convergence_score = 7")
    outcome = built.dbt("build")
    assert not outcome.success
    assert "of the build failed or did not run" in outcome.text
    assert built.names() == names
    with closing(lake.Builder(built.place, 60, print)) as builder:
        lake_maintenance.clean(builder, 0)
    assert built.names() == names
    with closing(duckdb.connect()) as connection:
        built.place.attach(connection)
        connection.execute("update pidgin.turn_metrics set convergence_score = 0.5")
    built.build()
    assert built.names() == sorted([*names, "red"])


def test_cleaning_changes_nothing_that_can_be_read(built: LakeProject) -> None:
    """Neither the published state, nor older green ones, nor the past."""
    with closing(lake.Reader(built.place)) as reader:
        older = reader.published()
        add(built, "cleaned")
        built.build()
        published = reader.published()
    assert older is not None
    assert published is not None
    assert older.snapshot_id < published.snapshot_id
    states = [at_snapshot(built, one.snapshot_id) for one in (older, published)]
    past = replace(built, as_of=str(START))
    past.build()
    pasts = as_published(past)

    cleaned = built.run("clean-lake", "--keep-days", "1")
    assert cleaned.returncode == 0, cleaned.stderr
    assert "of builds removed" in cleaned.stdout
    assert [at_snapshot(built, one.snapshot_id) for one in (older, published)] == states
    assert as_published(built) == states[1]
    assert as_published(past) == pasts
    assert "unchanged." in built.build().text

    with closing(lake.Builder(built.place, 60, print)) as builder:
        # Whoever has just begun to read goes on, until the next one.
        assert lake_maintenance.clean(builder, 0).kept == 2
        found = lake_maintenance.clean(builder, 0, at_once=True)
        assert found.kept == 1
    assert as_published(built) == states[1]
    with pytest.raises(duckdb.Error):
        at_snapshot(built, older.snapshot_id)
    # Of every build between them nothing is left.
    with built.opened() as connection:
        assert (
            len(connection.execute("from ducklake_snapshots('pidgin')").fetchall()) < 9
        )


def test_forgetting_leaves_nothing(make: LakeMaker, tmp_path: Path) -> None:
    """Neither a file nor the catalog keeps a word of what was forgotten."""
    word = "quetzalcoatl"
    folder = OutputFolder(tmp_path / "pidgin_output")
    words = (("I keep a " + word, "You keep what?"), ("A bird", "Ah, a bird"))
    folder.write("tea_00000001/events_one.jsonl", conversation("one"))
    log = folder.write("tea_00000001/events_two.jsonl", conversation("two", words))
    project = make(folder.path)
    project.build()
    assert held(project, word)
    result = project.run("forget", "two")
    assert result.returncode == 0, result.stdout + result.stderr
    log.unlink()
    assert project.names() == ["one"]
    assert not held(project, word)


def held(project: LakeProject, word: str) -> list[str]:
    """Name the files of a lake and the tables of its catalog that hold a word."""
    found = []
    for path in Path(project.place.data).rglob("*.parquet"):
        with duckdb.connect() as connection:
            rows = connection.execute("from read_parquet(?)", [str(path)]).fetchall()
        if word in repr(rows):
            found.append(str(path))
    with psycopg.connect(project.place.catalog, password=PASSWORD) as session:
        for (table,) in session.execute(
            "select tablename from pg_tables where schemaname = 'pidgin'"
        ).fetchall():
            rows = session.execute(f'select * from pidgin."{table}"').fetchall()
            # Numbers that stand inline are text there, and texts are bytes.
            if word in repr(rows):
                found.append(table)
    return found


def test_from_a_file_to_a_lake_and_back(make: LakeMaker, tmp_path: Path) -> None:
    """Also what was read of logs that are gone; both ends are equal and stay."""
    folder = OutputFolder(tmp_path / "pidgin_output")
    folder.write("tea_00000001/events_one.jsonl", conversation("one"))
    gone = folder.write("tea_00000001/events_two.jsonl", conversation("two"))
    project = make(folder.path)
    file = beside(project)
    file.build()
    gone.unlink()
    file.build()
    moving = replace(
        project,
        settings=(*project.settings, ("PIDGIN_WAREHOUSE", str(file.published))),
    )
    result = moving.run("move-to-lake")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "main.turn_metrics: 4 rows, equal" in result.stdout
    assert "tables and views are equal. Nothing was deleted." in result.stdout
    assert_same_contents(project.contents(), file.contents())
    again = moving.run("move-to-lake")
    assert again.returncode == 1
    assert "is in use: a build has published its tables" in again.stderr

    there = moving.run("move-to-file")
    assert "is there already; name another PIDGIN_WAREHOUSE, or" in there.stderr
    back = tmp_path / "back" / "pidgin.duckdb"
    returning = replace(
        project, settings=(*project.settings, ("PIDGIN_WAREHOUSE", str(back)))
    )
    result = returning.run("move-to-file")
    assert result.returncode == 0, result.stdout + result.stderr
    with Warehouse(back) as warehouse, Warehouse(file.published) as before:
        for table in ("analysis.turns", "events", "experiments"):
            query = f"select * exclude (fingerprint) from {table} order by all"
            if table != "experiments":
                query = f"from {table} order by all"
            assert warehouse.fetch(query) == before.fetch(query)


def test_tables_that_differ_are_named(built: LakeProject, tmp_path: Path) -> None:
    """A move that went wrong is found, down to the column."""
    file = beside(built)
    file.build_only()
    with duckdb.connect(str(file.warehouse)) as connection:
        connection.execute(
            "update turn_metrics set convergence_score = 0.1 where turn_number = 0"
        )
        connection.execute("delete from incidents")
        connection.execute("alter table conversations add column extra integer")
    with (
        built.chosen(),
        lake_maintenance.both(built.place, file.warehouse) as connection,
    ):
        found = {
            one.table: one.difference
            for one in lake_maintenance.compared(connection)
            if one.difference
        }
    assert found["main.turn_metrics"] == "convergence_score"
    assert found["main.conversations"] == "its columns"
    assert "main.thinking_traces" not in found


def test_commands_read_the_lake(built: LakeProject, tmp_path: Path) -> None:
    """As they read a file: search, export, figure, report, notebook."""
    found = built.run("search", "world", "--limit", "20", "--json")
    assert found.returncode == 0, found.stderr
    with built.chosen(), Warehouse() as warehouse:
        rows = warehouse.search("world")
        turns = warehouse.turns()
    assert rows
    assert len(json.loads(found.stdout)) == len(rows)
    result = built.run(
        *("export", "analysis.turns", "--format", "parquet", "--to", str(tmp_path))
    )
    assert result.returncode == 0, result.stderr
    exported = duckdb.sql(f"from '{tmp_path}/analysis.turns.parquet'").fetchall()
    assert len(exported) == len(turns)
    for command in (
        ("report", "-o", str(tmp_path / "report.html")),
        ("figure", "vocabulary", "-o", str(tmp_path / "vocabulary.svg")),
        ("notebook", "experiment_1", "-o", str(tmp_path / "tea.ipynb")),
    ):
        result = built.run(*command)
        assert result.returncode == 0, result.stderr
    assert "WAREHOUSE = None" in (tmp_path / "tea.ipynb").read_text()


def test_watch_refreshes_a_lake(built: LakeProject) -> None:
    """Once, and one at a time."""
    add(built, "watched")
    with closing(lake.Lock(built.place, "watch")) as lock:
        assert lock.take()
        refused = built.run("watch", "--once")
        assert refused.returncode == 1
        assert f"process {os.getpid()} on" in refused.stderr
        assert "is already watching the lake" in refused.stderr
    result = built.run("watch", "--once")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "watched" in built.names()


def test_a_password_in_the_setting_stays_secret(built: LakeProject) -> None:
    """Nothing that can be asked, and nothing that is said, shows it."""
    quoted = PASSWORD.replace("'", "\\'")
    chosen = dict(built.settings)
    chosen["PGPASSWORD"] = "another one"
    chosen["PIDGIN_LAKE_CATALOG"] += f" password='{quoted}'"
    project = replace(built, settings=tuple(chosen.items()))
    outcome = project.build()
    with project.chosen(), Warehouse() as warehouse:
        seen = [
            warehouse.fetch(f"from {function}()")
            for function in ("duckdb_databases", "duckdb_secrets", "duckdb_settings")
        ]
    for text in (outcome.text, repr(seen), repr(project.place)):
        assert PASSWORD not in text
        assert quoted not in text
    wrong = chosen | {"PIDGIN_LAKE_CATALOG": "host = 'a b password=hush"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in wrong.items():
            patch.setenv(name, value)
        with pytest.raises(WarehouseError, match="is no connection string") as caught:
            Warehouse()
    assert "hush" not in str(caught.value)


def test_what_is_missing_is_named(
    built: LakeProject, make: LakeMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting, a package, a server, a first build: one sentence each."""
    empty = make(built.output_dir)
    with empty.chosen():
        with pytest.raises(WarehouseError, match="Nothing is published in the lake"):
            Warehouse().fetch("select 1")
        monkeypatch.setenv("PIDGIN_LAKE_CATALOG", "host=127.0.0.1 port=1 dbname=none")
        with pytest.raises(WarehouseError, match="catalog of the lake cannot be reach"):
            Warehouse().fetch("select 1")
        monkeypatch.setenv("PIDGIN_LAKE_DATA", "")
        with pytest.raises(WarehouseError, match="PIDGIN_LAKE_DATA is not set"):
            Warehouse()
    unset = replace(empty, settings=(("PIDGIN_TARGET", "lake"),))
    outcome = unset.dbt("build", *WITHOUT_TESTS)
    assert not outcome.success
    assert "PIDGIN_LAKE_CATALOG is not set" in outcome.text

    real = importlib.import_module

    def without(name: str) -> object:
        if name == "duckdb_extension_ducklake":
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(importlib, "import_module", without)
    with built.chosen(), pytest.raises(WarehouseError, match="needs further packages"):
        Warehouse().fetch("select 1")


def test_a_lake_is_at_one_place(built: LakeProject, tmp_path: Path) -> None:
    """A catalog with another folder than its own is refused, and says which."""
    chosen = dict(built.settings) | {"PIDGIN_LAKE_DATA": str(tmp_path)}
    moved = replace(built, settings=tuple(chosen.items()))
    outcome = moved.dbt("build", *WITHOUT_TESTS)
    assert not outcome.success
    assert "The lake cannot be built" in outcome.text
    assert str(tmp_path) in outcome.text
