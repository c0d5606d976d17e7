"""Builds: the first one, one with nothing new, and one after something new."""

import statistics
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import yaml

from benchmarks.corpus import ExperimentRecording, record
from benchmarks.measuring import Bench, Measured, median_seconds
from benchmarks.results import Figure, Ratio
from benchmarks.sites import Build, DbtProject, Node, Site


def builds(bench: Bench) -> None:
    """First build: against Pidgin's importer, and against reading the same bytes."""
    for site in (bench.histories_site, bench.plain_sites[-1]):
        corpus = site.corpus.label
        build = site.cold_build
        note_build(bench, "First build", corpus, build)
        scans = defaultdict[str, list[Measured]](list)
        for _ in range(bench.options.repeats):
            for scan in ("scan_lines", "scan_json"):
                scans[scan].append(bench.task(scan, output_dir=str(site.output_dir)))
        imported = bench.imported(site)
        turns = imported.value["turns"]
        scale = site.corpus.turns / turns
        note = f"importer extrapolated from {turns:,} turns" if scale > 1 else ""
        # Its process starts once, however many turns there are.
        imports = imported.run.seconds + imported.value["seconds"] * (scale - 1)
        # On both sides of what it is compared with, so that noise hits both.
        builds_made = [build, site.another_cold_build()]
        seconds = seconds_of(builds_made)
        bench.results.ratios += [
            Ratio(
                "First build",
                corpus,
                "seconds, Pidgin's importer : first build",
                seconds,
                imports,
                "s",
                note,
            ),
            Ratio(
                "First build",
                corpus,
                "seconds, first build : DuckDB reads the lines",
                median_seconds(scans["scan_lines"]),
                seconds,
                "s",
                "read_csv, one column of text; the query alone",
            ),
            Ratio(
                "First build",
                corpus,
                "seconds, first build : DuckDB parses the JSON",
                median_seconds(scans["scan_json"]),
                seconds,
                "s",
                "read_json, five columns of complete turns; the query alone",
            ),
            Ratio(
                "First build",
                corpus,
                "peak memory, first build : importer",
                imported.run.peak_bytes,
                build.run.peak_bytes,
                "bytes",
                f"importer on {turns:,} turns",
            ),
        ]
        bench.results.figures += [
            Figure(
                "First build",
                corpus,
                "rate of the importer",
                turns / imported.value["seconds"],
                "turns/s",
            ),
            Figure(
                "First build",
                corpus,
                "rate of the first build",
                site.corpus.turns / seconds,
                "turns/s",
            ),
        ]


def noop(bench: Bench) -> None:
    """Nothing new: against an empty dbt project with as many nodes."""
    site = bench.plain_sites[0]
    nodes = site.cold_build.nodes
    empty = bench.empty_project(site.project)
    write_empty_project(empty, nodes)
    empty.build()
    ours, theirs = [], []
    for _ in range(bench.options.repeats):
        ours.append(site.project.build())
        theirs.append(empty.build())
    if theirs[-1].kinds != ours[-1].kinds:
        raise ValueError(f"{theirs[-1].kinds} is not {ours[-1].kinds}")
    bench.results.ratios.append(
        Ratio(
            "Nothing new",
            site.corpus.label,
            "seconds, build with nothing new : empty project",
            seconds_of(theirs),
            seconds_of(ours),
            "s",
            f"{len(nodes)} nodes each",
        )
    )


def write_empty_project(empty: DbtProject, nodes: tuple[Node, ...]) -> None:
    """Write a dbt project with as many models, seeds, tests and hooks, all trivial."""
    hooks = ["select 1" for node in nodes if node.kind == "operation"]
    profile = {
        "outputs": {
            "dev": {"type": "duckdb", "path": str(empty.warehouse), "threads": 2}
        },
        "target": "dev",
    }
    files = {
        "dbt_project.yml": yaml.safe_dump(
            {
                "name": "empty",
                "version": "1.0.0",
                "config-version": 2,
                "profile": "empty",
                "on-run-start": hooks,
                "flags": {"send_anonymous_usage_stats": False},
            }
        ),
        "profiles.yml": yaml.safe_dump({"empty": profile}),
    }
    for node in nodes:
        match node.kind:
            case "model":
                files[f"models/{node.name}.sql"] = "select 1 as one"
            case "seed":
                files[f"seeds/{node.name}.csv"] = "one\n1\n"
            case "test":
                files[f"tests/{node.name}.sql"] = "select 1 as one where false"
    for name, text in files.items():
        path = empty.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def refresh(bench: Bench) -> None:
    """Refresh: one new conversation, or one new turn, against nothing new."""
    sites = bench.plain_sites
    seconds: dict[Site, dict[str, list[Build]]] = {
        site: {"nothing": [], "conversation": [], "turn": []} for site in sites
    }
    recordings = {}
    for site in sites:
        _ = site.cold_build
        recordings[site] = record(site.corpus, site.corpus.experiments - 1)
    for number in range(bench.options.repeats):
        for site in sites:
            seconds[site]["nothing"].append(site.project.build())
            for new, build in grow(site, recordings[site], number).items():
                seconds[site][new].append(build)
    medians = {
        site: {new: seconds_of(found) for new, found in by_kind.items()}
        for site, by_kind in seconds.items()
    }
    for site in sites:
        for new in ("conversation", "turn"):
            bench.results.ratios.append(
                Ratio(
                    "Refresh",
                    site.corpus.label,
                    f"seconds, build after one new {new} : nothing new",
                    medians[site]["nothing"],
                    medians[site][new],
                    "s",
                    f"a conversation of {site.corpus.turns_per_conversation} turns",
                )
            )
        peaks = [build.run.peak_bytes for build in seconds[site]["conversation"]]
        bench.results.figures.append(
            Figure(
                "Refresh",
                site.corpus.label,
                "peak memory, one new conversation",
                max(peaks),
                "bytes",
            )
        )
    for new in ("nothing", "conversation", "turn") if len(sites) > 1 else ():
        bench.results.ratios.append(
            Ratio(
                "Refresh",
                sites[-1].corpus.label,
                f"seconds, new {new} : the same at {sites[0].corpus.turns:,} turns",
                medians[sites[0]][new],
                medians[sites[-1]][new],
                "s",
            )
        )


def grow(site: Site, recording: ExperimentRecording, number: int) -> dict[str, Build]:
    """Let an experiment begin another conversation, and go on; build after each."""
    corpus = site.corpus
    conversation = recording.add_conversation(
        corpus.conversations + number, corpus.turns_per_conversation
    )
    result = {}
    for new, turns in (("conversation", 0), ("turn", 1)):
        conversation.add_turns(turns)
        # Old enough for the build not to read the file again later.
        written = datetime.now(UTC) - timedelta(minutes=1)
        recording.write(site.output_dir, [conversation], written)
        result[new] = site.project.build()
    return result


def note_build(bench: Bench, part: str, corpus: str, build: Build) -> None:
    """Note time and memory of a first build, and the seconds of its models."""
    bench.results.figures += [
        Figure(part, corpus, "first build", build.run.seconds, "s", "dbt's start too"),
        Figure(part, corpus, "its peak memory", build.run.peak_bytes, "bytes"),
    ]
    bench.results.model_seconds[corpus] = {
        node.name: node.seconds for node in build.nodes if node.kind == "model"
    }


def seconds_of(builds_made: list[Build]) -> float:
    """Return the median of the builds' wall clock."""
    return statistics.median(build.run.seconds for build in builds_made)
