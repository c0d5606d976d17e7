"""Experiments that move to Parquet and back change no mart and lose no byte."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ProjectMaker
from helpers.harness import STORE, Outcome, Project, assert_same_contents
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from writers.logs import (
    START,
    Conversation,
    OutputFolder,
    as_line,
    conversation,
    joined,
    manifest,
)

from pidgin_analytics import ArchiveError, archive_experiments, restore_experiments
from pidgin_analytics.archive.format import COLUMNS
from pidgin_analytics.archive.verify import archive_problem

COMMAND = "from pidgin_analytics.command_line import main; main()"
IS_SOAK = settings.get_current_profile_name() == "soak"
KILLS = 30 if IS_SOAK else 1

# What archiving may change: where a row was read from, and fingerprints with it.
PLACES = {
    "events": "is_archived",
    "event_files": "is_archived",
    "experiments": "is_archived, fingerprint",
    "experiment_dashboard": "fingerprint",
}
HISTORY = [{"role": "user", "content": "What now? \ud83d\ude00", "agent_id": "human"}]


def request(maker: Conversation) -> str:
    """Write a request, with the history that only an archive keeps."""
    return as_line(
        maker.event(
            "MessageRequest",
            agent_id="agent_a",
            turn_number=0,
            conversation_history=HISTORY,
        )
    )


def write_experiments(folder: OutputFolder) -> None:
    """Write experiments of every shape, one of which still runs."""
    tea = conversation("conv_tea")
    tea.insert(1, request(Conversation("conv_tea")))
    folder.write("experiments/tea_00000001/events_tea.jsonl", tea)
    # Unreadable lines, a copied line, another line separator, an empty line, bytes
    # that are no text, a byte order mark, half a surrogate pair, a torn last line.
    odd = conversation("conv_odd")
    folder.write(
        "experiments/tea_00000001/events_odd.jsonl",
        "\r\n".join([*odd, odd[2], "no JSON", ""]).encode()
        + b"\n\xff\xfe\n\n[1]\n"
        + as_line(Conversation("conv_odd").message("agent_a", "x")).encode()[:-9],
    )
    folder.write(
        "experiments/tea_00000001/events_mark.jsonl",
        b"\xef\xbb\xbf" + joined(conversation("conv_mark")).rstrip(b"\n"),
    )
    half = json.dumps(Conversation("conv_tea").message("agent_a", "\ud83d")).encode()
    folder.write("experiments/tea_00000001/events_half.jsonl", half + b"\n{\n")
    folder.write("experiments/tea_00000001/empty.jsonl", b"")
    folder.write(
        "experiments/tea_00000001/manifest.json",
        manifest("experiment_00000001", ["conv_tea", "conv_odd"], name="tea"),
    )
    nested = [
        {
            "timestamp": f"2025-06-16T11:13:{second:02}",
            "event_type": event["event_type"],
            "data": {
                key: value
                for key, value in event.items()
                if key not in ("timestamp", "event_type")
            },
        }
        for second, event in enumerate(map(json.loads, conversation("chat_1")))
    ]
    folder.write(
        "conversations/2025-06-16/chat_1/events.jsonl", map(json.dumps, nested)
    )
    folder.write("experiments/it's 100%_00000002/e.jsonl", conversation("conv_quote"))
    folder.write(
        "experiments/run_00000003/e.jsonl", conversation("conv_run", reason=None)
    )
    folder.write(
        "experiments/run_00000003/manifest.json",
        manifest("experiment_00000003", ["conv_run"], status="running"),
    )


@pytest.fixture(scope="module")
def original(
    project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """Build an output folder that is worth archiving."""
    folder = OutputFolder(tmp_path_factory.mktemp("one") / "pidgin's output")
    write_experiments(folder)
    made = project(folder.path)
    made.build_only()
    return made


@pytest.fixture
def built(original: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Take a copy of the warehouse, and the folder as it was written."""
    folder = Path(original.output_dir)
    shutil.rmtree(folder)
    write_experiments(OutputFolder(folder))
    return original.copied(tmp_path_factory.mktemp("project"))


@pytest.fixture
def folder(built: Project) -> OutputFolder:
    """Return the output folder; what is written there from now on is later."""
    return OutputFolder(Path(built.output_dir), _clock=START.timestamp() + 10_000)


