"""Metrics, and a build that has little memory for them."""

from benchmarks.corpus import Corpus
from benchmarks.measuring import Bench, median_seconds
from benchmarks.parts.builds import note_build
from benchmarks.results import Figure, Ratio
from benchmarks.sites import Build, DbtProject

# The models that compute text metrics: these, and all between them and the messages.
METRIC_MARTS = ("message_metrics", "turn_metrics")
# What a turn takes on disk at most, logs and warehouse and what a build spills.
BYTES_PER_TURN = 25_000
MEMORY_LIMIT = "4GB"


def metrics(bench: Bench) -> None:
    """Metrics: how fast they are computed, against Pidgin's calculator."""
    for site in bench.plain_sites:
        corpus = site.corpus.label
        experiments, _ = site.experiments(bench.options.calculator_turns)
        folders = [str(folder) for folder in experiments]
        # On both sides of the build, so that noise hits both.
        before = bench.task("calculate_metrics", experiments=folders)
        build = site.cold_build
        after = bench.task("calculate_metrics", experiments=folders)
        tokenising = [
            bench.task(
                "tokenise",
                warehouse=str(site.project.warehouse),
                query=str(site.tokenising),
            )
            for _ in range(bench.options.repeats)
        ]
        note_build(bench, "Metrics", corpus, build)
        note_metrics(bench, "Metrics", corpus, site.project, build)
        calculated = before.value
        seconds = median_seconds((before, after))
        ours = metric_seconds(site.project, build)
        turns, values = calculated["turns"], calculated["values"]
        note = f"the calculator on {turns:,} of the same turns"
        bench.results.ratios += [
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
        bench.results.figures.append(
            Figure(
                "Metrics",
                corpus,
                "values per second, Pidgin's calculator",
                values / seconds,
                "/s",
                "constants counted as values",
            )
        )


def memory(bench: Bench) -> None:
    """Memory limit: a first build of a large corpus, with 4 GB for DuckDB."""
    turns = bench.options.memory_turns
    needed = turns * BYTES_PER_TURN
    if not turns or bench.free_bytes() < needed:
        bench.results.left_out.append(
            f"Memory limit: {turns:,} turns take {needed / 1e9:.0f} GB of disk;"
            f" {bench.free_bytes() / 1e9:.0f} GB are free."
        )
        return
    site = bench.site(Corpus(turns))
    project = bench.limited_project(site, MEMORY_LIMIT)
    build = project.build()
    corpus = f"{site.corpus.label}, memory_limit {MEMORY_LIMIT}"
    note_build(bench, "Memory limit", corpus, build)
    note_metrics(bench, "Memory limit", corpus, project, build)


def note_metrics(
    bench: Bench, part: str, corpus: str, project: DbtProject, build: Build
) -> None:
    """Note how many metric values a first build computed, and how fast."""
    counts = bench.task("count_values", warehouse=str(project.warehouse)).value
    values = sum(each["values"] for each in counts.values())
    seconds = metric_seconds(project, build)
    bench.results.figures += [
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
