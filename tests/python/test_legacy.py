"""Databases of Pidgin's own become archives that say what the databases say.

The marts are also compared with what SQLite reads in every experiments.db of June 2025
that PIDGIN_TEST_LEGACY_DATABASES lists, paths separated as in PATH.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from click.testing import CliRunner, Result
from conftest import ProjectMaker
from helpers.harness import SAMPLE, Project, assert_same_contents
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pidgin.database.import_service import ImportService
from writers.databases import (
    CONVERSATIONS,
    EXPERIMENTS,
    METRICS,
    START,
    Talk,
    write_first_duckdb,
    write_june,
    write_later_duckdb,
    write_turns,
)
from writers.logs import OutputFolder, conversation, manifest

from pidgin_analytics import command_line, legacy
from pidgin_analytics.archive.restore import missing_files, write_files
from pidgin_analytics.archive.verify import archived_files
from pidgin_analytics.commands import import_legacy
from pidgin_analytics.legacy import importer

TEXTS = (
    (
        "Tea's \u2192 fine.\nReally? \U0001f375",
        "Yes \ud83d half, \x00 none; 'quotes' \"two\"",
    ),
    ("Same.", "Same."),
    ("Same.", "Same."),
)
# Only JSON can hold half a surrogate pair.
WHOLE_TEXTS = (
    ("Tea's \u2192 fine.\nReally? \U0001f375", "\x00 none; 'quotes'"),
    *TEXTS[1:],
)
HOSTILE_IDS = (
    "../../escaped",
    "..",
    "/etc/passwd",
    'it\'s "100%" [x]*?#',
    "caf\u00e9 \U0001f375",
    "\x1b[31mred\x00\n",
    "C:\\x",
    "x" * 500,
)
JUNE = (
    Talk("conv_exp_0a1b2c3d_00000001", texts=TEXTS, row={"agent_a_chosen_name": "Ash"}),
    Talk("conv_short", config={"max_turns": 9}, last_word="And then"),
    Talk(
        "conv_high",
        config={"max_turns": 9},
        row={"convergence_reason": "high_convergence"},
    ),
    Talk("conv_cut", "exp_00000002", status="interrupted"),
    Talk(
        "conv_bad", "exp_00000002", status="failed", row={"error_message": "No money."}
    ),
    Talk("conv_run", "exp_00000003", status="running"),
    Talk("conv_new", "exp_00000003", status="created", texts=()),
    Talk("conv_logged", "exp_00000003"),
    *(Talk(f"conv {name}", f"exp {name}", texts=TEXTS[:1]) for name in HOSTILE_IDS),
)
STATUSES = {
    "conv_exp_0a1b2c3d_00000001": ("completed", "max_turns_reached"),
    # It stopped early and did not say why, in the word of that time.
    "conv_short": ("interrupted", "completed"),
    "conv_high": ("completed", "high_convergence"),
    "conv_cut": ("interrupted", "interrupted"),
    "conv_bad": ("failed", "error"),
    "conv_run": ("unfinished", None),
    "conv_new": ("unfinished", None),
    "conv_first": ("completed", "max_turns"),
    "conv_log_in_table": ("completed", "max_turns_reached"),
    "conv_killed": ("failed", "error"),
    "conv_later": ("completed", "max_turns_reached"),
}
FIRST = (
    Talk(
        "conv_first",
        "exp_00000004",
        WHOLE_TEXTS,
        config={"max_turns": 9},
        row={"convergence_reason": "max_turns"},
    ),
)
LOGGED = (
    Talk("conv_log_in_table", "exp_00000005", WHOLE_TEXTS),
    Talk("conv_killed", "exp_00000005", status="running", row={"status": "failed"}),
)
LATER = (
    Talk("conv_later", "exp_00000006", (*WHOLE_TEXTS, ("", "")) * 2),
    Talk("conv_empty", "exp_00000006"),
)


def mended(text: str) -> str:
    """Replace half surrogate pairs, as reading a log does."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def run(project: Project, database: Path, *options: str) -> Result:
    """Run the command for a project, without its builds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_legacy, "dbt", lambda *_: None)
        return CliRunner().invoke(
            command_line.main,
            ["import-legacy", str(database), *options],
            env=project.environment | {"PIDGIN_WAREHOUSE": str(project.warehouse)},
        )


def run_whole(project: Project, database: Path, *options: str) -> str:
    """Run the command and insist that it succeeds; return what it said."""
    result = run(project, database, *options)
    assert result.exit_code == 0, result.output
    return result.output


def import_first(project: Project, database: Path) -> None:
    """Import a database into a project that has no warehouse yet, and build it."""
    held = importer.Held()
    for experiment in legacy.read_database(database, UTC).experiments:
        archive, files = importer.archive_of(
            experiment,
            experiment.conversations,
            held,
            Path(project.output_dir) / "archive",
        )
        importer.write_archive(archive, experiment.experiment_id, files)
    project.build_only()


def archives_of(project: Project) -> dict[str, bytes]:
    """Return the bytes of every archive."""
    folder = Path(project.output_dir) / "archive"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a database of each shape, in a folder whose name has to be quoted."""
    folder = tmp_path_factory.mktemp("databases")
    write_june(folder / "experiments.db", JUNE)
    write_turns(folder / "first.db", FIRST)
    write_first_duckdb(folder / "first.duckdb", LOGGED)
    write_later_duckdb(folder / "later.duckdb", LATER, without_text=["conv_empty"])
    # DuckDB cannot write where a folder has a question mark.
    folder = folder.rename(folder.with_name("it's 100% ?#[x] \u00fc"))
    return {
        "june": folder / "experiments.db",
        "first": folder / "first.db",
        "logged": folder / "first.duckdb",
        "later": folder / "later.duckdb",
    }


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """Collect what the command said of each database."""
    return {}


