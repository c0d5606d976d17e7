"""Folders and files, whatever they are called and whoever may read them."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from conftest import ProjectMaker
from helpers.harness import ROOT, Project
from writers.logs import Conversation, OutputFolder, as_line, conversation, joined
from writers.logs import manifest as write_manifest

from pidgin_analytics import logs, settings

# Each would be a column of a reader that takes folders for columns.
COLUMN_FOLDERS = (
    *("line=red", "size=7", "size=7b", "filename=x", "content=y"),
    *("last_modified=2026-05-01", "source_file=z", "a=1/b=2"),
)
PACKED = "packed_0000000a"


def packed(lines: list[str], kind: str) -> bytes:
    """Compress the lines of a log."""
    if kind == "gzip":
        # As somebody who packs while it grows: several members in one file.
        return gzip.compress(joined(lines[:3])) + gzip.compress(joined(lines[3:]))
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(joined(lines))
    return bytes(sink.getvalue())


def glued() -> dict[str, list[str]]:
    """Write logs in which one line holds more than one event, or less."""
    one, two = Conversation("glued one"), Conversation("glued two")
    both = [as_line(maker.begin()) for maker in (one, two)]
    turns = [[as_line(e) for e in maker.turn(0, "Hi.", "Ho.")] for maker in (one, two)]
    lanes = [*both, *turns[0][:3], *turns[1][:3], turns[0][3] + turns[1][3]]
    same = Conversation("glued same")
    events = [as_line(e) for e in [same.begin(), *same.turn(0, "Hi.", "Ho.")]]
    old = json.dumps(
        {
            "timestamp": "2025-06-16T11:00:00",
            "event_type": "TurnStartEvent",
            "data": {"conversation_id": "glued old", "turn_number": 0},
        }
    )
    torn = Conversation("glued torn")
    told = 'She wrote {"conversation_id": and stopped.'
    whole = [as_line(e) for e in [torn.begin(), *torn.turn(0, told, "Ho.")]]
    # A log that lost all line ends but one.
    endless = Conversation("glued endless")
    many = [endless.begin()]
    for number in range(301):
        many += endless.turn(number, f"Hi {number}.", f"Ho {number}.")
    long = [as_line(event) for event in many]
    return {
        "endless": [" ".join(long[:-4]), *long[-4:]],
        "lanes": lanes,
        # All events of a conversation in one line, in their order.
        "same": [" ".join(events)],
        "old": [old[:70] + old, old + old],
        "torn": [*whole[:4], whole[4][:200] + whole[4]],
        "torn twice": [
            line.replace("glued torn", "torn twice")
            for line in [*whole[:4], whole[4][:150] + whole[4][:200] + whole[4]]
        ],
        "hopeless": [
            whole[0].replace("torn", "hopeless"),
            whole[4][:90] + whole[4][:99],
        ],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> OutputFolder:
    """Write logs under every name."""
    folder = OutputFolder(tmp_path_factory.mktemp("reading") / "content=y" / "out")
    for number, name in enumerate(COLUMN_FOLDERS):
        folder.write(f"{name}/events_{number}.jsonl", conversation(f"folder {name}"))
    for name, content in {
        "a.jsonl.gz": packed(conversation("gzip"), "gzip"),
        "b.JSONL.GZ": packed(conversation("GZIP"), "gzip"),
        "c.jsonl.zst": packed(conversation("zstd"), "zstd"),
        "d.ndjson": joined(conversation("ndjson")),
        "e.JSONL": joined(conversation("JSONL")),
        "f.ndjson.zst": packed(conversation("both"), "zstd"),
        # Named for what it is not.
        "g.jsonl": packed(conversation("gzip inside"), "gzip"),
        "h.jsonl.gz": joined(conversation("not packed")),
        # Bytes and line ends that the reader of lines cannot take.
        "i.jsonl.gz": gzip.compress(
            joined(conversation("packed CR"), "\r") + b"\xff\n"
        ),
        "torn.jsonl.gz": packed(conversation("torn gzip"), "gzip")[:-20],
        "empty.jsonl.gz": gzip.compress(b""),
        "._a.jsonl": b"\x00\x05\x16\x07",
        "notes.json": b"{}",
    }.items():
        folder.write(f"{PACKED}/{name}", content)
    for name, lines in glued().items():
        folder.write(f"glued/{name}.jsonl", lines)
    folder.write(
        "web/clicks.jsonl", ['{"event_type":"ClickEvent","timestamp":"x"}', "{"]
    )
    # Names of events that a later version may bring, beside one that is known.
    folder.write(
        "new/events.jsonl",
        [as_line(Conversation("new").begin()), '{"event_type":"MoodEvent"}'],
    )
    folder.write(f"{PACKED}/manifest.json", write_manifest("experiment_0000000a", []))
    return folder


@pytest.fixture(scope="module")
def built(folder: OutputFolder, project: ProjectMaker) -> Project:
    """Build them once, with all tests."""
    built = project(folder.path)
    built.build_and_test()
    return built


def counts(project: Project, name: str) -> list[tuple[Any, ...]]:
    """Return what became of the lines of a log."""
    return project.query(
        "select line_count, event_count, rejected_count, pending_count, problem"
        " from event_files where ends_with(source_file, ?)",
        [f"/{name}"],
    )


@pytest.mark.parametrize("name", COLUMN_FOLDERS)
def test_no_reader_takes_meaning_from_names(built: Project, name: str) -> None:
    """A folder named like a column is a folder."""
    assert built.query(
        "select status, turn_count from conversations where conversation_id = ?",
        [f"folder {name}"],
    ) == [("completed", 2)]


@pytest.mark.parametrize(
    "name",
    [
        *("gzip", "GZIP", "zstd", "ndjson", "JSONL", "both", "gzip inside"),
        *("not packed", "packed CR"),
    ],
)
def test_compressed_logs_are_read_like_logs(built: Project, name: str) -> None:
    """What they hold is there once, of the experiment of their folder."""
    assert built.query(
        "select experiment_id, status, turn_count from conversations"
        " where conversation_id = ?",
        [name],
    ) == [("experiment_0000000a", "completed", 2)]


def test_files_beside_logs_are_none(built: Project) -> None:
    """AppleDouble files and other JSON are not listed; an empty log is."""
    assert counts(built, "._a.jsonl") == []
    assert counts(built, "notes.json") == []
    assert counts(built, "empty.jsonl.gz") == [(0, 0, 0, 0, None)]
    assert counts(built, "i.jsonl.gz")[0][2] == 1


def test_a_damaged_compressed_log_is_read_as_far_as_it_goes(built: Project) -> None:
    """Its first lines count, and the log says what is wrong with it."""
    ((lines, events, _, _, problem),) = counts(built, "torn.jsonl.gz")
    assert lines == events > 2
    assert problem == "its compressed data is damaged (it ends too early)"


def test_nothing_is_left_beside_the_warehouse(built: Project) -> None:
    """Copies of compressed logs are gone after the build."""
    assert {path.name for path in built.home.iterdir()} <= {
        *("pidgin.duckdb.building", "target", "logs")
    }


def test_events_glued_on_one_line_are_saved(built: Project) -> None:
    """Two events of two conversations, each in its own."""
    assert counts(built, "lanes.jsonl") == [(10, 10, 0, 0, None)]
    assert built.query(
        "select conversation_id, turn_count from conversations"
        " where conversation_id in ('glued one', 'glued two') order by all"
    ) == [("glued one", 1), ("glued two", 1)]


def test_events_glued_keep_their_order(built: Project) -> None:
    """A conversation in one line is what it is in five."""
    assert counts(built, "same.jsonl") == [(5, 5, 0, 0, None)]
    assert built.query(
        "select agent_id, content, turn_number from messages"
        " where conversation_id = 'glued same' order by all"
    ) == [("agent_a", "Hi.", 0), ("agent_b", "Ho.", 0)]


def test_a_line_may_hold_more_than_a_thousand_events(built: Project) -> None:
    """Each has a position of its own, before those of the next line."""
    assert counts(built, "endless.jsonl") == [(1205, 1205, 0, 0, None)]
    assert built.query(
        "select count(*), count(sent_at), count(distinct content) from messages"
        " where conversation_id = 'glued endless'"
    ) == [(602, 602, 602)]
    assert (
        built.value(
            "select content from messages where conversation_id = 'glued endless'"
            " order by turn_number desc, agent_id desc limit 1"
        )
        == "Ho 300."
    )


def test_whole_events_behind_torn_ones_are_saved(built: Project) -> None:
    """Of every era; what cannot be told apart is rejected with its reason."""
    assert counts(built, "old.jsonl") == [(4, 3, 1, 0, None)] or (
        counts(built, "old.jsonl") == [(4, 1, 1, 0, None)]
    )
    assert counts(built, "torn.jsonl") == [(6, 5, 1, 0, None)]
    assert counts(built, "hopeless.jsonl") == [(2, 1, 1, 0, None)]
    assert built.query(
        "select line_number, reason, line from rejected_lines"
        " where ends_with(source_file, 'glued/torn.jsonl')"
    ) == [(5, "not valid JSON", glued()["torn"][3 + 1][:200])]
    # Each torn part is a row of its own.
    assert counts(built, "torn twice.jsonl") == [(7, 5, 2, 0, None)]
    assert [
        (number, part, len(line))
        for number, part, line in built.query(
            "select line_number, line_part, line from rejected_lines"
            " where ends_with(source_file, 'torn twice.jsonl') order by all"
        )
    ] == [(5, 1, 150), (5, 2, 200)]


def test_a_log_of_another_program_is_rejected(built: Project) -> None:
    """Its lines say why; a name of the future beside known ones is an event."""
    assert built.query(
        "select line_number, reason from rejected_lines"
        " where ends_with(source_file, 'clicks.jsonl') order by all"
    ) == [(1, "no line of the file is an event of Pidgin"), (2, "not valid JSON")]
    assert counts(built, "new/events.jsonl") == [(2, 2, 0, 0, None)]


def test_one_experiments_folder(
    tmp_path: Path, project: ProjectMaker, built: Project
) -> None:
    """Pointed at alone, it has the same ids."""
    alone = project(f"{built.output_dir}/{PACKED}")
    shutil.copytree(f"{built.output_dir}/{PACKED}", tmp_path / "tea_0000000b")
    (tmp_path / "tea_0000000b" / "manifest.json").unlink()
    without_manifest = project(tmp_path / "tea_0000000b")
    for each, experiment in (
        (alone, "experiment_0000000a"),
        (without_manifest, "experiment_0000000b"),
    ):
        each.build_only()
        assert each.query("select distinct experiment_id from conversations") == [
            (experiment,)
        ]


def test_a_build_says_what_it_did(built: Project, project: ProjectMaker) -> None:
    """Three lines: what there is, what was read, where it is."""
    again = built.build_only()
    counted = built.query(
        "select (select count(*) from experiments), (select count(*) from"
        " conversations), (select count(*) from turn_metrics),"
        " (select count(*) from messages), (select count(*) from event_files)"
    )[0]
    experiments, conversations, turns, messages, files = counted
    assert (
        f"The tables hold {experiments} experiments, {conversations} conversations,"
        f" {turns} complete turns and {messages} messages."
    ) in again.messages
    assert any(
        message.startswith(f"Nothing new in {files} event logs below")
        for message in again.messages
    )
    assert any("Warehouse: " in message for message in again.messages)


SPELLINGS = {
    "slash": "{folder}/",
    "double": "{parent}//out",
    "dot": "{parent}/./out",
    "up": "{folder}/../out",
    "file": "file://{folder}",
    "home": "~/out",
    "link": "{parent}/link",
    "relative": "{relative}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_folder_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    """Whichever way it is written, a setting means one path."""
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    written = SPELLINGS[spelling].format(
        folder=tmp_path / "out",
        parent=tmp_path,
        relative=os.path.relpath(tmp_path / "out"),
    )
    home = os.environ.get("HOME")
    os.environ["HOME"] = str(tmp_path)
    try:
        assert settings.resolved_path(written) == str(tmp_path / "out")
    finally:
        os.environ["HOME"] = home or ""


def test_spellings_share_a_warehouse(tmp_path: Path, project: ProjectMaker) -> None:
    """A build under another spelling finds nothing new; so does target plain."""
    folder = OutputFolder(tmp_path / "out")
    folder.write("events.jsonl", conversation("here"))
    (tmp_path / "link").symlink_to("out")
    first = project(f"{folder.path}//")
    first.build_only()
    before = first.contents(rowids=True)
    for spelling in (f"{tmp_path}/link/", f"file://{folder.path}"):
        outcome = first.reading(spelling).build_only()
        assert "Nothing new in 1 event log" in outcome.text
        assert first.contents(rowids=True) == before
    plain = first.reading(f"{tmp_path}/./out//")
    plain.build_only("--target", "plain")
    assert plain.query("select source_file from event_files") == [
        (str(folder.path / "events.jsonl"),)
    ]


def test_earlier_spellings_are_taken_over(
    tmp_path: Path, project: ProjectMaker
) -> None:
    """Paths of an earlier version become those of today, and nothing is read again."""
    folder = OutputFolder(tmp_path / "out")
    folder.write("events.jsonl", conversation("here"))
    gone = folder.write("gone.jsonl", conversation("gone"))
    first = project(folder.path)
    first.build_only()
    gone.unlink()
    with duckdb.connect(str(first.warehouse)) as connection:
        connection.execute("drop table staging.output_dir")
        connection.execute(
            "update staging.stg_pidgin__event_lines set source_file ="
            " replace(source_file, '/out/', '//out/')"
        )
    outcome = first.build_only()
    assert "Nothing new in 1 event log" in outcome.text
    assert first.query("select conversation_id from conversations order by 1") == [
        ("gone",),
        ("here",),
    ]


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("PIDGIN_MEMORY_LIMIT", "lots", "PIDGIN_MEMORY_LIMIT is lots, which is no"),
        ("PIDGIN_TIMEZONE", "Mars", "PIDGIN_TIMEZONE is Mars, which is no time zone"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    tmp_path: Path, project: ProjectMaker, setting: str, value: str, sentence: str
) -> None:
    """It names the setting and what is wrong with it."""
    process = project(tmp_path, **{setting: value}).dbt_process("build")
    output, _ = process.communicate()
    assert process.returncode != 0
    assert sentence in output
    assert "Traceback" not in output


def test_empty_settings_mean_their_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For dbt, its plugin and the command alike."""
    for name in ("OUTPUT_DIR", "ARCHIVE_DIR", "WAREHOUSE"):
        monkeypatch.setenv(f"PIDGIN_{name}", "")
    monkeypatch.chdir(ROOT)
    assert settings.output_dir() == "sample_data/pidgin_output"
    assert settings.archive_dir() == "sample_data/pidgin_output/archive"
    assert settings.warehouse() == "warehouse/pidgin.duckdb"


