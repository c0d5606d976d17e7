"""Bytes on disk, and the archive."""

import hashlib
from pathlib import Path

from benchmarks.measuring import Bench
from benchmarks.results import Figure, Ratio
from benchmarks.sites import log_bytes


def sizes(bench: Bench) -> None:
    """Bytes: logs, warehouse, marts, and the same data elsewhere."""
    for site in (bench.histories_site, bench.plain_sites[-1]):
        corpus = site.corpus.label
        build = site.cold_build
        warehouse = str(site.project.warehouse)
        marts = bench.task(
            "copy_marts", warehouse=warehouse, target=str(site.home / "marts.duckdb")
        )
        imported = bench.imported(site).value
        found = {
            "the warehouse": build.warehouse_bytes,
            "all marts but events, alone": marts.value["bytes"],
            "SQLite, vacuumed": bench.sqlite(site).value["bytes"],
        }
        bench.results.ratios += [
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
        experiments, turns = site.experiments(bench.options.importer_turns)
        bench.results.ratios.append(
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


def archive(bench: Bench) -> None:
    """Archive: all that has ended moves to Parquet, and comes back the same.

    Raises:
        ValueError: a file that was restored is not what it was.
    """
    site = bench.histories_site
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
    bench.results.ratios.append(
        Ratio("Archive", corpus, "bytes, logs : archives", size, taken, "bytes", note)
    )
    bench.results.figures += [
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