@pytest.fixture(scope="module")
def imported(
    project: ProjectMaker,
    databases: dict[str, Path],
    said: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    """Import all of them beside one log, whose conversation a database has, too."""
    folder = OutputFolder(tmp_path_factory.mktemp("one") / "pidgin's output")
    folder.write("experiments/x_00000009/events.jsonl", conversation("conv_logged"))
    folder.write(
        "experiments/x_00000009/manifest.json",
        manifest("exp_00000003", ["conv_logged"], name="Pidgin's own"),
    )
    made = project(folder.path, PIDGIN_TIMEZONE="Asia/Tokyo")
    made.build_only()
    before = {path: hashed(path.parent) for path in databases.values()}
    for name, path in databases.items():
        said[name] = run_whole(made, path)
    assert {path: hashed(path.parent) for path in databases.values()} == before
    made.build_and_test()
    return made


def hashed(folder: Path) -> dict[str, str]:
    """Hash every file of a folder."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
    }


def test_texts_are_those_of_the_databases(imported: Project) -> None:
    """Each message once, by turn and agent, but for a conversation that was logged."""
    expected = {
        (talk.conversation_id, turn, agent): mended(text)
        for talk in (*JUNE, *FIRST, *LOGGED, *LATER)
        if talk.conversation_id not in ("conv_logged", "conv_empty")
        for turn, texts in enumerate(talk.texts)
        for agent, text in zip(("agent_a", "agent_b"), texts, strict=True)
    } | {("conv_short", 2, "agent_a"): "And then"}
    rows = imported.query(
        "select conversation_id, turn_number, agent_id, content, is_turn_complete"
        " from messages where conversation_id != 'conv_logged'"
    )
    assert {row[:3]: row[3] for row in rows} == expected
    assert len(rows) == len(expected)
    assert [row[:3] for row in rows if not row[4]] == [("conv_short", 2, "agent_a")]
    measured = imported.value(
        "select count(*) from message_metrics where word_count > 0"
    )
    assert measured > len(expected) / 2


def test_statuses_follow_from_what_pidgin_noted(imported: Project) -> None:
    """The reason that Pidgin gave, or the only one that its status can stand for."""
    rows = imported.query(
        "select conversation_id, status, end_reason from conversations"
    )
    found = {name: (status, reason) for name, status, reason in rows}
    assert {name: found[name] for name in STATUSES} == STATUSES
    assert "conv_empty" not in found


def test_scores_of_another_formula_have_a_column_of_their_own(
    imported: Project,
) -> None:
    """They are in no other column, and Pidgin's live scores are where they belong."""
    rows = imported.query(
        "select conversation_id, turn_number,"
        " convergence_score, legacy_convergence_score"
        " from turn_metrics where conversation_id != 'conv_logged'"
    )
    expected = {}
    for talk in (*JUNE, *FIRST, *LOGGED, *LATER):
        for turn in range(len(talk.texts)):
            scores: tuple[float | None, float | None] = (None, talk.score(turn))
            if talk in LOGGED:
                scores = (0.75, talk.score(turn))
            elif talk in LATER:
                scores = (0.25, None)
            expected[talk.conversation_id, turn] = scores
    expected = {
        key: scores
        for key, scores in expected.items()
        if key[0] not in ("conv_logged", "conv_empty")
    }
    assert {row[:2]: row[2:] for row in rows} == expected


def test_times_are_in_utc(imported: Project) -> None:
    """SQLite wrote UTC; DuckDB's are local, and here that is nine hours earlier."""
    rows = imported.query(
        "select conversation_id, started_at, ended_at, max(turn_metrics.timestamp)"
        " from conversations inner join turn_metrics using (conversation_id)"
        " where conversation_id in"
        " ('conv_cut', 'conv_first', 'conv_log_in_table', 'conv_later') group by all"
    )
    turns = {"conv_cut": 2, "conv_first": 3, "conv_log_in_table": 3, "conv_later": 8}
    assert len(rows) == len(turns)
    for name, started, ended, last_turn in rows:
        start = START.replace(tzinfo=UTC)
        if name in ("conv_log_in_table", "conv_later"):
            start -= timedelta(hours=9)
        count = turns[name]
        assert started == start, name
        assert ended == start + timedelta(minutes=count + 1), name
        assert last_turn == start + timedelta(minutes=count), name


def test_settings_and_names(imported: Project) -> None:
    """Models, prompt, temperatures, planned turns; also what the experiment says."""
    (june,) = imported.query(
        "select agent_a_model, agent_b_model, agent_a_name, initial_prompt, max_turns,"
        " temperature_a, temperature_b, awareness_a from conversations"
        " where conversation_id = 'conv_exp_0a1b2c3d_00000001'"
    )
    prompt = "Talk about tea."
    assert june == ("local:test", "claude", "Ash", prompt, 3, 0.5, None, "firm")
    assert imported.query(
        "select conversation_id, agent_b_name, max_turns, awareness_a"
        " from conversations where conversation_id in ('conv_first', 'conv_later')"
        " order by 1"
    ) == [("conv_first", "Echo", 9, "firm"), ("conv_later", None, 7, "research")]
    assert imported.query(
        "select name, created_at, is_archived, stats.total_conversations"
        " from experiments where experiment_id = 'exp_0a1b2c3d'"
    ) == [
        (
            "name of exp_0a1b2c3d",
            START.replace(tzinfo=UTC) - timedelta(minutes=1),
            True,
            3,
        )
    ]
    assert imported.value("select thinking_content from thinking_traces") == "Hm."


def test_manifest_of_pidgins_own_speaks_for_its_experiment(imported: Project) -> None:
    """Also where a database adds conversations to it."""
    assert imported.query(
        "select name, manifest_status, stats.total_conversations from experiments"
        " where experiment_id = 'exp_00000003'"
    ) == [("Pidgin's own", "completed", 3)]
    assert (
        imported.value(
            "select count(*) from staging.stg_pidgin__experiment_manifests"
            " where experiment_id = 'exp_00000003'"
        )
        == 1
    )


def test_nothing_else_of_a_database_is_lost(imported: Project) -> None:
    """Old metrics stay in the events; response times have a column."""
    data = "select event_data from events where conversation_id = ? and event_type = ?"
    turn = "and turn_number = 0"
    key = ["conv_exp_0a1b2c3d_00000001", "TurnCompleteEvent"]
    turn_data = json.loads(imported.value(f"{data} {turn}", key))
    assert turn_data["legacy_metrics"] == {
        "convergence_score": 0.125,
        "mimicry_score": 0.5,
        "vocabulary_overlap": 0.5,
    }
    message = json.loads(
        imported.value(
            f"{data} {turn} and agent_id = 'agent_a'", [key[0], "MessageCompleteEvent"]
        )
    )
    assert message["legacy_metrics"] == {
        "message_length": len(TEXTS[0][0]),
        "self_repetition_score": 0.25,
        "response_time_ms": 100,
    }
    first = json.loads(
        imported.value(
            f"{data} {turn} and agent_id = 'agent_b'",
            ["conv_first", "MessageCompleteEvent"],
        )
    )
    assert first["legacy_metrics"]["length_ratio"] == 0.75
    start = json.loads(imported.value(data, ["conv_bad", "ConversationStartEvent"]))
    assert start["legacy_conversation"]["error_message"] == "No money."
    usage = json.loads(imported.value(data, ["conv_later", "ConversationStartEvent"]))
    assert usage["legacy_token_usage"][0]["total_cost"] == 0.5
    assert imported.query(
        "select response_time_ms, prompt_tokens, count(*) from messages"
        f" where conversation_id = '{key[0]}' group by all order by 1"
    ) == [(100, None, 2), (101, None, 2), (102, None, 2)]


def test_what_stays_out_is_named(imported: Project, said: dict[str, str]) -> None:
    """With the reason; and nothing of a hostile name reaches the terminal."""
    assert (
        "conv_logged: not imported, because it is here already, from its log"
        in said["june"]
    )
    assert (
        "conv_empty: not imported, because the database holds no text" in said["later"]
    )
    assert (
        "exp_0a1b2c3d: 3 conversations, 7 complete turns, 15 messages" in said["june"]
    )
    assert "\x1b" not in said["june"]
    assert "exp \ufffd[31mred\ufffd\ufffd: 1 conversation," in said["june"]
    assert not any("Left out" in text for text in said.values())


def test_second_import_changes_nothing(
    imported: Project, databases: dict[str, Path]
) -> None:
    """And says so."""
    before = archives_of(imported)
    for path in databases.values():
        assert "imported before" in run_whole(imported, path)
    assert archives_of(imported) == before


def test_a_damaged_archive_is_left_alone(project: ProjectMaker, tmp_path: Path) -> None:
    """It is not taken for one that was never written."""
    database = write_june(tmp_path / "old.db", [Talk("conv_a")])
    made = project(tmp_path / "output")
    import_first(made, database)
    ((name, whole),) = archives_of(made).items()
    path = Path(made.output_dir) / "archive" / name
    for content in (b"", whole[:-9], b"x" * len(whole)):
        path.write_bytes(content)
        made.build_only()
        for options in ([], ["--dry-run"]):
            result = run(made, database, *options)
            assert result.exit_code == 1
            assert f"{path} is there and is damaged" in result.output
            assert archives_of(made) == {name: content}
    path.unlink()
    assert "1 conversation, 2 complete turns, 4 messages: imported, " in (
        run_whole(made, database)
    )
    assert archives_of(made).keys() == {name}


def test_restored_logs_give_the_same_marts(
    imported: Project,
    databases: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The archive holds what reading such logs would have given, in every column."""
    home = tmp_path_factory.mktemp("project")
    restored = imported.copied(home)
    output_dir = Path(imported.output_dir)
    kept = Path(shutil.copytree(output_dir, home / "kept"))
    before = contents(restored)
    names = [talk.experiment_id for talk in (*JUNE, *FIRST, *LOGGED, *LATER)]
    try:
        outcome = restored.command("restore", "--", *dict.fromkeys(names))
        assert outcome.success, "\n".join(outcome.errors)
        assert not list(output_dir.rglob("*.parquet"))
        logs = list(output_dir.rglob("legacy/*/*.jsonl"))
        assert {log.parents[1] for log in logs} == {output_dir / "legacy"}
        restored.build_and_test()
        assert_same_contents(contents(restored), before)
        assert restored.value("select bool_or(is_archived) from experiments") is False
        # As logs they are no business of the import any more.
        assert "from its log" in run_whole(restored, databases["first"])
        assert not list(output_dir.rglob("*.parquet"))
    finally:
        shutil.rmtree(output_dir)
        kept.rename(output_dir)


def contents(project: Project) -> dict[str, list[str]]:
    """Return every row of every mart and of the events, but for where they lie."""
    left_out = {
        "events": "is_archived",
        "event_files": "is_archived",
        "experiments": "is_archived, fingerprint",
        "experiment_dashboard": "fingerprint",
    }
    marts = {
        name: project.rows(name, f"* exclude ({left_out[name]})")
        if name in left_out
        else rows
        for name, rows in project.contents().items()
        # Which is about where they lie.
        if name != "archive_candidates"
    }
    columns = "* exclude (is_archived, archived_experiment_id)"
    return marts | {"lines": project.rows("intermediate.int_event_lines", columns)}


def test_newer_copy_of_a_database_counts_alone(
    project: ProjectMaker, tmp_path: Path
) -> None:
    """Whatever order they are imported in, nothing is doubled and nothing shrinks."""
    talk = Talk("conv_grows", status="running", texts=TEXTS[:1])
    old = write_june(tmp_path / "old.db", [talk, Talk("conv_same")])
    grown = replace(talk, texts=TEXTS, status="completed")
    new = write_june(tmp_path / "new.db", [grown, Talk("conv_same")])
    made = project(tmp_path / "output")
    import_first(made, old)
    assert "imported, " in run_whole(made, new)
    made.build_only()
    assert len(archives_of(made)) == 2
    assert made.query(
        "select conversation_id, status, turn_count from conversations order by 1"
    ) == [("conv_grows", "completed", 3), ("conv_same", "completed", 2)]
    assert made.value("select count(*) from messages") == 10
    before = archives_of(made)
    assert "conv_grows: not imported, because it is here already, from a database" in (
        run_whole(made, old)
    )
    (added,) = archives_of(made).keys() - before.keys()
    folder = Path(made.output_dir) / "archive"
    held = [Path(file.name).name for file in archived_files(folder / added)]
    assert held == ["events_conv_same.jsonl"]


@pytest.mark.parametrize(
    "path",
    [
        None,
        *(
            Path(path)
            for path in os.environ.get("PIDGIN_TEST_LEGACY_DATABASES", "").split(
                os.pathsep
            )
            if path
        ),
    ],
    ids=lambda path: path.name if path else "made here",
)
def test_marts_equal_what_sqlite_shows(
    path: Path | None,
    imported: Project,
    databases: dict[str, Path],
    project: ProjectMaker,
    tmp_path: Path,
) -> None:
    """Texts, scores and counts, asked of SQLite."""
    if path is None:
        assert_equal_to_sqlite(imported, databases["june"], left_out=["conv_logged"])
        return
    made = project(tmp_path / "output")
    import_first(made, path)
    assert_equal_to_sqlite(made, path)


def assert_equal_to_sqlite(
    project: Project, database: Path, left_out: Sequence[str] = ()
) -> None:
    """Compare the conversations of a database of June 2025 with those in the marts."""
    with closing(
        sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    ) as connection:
        messages, turns, conversations = (
            [row for row in connection.execute(query) if row[0] not in left_out]
            for query in (
                "select conversation_id, turn_number, agent_id, metrics_json"
                " from message_metrics",
                "select conversation_id, turn_number, convergence_score"
                " from turn_metrics",
                "select conversation_id, experiment_id, agent_a_model, agent_b_model,"
                " total_turns, json_extract(config, '$.initial_prompt')"
                " from conversations",
            )
        )
    names = [row[0] for row in conversations]
    for query, rows in (
        (
            "conversation_id, turn_number, agent_id, content from messages",
            [(*key, mended(json.loads(text)["message"])) for *key, text in messages],
        ),
        (
            "conversation_id, turn_number, legacy_convergence_score from turn_metrics",
            turns,
        ),
        (
            "conversation_id, experiment_id, agent_a_model, agent_b_model,"
            " turn_count, initial_prompt from conversations",
            conversations,
        ),
    ):
        found = project.query(
            f"select {query} where list_contains(?, conversation_id)", [names]
        )
        assert sorted(found) == sorted(rows)
    experiments = {row[1] for row in conversations}
    held = {name for (name,) in project.query("select experiment_id from experiments")}
    assert experiments <= held


def test_database_that_pidgin_made_of_logs(
    project: ProjectMaker, tmp_path: Path
) -> None:
    """Pidgin 1.1 imports logs; without them its database gives the same metrics."""
    folders = [
        SAMPLE / "experiments" / name
        for name in ("slow-clocks_5e7aaa8f", "empty-chapel_99e1cb7a")
    ]
    database = tmp_path / "experiments.duckdb"
    service = ImportService(str(database))
    for folder in folders:
        shutil.copytree(folder, tmp_path / "logs" / folder.name)
        assert service.import_experiment_from_jsonl(folder).success
    service.close()  # type: ignore[no-untyped-call]
    logs, without = project(tmp_path / "logs"), project(tmp_path / "none")
    logs.build_only()
    import_first(without, database)
    for columns, mart in (
        ("* exclude (fingerprint)", "turn_metrics"),
        ("* exclude (fingerprint)", "message_metrics"),
        ("conversation_id, turn_number, agent_id, content", "messages"),
        ("conversation_id, turn_number, agent_id, thinking_content", "thinking_traces"),
        ("conversation_id, agent_a_model, turn_count, initial_prompt", "conversations"),
        ("experiment_id, name, created_at, config", "experiments"),
    ):
        expected = logs.rows(f"(from {mart} {complete(mart)})", columns)
        assert expected
        assert without.rows(mart, columns) == expected, mart


def complete(mart: str) -> str:
    """Leave out what such a database does not hold: turns that were cut short."""
    if mart == "thinking_traces":
        return "semi join turn_metrics using (conversation_id, turn_number)"
    return "where is_turn_complete" if mart == "messages" else ""


@pytest.mark.parametrize("shape", ["june", "first", "logged", "later"])
def test_database_in_use_is_left_alone(
    shape: str, databases: dict[str, Path], tmp_path: Path
) -> None:
    """One that somebody writes is refused in one line."""
    path = Path(shutil.copy(databases[shape], tmp_path))
    if path.suffix == ".db":
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("begin exclusive")
            with pytest.raises(legacy.LegacyError, match="locked"):
                legacy.read_database(path, UTC)
    else:
        with (
            closing(duckdb.connect(str(path))),
            pytest.raises(legacy.LegacyError, match="cannot be read"),
        ):
            legacy.read_database(path, UTC)


def test_wal_mode_leaves_no_files(databases: dict[str, Path], tmp_path: Path) -> None:
    """Also a database in WAL mode is only read."""
    path = Path(shutil.copy(databases["june"], tmp_path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
    before = hashed(tmp_path)
    assert legacy.read_database(path, UTC).experiments
    assert hashed(tmp_path) == before


def unsuitable(path: Path, kind: str) -> Path:
    """Make something that is no database of Pidgin's."""
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("experiments")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "tables":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("create table recipes (name text)")
    elif kind == "damaged":
        write_june(path, JUNE)
        path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 9000)
    elif kind == "warehouse":
        with closing(duckdb.connect(str(path))) as connection:
            connection.execute(
                "create table experiments (experiment_id text);"
                "create table conversations (conversation_id text, fingerprint ubigint)"
            )
    return path


def test_database_of_a_newer_duckdb(databases: dict[str, Path], tmp_path: Path) -> None:
    """It is said which version wrote it, and how it comes in all the same."""
    path = Path(shutil.copy(databases["later"], tmp_path))
    header = bytearray(path.read_bytes())
    header[12:20] = (99_999).to_bytes(8, "little")
    header[52:84] = b"v17.1.0".ljust(32, b"\0")
    path.write_bytes(header)
    with pytest.raises(duckdb.Error, match="computed checksum") as refused:
        duckdb.connect(str(path), read_only=True)
    checksum = re.findall(r"computed checksum (\d+)", str(refused.value))
    header[:8] = int(checksum[0]).to_bytes(8, "little")
    path.write_bytes(header)
    with pytest.raises(
        legacy.LegacyError,
        match=r"^It was written by DuckDB v17\.1\.0.* import the copy",
    ):
        legacy.read_database(path, UTC)
    assert path.read_bytes() == header


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "No such file"),
        ("folder", "Is a directory"),
        ("text", "no database of SQLite or DuckDB"),
        ("empty", "no database of SQLite or DuckDB"),
        ("tables", "no tables of Pidgin's, but recipes"),
        ("damaged", "cannot be read: database disk image is malformed"),
        ("warehouse", "a warehouse of this project"),
    ],
)
def test_what_is_no_database_of_pidgins(
    kind: str, message: str, tmp_path: Path
) -> None:
    """One line says why, before anything is built."""
    path = unsuitable(tmp_path / "x\x1b.db", kind)
    result = CliRunner().invoke(command_line.main, ["import-legacy", str(path)])
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.splitlines()) == 1
    assert "\x1b" not in result.output


