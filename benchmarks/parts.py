"""The parts of a run, each of which adds ratios and figures to the results."""

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from benchmarks.corpus import Corpus, ExperimentRecording, record
from benchmarks.lab import Lab, Measured, era_path, median_seconds
from benchmarks.results import Figure, Ratio
from benchmarks.sites import Build, DbtProject, Node, Site, log_bytes

# The models that compute text metrics: these, and all between them and the messages.
METRIC_MARTS = ("message_metrics", "turn_metrics")
# What a turn takes on disk at most, logs and warehouse and what a build spills.
BYTES_PER_TURN = 25_000
MEMORY_LIMIT = "4GB"


def metrics(lab: Lab) -> None:
    """Metrics: how fast they are computed, against Pidgin's calculator."""
    for site in lab.plain_sites:
        corpus = site.corpus.label
        experiments, _ = site.experiments(lab.options.calculator_turns)
        folders = [str(folder) for folder in experiments]
        # On both sides of the build, so that noise hits both.
        before = lab.task("calculate_metrics", experiments=folders)
        build = site.cold_build
        after = lab.task("calculate_metrics", experiments=folders)
        tokenising = [
            lab.task(
                "tokenise",
                warehouse=str(site.project.warehouse),
                query=str(site.tokenising),
            )
            for _ in range(lab.options.repeats)
        ]
        note_build(lab, "Metrics", corpus, build)
        note_metrics(lab, "Metrics", corpus, site.project, build)
        calculated = before.value
        seconds = median_seconds((before, after))
        ours = metric_seconds(site.project, build)
        turns, values = calculated["turns"], calculated["values"]
        note = f"the calculator on {turns:,} of the same turns"
        lab.results.ratios += [
            Ratio(
                "Metrics",
                corpus,
                "seconds per turn, Pidgin's calculator : metric models",
                ours / site.corpus.turns,
                seconds / turns,
                "s",
                note,
            ),
            Ratio(
                "Metrics",
                corpus,
                "seconds, metric models : splitting into words alone",
                median_seconds(tokenising),
                ours,
                "s",
                "the project's own expression, result thrown away",
            ),
        ]
        lab.results.figures.append(
            Figure(
                "Metrics",
                corpus,
                "values per second, Pidgin's calculator",
                values / seconds,
                "/s",
                "constants counted as values",
            )
        )


def note_metrics(
    lab: Lab, part: str, corpus: str, project: DbtProject, build: Build
) -> None:
    """Note how many metric values a first build computed, and how fast."""
    counts = lab.task("count_values", warehouse=str(project.warehouse)).value
    values = sum(each["values"] for each in counts.values())
    seconds = metric_seconds(project, build)
    lab.results.figures += [
        Figure(
            part,
            corpus,
            "values per second, metric models",
            values / seconds,
            "/s",
            f"{values:,} values, NULL not counted",
        ),
        Figure(
            part,
            corpus,
            "seconds of the metric models",
            seconds,
            "s",
            "added up, although some ran at the same time",
        ),
    ]


def metric_seconds(project: DbtProject, build: Build) -> float:
    """Add up the seconds of the models that compute text metrics."""
    return build.seconds_of(*project.models_between("messages", METRIC_MARTS))


def note_build(lab: Lab, part: str, corpus: str, build: Build) -> None:
    """Note time and memory of a first build, and the seconds of its models."""
    lab.results.figures += [
        Figure(part, corpus, "first build", build.run.seconds, "s", "dbt's start too"),
        Figure(part, corpus, "its peak memory", build.run.peak_bytes, "bytes"),
    ]
    lab.results.model_seconds[corpus] = {
        node.name: node.seconds for node in build.nodes if node.kind == "model"
    }


