"""What was known at a moment is what the logs that were there then give.

Each cut takes an output folder back to a moment: lines that were not written yet are
emptied, logs and manifests that were not there yet are deleted. A fresh build over that
must equal a build over the whole folder that is asked for the moment, and what the two
functions say of it.

A cut takes as long as two builds, so the suite tries few; `make soak` tries many.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ProjectMaker
from harness import STORE, WITHOUT_TESTS, Outcome, Project, assert_same_contents
from history import (
    WITHOUT_TESTS_AND_SEEDS,
    Change,
    Inputs,
    Story,
    Write,
    WriteManifest,
    changes,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from log_oracle import files_below, parse_time, read_lines, split_lines
from log_writer import START, OutputFolder, conversation, manifest

from pidgin_analytics.dbt_plugin import copy_warehouse

IS_SOAK = settings.get_current_profile_name() == "soak"
PARTS = 10 if IS_SOAK else 1
CUTS = 5 if IS_SOAK else 2
# 40 folders of five cuts each in a soak.
FOLDERS = settings(
    max_examples=4 if IS_SOAK else 1, suppress_health_check=list(HealthCheck)
)
# Size and time are those of the log as it is now.
MARTS = {"event_files": "* exclude (size_bytes, modified_at)"}


@dataclass(frozen=True)
class PastProject(Project):
    """A project that shows a past moment."""

    moment: str = ""

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that is built, beside that of the present."""
        name = re.sub("[^0-9A-Za-z]", "_", self.moment)
        return self.home / f"pidgin_as_of_{name}.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """The same, since the moment is a variable."""
        return Project(self.output_dir, self.home, self.settings).environment

    def dbt(self, *command: str) -> Outcome:
        """Run a dbt command for the moment."""
        return super().dbt(*command, "--vars", json.dumps({"as_of": self.moment}))


def at(project: Project, moment: datetime | str) -> PastProject:
    """Make the project that shows a moment."""
    return PastProject(project.output_dir, project.home, project.settings, str(moment))


def contents(project: Project) -> dict[str, list[str]]:
    """Return every row of every mart."""
    marts = project.query(
        "select table_name from information_schema.tables where table_schema = 'main'"
    )
    return {mart: project.rows(mart, MARTS.get(mart, "*")) for (mart,) in marts}


def states(project: Project, moment: datetime) -> dict[str, list[str]]:
    """Return what the functions say of a moment."""
    return {
        name: project.rows(f"{name}_as_of(timestamptz '{moment}')")
        for name in ("conversation_state", "experiment_dashboard")
    }


def present_states(project: Project) -> dict[str, list[str]]:
    """Return the tables that the functions are of."""
    return {
        name: project.rows(name, "* exclude (fingerprint)")
        for name in ("conversation_state", "experiment_dashboard")
    }


def cut_log(path: Path, moment: datetime) -> None:
    """Take a log back to a moment, or delete it if it was not there."""
    lines = read_lines(path)
    modified = path.stat().st_mtime
    times = [line.event.timestamp for line in lines if line.event is not None]
    known = [time for time in times if time is not None]
    begin = min(known, default=datetime.fromtimestamp(modified, UTC))
    if begin > moment:
        path.unlink()
        return
    kept = []
    is_later = False
    raw_lines = split_lines(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    for line, (raw, is_terminated) in zip(lines, raw_lines, strict=True):
        if line.event is None:
            is_known = not is_later
        else:
            time = line.event.timestamp
            is_known = time is not None and time <= moment
            is_later = is_later or (time is not None and time > moment)
        kept.append((raw if is_known else b"") + (b"\n" if is_terminated else b""))
    path.write_bytes(b"".join(kept))
    os.utime(path, (modified, modified))


def cut_manifest(path: Path, moment: datetime) -> None:
    """Take a manifest back to a moment, as far as it says when something became so."""
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        return
    listed = manifest["conversations"].values()
    updates = [parse_time(each["last_updated"], "UTC") for each in listed]
    created = parse_time(manifest["created_at"], "UTC")
    if created is not None and created > moment:
        path.unlink()
        return
    if max(time for time in [created, *updates] if time is not None) > moment:
        manifest.pop("status", None)
        manifest.pop("error", None)
    for each, time in zip(listed, updates, strict=True):
        if time is None or time > moment:
            each.pop("status", None)
            each.pop("error", None)
    path.write_text(json.dumps(manifest))


def cut(folder: Path, moment: datetime) -> None:
    """Take an output folder back to a moment."""
    for path in files_below(folder, ".jsonl"):
        cut_log(path, moment)
    for path in files_below(folder, "manifest.json"):
        cut_manifest(path, moment)


def event_times(folder: Path) -> list[datetime]:
    """Find every moment at which something was logged."""
    return sorted(
        {
            line.event.timestamp
            for path in files_below(folder, ".jsonl")
            for line in read_lines(path)
            if line.event is not None and line.event.timestamp is not None
        }
    )


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory, project: ProjectMaker) -> Project:
    """Make a warehouse that holds the seeds, which do not change here, and no more."""
    made = project(tmp_path_factory.mktemp("travels") / "pidgin_output")
    assert made.dbt("seed").success
    return made


def assert_cut_equals_past(
    whole: Project, seeded: Project, home: Path, moment: datetime
) -> None:
    """Compare a moment of a folder with a build over the folder of that moment."""
    folder = Path(whole.output_dir)
    past = at(whole, moment)
    past.build(*WITHOUT_TESTS_AND_SEEDS)
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    shutil.copy(seeded.warehouse, home)
    then = replace(seeded, home=home)
    try:
        cut(folder, moment)
        then.build(*WITHOUT_TESTS_AND_SEEDS)
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)
    assert_same_contents(contents(past), contents(then))
    assert_same_contents(states(whole, moment), present_states(then))
    # Of its own moment the past says what its tables do.
    assert_same_contents(states(past, moment), present_states(past))
    past.warehouse.unlink()
    shutil.rmtree(home)


# Conversations of several eras that begin at various times, and trouble with files.
FIRST_CHANGES: list[Change] = [
    Write("experiments/one_00000001/events_a.jsonl", Story("a", 3)),
    Write(
        "experiments/two_00000002/events/b.jsonl",
        Story("b", 3, is_ended=False),
        Story("c", 2),
    ),
    Write(
        "conversations/2025-06-16/111324_e4tgs/events.jsonl",
        Story("c", 3, is_nested=True),
    ),
    WriteManifest(
        "experiments/two_00000002/manifest.json", 2, ("b", "c"), "two", "failed", 3
    ),
]


@pytest.mark.parametrize("part", range(PARTS))
def test_any_cut(
    seeded: Project, tmp_path_factory: pytest.TempPathFactory, part: int
) -> None:
    """The past of any folder is what a build over its past gives."""
    folder = Path(seeded.output_dir)

    @FOLDERS
    @given(
        st.lists(changes, max_size=20),
        st.lists(st.integers(0, 10_000), min_size=CUTS, max_size=CUTS),
        st.integers(-1, 1),
    )
    def compare(happenings: list[Change], places: list[int], offset: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        inputs = Inputs(OutputFolder(folder))
        for change in [*FIRST_CHANGES, *happenings]:
            change.apply(inputs)
        whole = replace(seeded, home=tmp_path_factory.mktemp("project"))
        shutil.copy(seeded.warehouse, whole.home)
        whole.build(*WITHOUT_TESTS_AND_SEEDS)
        # Moments of events, where one event more or less shows, and those beside them;
        # and when the manifests were written.
        times = [*event_times(folder), START + timedelta(hours=1)]
        for place in places:
            moment = times[place % len(times)] + timedelta(microseconds=offset)
            home = tmp_path_factory.mktemp("project")
            assert_cut_equals_past(whole, seeded, home, moment)
        shutil.rmtree(whole.home)

    compare()


@pytest.fixture(scope="module")
def built(project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build two experiments, one of which begins a day later."""
    folder = OutputFolder(tmp_path_factory.mktemp("past") / "pidgin_output")
    early = "experiments/early_00000001"
    late = "experiments/late_00000002"
    folder.write(f"{early}/events_a.jsonl", conversation("conv_a"))
    folder.write(
        f"{early}/events_b.jsonl",
        conversation("conv_b", start=START + timedelta(hours=1)),
    )
    folder.write(
        f"{late}/events_c.jsonl",
        conversation("conv_c", start=START + timedelta(days=1)),
    )
    for path, number, names, day in ((early, 1, "ab", 0), (late, 2, "c", 1)):
        folder.write(
            f"{path}/manifest.json",
            manifest(
                f"experiment_0000000{number}",
                [f"conv_{name}" for name in names],
                created_at=(START + timedelta(days=day)).isoformat(),
            ),
        )
    made = project(folder.path)
    made.build_only()
    return made


