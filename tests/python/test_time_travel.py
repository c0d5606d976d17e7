"""What was known at a moment is what the logs that were there then give.

Each cut takes an output folder back to a moment: lines that were not written yet are
emptied, logs and manifests that were not there yet are deleted. A fresh build over that
must equal a build over the whole folder that is asked for the moment, and what the two
functions say of it.

A cut takes as long as a build or two, so the suite tries few; `make soak` tries many.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ProjectMaker
from helpers.harness import STORE, WITHOUT_TESTS, Project, assert_same_contents
from helpers.history import (
    WITHOUT_TESTS_AND_SEEDS,
    Change,
    Grow,
    Inputs,
    Late,
    Move,
    Spoil,
    Story,
    Write,
    WriteManifest,
    changes,
)
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from oracles.logs import LOGS, files_below, parse_time, read_lines, split_lines
from writers.logs import START, OutputFolder, conversation, manifest

from pidgin_analytics.dbt_plugin import attach_file, copy_stores
from pidgin_analytics.publishing import working_file

IS_SOAK = settings.get_current_profile_name() == "soak"
PARTS = 10 if IS_SOAK else 1
CUTS = 5 if IS_SOAK else 2
# 50 folders of five cuts each in a soak, the first of each part the simplest. The first
# of the cuts is compared with all tables as of that moment, too.
FOLDERS = settings(
    max_examples=5,
    phases=[Phase.explicit, Phase.generate] if IS_SOAK else [Phase.explicit],
    suppress_health_check=list(HealthCheck),
)
# Size and time are those of the log as it is now.
MARTS = {"event_files": "* exclude (size_bytes, modified_at)"}
# What archiving changes.
PLACES = {
    "events": "is_archived",
    "event_files": "is_archived",
    "experiments": "is_archived, fingerprint",
    "experiment_dashboard": "fingerprint",
}


@dataclass(frozen=True)
class PastProject(Project):
    """A project that shows a past moment."""

    moment: str = ""

    @property
    def published(self) -> Path:
        """The DuckDB file that people open, beside that of the present."""
        name = re.sub("[^0-9A-Za-z+.-]", "_", self.moment)
        return self.home / f"pidgin_as_of_{name}.duckdb"

    @property
    def variables(self) -> dict[str, str]:
        """The moment."""
        return {"as_of": self.moment}


def at(project: Project, moment: datetime | str) -> PastProject:
    """Make the project that shows a moment; it begins with what is published."""
    if project.warehouse.exists():
        shutil.copy2(project.warehouse, project.published)
    return PastProject(project.output_dir, project.home, project.settings, str(moment))


def contents(project: Project) -> dict[str, list[str]]:
    """Return every row of every mart but that of the logs as they are now."""
    marts = project.query(
        "select table_name from information_schema.tables"
        " where table_schema = 'main' and table_name != 'archive_candidates'"
    )
    return {mart: project.rows(mart, MARTS.get(mart, "*")) for (mart,) in marts}


def without_places(project: Project) -> dict[str, list[str]]:
    """Return every row of every mart but for where it was read from."""
    return {
        mart: project.rows(
            mart, f"* exclude ({PLACES[mart]})" if mart in PLACES else "*"
        )
        for mart in contents(project)
    }


def states(project: Project, moment: datetime) -> dict[str, list[str]]:
    """Return what the functions say of a moment."""
    return {
        name: project.rows(f"{name}_as_of(timestamptz '{moment}')")
        for name in ("conversation_state", "experiment_dashboard")
    }


def present_states(project: Project) -> dict[str, list[str]]:
    """Return the tables that the functions are of, as far as these go."""
    return {
        name: project.rows(name, ", ".join(columns_as_of(project, name)))
        for name in ("conversation_state", "experiment_dashboard")
    }


def columns_as_of(project: Project, name: str) -> list[str]:
    """Name the columns of a table that its function has, too."""
    function = f"{name}_as_of(timestamptz '{START}')"
    return [column for (column, *_) in project.query(f"describe from {function}")]


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
    for number, (raw, is_terminated) in enumerate(raw_lines, start=1):
        events = [line.event for line in lines if line.line_number == number]
        times = [event.timestamp for event in events if event is not None]
        known = [time for time in times if time is not None]
        if not times:
            is_known = not is_later
        else:
            is_known = bool(known) and max(known) <= moment
            is_later = is_later or (bool(known) and max(known) > moment)
        kept.append((raw if is_known else b"") + (b"\n" if is_terminated else b""))
    path.write_bytes(b"".join(kept))
    os.utime(path, (modified, modified))


def cut_manifest(path: Path, moment: datetime) -> None:
    """Take a manifest back to a moment, as far as it says when something became so."""
    modified = path.stat().st_mtime
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError:
        if datetime.fromtimestamp(modified, UTC) > moment:
            path.unlink()
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
    os.utime(path, (modified, modified))


def cut(folder: Path, moment: datetime) -> None:
    """Take an output folder back to a moment."""
    for path in files_below(folder, LOGS):
        cut_log(path, moment)
    for path in files_below(folder, r"manifest\.json"):
        cut_manifest(path, moment)


def event_times(folder: Path) -> list[datetime]:
    """Find every moment at which something was logged."""
    return sorted(
        {
            line.event.timestamp
            for path in files_below(folder, LOGS)
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


def memberships(project: Project) -> set[tuple[str, str]]:
    """Say which conversation belongs to which experiment."""
    return set(
        project.query("select conversation_id, experiment_id from conversations")
    )


def assert_cut_equals_past(
    whole: Project, seeded: Project, home: Path, moment: datetime, *, is_built: bool
) -> None:
    """Compare a moment of a folder with a build over the folder of that moment.

    What the functions say is compared, and all tables as of the moment, if these are
    to be built.
    """
    folder = Path(whole.output_dir)
    past = at(whole, moment)
    if is_built:
        past.build_only()
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    then = seeded.copied(home)
    try:
        cut(folder, moment)
        then.build(*WITHOUT_TESTS_AND_SEEDS)
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)
    said, expected = states(whole, moment), present_states(then)
    if not memberships(then) <= memberships(whole):
        # A manifest that came later moved a conversation, which the function knows.
        del said["experiment_dashboard"], expected["experiment_dashboard"]
    assert_same_contents(said, expected)
    if is_built:
        assert_same_contents(contents(past), contents(then))
        # Of its own moment the past says what its tables do.
        assert_same_contents(states(past, moment), present_states(past))
        past.warehouse.unlink()
    shutil.rmtree(home)


# Conversations of several eras, in shared, copied and spoilt logs, with events that are
# late or have no time, and a manifest that was written after half of it.
ALL_SORTS: list[Change] = [
    Write("experiments/one_00000001/events_a.jsonl", Story("a", 3)),
    Write(
        "experiments/two_00000002/events/b.jsonl",
        Story("b", 3, is_ended=False),
        Story("c", 2),
    ),
    Write(
        "conversations/2025-06-16/111324_e4tgs/events.jsonl",
        Story("d", 3, is_nested=True),
    ),
    WriteManifest(
        "experiments/two_00000002/manifest.json", 2, ("b", "c"), "two", "failed", 3
    ),
    Spoil(1, b"{broken\n"),
    Late(1, "a", 9),
    Late(2, "b", None),
    Spoil(2, b"\xff\xfe\n"),
    Grow(1, Story("a", 3, is_ended=False), 3, missing=20),
    Move(1, 3, is_copy=True),
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
        st.lists(st.floats(0, 1), min_size=CUTS, max_size=CUTS),
        st.integers(-1, 1),
        st.integers(0, 20),
    )
    @example(happenings=[], places=[0.3, 0.8], offset=0, seconds=4)
    def compare(
        happenings: list[Change], places: list[float], offset: int, seconds: int
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        inputs = Inputs(OutputFolder(folder))
        for change in [*ALL_SORTS, *happenings]:
            change.apply(inputs)
        # Manifests are there sooner or later than the first event.
        for path in files_below(folder, r"manifest\.json"):
            created = (START + timedelta(seconds=seconds)).isoformat()
            content = path.read_text(encoding="utf-8", errors="replace")
            path.write_text(content.replace(START.isoformat(), created))
            inputs.folder.touch(path)
        whole = seeded.copied(tmp_path_factory.mktemp("project"))
        whole.build(*WITHOUT_TESTS_AND_SEEDS)
        # Moments of events, where one event more or less shows, and those beside them;
        # and when the manifests were written.
        times = [*event_times(folder), START + timedelta(hours=1)]
        for number, place in enumerate(places):
            moment = times[int(place * (len(times) - 1))]
            moment += timedelta(microseconds=offset)
            home = tmp_path_factory.mktemp("project")
            is_built = number == 0
            assert_cut_equals_past(whole, seeded, home, moment, is_built=is_built)
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
    return built.copied(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def past(built: Project, tmp_path_factory: pytest.TempPathFactory) -> PastProject:
    """Build the moment when one experiment had ended, of which a log is gone by now."""
    home = tmp_path_factory.mktemp("project")
    made = at(built.copied(home), "2026-03-01 14:00:00")
    log = Path(built.output_dir) / "experiments/early_00000001/events_a.jsonl"
    content, modified = log.read_bytes(), log.stat().st_mtime
    log.unlink()
    try:
        made.build_and_test()
    finally:
        log.write_bytes(content)
        os.utime(log, (modified, modified))
    return made


def test_past_has_a_file_of_its_own(built: Project, past: PastProject) -> None:
    """The present is not touched, and nothing of it is in the past."""
    present = past.home / "pidgin.duckdb"
    assert present.read_bytes() == built.warehouse.read_bytes()
    assert past.warehouse != built.warehouse
    assert past.query("select experiment_id from experiments") == [
        ("experiment_00000001",)
    ]


def test_events_whose_log_is_gone(past: PastProject) -> None:
    """What only the present warehouse still knows is part of the past, too."""
    assert past.query("select conversation_id from conversations order by 1") == [
        ("conv_a",),
        ("conv_b",),
    ]


def test_moment_is_the_same_in_every_zone(past: PastProject) -> None:
    """A moment without an offset is one of UTC, whoever reads the tables and where."""
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        assert past.query("select count(*) from events", timezone=zone) == [(20,)]


def test_second_build(past: PastProject) -> None:
    """It changes nothing."""
    rows = past.contents(rowids=True)
    past.build_only()
    assert past.contents(rowids=True) == rows


def test_past_and_present_are_not_mixed_up(past: PastProject) -> None:
    """Neither is built in the file of the other, and archives are of the present."""
    settings = (("PIDGIN_WAREHOUSE", str(past.published)),)
    mixed_up = Project(past.output_dir, past.home, settings)
    for command in (["archive"], ["restore", "x"], ["forget", "x"]):
        refused = mixed_up.command(*command)
        assert not refused.success
        assert "shows a past moment" in " ".join(refused.errors)
    refused = mixed_up.dbt("build")
    assert not refused.success
    assert "is of a past moment, and as_of is not set" in refused.text


def test_before_and_after_everything(present: Project) -> None:
    """There was nothing before the first event, and all is there after the last."""
    before = at(present, START - timedelta(days=1))
    before.build_only()
    assert not any(contents(before).values())
    after = at(present, START + timedelta(days=9))
    after.build_only()
    assert_same_contents(contents(after), contents(present))


def test_begins_with_what_the_present_holds(present: Project) -> None:
    """With its last changes, which may be in a file beside it, and with no mart."""
    with duckdb.connect(str(present.warehouse)) as connection:
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute(f"delete from {STORE} where source_file like '%events_a%'")
    log = present.warehouse.with_suffix(".duckdb.wal")
    assert log.exists()
    copy = present.home / "copy's.duckdb"
    # What an earlier file of this name left behind.
    shutil.copy(log, f"{copy}.wal")
    copy_stores(lambda connection: attach_file(connection, present.warehouse), copy, {})
    assert log.exists()
    with duckdb.connect(str(copy), read_only=True) as connection:
        files = connection.execute(
            f"select count(distinct source_file) from {STORE}"
        ).fetchall()
        schemas = connection.execute(
            "select distinct schema_name from duckdb_tables()"
        ).fetchall()
    assert (files, schemas) == ([(2,)], [("staging",)])
    assert sorted(path.name for path in present.home.glob("copy*")) == [copy.name]


def test_what_the_present_read_since(present: Project) -> None:
    """A past that was built before knows it, too, when it is built again."""
    past = at(present, START + timedelta(hours=2))
    past.build_only()
    folder = OutputFolder(Path(present.output_dir), _clock=START.timestamp() + 9_000)
    log = folder.write("new_00000003/events.jsonl", conversation("conv_new"))
    try:
        present.build_only()
    finally:
        log.unlink()
    past = at(present, START + timedelta(hours=2))
    past.build_only()
    assert "conv_new" in str(past.query("select conversation_id from conversations"))


def test_present_that_cannot_be_read(present: Project) -> None:
    """It is named, and not the file that was to begin with it."""
    past = at(present, START)
    with duckdb.connect(str(present.published)):
        outcome = past.dbt("build", *WITHOUT_TESTS)
    assert not outcome.success
    assert "as_of begins with" in outcome.text
    assert not list(present.home.rglob("*_as_of_*.duckdb"))


def test_archived_experiments_have_a_past(present: Project) -> None:
    """A moment is the same whether its events are archived or not."""
    moment = START + timedelta(hours=1, seconds=5)
    expected = states(present, moment)
    past = at(present, moment)
    past.build_only()
    tables = without_places(past)
    archived = present.command("archive")
    assert archived.success, archived.text
    try:
        assert present.value("select bool_and(is_archived) from events")
        assert states(present, moment) == expected
        past.build_only()
        assert_same_contents(without_places(past), tables)
    finally:
        shutil.rmtree(Path(present.output_dir) / "archive")


@pytest.mark.parametrize("moment", ["infinity", "'; select 1"])
def test_no_moment(present: Project, moment: str) -> None:
    """It is named in one sentence."""
    outcome = at(present, moment).dbt("build", *WITHOUT_TESTS)
    assert not outcome.success
    assert f"as_of is {moment}, which is no moment" in outcome.text
    assert not list(present.home.rglob("*_as_of_*.duckdb"))


def test_moment_as_yaml_reads_it(present: Project) -> None:
    """A moment without quotes is a date to YAML."""
    outcome = present.build(*WITHOUT_TESTS, "--vars", "as_of: 2026-03-02")
    assert outcome.success
    path = working_file(present.home / "pidgin_as_of_2026-03-02.duckdb")
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute("select count(*) from conversations").fetchone()
    assert found == (2,)


def test_without_the_plugin(present: Project) -> None:
    """The logs are read anew; without Python nothing copies the present."""
    past = at(present, START + timedelta(hours=2))
    outcome = past.build(*WITHOUT_TESTS, "--target", "plain")
    assert outcome.success
    assert past.value("select count(*) from conversations") == 2
