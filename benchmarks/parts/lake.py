"""The parts of a run that need a lake: PostgreSQL is started for them."""

import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import duckdb
import psycopg
from helpers.lake_servers import PASSWORD, Postgres, postgres

from benchmarks.corpus import record
from benchmarks.measuring import Bench
from benchmarks.results import Figure, Ratio
from benchmarks.sites import Build, DbtProject, Site
from pidgin_analytics.lake import Builder, Lake
from pidgin_analytics.lake_maintenance import clean

STEPS = {
    "first": "first build",
    "nothing": "build with nothing new",
    "conversation": "build after one new conversation",
    "turn": "build after one new turn",
}
# What a conversation is in the lake whose catalog is looked at.
TURNS = 50


@dataclass(frozen=True)
class LakeDbtProject(DbtProject):
    """A dbt project on disk that builds a lake."""

    @property
    def warehouse_bytes(self) -> int:
        """How large its data is, without the catalog."""
        return sum(
            path.stat().st_size for path in (self.home / "lake").rglob("*.parquet")
        )


def lake(bench: Bench) -> None:
    """Lake: builds, against those of the file, in turn."""
    with postgres() as server:
        for site in bench.plain_sites:
            name = f"turns_{site.corpus.turns}"
            projects = {
                "file": DbtProject(
                    site.project.project, bench.folder / name, site.output_dir
                ),
                "lake": _lake_project(bench, site, server, name),
            }
            for project in projects.values():
                project.home.mkdir()
                project.dbt("parse")
            _compare(bench, site, projects)
            _note_bytes(bench, site, projects, server, name)


def _lake_project(
    bench: Bench, site: Site, server: Postgres, name: str
) -> LakeDbtProject:
    home = bench.folder / f"{name}_lake"
    settings = {
        "PIDGIN_TARGET": "lake",
        "PIDGIN_LAKE_CATALOG": server.create(name),
        "PIDGIN_LAKE_DATA": str(home / "lake"),
        "PGPASSWORD": PASSWORD,
    }
    return LakeDbtProject(
        site.project.project, home, site.output_dir, tuple(settings.items())
    )


def _compare(bench: Bench, site: Site, projects: dict[str, DbtProject]) -> None:
    found = defaultdict[str, dict[str, list[Build]]](lambda: defaultdict(list))

    def build(step: str) -> None:
        for place, project in projects.items():
            found[step][place].append(project.build())

    build("first")
    recording = record(site.corpus, site.corpus.experiments - 1)
    for number in range(bench.options.repeats):
        build("nothing")
        conversation = recording.add_conversation(
            # Beyond those of other parts.
            site.corpus.conversations + 1_000 + number,
            site.corpus.turns_per_conversation,
        )
        for step, turns in (("conversation", 0), ("turn", 1)):
            conversation.add_turns(turns)
            # Old enough for the build not to read the file again later.
            written = datetime.now(UTC) - timedelta(minutes=1)
            recording.write(site.output_dir, [conversation], written)
            build(step)
    for step, places in found.items():
        seconds = {
            place: median(build.run.seconds for build in builds)
            for place, builds in places.items()
        }
        bench.results.ratios.append(
            Ratio(
                "Lake",
                site.corpus.label,
                f"seconds, {STEPS[step]}, lake : file",
                seconds["file"],
                seconds["lake"],
                "s",
            )
        )


def _note_bytes(
    bench: Bench,
    site: Site,
    projects: dict[str, DbtProject],
    server: Postgres,
    name: str,
) -> None:
    figures = {
        "the warehouse as a file": projects["file"].warehouse_bytes,
        "the lake's Parquet files": projects["lake"].warehouse_bytes,
        "the lake's catalog": _database_bytes(server, name),
    }
    place = Lake(
        server.catalog(name), f"{projects['lake'].home}/lake/pidgin/", password=PASSWORD
    )
    with closing(Builder(place, 60, print)) as builder:
        begin = time.perf_counter()
        clean(builder, 0, at_once=True)
        seconds = time.perf_counter() - begin
    figures |= {
        "the lake's Parquet files, cleaned": projects["lake"].warehouse_bytes,
    }
    bench.results.figures += [
        Figure("Lake", site.corpus.label, what, size, "bytes")
        for what, size in figures.items()
    ]
    bench.results.figures.append(
        Figure("Lake", site.corpus.label, "cleaning", seconds, "s")
    )


