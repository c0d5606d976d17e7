"""Who changes the project or a price gets every table by its new state next time.

Whether a definition changes or the columns of a table, what was built before then
equals what a new warehouse holds, and the event store keeps what only it has.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml
from conftest import ProjectMaker
from helpers.harness import ROOT, STORE, WITHOUT_TESTS, assert_same_contents
from writers.logs import OutputFolder, conversation

from pidgin_analytics.publishing import log_of, working_file


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
        "select round(sum(character_entropy), 9) from message_metrics",
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
    "a price": Change(
        "seeds/model_prices.csv",
        "gpt-4.1,openai,2025-04-14,2.00,",
        "gpt-4.1,openai,2025-04-14,3.00,",
        "select max(cost_usd) from analysis.conversations",
    ),
    "a seed": Change(
        "seeds/model_providers.csv",
        "local:,local,",
        "local:,my own machine,",
        "select min(agent_a_provider) from analysis.conversations",
    ),
    "a setting of the reading": Change(
        "dbt_project.yml",
        "rejected_line_length: 1000",
        "rejected_line_length: 2",
        "select line from rejected_lines",
    ),
}


def start_build(home: Path, warehouse: str) -> subprocess.Popen[str]:
    """Start `dbt build` as somebody who works on the project."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIDGIN_", "DBT_"))
    }
    settings = {
        "PIDGIN_OUTPUT_DIR": "pidgin_output",
        "PIDGIN_WAREHOUSE": f"../{warehouse}",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "dbt.cli.main", "build", *WITHOUT_TESTS],
        cwd=home / "project",
        env=kept | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def build(home: Path, warehouse: str) -> str:
    """Run `dbt build`, insist that it succeeds, and return what it says."""
    process = start_build(home, warehouse)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


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
    folder = OutputFolder(home / "project" / "pidgin_output")
    lines = conversation("tea", [("Shall we?", "We shall."), ("Now.", "Yes, now!")])
    folder.write(
        "experiments/tea_00000001/events_tea.jsonl",
        [line.replace("local:test", "gpt-4.1") for line in lines],
    )
    folder.write("experiments/tea_00000001/events_none.jsonl", b"\nno event\n")
    folder.write("experiments/tea_00000001/events_gone.jsonl", conversation("gone"))
    build(home, "old.duckdb")
    return home


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_changed_definition_reaches_what_is_built(
    change: Change, built: Path, tmp_path: Path
) -> None:
    """The warehouse that was built before says what a new one says."""
    home = tmp_path / "home"
    shutil.copytree(built, home)
    before = value(working_file(home / "old.duckdb"), change.value)

    file = home / "project" / change.file
    sql = file.read_text(encoding="utf-8")
    assert change.before in sql
    file.write_text(sql.replace(change.before, change.after), encoding="utf-8")
    # Columns are the same, and stay.
    assert "have changed" not in build(home, "old.duckdb")
    build(home, "new.duckdb")

    after = value(working_file(home / "old.duckdb"), change.value)
    assert after == value(working_file(home / "new.duckdb"), change.value)
    assert after != before


@dataclass(frozen=True)
class Model:
    """A model of a copy of the project, whose columns can be changed."""

    home: Path
    name: str

    def rewrite(self, sql: str, columns: dict[str, str | None]) -> None:
        """Change what the model selects from what it was, and what it declares.

        A column without a type is dropped. What is named moves to the end, in order.
        """
        folder = self.home / "project" / "models"
        (path,) = folder.rglob(f"{self.name}.sql")
        path.write_text(
            f"{sql} from (\n{path.read_text(encoding='utf-8')}\n)", encoding="utf-8"
        )
        path = path.with_suffix(".yml")
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
        (model,) = described["models"]
        kept = [each for each in model["columns"] if each["name"] not in columns]
        named = [
            {"name": name, "data_type": data_type}
            for name, data_type in columns.items()
            if data_type
        ]
        model["columns"] = kept + named
        # Tests of columns that are no more.
        model.pop("data_tests", None)
        path.write_text(yaml.safe_dump(described), encoding="utf-8")

    def retype(self, columns: dict[str, str]) -> None:
        """Declare other types of columns."""
        (path,) = (self.home / "project" / "models").rglob(f"{self.name}.yml")
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
        (model,) = described["models"]
        declared = {each["name"]: each for each in model["columns"]}
        for name, data_type in columns.items():
            declared[name]["data_type"] = data_type
        path.write_text(yaml.safe_dump(described), encoding="utf-8")

    def materialize(self, before: str, after: str) -> None:
        """Make it a view, say, of a table."""
        (path,) = (self.home / "project" / "models").rglob(f"{self.name}.sql")
        sql = path.read_text(encoding="utf-8")
        assert f"materialized = '{before}'" in sql
        path.write_text(
            sql.replace(f"materialized = '{before}'", f"materialized = '{after}'"),
            encoding="utf-8",
        )


