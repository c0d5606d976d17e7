"""The schema `compat`: Pidgin's own queries, here and in Pidgin's own database."""

from __future__ import annotations

import ast
import os
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ProjectMaker
from helpers.harness import ROOT, SAMPLE, Project
from oracles.pidgin_queries import (
    DOCUMENTED,
    QUERIES,
    SUBJECTS,
    WHY,
    Comparison,
    Query,
    compare,
    same,
    store,
)
from pidgin import database
from pidgin.analysis.notebook_cells import NotebookCells
from pidgin.database.event_store import EventStore
from pidgin.database.transcript_generator import TranscriptGenerator
from writers.logs import Conversation, OutputFolder, as_line, manifest

PAGE = ROOT / "docs" / "pidgin-queries.md"
TABLES = (
    "experiments", "conversations", "conversation_turns", "turn_metrics", "messages",
    "thinking_traces", "token_usage", "events",
)  # fmt: skip
VIEWS = ("experiment_dashboard", "convergence_trends", "vocabulary_analysis")
# Pidgin's types that a value may not fit in, and what it has here instead.
WIDER = {"TINYINT": ("INTEGER",), "SMALLINT": ("INTEGER",), "INTEGER": ("BIGINT",)}
# What the page says a notebook's frames are to be filled with.
FRAMES = {
    "turn_metrics": """
        select * exclude (shared_vocabulary) from turn_metrics
        where experiment_id = ? order by conversation_id, turn_number
    """,
    "messages": """
        select messages.* from messages join conversations using (conversation_id)
        where experiment_id = ? order by all
    """,
    "conversations": """
        select * from conversations where experiment_id = ? order by all
    """,
}
CELL_MAKER = NotebookCells()  # type: ignore[no-untyped-call]
# The experiment of which a notebook is made.
NOTEBOOK = "experiment_6cdb282f"
CELLS = {
    "imports and style": "create_setup_cell",
    "statistics": "create_statistics_cell",
    "convergence": "create_convergence_analysis_cell",
    "lengths of messages": "create_length_analysis_cell",
    "vocabulary": "create_vocabulary_analysis_cell",
    "advanced metrics": "create_advanced_metrics_code_cell",
    "turn by turn": "create_turn_visualization_cell",
    "export": "create_export_cell",
}


@pytest.fixture(scope="module")
def sample(project: ProjectMaker) -> Project:
    made = project(SAMPLE)
    made.build_only()
    return made


@pytest.fixture
def compat(sample: Project) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, as somebody with queries of Pidgin's would open it."""
    with sample.opened() as connection:
        connection.execute("use compat")
        yield connection


@pytest.fixture(scope="module")
def here(sample: Project) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of what the views hold, which spares planning them a thousand times."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{sample.warehouse}' as warehouse (read_only)")
        connection.execute("create schema compat")
        for name in (*TABLES, *VIEWS):
            connection.execute(
                f"create table compat.{name} as from warehouse.compat.{name}"
            )
        connection.execute("detach warehouse")
        connection.execute("use compat")
        yield connection