def _database_bytes(server: Postgres, name: str) -> int:
    with psycopg.connect(server.catalog(name), password=PASSWORD) as session:
        row = session.execute("select pg_database_size(current_database())").fetchone()
    assert row is not None  # noqa: S101
    return int(row[0])


def catalog(bench: Bench) -> None:
    """Catalog: what a lake costs after so many commits."""
    conversations, snapshots = (
        bench.options.catalog_conversations,
        bench.options.snapshots,
    )
    label = f"{conversations:,} conversations"
    with postgres() as server:
        place = Lake(
            server.create("catalog"),
            f"{bench.folder}/catalog/pidgin/",
            password=PASSWORD,
        )
        with closing(duckdb.connect()) as connection:
            place.attach(connection)
            connection.execute("use pidgin")
            _fill(connection, conversations)
            _note_state(bench, label, place, server, "at first")
            seconds = []
            for number in range(snapshots):
                begin = time.perf_counter()
                _replace(connection, number % conversations)
                seconds.append(time.perf_counter() - begin)
        tenth = max(1, snapshots // 10)
        bench.results.ratios.append(
            Ratio(
                "Catalog",
                label,
                f"seconds, a commit, last tenth of {snapshots:,} : first tenth",
                median(seconds[:tenth]),
                median(seconds[-tenth:]),
                "s",
                "one conversation deleted and written again",
            )
        )
        _note_state(bench, label, place, server, f"after {snapshots:,} commits")
        with closing(Builder(place, 60, print)) as builder:
            problem = builder.publish_snapshot("all")
            if problem:
                raise ValueError(problem)
            begin = time.perf_counter()
            clean(builder, 0, at_once=True)
            bench.results.figures.append(
                Figure("Catalog", label, "cleaning", time.perf_counter() - begin, "s")
            )
        _note_state(bench, label, place, server, "cleaned")


def _fill(connection: duckdb.DuckDBPyConnection, conversations: int) -> None:
    # What cleaning asks a lake of this project.
    connection.execute("create schema staging")
    connection.execute("create view staging.relations_digest as select 'all' as digest")
    connection.execute(
        "create table turns as"
        " select conversation, turn, hash(conversation, turn) as fingerprint,"
        " random() as convergence, repeat('word ', 80) as message"
        f" from range({conversations}) as one (conversation),"
        f" range({TURNS}) as two (turn)"
    )


def _replace(connection: duckdb.DuckDBPyConnection, conversation: int) -> None:
    """Do what a build does with a conversation that has changed."""
    connection.execute("begin")
    connection.execute("delete from turns where conversation = ?", [conversation])
    connection.execute(
        "insert into turns"
        f" select ?, turn, hash(turn), random(), repeat('word ', 80)"
        f" from range({TURNS}) as two (turn)",
        [conversation],
    )
    connection.execute("commit")


def _note_state(
    bench: Bench, label: str, place: Lake, server: Postgres, when: str
) -> None:
    opening, asking = [], []
    for _ in range(3):
        with closing(duckdb.connect()) as connection:
            begin = time.perf_counter()
            place.attach(connection)
            connection.execute("use pidgin")
            connection.execute("select count(*) from turns").fetchall()
            opening.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            connection.execute(
                "select avg(convergence) from turns group by turn"
            ).fetchall()
            asking.append(time.perf_counter() - begin)
            ((count,),) = connection.execute("select count(*) from turns").fetchall()
    if count != bench.options.catalog_conversations * TURNS:
        raise ValueError("The lake has lost turns.")
    files = [path.stat().st_size for path in Path(place.data).rglob("*.parquet")]
    figures = {
        "to open it and count": (median(opening), "s"),
        "to ask for a mean by turn": (median(asking), "s"),
        "the catalog": (_database_bytes(server, "catalog"), "bytes"),
        "files": (len(files), ""),
        "the files": (sum(files), "bytes"),
    }
    bench.results.figures += [
        Figure("Catalog", label, f"{what}, {when}", value, unit)
        for what, (value, unit) in figures.items()
    ]