def change_columns(home: Path) -> None:
    """Add, drop, retype and move columns of tables, seeds and the event store."""

    def rewrite(name: str, sql: str, columns: dict[str, str | None]) -> None:
        Model(home, name).rewrite(sql, columns)

    rewrite("rolling_convergence", "select *, 7 as seven", {"seven": "integer"})
    rewrite("incidents", "select * exclude (is_retryable)", {"is_retryable": None})
    rewrite(
        "int_messages",
        "select * replace (cast(response_time_ms as double) as response_time_ms)",
        {"response_time_ms": "double"},
    )
    struct = (
        "struct(vocabulary_size bigint, unique_words bigint, type_token_ratio double)"
    )
    rewrite(
        "turn_metrics",
        f"select * replace (cast(lexical_metrics as {struct}) as lexical_metrics)",
        {"lexical_metrics": struct},
    )
    # Views on what has other types.
    Model(home, "messages").retype({"response_time_ms": "double"})
    times = {"a_response_time_ms": "double", "b_response_time_ms": "double"}
    Model(home, "analysis_turns").retype(times | {"vocabulary_size": "bigint"})
    Model(home, "analysis_messages").retype({"response_time_ms": "double"})
    times = {f"message_{name}": kind for name, kind in times.items()}
    Model(home, "compat_turn_metrics").retype(times)
    rewrite("conversation_state", "select *", {"status": "varchar"})
    rewrite("int_turns", "select *, 7 as seven", {"seven": "integer"})
    Model(home, "rejected_lines").materialize("view", "table")
    Model(home, "thinking_traces").materialize("view", "table")
    Model(home, "int_thinking_traces").materialize("incremental", "view")
    Model(home, "conversation_patterns").materialize("incremental", "table")

    # Names from the front to the end: other values by the same position.
    seed = home / "project" / "seeds" / "end_reasons.csv"
    with seed.open(encoding="utf-8", newline="") as file:
        rows = [[*row[1:], row[0]] for row in csv.reader(file)]
    with seed.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)

    rewrite(
        "stg_pidgin__event_lines",
        "select * exclude (is_settled, line_start) replace"
        " (cast(turn_number as varchar) as turn_number),"
        " left(line_start, 100) as line_start, is_settled, 7 as seven",
        {
            "turn_number": "varchar",
            "line_start": "varchar",
            "is_settled": "boolean",
            "seven": "integer",
        },
    )
    rewrite(
        "int_event_lines",
        "select * replace (cast(turn_number as integer) as turn_number)",
        {},
    )
    rewrite("stg_pidgin__manifests", "select *, 7 as seven", {"seven": "integer"})
    rewrite("stg_archive__archives", "select *, 7 as seven", {"seven": "integer"})


def contents(warehouse: Path) -> dict[str, list[str]]:
    """Return the marts and seeds, and the columns of everything."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        names = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('main', 'seeds')"
        ).fetchall()
        found = {
            name: sorted(
                repr(row)
                for row in connection.execute(f"select * from {name}").fetchall()
            )
            for (name,) in names
        }
        found["columns"] = [
            repr(row)
            for row in connection.execute(
                "select table_schema, table_name, table_type, column_name, data_type"
                " from information_schema.columns inner join information_schema.tables"
                " using (table_catalog, table_schema, table_name)"
                " order by table_schema, table_name, ordinal_position"
            ).fetchall()
        ]
    return found


def test_changed_columns(built: Path, tmp_path: Path) -> None:
    """Columns that change, and change back, are those of a new warehouse each time.

    Even where a build is killed in the middle, and where only the event store still has
    what a log said.
    """
    home = tmp_path / "home"
    shutil.copytree(built, home)
    original = contents(working_file(home / "old.duckdb"))
    change_columns(home)
    build(home, "new.duckdb")
    changed = contents(working_file(home / "new.duckdb"))
    assert len(set(changed["columns"]) ^ set(original["columns"])) >= 15
    for log in (home / "project" / "pidgin_output").rglob("events_gone.jsonl"):
        log.unlink()

    process = start_build(home, "old.duckdb")
    while (
        process.poll() is None
        and not log_of(working_file(home / "old.duckdb")).exists()
    ):
        time.sleep(0.002)
    time.sleep(0.5)
    process.kill()
    process.communicate()
    gone = f"select count(*) from {STORE} where conversation_id = 'gone'"
    assert value(working_file(home / "old.duckdb"), gone) == 10

    said = build(home, "old.duckdb")
    assert "The columns of int_turns have changed; it is built anew." in said
    assert_same_contents(contents(working_file(home / "old.duckdb")), changed)

    shutil.rmtree(home / "project")
    shutil.copytree(built / "project", home / "project")
    build(home, "old.duckdb")
    assert_same_contents(contents(working_file(home / "old.duckdb")), original)


def test_column_of_the_store_that_only_it_has(
    project: ProjectMaker, tmp_path: Path
) -> None:
    """What another state of the project read stays while no log says it again."""
    folder = OutputFolder(tmp_path)
    for name in ("gone", "here"):
        folder.write(f"tea_00000001/events_{name}.jsonl", conversation(name))
    built = project(folder.path)
    built.build_only()
    expected = built.contents()
    with duckdb.connect(str(built.warehouse)) as connection:
        connection.execute(
            f'alter table {STORE} add column "so ""called" integer;'
            f'update {STORE} set "so ""called" = line_number;'
            f"alter table {STORE} alter turn_number type varchar;"
            "alter table intermediate.int_messages drop column sent_at"
        )
    gone = folder.path / "tea_00000001/events_gone.jsonl"
    content = gone.read_bytes()
    gone.unlink()
    folder.touch(folder.path / "tea_00000001/events_here.jsonl")

    built.build_only()
    rest = f'select source_file, line_number from {STORE} where "so ""called" > 0'
    assert {Path(file) for file, _ in built.query(rest)} == {gone}
    folder.write("tea_00000001/events_gone.jsonl", content)
    folder.touch(folder.path / "tea_00000001/events_here.jsonl")
    built.build_only()
    with pytest.raises(duckdb.BinderException, match="called"):
        built.query(rest)
    del expected["event_files"]
    contents = built.contents()
    del contents["event_files"]
    assert_same_contents(contents, expected)