def archive(project: Project, *options: str, build: bool = True) -> Outcome:
    """Run the command and insist that it succeeds."""
    outcome = project.command("archive", *options, build=build)
    assert outcome.success, outcome.text
    return outcome


def restore(project: Project, *options: str) -> Outcome:
    """Likewise the other way round."""
    outcome = project.command("restore", *options)
    assert outcome.success, outcome.text
    return outcome


def contents(project: Project) -> dict[str, list[str]]:
    """Return every row of every mart but for where it was read from."""
    with project.opened() as connection:
        marts = connection.execute(
            "select table_name from information_schema.tables"
            # Which is about where they are.
            " where table_schema = 'main' and table_name != 'archive_candidates'"
        ).fetchall()
    return {
        mart: project.rows(
            mart, f"* exclude ({PLACES[mart]})" if mart in PLACES else "*"
        )
        for (mart,) in marts
    }


def files(folder: OutputFolder) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and the time of every log and manifest."""
    return {
        str(path.relative_to(folder.path)): (
            path.read_bytes(),
            int(path.stat().st_mtime),
        )
        for path in folder.path.rglob("*")
        if path.suffix in (".jsonl", ".json")
    }


def archived_experiments(project: Project) -> list[str]:
    rows = project.query(
        "select experiment_id from experiments where is_archived order by 1"
    )
    return [experiment_id for (experiment_id,) in rows]


ARCHIVED = ["chats_2025-06-16", "experiment_00000001", "experiment_00000002"]


def test_marts_stay_as_they_are(built: Project, folder: OutputFolder) -> None:
    """At once, after a build, after a full one, and without the logs."""
    before = contents(built)
    archive(built, build=False)
    assert_same_contents(contents(built), before)
    built.build_only()
    assert_same_contents(contents(built), before)
    held = built.query(f"select distinct source_file from {STORE}")
    assert held == [(str(folder.path / "experiments/run_00000003/e.jsonl"),)]
    built.build_and_test()
    assert archived_experiments(built) == ARCHIVED
    assert_same_contents(contents(built), before)
    built.build_only("--full-refresh")
    assert_same_contents(contents(built), before)
    for log in folder.path.rglob("*.jsonl"):
        if "run_" not in str(log):
            log.unlink()
    built.build_only()
    assert_same_contents(contents(built), before)


def test_nothing_is_read_or_built_again(built: Project, folder: OutputFolder) -> None:
    """Archived logs that are still there are known, and marts keep their rows."""
    archive(built)
    for path in folder.path.rglob("*.parquet"):
        # A file this young would be looked at once more.
        folder.touch(path)
    built.build_only()
    before = built.contents(rowids=True)
    assert built.build_only().logs_read == 0
    assert built.contents(rowids=True) == before


def test_marts_are_not_built_again_for_it(built: Project) -> None:
    """What is computed of conversations does not depend on where they lie."""
    rowid = "select rowid, * from message_metrics order by all"
    before = built.query(rowid)
    archive(built)
    built.build_only()
    assert built.query(rowid) == before


def test_restored_logs_are_the_same_bytes(built: Project, folder: OutputFolder) -> None:
    """Every log and manifest comes back as it was, and with it the marts."""
    marts, logs = contents(built), files(folder)
    archive(built, "--delete-logs")
    assert sorted(files(folder)) == [
        "experiments/run_00000003/e.jsonl",
        "experiments/run_00000003/manifest.json",
        "experiments/tea_00000001/manifest.json",
    ]
    restore(built, *ARCHIVED)
    assert files(folder) == logs
    assert not list(folder.path.rglob("*.parquet"))
    built.build_and_test()
    assert archived_experiments(built) == []
    assert_same_contents(contents(built), marts)


def test_archives_may_stay_when_logs_are_restored(
    built: Project, folder: OutputFolder
) -> None:
    """Then nothing else changes."""
    marts, logs = contents(built), files(folder)
    archive(built, "--delete-logs")
    restore(built, "experiment_00000001", "--keep-archives")
    written = files(folder)
    assert {name: logs[name] for name in written} == written
    assert "experiments/tea_00000001/events_odd.jsonl" in written
    built.build_only()
    assert archived_experiments(built) == ARCHIVED
    assert_same_contents(contents(built), marts)


def test_restoring_overwrites_nothing(built: Project, folder: OutputFolder) -> None:
    """A log that is there with other bytes is named, and stays as it is."""
    archive(built)
    name = "experiments/tea_00000001/events_tea.jsonl"
    folder.append(name, [as_line(Conversation("conv_tea").end())])
    before = files(folder)
    outcome = built.command("restore", "experiment_00000001")
    assert not outcome.success
    assert name in " ".join(outcome.errors)
    assert files(folder) == before
    assert list(folder.path.rglob("*.parquet"))


def test_log_that_goes_on_after_it_was_archived(
    built: Project, folder: OutputFolder, project: ProjectMaker
) -> None:
    """It is read again, counts once, and may be archived once more."""
    archive(built)
    late = Conversation("conv_tea", start=datetime(2026, 4, 1, tzinfo=UTC))
    folder.append(
        "experiments/tea_00000001/events_tea.jsonl",
        [as_line(event) for event in late.turn(7, "Once more?", "Once more.")],
    )
    built.build_and_test()
    fresh = project(folder.path, PIDGIN_ARCHIVE_DIR=str(folder.path / "none"))
    fresh.build_only()
    assert_same_contents(contents(built), contents(fresh))
    archive(built)
    built.build_and_test()
    assert_same_contents(contents(built), contents(fresh))
    assert archived_experiments(built) == ARCHIVED


def test_archive_made_elsewhere(
    built: Project, folder: OutputFolder, project: ProjectMaker, tmp_path: Path
) -> None:
    """A file put into the folder is all that another person needs."""
    marts = contents(built)
    archive(built)
    (tmp_path / "theirs").mkdir()
    for number, path in enumerate(folder.path.rglob("*.parquet")):
        shutil.copy(path, tmp_path / "theirs" / f"from a colleague {number}.parquet")
    (tmp_path / "empty").mkdir()
    other = project(tmp_path / "empty", PIDGIN_ARCHIVE_DIR=str(tmp_path / "theirs"))
    other.build_and_test()
    assert archived_experiments(other) == ARCHIVED
    for mart in ("turn_metrics", "conversation_patterns", "rolling_convergence"):
        rows = set(contents(other)[mart])
        assert rows < set(marts[mart])
        assert rows


def test_damaged_archives_are_named_and_left_out(
    built: Project, folder: OutputFolder
) -> None:
    """All else is built, and what was damaged comes back with the whole file."""
    marts = contents(built)
    archive(built, "--delete-logs")
    built.build_only()
    (path,) = folder.path.rglob("experiment=experiment_00000001/*.parquet")
    whole = path.read_bytes()
    times = path.stat()
    middle = len(whole) // 3
    damaged = {
        "bits": whole[:middle]
        + bytes(255 - byte for byte in whole[middle : middle + 99])
        + whole[middle + 99 :],
        "text": b"not a Parquet file at all",
        "empty": b"",
        "other": other_parquet(folder.path.parent / "other.parquet"),
    }
    for name, content in damaged.items():
        path.with_name(f"{name}.parquet").write_bytes(content)
    path.write_bytes(whole[: len(whole) // 2])
    outcome = built.dbt("build", "--exclude-resource-type", "unit_test")
    assert outcome.success, "\n".join(outcome.errors)
    for name in (path.name, *(f"{name}.parquet" for name in damaged)):
        assert name in outcome.text
    assert (
        built.value("select count(*) from events where conversation_id = 'conv_tea'")
        == 0
    )
    assert archived_experiments(built) == ["chats_2025-06-16", "experiment_00000002"]
    for name in damaged:
        path.with_name(f"{name}.parquet").unlink()
    path.write_bytes(whole)
    os.utime(path, (times.st_atime, times.st_mtime))
    built.build_only()
    assert_same_contents(contents(built), marts)


def other_parquet(path: Path) -> bytes:
    duckdb.sql("select 42 as answer").write_parquet(str(path))
    return path.read_bytes()


def test_hostile_archives(
    built: Project, folder: OutputFolder, project: ProjectMaker, tmp_path: Path
) -> None:
    """An archive cannot bring files that lie or are anything else than Pidgin's."""
    archives = tmp_path / "archives"
    archives.mkdir()
    archive(built)
    (path,) = folder.path.rglob("experiment=experiment_00000002/*.parquet")
    names = ("../../escaped.jsonl", "/etc/escaped.jsonl", "x/.bashrc")
    for number, name in enumerate(names):
        duckdb.execute(
            "copy (select * replace (? as source_file)"
            " from read_parquet(?, hive_partitioning = false)) to"
            f" '{archives}/bad {number}.parquet'"
            " (kv_metadata {pidgin_archive_format: '1'})",
            [name, str(path)],
        )
    (tmp_path / "empty").mkdir()
    other = project(tmp_path / "empty", PIDGIN_ARCHIVE_DIR=str(archives))
    outcome = other.dbt("build", "--exclude-resource-type", "unit_test")
    assert outcome.success, "\n".join(outcome.errors)
    for number in range(len(names)):
        assert f"bad {number}.parquet" in outcome.text
    assert other.query(
        "select count(*) from staging.stg_archive__archives"
        " where problem like '%no log or manifest%'"
    ) == [(len(names),)]
    assert other.value("select count(*) from events") == 0