@pytest.fixture
def present(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Take a copy of the warehouse."""
    home = tmp_path_factory.mktemp("project")
    shutil.copy(built.warehouse, home)
    return replace(built, home=home)


def test_present_is_not_touched(present: Project) -> None:
    """The past has a file of its own, and only its conversations are computed anew."""
    before = present.warehouse.read_bytes()
    past = at(present, START + timedelta(hours=2))
    past.build_and_test()
    assert present.warehouse.read_bytes() == before
    assert sorted(path.name for path in present.home.glob("*.duckdb*")) == sorted(
        [present.warehouse.name, past.warehouse.name]
    )
    assert past.query("select experiment_id from experiments") == [
        ("experiment_00000001",)
    ]
    # Rows of conversations that had ended lie where the copy had them.
    kept = "conversation_id != 'conv_c'"
    for mart in ("turn_metrics", "message_metrics", "conversations"):
        rows = f"select rowid, * from {mart} where {kept} order by all"
        assert past.query(rows) == present.query(rows) != []


def test_before_and_after_everything(present: Project) -> None:
    """There was nothing before the first event, and all is there after the last."""
    before = at(present, START - timedelta(days=1))
    before.build_and_test()
    assert not any(contents(before).values())
    after = at(present, START + timedelta(days=9))
    after.build_and_test()
    assert_same_contents(contents(after), contents(present))


def test_second_moment_and_second_build(present: Project) -> None:
    """Each moment has its file; building one again changes nothing."""
    first = at(present, START + timedelta(seconds=5))
    second = at(present, START + timedelta(hours=1, seconds=5))
    for past in (first, second):
        past.build_only()
    counts = [
        past.value("select count(*) from turn_metrics") for past in (first, second)
    ]
    assert counts == [1, 3]
    rows = second.contents(rowids=True)
    second.build_only()
    assert second.contents(rowids=True) == rows


def test_events_whose_log_is_gone(present: Project) -> None:
    """What only the present warehouse still knows is part of the past, too."""
    folder = Path(present.output_dir)
    log = folder / "experiments/early_00000001/events_a.jsonl"
    content, modified = log.read_bytes(), log.stat().st_mtime
    log.unlink()
    try:
        past = at(present, START + timedelta(hours=2))
        past.build_only()
    finally:
        log.write_bytes(content)
        os.utime(log, (modified, modified))
    assert past.query("select conversation_id from conversations order by 1") == [
        ("conv_a",),
        ("conv_b",),
    ]


def test_what_a_killed_build_left_is_copied(present: Project) -> None:
    """A warehouse may have its last changes in a file beside it."""
    with duckdb.connect(str(present.warehouse)) as connection:
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute(f"delete from {STORE} where source_file like '%events_a%'")
    assert present.warehouse.with_suffix(".duckdb.wal").exists()
    copy = present.home / "copy.duckdb"
    copy_warehouse(present.warehouse, copy)
    with duckdb.connect(str(copy), read_only=True) as connection:
        left = connection.execute(
            f"select count(*) from {STORE} where source_file like '%events_a%'"
        ).fetchone()
        views = connection.execute(
            "select view_name from duckdb_views() where not internal"
        ).fetchall()
    assert (left, views) == ((0,), [])
    assert present.warehouse.with_suffix(".duckdb.wal").exists()
    assert sorted(path.suffix for path in present.home.glob("copy*")) == [".duckdb"]


def test_archived_experiments_have_a_past(present: Project) -> None:
    """A moment is the same whether its events are archived or not."""
    moment = START + timedelta(hours=1, seconds=5)
    expected = states(present, moment)
    past = at(present, moment)
    past.build_only()
    tables = contents(past)
    past.warehouse.unlink()
    archived = present.dbt("run-operation", "archive_experiments")
    assert archived.success, archived.text
    try:
        assert present.value("select bool_and(is_archived) from events")
        assert states(present, moment) == expected
        past.build_only()
        for mart in ("messages", "turn_metrics", "conversations", "rejected_lines"):
            assert past.rows(mart) == tables[mart]
    finally:
        shutil.rmtree(Path(present.output_dir) / "archive")


def test_past_is_not_archived(present: Project) -> None:
    """An archive of the past would be an archive that lacks events."""
    past = at(present, START + timedelta(hours=2))
    past.build_only()
    refused = past.dbt("run-operation", "archive_experiments")
    assert not refused.success
    assert "shows a past moment" in refused.text
    # Nor where somebody takes it for a warehouse of the present.
    taken = replace(
        present,
        settings=(("PIDGIN_WAREHOUSE", str(past.warehouse)),),
    )
    refused = taken.dbt("run-operation", "archive_experiments")
    assert not refused.success
    assert "shows a past moment" in refused.text
    assert not (Path(present.output_dir) / "archive").exists()


@pytest.mark.parametrize("moment", ["soon", "infinity", "2026-02-30", "'; select 1"])
def test_no_moment(present: Project, moment: str) -> None:
    """It is named in one sentence."""
    outcome = at(present, moment).dbt("build", *WITHOUT_TESTS)
    assert not outcome.success
    assert f"as_of is {moment}, which is no moment" in outcome.text


def test_moment_as_yaml_reads_it(present: Project) -> None:
    """A moment without quotes is a date to YAML."""
    outcome = present.build(*WITHOUT_TESTS, "--vars", "as_of: 2026-03-02")
    assert outcome.success
    (path,) = present.home.glob("pidgin_as_of_2026_03_02*.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute("select count(*) from conversations").fetchone()
    assert found == (2,)


def test_without_the_plugin(present: Project) -> None:
    """The logs are read anew; without Python nothing copies the present."""
    past = at(present, START + timedelta(hours=2))
    outcome = past.build(*WITHOUT_TESTS, "--target", "plain")
    assert outcome.success
    assert past.value("select count(*) from conversations") == 2
