"""A conversation that is watched while it goes on."""

from benchmarks.measuring import Bench
from benchmarks.results import Figure


def watch(bench: Bench) -> None:
    """Watch: from the end of a turn in the log to its row, and what that costs."""
    site = bench.plain_sites[-1]
    _ = site.cold_build
    found = bench.task(
        "watch_turns",
        corpus_turns=site.corpus.turns,
        project=str(site.project.project),
        home=str(site.home),
        warehouse=str(site.project.warehouse),
        turns=bench.options.watched_turns,
    ).value
    corpus, delays = site.corpus.label, sorted(found["delays"])
    note = f"{len(delays)} turns, --interval 1"
    figures = {
        "a turn is published after, median": delays[len(delays) // 2],
        "a turn is published after, 95th percentile": delays[len(delays) * 95 // 100],
    }
    bench.results.figures += [
        Figure("Watch", corpus, what, seconds, "s", note)
        for what, seconds in figures.items()
    ]
    # The first refreshes load what all later ones use.
    warm = found["states"][len(delays) // 3]
    last = found["states"][-1]
    for what, unit in (("bytes", "bytes"), ("threads", ""), ("files", "")):
        for when, state in (("a third on", warm), ("the end", last)):
            bench.results.figures.append(
                Figure(
                    "Watch", corpus, f"{what} of watch, at {when}", state[what], unit
                )
            )