def test_dry_run(built: Project, folder: OutputFolder) -> None:
    """It names experiments with their sizes, and what keeps others; nothing changes."""
    size = (folder.path / "experiments/it's 100%_00000002/e.jsonl").stat().st_size
    before = built.contents(rowids=True)
    outcome = archive(built, "--dry-run", "--delete-logs")
    assert (
        f"experiment_00000002, {size} bytes of logs: would be archived" in outcome.text
    )
    assert "experiment_00000003" in outcome.text
    assert "it has not ended" in outcome.text
    assert not list(folder.path.rglob("*.parquet"))
    assert built.contents(rowids=True) == before


def test_what_is_not_archived(
    built: Project, folder: OutputFolder, project: ProjectMaker
) -> None:
    """What is too young, changed, gone or shared stays, with the reason."""
    now = datetime.now(UTC) - timedelta(days=29)
    young = "experiments/young_00000009/e.jsonl"
    folder.write(young, conversation("conv_young", start=now))
    folder.write(
        "shared.jsonl",
        [
            *conversation("conv_exp_0000000a_00000001"),
            *conversation("conv_exp_0000000b_00000001"),
        ],
    )
    built.build_only()
    (folder.path / "conversations/2025-06-16/chat_1/events.jsonl").unlink()
    folder.append("experiments/it's 100%_00000002/e.jsonl", ["more"])
    outcome = archive(built)
    assert "experiment_00000009" not in outcome.text
    assert "chats_2025-06-16, " in outcome.text
    assert "events.jsonl is gone" in outcome.text
    assert "e.jsonl has changed since the last build" in outcome.text
    assert "shared.jsonl belongs to exp_0000000a and exp_0000000b" in outcome.text
    built.build_only()
    assert archived_experiments(built) == ["experiment_00000001"]
    archive(built, "--older-than-days", "28", "--experiment", "experiment_00000009")
    built.build_only()
    assert archived_experiments(built) == ["experiment_00000001", "experiment_00000009"]


