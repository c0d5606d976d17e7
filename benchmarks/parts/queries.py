"""Questions and searches, asked of the warehouse and elsewhere."""

import statistics

from benchmarks.measuring import Bench, sqlite_path
from benchmarks.results import Figure, Ratio


def queries(bench: Bench) -> None:
    """Questions: asked of the marts, and of SQLite in Pidgin's schema of that time."""
    site = bench.plain_sites[-1]
    _ = site.cold_build
    bench.sqlite(site)
    compared = bench.task(
        "compare_queries",
        warehouse=str(site.project.warehouse),
        sqlite=str(sqlite_path(site)),
        repeats=max(3, bench.options.repeats),
    )
    for found in compared.value:
        bench.results.ratios.append(
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
    bench.results.figures += [
        Figure(
            "Questions",
            site.corpus.label,
            f"{name} of the {len(ratios)} ratios",
            mean,
            "",
        )
        for name, mean in means.items()
    ]


def search(bench: Bench) -> None:
    """Search: three words of a message, against DuckDB's full-text index."""
    site = bench.plain_sites[-1]
    corpus, build = site.corpus.label, site.cold_build
    folder = site.home / "search"
    folder.mkdir()
    found = bench.task(
        "compare_search",
        warehouse=str(site.project.warehouse),
        folder=str(folder),
        queries=20 * max(3, bench.options.repeats),
    ).value
    ours, fts = found["ours"], found["fts"]
    bench.results.ratios += [
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
    bench.results.figures.append(
        Figure("Search", corpus, "int_word_postings in the warehouse", share, "%")
    )