def test_configuration_that_cannot_work(databases: dict[str, Path]) -> None:
    """A zone that does not exist, and a warehouse that is none."""
    for name, value, message in (
        ("PIDGIN_TIMEZONE", "Mars/Base", "no time zone"),
        ("PIDGIN_WAREHOUSE", str(databases["first"]), "cannot be opened"),
    ):
        result = CliRunner().invoke(
            command_line.main,
            ["import-legacy", str(databases["june"]), "--dry-run"],
            env={name: value},
        )
        assert result.exit_code == 1
        assert message in result.output


def test_database_without_any_text(project: ProjectMaker, tmp_path: Path) -> None:
    """Nothing is built twice for it, and the command fails."""
    path = write_later_duckdb(
        tmp_path / "empty.duckdb", [Talk("conv_empty")], without_text=["conv_empty"]
    )
    made = project(tmp_path / "output")
    result = run(made, path, "--dry-run")
    assert result.exit_code == 1
    assert (
        "conv_empty: not imported, because the database holds no text" in result.output
    )
    assert "There is no warehouse yet" in result.output
    assert not archives_of(made)


def test_builds_before_and_after(
    project: ProjectMaker, databases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warehouse is brought up to date first, and again if anything came in."""
    commands: list[tuple[str, ...]] = []
    written: list[str] = []
    held = importer.Held()

    def write(*_: object) -> int:
        written.append("archive")
        return 1

    monkeypatch.setattr(import_legacy, "dbt", lambda *command: commands.append(command))
    monkeypatch.setattr(import_legacy, "held_conversations", lambda **_: held)
    monkeypatch.setattr(importer, "write_archive", write)
    command = ["import-legacy", str(databases["later"])]
    result = CliRunner().invoke(command_line.main, command)
    assert result.exit_code == 0, result.output
    assert (commands, written) == ([("build",), ("build",)], ["archive"])
    held = importer.Held(logged=frozenset({"conv_later"}))
    result = CliRunner().invoke(command_line.main, command)
    assert result.exit_code == 0, result.output
    assert (commands, written) == ([("build",)] * 3, ["archive"])


def test_dry_run_writes_nothing(imported: Project, tmp_path: Path) -> None:
    """It says what would be imported, from the warehouse as it is."""
    path = write_june(tmp_path / "more.db", [Talk("conv_more"), Talk("conv_logged")])
    before = archives_of(imported)
    said = run_whole(imported, path, "--dry-run")
    assert (
        "exp_0a1b2c3d: 1 conversation, 2 complete turns, 4 messages: would be" in said
    )
    assert "conv_logged: not imported" in said
    assert archives_of(imported) == before


def test_bad_rows_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Each kind with its number and places."""
    path = tmp_path / "bad.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(EXPERIMENTS + CONVERSATIONS + METRICS)
    good = write_june(tmp_path / "good.db", [Talk("conv_1"), Talk("conv_2")])
    with closing(sqlite3.connect(good)) as connection, connection:
        connection.executescript(
            """
            update message_metrics set metrics_json = '{"message": "cut' where id = 1;
            update message_metrics set metrics_json = '{"message": 7}' where id = 2;
            update message_metrics set agent_id = 'system' where id = 3;
            update message_metrics set turn_number = 'x' where id = 4;
            update turn_metrics set timestamp = 'yesterday' where id = 1;
            update conversations set config = '[]', status = x'00'
                where conversation_id = 'conv_2';
            insert into conversations (conversation_id, experiment_id)
                values (null, 'x'), ('y', null), ('z', 'gone');
            insert into message_metrics (conversation_id, turn_number, agent_id)
                values ('nobody', 0, 'agent_a'), (x'ff', 0, 'agent_a');
            update message_metrics set metrics_json = cast(x'ff7b7d' as text)
                where id = 5;
            """
        )
    found = legacy.read_database(good, UTC)
    assert set(found.problems) == {
        "Rows without an id (2): conversations row 3, conversations row 4",
        "Rows of neither agent (1): message_metrics row 3",
        "Rows without a number of a turn (1): message_metrics row 4",
        "Rows of no conversation that is listed (2): message_metrics row 9,"
        " message_metrics row 10",
        "Conversations of experiments that are not listed (1): z",
        "Times that cannot be read (1): 'yesterday'",
        "Unreadable metrics_json (2): message_metrics row 1, message_metrics row 5",
        "Messages without text (3): message_metrics row 1, message_metrics row 2,"
        " message_metrics row 5",
        "Turns without both messages (3): conv_1 turn 0, conv_1 turn 1, conv_2 turn 0",
        "Unreadable config (1): conv_2",
        "Statuses that are no text (1): conv_2",
        "Bytes that are no text, now U+FFFD (1): '\ufffd{}'",
    }
    counts = {
        conversation.conversation_id: conversation.count("MessageCompleteEvent")
        for experiment in found.experiments
        for conversation in experiment.conversations
    }
    assert counts == {"conv_1": 0, "conv_2": 3, "z": 0}
    assert legacy.read_database(path, UTC).experiments == []


ANY_TEXT = st.text(st.characters(codec=None), max_size=60)
ROUND = settings(max_examples=15)


@given(
    texts=st.lists(st.tuples(ANY_TEXT, ANY_TEXT), min_size=1, max_size=4),
)
@ROUND
def test_any_text_comes_through(
    texts: Sequence[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As it stood in the database, byte for byte of its JSON."""
    path = write_june(
        tmp_path_factory.mktemp("text") / "x.db", [Talk("conv_1", texts=texts)]
    )
    (experiment,) = legacy.read_database(path, UTC).experiments
    events = [json.loads(line) for line in lines_of(experiment, path.parent)]
    turns = [
        event["turn"] for event in events if event["event_type"] == "TurnCompleteEvent"
    ]
    assert [
        (turn["agent_a_message"]["content"], turn["agent_b_message"]["content"])
        for turn in turns
    ] == list(texts)


@given(
    ids=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
        | st.sampled_from(HOSTILE_IDS),
        min_size=2,
        max_size=2,
        unique=True,
    ),
)
@example(ids=["..", "."])
@ROUND
def test_any_id_is_a_safe_and_distinct_path(
    ids: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An archive of them is sound, and its logs lie where imported logs lie."""
    talks = [Talk(name, ids[0], texts=TEXTS[:1]) for name in ids]
    path = write_june(tmp_path_factory.mktemp("ids") / "x.db", talks)
    (experiment,) = legacy.read_database(path, ZoneInfo("UTC")).experiments
    assert len(list(lines_of(experiment, path.parent))) == 2 * 6
    logs = list((path.parent / "output").rglob("*.jsonl"))
    assert len({log.name for log in logs}) == 2
    assert {log.parents[1].name for log in logs} == {"legacy"}


ANY_CELL = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(max_size=9),
    st.sampled_from(
        ("", "[]", "{}", '{"message": 1}', '{"max_turns": "x"}', "0001-01-01")
    ),
)


@given(
    cells=st.lists(
        st.tuples(st.integers(0, 99), st.integers(1, 9), ANY_CELL), max_size=12
    ),
    shape=st.sampled_from([write_june, write_turns]),
)
@ROUND
def test_any_cell_can_be_anything(
    cells: Sequence[tuple[int, int, object]],
    shape: Callable[[Path, Sequence[Talk]], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """SQLite holds values of any type in any column; none stops the import."""
    path = shape(tmp_path_factory.mktemp("cells") / "x.db", FIRST)
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = connection.execute(
            "select tables.name, columns.name from sqlite_master as tables"
            " join pragma_table_info(tables.name) as columns"
            " where tables.type = 'table' and tables.name not in"
            " ('word_frequencies', 'sqlite_sequence')"
        ).fetchall()
        for number, row, value in cells:
            table, column = columns[number % len(columns)]
            with contextlib.suppress(sqlite3.IntegrityError):
                connection.execute(
                    f"update {table} set {column} = ? where rowid = ?", (value, row)
                )
    found = legacy.read_database(path, UTC)
    for experiment in found.experiments:
        list(lines_of(experiment, path.parent))


def lines_of(experiment: legacy.Experiment, folder: Path) -> Iterator[str]:
    """Archive an experiment, restore it elsewhere and read its logs."""
    archive, files = importer.archive_of(
        experiment, experiment.conversations, importer.Held(), folder / "archive"
    )
    importer.write_archive(archive, experiment.experiment_id, files)
    names = [file.name for file in archived_files(archive)]
    missing = missing_files(archive, folder / "output", names)
    assert missing == names
    write_files(archive, folder / "output", missing)
    for log in sorted((folder / "output").rglob("*.jsonl")):
        yield from log.read_text(encoding="ascii").splitlines()