def test_only_what_is_named_is_deleted(built: Project, folder: OutputFolder) -> None:
    """Logs of other experiments stay, also of archived ones."""
    archive(built)
    before = files(folder)
    archive(built, "--experiment", "experiment_00000002", "--delete-logs")
    assert set(before) - set(files(folder)) == {
        "experiments/it's 100%_00000002/e.jsonl"
    }
    archive(built, "--older-than-days", "10000", "--delete-logs")
    assert len(before) - len(files(folder)) == 1


def test_without_the_plugin(built: Project) -> None:
    """Archives are read all the same, and not written."""
    archive(built)
    events = built.value("select count(*) from events")
    outcome = built.dbt(
        "build", "--target", "plain", "--exclude-resource-type", "unit_test"
    )
    assert outcome.success, "\n".join(outcome.errors)
    assert built.value("select count(*) from events") == events
    plain = replace(built, settings=(("PIDGIN_TARGET", "plain"),))
    for command in (["archive"], ["restore", "x"], ["forget", "x"]):
        outcome = plain.command(*command)
        assert not outcome.success
        assert "use the target dev" in " ".join(outcome.errors)


def test_log_that_is_not_what_was_archived_is_not_deleted(
    built: Project, folder: OutputFolder
) -> None:
    """Size and time may be the same; its bytes decide."""
    archive(built)
    path = folder.path / "experiments/tea_00000001/events_tea.jsonl"
    times = path.stat()
    path.write_bytes(path.read_bytes().replace(b"Hello", b"Hallo"))
    os.utime(path, (times.st_atime, times.st_mtime))
    outcome = archive(built, "--delete-logs")
    assert "it is not what was archived" in outcome.text
    assert path.exists()
    assert not (path.parent / "events_odd.jsonl").exists()