def test_a_copied_warehouse_works_whole(tmp_path: Path, built: Project) -> None:
    """Under another name, and attached under another one yet."""
    copy = tmp_path / "renamed copy.duckdb"
    shutil.copy(built.warehouse, copy)
    relations = (
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_catalog = current_database()"
    )
    with duckdb.connect(str(copy), read_only=True) as connection:
        names = [name for (name,) in connection.execute(relations).fetchall()]
        assert "main.events" in names
        for name in names:
            connection.execute(f"select count(*) from {name}")
        connection.execute("select * from experiment_dashboard_as_of(now())")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{copy}' as other (read_only)")
        for name in names:
            connection.execute(f"select count(*) from other.{name}")
        connection.execute("use other")
        assert connection.execute(
            "select count(*) from conversation_state_as_of(now())"
        ).fetchone() == (len(built.query("from conversations")),)


def without_power(command: list[str]) -> list[str]:
    """Let a command meet the permissions that root passes over."""
    if os.geteuid() != 0:
        return command
    if not shutil.which("setpriv"):
        pytest.skip("root may read everything, and setpriv is not here")
    powers = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", powers, "--inh-caps", powers, *command]


def test_what_may_not_be_read_is_left_out_and_named(
    tmp_path: Path, project: ProjectMaker
) -> None:
    """A log, a manifest and a folder; the rest builds, and the build warns."""
    folder = OutputFolder(tmp_path / "out")
    folder.write("a_00000001/events.jsonl", conversation("readable"))
    locked = [
        folder.write("b_00000002/events.jsonl", conversation("locked")),
        folder.write("a_00000001/manifest.json", write_manifest("other", [])),
        folder.write("c_00000003/events.jsonl", conversation("inside")).parent,
    ]
    partly = project(folder.path)
    for path in locked:
        path.chmod(0)
    arguments = without_power([sys.executable, "-m", "dbt.cli.main"])
    command = [
        argument for argument in partly.arguments("build") if argument != "--quiet"
    ]
    partly._take_place()
    outcome = subprocess.run(
        [*arguments, *command],
        cwd=ROOT,
        env=partly.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout
    for path in locked:
        assert f"may not be read: {path} (permission denied)" in outcome.stdout
    assert partly.query("select conversation_id from conversations") == [("readable",)]
    assert partly.query(
        "select source_file, line_count, problem from event_files"
        " where problem is not null order by all"
    ) == sorted((str(path), None, "permission denied") for path in locked)

    # A reader may open it later, and it is found.
    for path in locked:
        path.chmod(0o755)
    partly.build_only()
    assert partly.query("select conversation_id from conversations order by all") == [
        ("inside",),
        ("locked",),
        ("readable",),
    ]


def test_a_pipe_is_no_log(tmp_path: Path) -> None:
    """Opening one would wait for ever."""
    pipe = tmp_path / "events.jsonl"
    os.mkfifo(pipe)
    assert logs.file_problem(str(pipe)) == "it is no file"


def test_compiling_reads_no_log(tmp_path: Path, project: ProjectMaker) -> None:
    """Nor does what documents the project, whatever there is to read."""
    folder = OutputFolder(tmp_path / "out")
    folder.write("old.jsonl", conversation("old"))
    compiled = project(folder.path)
    assert compiled.dbt("compile").success
    compiled.build_only()

    # It is listed, and who opened it now would not find it.
    new = folder.write("new.jsonl", conversation("new"))
    compiled.build_only("--select", "stg_pidgin__files")
    new.unlink()
    for command in (["compile"], ["docs", "generate", "--static"]):
        outcome = compiled.dbt(*command)
        assert outcome.success, "\n".join(outcome.errors)


def test_what_a_store_holds_is_shown(built: Project) -> None:
    """Its own SQL asks for what only a build has listed and read."""
    for model in ("stg_pidgin__event_lines", "stg_pidgin__files"):
        outcome = built.dbt("show", "--limit", "1", "--select", model)
        assert outcome.success, "\n".join(outcome.errors)
        assert "source_file" in outcome.text