@pytest.fixture(scope="module")
def own(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Pidgin's own database of the sample, made by Pidgin's own importer."""
    path = tmp_path_factory.mktemp("pidgin") / "experiments.duckdb"
    with EventStore(path) as imported:
        imported.importer.db.execute("set TimeZone = 'UTC'")
        for folder in sorted((SAMPLE / "experiments").iterdir()):
            result = imported.import_experiment_from_jsonl(folder)
            assert result.success, result.error
    with duckdb.connect(str(path)) as connection:
        yield connection


@pytest.fixture(scope="module")
def comparisons(
    here: duckdb.DuckDBPyConnection, own: duckdb.DuckDBPyConnection
) -> dict[str, Comparison]:
    return {_title(query): compare(query, here, own) for query in QUERIES}


def _title(query: Query) -> str:
    return f"{query.place}: {query.asks}"


@pytest.mark.parametrize("query", QUERIES, ids=_title)
def test_query_runs_unchanged(query: Query, compat: duckdb.DuckDBPyConnection) -> None:
    """On the views of the warehouse themselves, about one subject."""
    subjects = compat.execute(SUBJECTS[query.about] + " limit 1").fetchall()
    if query.fails_here:
        with pytest.raises((duckdb.Error, ValueError)):
            query.rows(compat, subjects)
    else:
        query.rows(compat, subjects)


@pytest.mark.parametrize("query", QUERIES, ids=_title)
def test_answers_compare(query: Query, comparisons: dict[str, Comparison]) -> None:
    found = comparisons[_title(query)]
    assert isinstance(found.here, Exception) == query.fails_here, found.here
    assert isinstance(found.own, Exception) == bool(query.fails), found.own
    if not query.fails:
        assert found.only_own == 0
        assert bool(found.only_here) == bool(query.surplus)
        assert found.changed <= WHY.keys()
    if not query.fails_here:
        assert found.here, "nothing to compare"


def test_every_reason_is_needed(comparisons: dict[str, Comparison]) -> None:
    changed = {column for found in comparisons.values() for column in found.changed}
    assert changed == WHY.keys()


def test_no_query_of_the_package_is_missing() -> None:
    """Each function that reads the database is in the list, and no other one."""
    folder = Path(database.__file__).parent
    reading = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and _reads(node):
                reading.add(f"database/{path.relative_to(folder)}, {node.name}")
    listed = {query.place for query in QUERIES}
    writing = {
        # What they read is what they then write or delete.
        "database/conversation_repository.py, update_conversation_status",
        "database/event_repository.py, save_event",
        "database/event_store.py, delete_experiment",
        "database/import_service.py, clear_experiment",
        "database/importers/conversation_importer.py, ensure_conversation_exists",
        "database/importers/conversation_importer.py, ensure_experiment_exists",
        # Parts of others.
        "database/base_repository.py, count",
        "database/base_repository.py, exists",
    }
    assert reading - listed == writing
    in_code = {place for place in listed if place.endswith(".py") or ".py," in place}
    # These two only pass on what others read.
    assert in_code - reading == {
        "database/conversation_repository.py, get_conversation_agent_configs",
        "database/message_repository.py, get_message_count",
    }


def _reads(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\bSELECT\b", node.value) is not None
        for node in ast.walk(function)
    )


def _columns(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str
) -> dict[str, str]:
    return dict(
        connection.execute(
            "select column_name, data_type from duckdb_columns()"
            " where database_name = current_database() and schema_name = ?"
            " and table_name = ? order by column_index",
            [schema, table],
        ).fetchall()
    )


@pytest.mark.parametrize("table", TABLES)
def test_table_has_pidgins_columns(
    table: str, compat: duckdb.DuckDBPyConnection, own: duckdb.DuckDBPyConnection
) -> None:
    """In Pidgin's order and of its types, or wider ones; further columns follow."""
    columns, declared = (
        _columns(compat, "compat", table),
        _columns(own, "main", table),
    )
    assert list(columns)[: len(declared)] == list(declared)
    assert [
        f"{name} is {columns[name]}, not {declared[name]}"
        for name in declared
        if columns[name] not in (declared[name], *WIDER.get(declared[name], ()))
    ] == []


def test_views_have_pidgins_columns(
    compat: duckdb.DuckDBPyConnection, own: duckdb.DuckDBPyConnection
) -> None:
    for query in QUERIES:
        if "views.sql" in query.place:
            name = query.place.split(", ")[1]
            answer = own.execute(str(query.source)).description
            assert list(_columns(compat, "compat", name)) == [
                column[0] for column in answer
            ]


def test_views_stand_in_for_pidgins(
    here: duckdb.DuckDBPyConnection, own: duckdb.DuckDBPyConnection
) -> None:
    """Each holds what Pidgin's file selects from its own tables."""
    for query in QUERIES:
        if "views.sql" in query.place:
            name = query.place.split(", ")[1]
            view = replace(query, source=f"select * from {name}").rows(here, [("",)])
            found = Comparison(view, query.rows(own, [("",)]), query.key)
            assert found.only_here == found.only_own == 0
            assert found.changed <= WHY.keys() | {
                # Without turns that hold an error placeholder.
                "rolling_avg_5", "rolling_avg_10",
                # From the logged start to the logged end, which Pidgin does not note.
                "avg_duration_sec",
            }, name  # fmt: skip


# Per table, what tells its rows apart; token_usage has nothing that both share.
KEYS = {
    "experiments": ("experiment_id",),
    "conversations": ("conversation_id",),
    "conversation_turns": ("conversation_id", "turn_number"),
    "turn_metrics": ("conversation_id", "turn_number"),
    "messages": ("conversation_id", "turn_number", "agent_id"),
    "thinking_traces": ("conversation_id", "turn_number", "agent_id"),
}


@pytest.mark.parametrize("table", KEYS)
def test_descriptions_say_how_pidgin_differs(
    table: str,
    sample: Project,
    here: duckdb.DuckDBPyConnection,
    own: duckdb.DuckDBPyConnection,
) -> None:
    """Column by column: what a description claims holds for all rows of the sample.

    One that says nothing of Pidgin promises Pidgin's value.
    """
    query = Query("", "", f"select * from {table}", key=KEYS[table])
    pairs = Comparison(
        query.rows(here, [("",)]), query.rows(own, [("",)]), query.key
    ).pairs()
    # In the others, Pidgin's memory of earlier words holds those of placeholders.
    clean = {
        conversation
        for (conversation,) in sample.query(
            "select conversation_id from main.turn_metrics"
            " group by conversation_id having bool_and(is_spoken)"
        )
    }
    spoken = set(
        sample.query(
            "select conversation_id, turn_number from main.turn_metrics where is_spoken"
        )
    )
    assert len(pairs) > 10
    checked = 0
    for column, comment in sample.query(
        "select column_name, comment from duckdb_columns()"
        " where schema_name = 'compat' and table_name = ?",
        [table],
    ):
        values = [(row, one[column], row.get(column)) for one, row in pairs]
        if "Always NULL" in comment:
            assert {one for _, one, _ in values} == {None}, column
        if "does not have it" in comment:
            assert all(column not in row for row, _, _ in values), column
        elif match := re.search(r"Pidgin always has (0\.5|0|NULL)\.", comment):
            constant = None if match[1] == "NULL" else float(match[1])
            assert {value for _, _, value in values} == {constant}, column
        elif re.search(r"leaves it NULL|So it is in Pidgin", comment):
            assert {value for _, _, value in values} == {None}, column
        elif "Pidgin measures placeholders, too" in comment:
            for row, one, value in values:
                turn = (row["conversation_id"], row["turn_number"])
                if row["conversation_id"] in clean:
                    assert same(one, value), (column, turn, one, value)
                else:
                    assert one is not None or turn not in spoken, (column, turn)
        elif "Pidgin" not in comment or comment.endswith("as in Pidgin."):
            for row, one, value in values:
                assert same(one, value), (column, row["about"], one, value)
        else:
            continue
        checked += 1
    assert checked >= 5


def test_names_lead_to_compat_first(sample: Project) -> None:
    """`experiments` is compat's after each way of choosing the schema."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{sample.warehouse}' as elsewhere (read_only)")
        for choice in (
            "use elsewhere.compat",
            "set schema = 'elsewhere.compat'",
            "set search_path = 'elsewhere.compat,elsewhere.main'",
        ):
            connection.execute(choice)
            answer = connection.execute("select * from experiments").description
            assert "total_conversations" in {column[0] for column in answer}, choice
        # Its own tables have other names where both are wanted.
        assert connection.execute("select count(*) from word_use").fetchone()


def test_nothing_else_reads_compat() -> None:
    models = ROOT / "models"
    readers = [
        path.name
        for path in models.rglob("*.sql")
        if path.parent != models / "compat" and "compat" in path.read_text("utf-8")
    ]
    assert readers == []


def test_what_pidgin_rejects_is_here(tmp_path: Path, project: ProjectMaker) -> None:
    """A count that Pidgin's type cannot hold, and hostile text."""
    folder = OutputFolder(tmp_path / "output")
    hostile = "'; drop table experiments; -- \u2028<script>alert(1)</script>=1+1"
    maker = Conversation("conv_1")
    events = [
        maker.begin(initial_prompt=hostile),
        *maker.turn(0, "One. " * 130, hostile),
        maker.end(),
    ]
    log = folder.write("long/events_conv_1.jsonl", [as_line(event) for event in events])
    folder.write("long/manifest.json", manifest("experiment_1", ["conv_1"]))
    built = project(folder.path)
    built.build_only("--select", "+compat_conversation_turns")
    assert built.query(
        "select a_sentence_count, initial_prompt, agent_b_message"
        " from compat.conversation_turns"
    ) == [(130, hostile, hostile)]
    with EventStore(tmp_path / "own.duckdb") as imported:
        result = imported.import_experiment_from_jsonl(log.parent)
        assert "INT8" in str(result.error)


def test_refresh_leaves_the_views(sample: Project, tmp_path: Path) -> None:
    """What `pidgin-analytics watch` builds makes none of them anew, and they go on."""
    listed = sample.dbt("list", "--selector", "refresh", "--resource-type", "model")
    assert listed.success
    names = {line.rsplit(".", 1)[-1] for line in listed.messages}
    assert "turn_metrics" in names
    assert not {name for name in names if name.startswith("compat_")}


def _cells() -> dict[str, str]:
    return {
        name: getattr(CELL_MAKER, function)()["source"]
        for name, function in CELLS.items()
    }


def _run(cells: dict[str, str], names: dict[str, Any]) -> dict[str, str]:
    """Run cells one after the other, as a notebook does, whatever one comes to."""
    outcomes = {}
    for name, source in cells.items():
        try:
            exec(source, names)  # noqa: S102
        except Exception as error:
            outcomes[name] = f"{type(error).__name__}: {error}"
        else:
            outcomes[name] = "runs"
    return outcomes


@pytest.fixture
def quiet_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No window, and no seaborn, which only sets colours; files go elsewhere."""
    pytest.importorskip("matplotlib").use("Agg")
    seaborn = types.ModuleType("seaborn")
    monkeypatch.setattr(seaborn, "set_palette", lambda _name: None, raising=False)
    monkeypatch.setitem(sys.modules, "seaborn", seaborn)
    monkeypatch.chdir(tmp_path)


def _notebook_here(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Run Pidgin's cells with frames that are read from compat."""
    frames = {
        name: connection.execute(sql, [NOTEBOOK]).df() for name, sql in FRAMES.items()
    }
    assert all(len(frame) for frame in frames.values())
    return _run(_cells(), dict(frames))


def _notebook_there(
    connection: duckdb.DuckDBPyConnection, before: str = ""
) -> dict[str, str]:
    """Run Pidgin's cells as its generator puts them together, loading and all."""
    asked = store(connection)
    conversations = asked.get_experiment_conversations(NOTEBOOK)
    metrics = [
        turn
        for conversation in conversations
        for turn in asked.get_conversation_turn_metrics(conversation["conversation_id"])
    ]
    data = {
        "manifest": {"experiment_id": NOTEBOOK},
        "conversations": conversations,
        "metrics": metrics,
    }
    loading = CELL_MAKER.create_data_loading_cell(data)["source"]
    cells = _cells()
    setup = {"imports and style": before + cells.pop("imports and style")}
    return _run(setup | {"loading": loading} | cells, {})


@pytest.mark.usefixtures("quiet_notebook")
def test_notebook_cells_run(
    compat: duckdb.DuckDBPyConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but one, which names a variable that does not exist."""
    outcomes = _notebook_here(compat)
    wrong = {name: outcome for name, outcome in outcomes.items() if outcome != "runs"}
    assert wrong == {"convergence": "NameError: name 'conv_id' is not defined"}
    assert "Total conversations: 3" in capsys.readouterr().out
    assert Path("analysis_output/summary_stats.json").exists()


@pytest.mark.usefixtures("quiet_notebook")
def test_convergence_cell_runs_once_its_variable_is_right(
    compat: duckdb.DuckDBPyConnection,
) -> None:
    """So it is Pidgin's mistake alone that stops it."""
    wrong = "for conversation_id in turn_metrics"
    cells = _cells()
    assert wrong in cells["convergence"]
    cells["convergence"] = cells["convergence"].replace(
        wrong, "for conv_id in turn_metrics"
    )
    frames = {
        name: compat.execute(sql, [NOTEBOOK]).df() for name, sql in FRAMES.items()
    }
    assert set(_run(cells, dict(frames)).values()) == {"runs"}


def test_transcripts_are_written(
    compat: duckdb.DuckDBPyConnection,
    own: duckdb.DuckDBPyConnection,
    tmp_path: Path,
) -> None:
    """By Pidgin's own generator, which `pidgin import` runs."""
    written = []
    for name, connection in (("here", compat), ("own", own)):
        folder = tmp_path / name
        folder.mkdir()
        generator = TranscriptGenerator(store(connection))
        generator.generate_experiment_transcripts(NOTEBOOK, folder)
        written.append(sorted(path.name for path in folder.rglob("*.md")))
    assert written[0] == written[1]
    assert len(written[0]) == 4


def _names(columns: set[str]) -> str:
    return ", ".join(f"`{column}`" for column in sorted(columns))


def _verdict(query: Query, found: Comparison) -> str:
    """Say in a few words how the two answers compare."""
    if query.fails_here:
        return f"fails in both: {query.fails}"
    if query.fails:
        return f"fails there: {query.fails}"
    parts = []
    if query.surplus:
        parts.append(f"{found.only_here:,} more rows here: {query.surplus}")
    if found.changed:
        parts.append(f"different values in {_names(found.changed)}")
    if found.withheld:
        parts.append(
            f"NULL here for error placeholders in {_number(found.withheld, 'column')}"
        )
    if found.filled:
        parts.append(f"values here and none there in {_number(found.filled, 'column')}")
    return "equal except: " + "; ".join(parts) if parts else "equal"


def _number(things: set[str], name: str) -> str:
    return f"{len(things)} {name}{'s' if len(things) > 1 else ''}"


def _count(rows: object) -> str:
    return f"{len(rows):,}" if isinstance(rows, list) else "fails"


def _measured(
    comparisons: dict[str, Comparison],
    here: dict[str, str],
    there: dict[str, str],
    mended: dict[str, str],
) -> str:
    """Write the tables of the page."""
    lines = []
    for title, queries in (
        ("In its documentation", DOCUMENTED),
        ("In its code", [query for query in QUERIES if query not in DOCUMENTED]),
    ):
        lines += [
            f"### {title}",
            "",
            "| It asks for | In Pidgin | Rows here | There | The same? |",
            "|---|---|---:|---:|---|",
        ]
        for query in queries:
            found = comparisons[_title(query)]
            lines.append(
                f"| {query.asks} | {query.place} | {_count(found.here)}"
                f" | {_count(found.own)} | {_verdict(query, found)} |"
            )
        lines.append("")
    lines += [
        "### Why values differ",
        "",
        "| Column | Here | There |",
        "|---|---|---|",
    ]
    for column, reason in WHY.items():
        left, _, right = reason.partition("; there ")
        lines.append(f"| `{column}` | {left} | {right or left} |")
    lines += [
        "",
        "### In its notebooks",
        "",
        "A cell that finds no data does nothing and counts as run.",
        "",
        "| Cell | Here | With Pidgin's own loading | With that repaired |",
        "|---|---|---|---|",
    ]
    for name in there:
        outcomes = (here.get(name, "not needed"), there[name], mended[name])
        lines.append(f"| {name} | {' | '.join(outcomes)} |")
    return "\n".join(lines)


@pytest.mark.usefixtures("quiet_notebook")
def test_page_says_what_was_measured(
    comparisons: dict[str, Comparison],
    here: duckdb.DuckDBPyConnection,
    own: duckdb.DuckDBPyConnection,
) -> None:
    """PIDGIN_WRITE_PAGES=1 writes it anew."""
    measured = _measured(
        comparisons,
        _notebook_here(here),
        _notebook_there(own),
        _notebook_there(own, "import datetime\n"),
    )
    text = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- What test_compat.py measured. -->\n\n", "\n\n<!-- End. -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    assert found
    expected = before + begin + measured + end + after
    if os.environ.get("PIDGIN_WRITE_PAGES"):
        PAGE.write_text(expected, encoding="utf-8")
    assert text == expected