def test_bad_options(built: Project, project: ProjectMaker, tmp_path: Path) -> None:
    """Each gets one sentence."""
    for command in (["archive", "--experiment"], ["restore"]):
        outcome = built.command(*command, "no\x1bne")
        assert not outcome.success
        assert "no such experiment here: no\ufffdne" in " ".join(outcome.errors)
    outcome = project(tmp_path / "nothing").command("archive")
    assert not outcome.success
    assert "run `dbt build` first" in " ".join(outcome.errors)
    for days in (-1, float("nan")):
        with pytest.raises(ArchiveError, match="must be a number of days"):
            archive_experiments(older_than_days=days)
    with pytest.raises(ArchiveError, match="must be a list"):
        restore_experiments("experiment_00000001")


def test_a_warehouse_of_another_version(built: Project) -> None:
    """One sentence says so, whichever command misses what this version makes."""
    with duckdb.connect(str(built.warehouse)) as connection:
        connection.execute("drop view archive_candidates")
        connection.execute("drop macro table intermediate.int_lines_to_forget")
        connection.execute("drop table staging.stg_archive__archives")
    for command in (
        ["archive"],
        ["forget", "experiment_00000001"],
        ["restore", "experiment_00000001"],
    ):
        outcome = built.command(*command)
        assert not outcome.success
        assert "is of another version" in " ".join(outcome.errors)


def test_tables_older_than_the_event_store(
    built: Project, folder: OutputFolder
) -> None:
    """What a partial build left behind is not archived."""
    late = Conversation("conv_tea", start=datetime(2026, 4, 1, tzinfo=UTC))
    folder.append("experiments/tea_00000001/events_tea.jsonl", [as_line(late.begin())])
    built.build_only("--select", "+stg_pidgin__event_lines")
    outcome = built.command("archive")
    assert not outcome.success
    assert "run `dbt build` first" in " ".join(outcome.errors)
    assert not list(folder.path.rglob("*.parquet"))


def test_experiment_archived_in_several_states(
    built: Project, folder: OutputFolder
) -> None:
    """The last state counts, and restoring it leaves none of the others behind."""
    name = "experiments/it's 100%_00000002/e.jsonl"
    archive(built)
    path = folder.append(name, [as_line(Conversation("conv_quote").end("error"))])
    # As from a copy that was made before.
    os.utime(path, (START.timestamp() - 99, START.timestamp() - 99))
    built.build_only()
    marts, logs = contents(built), files(folder)
    archive(built, "--delete-logs")
    assert_same_contents(contents(built), marts)
    built.build_only()
    assert_same_contents(contents(built), marts)
    assert len(list(folder.path.rglob("experiment=experiment_00000002/*"))) == 2
    restore(built, *ARCHIVED)
    assert files(folder) == logs
    built.build_only()
    assert archived_experiments(built) == []
    assert_same_contents(contents(built), marts)