def builds(lab: Lab) -> None:
    """First build: against Pidgin's importer, and against reading the same bytes."""
    for site in (lab.histories_site, lab.plain_sites[-1]):
        corpus = site.corpus.label
        build = site.cold_build
        note_build(lab, "First build", corpus, build)
        scans = defaultdict[str, list[Measured]](list)
        for _ in range(lab.options.repeats):
            for scan in ("scan_lines", "scan_json"):
                scans[scan].append(lab.task(scan, output_dir=str(site.output_dir)))
        imported = lab.imported(site)
        turns = imported.value["turns"]
        scale = site.corpus.turns / turns
        note = f"importer extrapolated from {turns:,} turns" if scale > 1 else ""
        # Its process starts once, however many turns there are.
        imports = imported.run.seconds + imported.value["seconds"] * (scale - 1)
        # On both sides of what it is compared with, so that noise hits both.
        builds_made = [build, site.another_cold_build()]
        seconds = seconds_of(builds_made)
        lab.results.ratios += [
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
        lab.results.figures += [
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


def noop(lab: Lab) -> None:
    """Nothing new: against an empty dbt project with as many nodes."""
    site = lab.plain_sites[0]
    nodes = site.cold_build.nodes
    empty = lab.empty_project(site.project)
    write_empty_project(empty, nodes)
    empty.build()
    ours, theirs = [], []
    for _ in range(lab.options.repeats):
        ours.append(site.project.build())
        theirs.append(empty.build())
    if theirs[-1].kinds != ours[-1].kinds:
        raise ValueError(f"{theirs[-1].kinds} is not {ours[-1].kinds}")
    lab.results.ratios.append(
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


def refresh(lab: Lab) -> None:
    """Refresh: one new conversation, or one new turn, against nothing new."""
    sites = lab.plain_sites
    seconds: dict[Site, dict[str, list[Build]]] = {
        site: {"nothing": [], "conversation": [], "turn": []} for site in sites
    }
    recordings = {}
    for site in sites:
        _ = site.cold_build
        recordings[site] = record(site.corpus, site.corpus.experiments - 1)
    for number in range(lab.options.repeats):
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
            lab.results.ratios.append(
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
        lab.results.figures.append(
            Figure(
                "Refresh",
                site.corpus.label,
                "peak memory, one new conversation",
                max(peaks),
                "bytes",
            )
        )
    for new in ("nothing", "conversation", "turn") if len(sites) > 1 else ():
        lab.results.ratios.append(
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


def queries(lab: Lab) -> None:
    """Questions: asked of the marts, and of SQLite in Pidgin's schema of that time."""
    site = lab.plain_sites[-1]
    _ = site.cold_build
    lab.sqlite(site)
    compared = lab.task(
        "compare_queries",
        warehouse=str(site.project.warehouse),
        sqlite=str(era_path(site)),
        repeats=max(3, lab.options.repeats),
    )
    for found in compared.value:
        lab.results.ratios.append(
            Ratio(
                "Questions",
                site.corpus.label,
                f"seconds, {found['question']}, SQLite : marts",
                found["duckdb"],
                found["sqlite"],
                "s",
                f"{found['rows']:,} rows, equal in both",
            )
        )
    ratios = [found["sqlite"] / found["duckdb"] for found in compared.value]
    means = {
        "median": statistics.median(ratios),
        "geometric mean": statistics.geometric_mean(ratios),
    }
    lab.results.figures += [
        Figure(
            "Questions",
            site.corpus.label,
            f"{name} of the {len(ratios)} ratios",
            mean,
            "",
        )
        for name, mean in means.items()
    ]


def search(lab: Lab) -> None:
    """Search: three words of a message, against DuckDB's full-text index."""
    site = lab.plain_sites[-1]
    corpus, build = site.corpus.label, site.cold_build
    folder = site.home / "search"
    folder.mkdir()
    found = lab.task(
        "compare_search",
        warehouse=str(site.project.warehouse),
        folder=str(folder),
        queries=20 * max(3, lab.options.repeats),
    ).value
    ours, fts = found["ours"], found["fts"]
    lab.results.ratios += [
        Ratio(
            "Search",
            corpus,
            "seconds, a query of three words, fts : search_messages",
            ours["query"],
            fts["query"],
            "s",
            "the ten best, with snippets of ours",
        ),
        Ratio(
            "Search",
            corpus,
            "bytes, index of fts : int_word_postings",
            ours["bytes"],
            fts["bytes"],
            "bytes",
            "without the texts",
        ),
        Ratio(
            "Search",
            corpus,
            "seconds, making the index, fts : int_word_postings",
            build.seconds_of("int_word_postings"),
            fts["build"],
            "s",
            "a refresh makes that of fts anew",
        ),
    ]
    share = 100 * ours["bytes"] / build.warehouse_bytes
    lab.results.figures.append(
        Figure("Search", corpus, "int_word_postings in the warehouse", share, "%")
    )


def sizes(lab: Lab) -> None:
    """Bytes: logs, warehouse, marts, and the same data elsewhere."""
    for site in (lab.histories_site, lab.plain_sites[-1]):
        corpus = site.corpus.label
        build = site.cold_build
        warehouse = str(site.project.warehouse)
        marts = lab.task(
            "copy_marts", warehouse=warehouse, target=str(site.home / "marts.duckdb")
        )
        imported = lab.imported(site).value
        found = {
            "the warehouse": build.warehouse_bytes,
            "all marts but events, alone": marts.value["bytes"],
            "SQLite, vacuumed": lab.sqlite(site).value["bytes"],
        }
        lab.results.ratios += [
            Ratio(
                "Bytes",
                corpus,
                f"bytes, logs : {what}",
                size,
                log_bytes(site.output_dir),
                "bytes",
            )
            for what, size in found.items()
        ]
        experiments, turns = site.experiments(lab.options.importer_turns)
        lab.results.ratios.append(
            Ratio(
                "Bytes",
                corpus,
                "bytes, logs : the importer's database",
                imported["bytes"],
                sum(map(log_bytes, experiments)),
                "bytes",
                f"of {turns:,} turns",
            )
        )


def archive(lab: Lab) -> None:
    """Archive: all that has ended moves to Parquet, and comes back the same.

    Raises:
        ValueError: a file that was restored is not what it was.
    """
    site = lab.histories_site
    _ = site.cold_build
    logs = hashes(site.output_dir)
    before = log_bytes(site.output_dir)
    options = ("--older-than-days", "0", "--delete-logs")
    archived = site.project.command("archive", *options)
    files = list(site.output_dir.rglob("*.parquet"))
    size = sum(path.stat().st_size for path in files)
    taken = before - log_bytes(site.output_dir)
    experiments = [path.parent.name.partition("=")[2] for path in files]
    restored = site.project.command("restore", *experiments)
    if hashes(site.output_dir) != logs:
        raise ValueError("What was restored is not what was archived.")
    corpus = site.corpus.label
    note = f"{len(experiments)} experiments, every file restored with the same bytes"
    lab.results.ratios.append(
        Ratio("Archive", corpus, "bytes, logs : archives", size, taken, "bytes", note)
    )
    lab.results.figures += [
        Figure("Archive", corpus, "archives in logs", 100 * size / taken, "%"),
        Figure("Archive", corpus, "archiving", archived.seconds, "s", "with its build"),
        Figure("Archive", corpus, "its peak memory", archived.peak_bytes, "bytes"),
        Figure("Archive", corpus, "restoring", restored.seconds, "s", "with its build"),
    ]


def hashes(folder: Path) -> dict[str, str]:
    """Hash every log and manifest below a folder."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.json*")
    }


def watch(lab: Lab) -> None:
    """Watch: from the end of a turn in the log to its row, and what that costs."""
    site = lab.plain_sites[-1]
    _ = site.cold_build
    found = lab.task(
        "watch_turns",
        corpus_turns=site.corpus.turns,
        project=str(site.project.project),
        home=str(site.home),
        warehouse=str(site.project.warehouse),
        turns=lab.options.watched_turns,
    ).value
    corpus, delays = site.corpus.label, sorted(found["delays"])
    note = f"{len(delays)} turns, --interval 1"
    figures = {
        "a turn is published after, median": delays[len(delays) // 2],
        "a turn is published after, 95th percentile": delays[len(delays) * 95 // 100],
    }
    lab.results.figures += [
        Figure("Watch", corpus, what, seconds, "s", note)
        for what, seconds in figures.items()
    ]
    # The first refreshes load what all later ones use.
    warm = found["states"][len(delays) // 3]
    last = found["states"][-1]
    for what, unit in (("bytes", "bytes"), ("threads", ""), ("files", "")):
        for when, state in (("a third on", warm), ("the end", last)):
            lab.results.figures.append(
                Figure(
                    "Watch", corpus, f"{what} of watch, at {when}", state[what], unit
                )
            )


def memory(lab: Lab) -> None:
    """Memory limit: a first build of a large corpus, with 4 GB for DuckDB."""
    turns = lab.options.memory_turns
    needed = turns * BYTES_PER_TURN
    if not turns or lab.free_bytes() < needed:
        lab.results.left_out.append(
            f"Memory limit: {turns:,} turns take {needed / 1e9:.0f} GB of disk;"
            f" {lab.free_bytes() / 1e9:.0f} GB are free."
        )
        return
    site = lab.site(Corpus(turns))
    project = lab.limited_project(site, MEMORY_LIMIT)
    build = project.build()
    corpus = f"{site.corpus.label}, memory_limit {MEMORY_LIMIT}"
    note_build(lab, "Memory limit", corpus, build)
    note_metrics(lab, "Memory limit", corpus, project, build)


def seconds_of(builds_made: list[Build]) -> float:
    """Return the median of the builds' wall clock."""
    return statistics.median(build.run.seconds for build in builds_made)


# In the order in which they run: the last three change their corpora.
PARTS: dict[str, Callable[[Lab], None]] = {
    "metrics": metrics,
    "builds": builds,
    "queries": queries,
    "search": search,
    "bytes": sizes,
    "noop": noop,
    "memory": memory,
    "archive": archive,
    "watch": watch,
    "refresh": refresh,
}