def test_names_that_a_pattern_could_mean(project: ProjectMaker, tmp_path: Path) -> None:
    """Wildcards and control characters in names are only characters."""
    folder = OutputFolder(tmp_path / "[ab]?*")
    long = "\u8336" * 28
    folder.write("manifest.json", manifest("experiment_\x1b[31mred", ["conv_a"]))
    folder.write("e.jsonl", conversation("conv_a"))
    folder.write(f"{long}/e.jsonl", conversation("conv_long"))
    built = project(folder.path)
    built.build_only()
    marts, logs = contents(built), files(folder)
    outcome = archive(built, "--delete-logs")
    assert "experiment_\ufffd[31mred" in outcome.text
    assert "\x1b[31mred" not in outcome.text
    paths = list(folder.path.rglob("*.parquet"))
    for path, name in zip(paths, ("r1.parquet", "r[1].parquet"), strict=True):
        path.rename(folder.path / "archive" / name)
    built.build_only()
    assert_same_contents(contents(built), marts)
    (folder.path / "manifest.json").write_text("{}")
    ids = ["experiment_\x1b[31mred", long]
    restore(built, *ids)
    logs["manifest.json"] = files(folder)["manifest.json"]
    assert files(folder) == logs


def test_archives_of_another_shape(built: Project, folder: OutputFolder) -> None:
    """They are named, and everything else is built."""
    archive(built)
    (path,) = folder.path.rglob("experiment=experiment_00000002/*.parquet")
    changes = (
        "* exclude (line_kind)",
        "*, 1 as filename",
        "* replace (1 as source_file)",
        "* replace (uuid() as event_id)",
    )
    for number, change in enumerate(changes):
        other = str(path.with_name(f"other {number}.parquet")).replace("'", "''")
        duckdb.execute(
            f"copy (select {change} from read_parquet(?, hive_partitioning = false))"
            f" to '{other}' (kv_metadata {{pidgin_archive_format: '1'}})",
            [str(path)],
        )
    path.unlink()
    outcome = built.dbt("build", "--exclude-resource-type", "unit_test")
    assert outcome.success, "\n".join(outcome.errors)
    for number in range(len(changes)):
        assert f"other {number}.parquet" in outcome.text
    assert archived_experiments(built) == ["chats_2025-06-16", "experiment_00000001"]


def test_queries_pass_over_other_archives(built: Project) -> None:
    """A query for one experiment or one time reads no other archive's lines."""
    archive(built)
    built.build_only()
    for condition in (
        "experiment_id = 'chats_2025-06-16'",
        "event_date = date '2025-06-16'",
        "timestamp < timestamptz '2025-06-17 00:00:00+00'",
    ):
        assert scanned_rows(built, "true") > scanned_rows(built, condition) == 10


def scanned_rows(project: Project, condition: str) -> int:
    """Count the rows that a query takes out of Parquet files."""
    with project.opened() as connection:
        ((_, profile),) = connection.execute(
            "explain (analyze, format json)"
            f" select count(event_data) from events where {condition}"
        ).fetchall()

    # DuckDB 1.5 and 2.0 name the same things differently.
    def count(node: dict[str, Any]) -> int:
        children = node.pop("children", []) or node.pop("operator", [])
        rows = node.get("operator_cardinality") or node.get("intermediate_rows") or 0
        return (rows if "PARQUET" in str(node) else 0) + sum(map(count, children))

    return count(json.loads(profile))


LINES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [line.encode() for line in conversation("conv_a") + conversation("conv_b")]
    ),
)


# Each is two builds, so the suite tries few, and looks for no simpler one that fails.
@settings(
    max_examples=50 if IS_SOAK else 3,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    logs=st.lists(
        st.lists(
            st.tuples(LINES, st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b""]))
        ),
        min_size=12,
        max_size=24,
    )
)
def test_any_log_comes_back(
    project: ProjectMaker,
    tmp_path_factory: pytest.TempPathFactory,
    logs: list[list[tuple[bytes, bytes]]],
) -> None:
    """Whatever its bytes are, it comes back the same, and so do the marts."""
    folder = OutputFolder(tmp_path_factory.mktemp("any") / "output")
    folder.write("x_00000001/events.jsonl", conversation("conv_x"))
    for number, lines in enumerate(logs):
        content = b"".join(line + separator for line, separator in lines)
        folder.write(f"x_00000001/{number}.jsonl", content)
    # conv_a and conv_b have ended, too.
    folder.write(
        "x_00000001/ends.jsonl", conversation("conv_a") + conversation("conv_b")
    )
    built = project(folder.path)
    built.build_only()
    marts, before = contents(built), files(folder)
    archive(built, "--delete-logs")
    assert files(folder) == {}
    built.build_only()
    assert_same_contents(contents(built), marts)
    restore(built, "experiment_00000001")
    assert files(folder) == before


@pytest.mark.parametrize("number", range(KILLS))
def test_kill(built: Project, folder: OutputFolder, number: int) -> None:
    """Killed anywhere, each line is still there once, and a second run completes it."""
    marts, logs = contents(built), files(folder)
    process = built.python_process(COMMAND, "archive", "--delete-logs")
    # From where the first file is written into the build.
    while process.poll() is None and not (folder.path / "archive").exists():
        time.sleep(0.001)
    time.sleep(random.random() * (number + 1) / KILLS * 1.5)
    process.kill()
    process.communicate()
    assert_same_contents(contents(built), marts)
    built.build_only()
    assert_same_contents(contents(built), marts)
    archive(built, "--delete-logs")
    assert_same_contents(contents(built), marts)
    built.build_and_test()
    assert archived_experiments(built) == ARCHIVED
    restore(built, *ARCHIVED)
    assert files(folder) == logs


# Ends at one of its calls of the database and of the file system, as a kill would.
STOPPED = """
import os, sys
from pidgin_analytics import archive_experiments, forget, restore_experiments
operation, stop, *arguments = sys.argv[1:]
calls = 0
def count(frame, event, call):
    global calls
    if event == "c_call" and call.__name__ in (
        "execute", "fsync", "mkdir", "open", "replace", "rename", "unlink", "write"
    ):
        calls += 1
        if calls > int(stop):
            os._exit(9)
sys.setprofile(count)
build = lambda: None
if operation == "archive":
    archive_experiments(delete_logs=arguments == ["delete"], build=build)
else:
    restore_experiments(arguments, build=build)
sys.setprofile(None)
"""


def stopped(project: Project, operation: str, number: int, *arguments: str) -> bool:
    """Run an operation that ends at a call; return whether it came so far."""
    process = project.python_process(STOPPED, operation, str(number), *arguments)
    said, _ = process.communicate()
    assert process.returncode in (0, 9), said
    return process.returncode == 9


def steps(last: int) -> Iterator[int]:
    """Count calls, all of them or a few."""
    yield from range(0, last, 1 if IS_SOAK else last // 4)


def test_stop_at_every_step_of_archiving(built: Project, folder: OutputFolder) -> None:
    """As if killed before each of its calls, from the first on."""
    marts = contents(built)
    was_stopped = []
    for number in steps(120):
        project = built.copied(built.home.parent / f"stopped {number}")
        shutil.rmtree(folder.path / "archive", ignore_errors=True)
        was_stopped.append(stopped(project, "archive", number))
        assert_same_contents(contents(project), marts)
        archive(project)
        assert_same_contents(contents(project), marts)
        assert archived_experiments(project) == ARCHIVED
        assert not list(folder.path.rglob("*.part"))
    assert sum(was_stopped) > 2


def test_stop_at_every_step_of_deleting_and_restoring(
    built: Project, folder: OutputFolder
) -> None:
    """Likewise; no byte is lost on the way, and nothing counts twice."""
    marts, logs = contents(built), files(folder)
    was_stopped = []
    archive(built)
    for number in steps(40):
        was_stopped.append(stopped(built, "archive", number, "delete"))
        built.build_only()
        assert_same_contents(contents(built), marts)
        archive(built, "--delete-logs")
        was_stopped.append(stopped(built, "restore", 3 * number, *ARCHIVED))
        built.build_only()
        assert_same_contents(contents(built), marts)
        held = archived_experiments(built)
        if held:
            restore(built, *held)
        assert files(folder) == logs
        assert_same_contents(contents(built), marts)
        archive(built)
    assert sum(was_stopped) > 4


def test_a_damaged_archive_is_left_alone(built: Project, folder: OutputFolder) -> None:
    """Whatever lies under the name of an archive, nothing takes its place."""
    logs = files(folder)
    archive(built)
    built.build_only()
    (path,) = folder.path.rglob("experiment=experiment_00000001/*.parquet")
    (other,) = folder.path.rglob("experiment=experiment_00000002/*.parquet")
    whole = path.read_bytes()
    middle = whole.index(b"PAR1", 4) // 2
    damaged = {
        "truncated": whole[: len(whole) // 2],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "empty": b"",
        "text": b"not a Parquet file at all",
        "foreign": other_parquet(folder.path.parent / "other.parquet"),
        "another archive": other.read_bytes(),
        "without rows": without_rows(path, folder.path.parent / "none.parquet"),
    }
    for name, content in damaged.items():
        path.write_bytes(content)
        folder.touch(path)
        # The warehouse does not know yet, and then it does.
        for is_known in (False, True):
            if is_known:
                built.build_only()
            outcome = built.command("archive", "--delete-logs", build=False)
            if is_known:
                assert not outcome.success, name
                assert f"{path} is there and " in " ".join(outcome.errors), name
                assert "experiment_00000001" in outcome.text
            restored = built.command("restore", "experiment_00000001")
            assert not restored.success, name
            assert str(path) in restored.text or "no such experiment" in restored.text
            forgotten = built.command("forget", "--dry-run", "experiment_00000002")
            if is_known and name != "another archive":
                assert f"archive {path} cannot be read" in forgotten.text, name
            assert path.read_bytes() == content, name
            kept = files(folder)
            assert (
                kept["experiments/tea_00000001/events_tea.jsonl"]
                == (logs["experiments/tea_00000001/events_tea.jsonl"])
            )
        assert not list(folder.path.rglob("*.part"))
    path.unlink()
    archive(built)
    assert archived_experiments(built) == ARCHIVED


def test_every_byte_of_an_archive_counts(built: Project, folder: OutputFolder) -> None:
    """One bit that is another is found, wherever it is, and so is any missing end."""
    archive(built, build=False)
    (path,) = folder.path.rglob("experiment=experiment_00000002/*.parquet")
    assert archive_problem(str(path)) is None
    whole = path.read_bytes()
    step = 1 if IS_SOAK else 101
    for position in (*range(0, len(whole), step), *range(len(whole) - 12, len(whole))):
        flipped = whole[position] ^ (1 << position % 8)
        path.write_bytes(whole[:position] + bytes([flipped]) + whole[position + 1 :])
        assert archive_problem(str(path)), position
        path.write_bytes(whole[:position])
        assert archive_problem(str(path)), position


def without_rows(archive: Path, path: Path) -> bytes:
    """Make a whole Parquet file with the columns of an archive and no row."""
    duckdb.execute(
        "copy (from read_parquet(?, hive_partitioning = false) limit 0) to"
        f" '{str(path).replace(chr(39), chr(39) * 2)}'"
        " (kv_metadata {pidgin_archive_format: '2'})",
        [str(archive)],
    )
    return path.read_bytes()


def test_what_would_be_archived_can_be_asked(
    built: Project, folder: OutputFolder
) -> None:
    """The view says what the command does, before and after."""
    size = (folder.path / "experiments/it's 100%_00000002/e.jsonl").stat().st_size
    asked = (
        "select experiment_id, log_count, log_bytes, obstacle from archive_candidates"
        " where experiment_id != 'experiment_00000001' order by all"
    )
    ((chats, *_), quoted, running) = built.query(asked)
    assert chats == "chats_2025-06-16"
    assert quoted == ("experiment_00000002", 1, size, None)
    assert running[0] == "experiment_00000003"
    assert running[3] == "it has not ended"
    archive(built)
    assert built.query(asked)[1] == (
        *("experiment_00000002", 0, 0),
        "it is archived already",
    )


def test_one_module_knows_the_columns(built: Project) -> None:
    """What is read of archives is what is declared, with or without any."""

    def columns(relation: str) -> dict[str, str]:
        found = built.query(f"describe from {relation}")
        return {name: type_ for name, type_, *_ in found}

    declared = columns("staging.stg_archive__lines")
    archive(built)
    read = columns("staging.stg_archive__lines")
    assert list(read.items()) == list(declared.items())
    kept = {
        name: type_
        for name, type_ in COLUMNS.items()
        if name not in ("line", "is_terminated", "archived_at", "logged_experiment_id")
    }
    places = {"archived_experiment_id": "VARCHAR", "archive_file": "VARCHAR"}
    assert read == kept | places
