"""Measure the project, and write what was found to benchmarks/results.

Usage: python -m benchmarks [--full] [--only PART ...] [--sizes TURNS ...] ...
"""

import argparse
import shutil
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

from helpers.lake_servers import MissingProgramError

from benchmarks import corpus_check
from benchmarks.measuring import Bench, Options
from benchmarks.parts import PARTS
from benchmarks.results import Results

QUICK = Options(
    sizes=(1_000,),
    histories=500,
    calculator_turns=500,
    importer_turns=500,
    memory_turns=0,
    watched_turns=10,
    snapshots=100,
    catalog_conversations=1_000,
    repeats=1,
)
FULL = Options(
    sizes=(1_000, 5_000, 10_000, 100_000),
    histories=5_000,
    calculator_turns=2_000,
    importer_turns=5_000,
    memory_turns=1_000_000,
    watched_turns=100,
    snapshots=10_000,
    catalog_conversations=100_000,
    repeats=3,
)
RESULTS = Path(__file__).parent / "results"
# Options of a number each.
NUMBERS = {
    "histories": "turns of the corpus with full histories",
    "calculator_turns": "turns that Pidgin's calculator gets",
    "importer_turns": "turns that Pidgin's importer gets",
    "memory_turns": "turns of the corpus that is built with 4 GB; 0 for none",
    "watched_turns": "turns that a conversation goes on under `watch`",
    "snapshots": "commits to a lake whose catalog is looked at",
    "catalog_conversations": "conversations in that lake",
    "repeats": "how often what is short is measured; the median counts",
}


def main() -> None:
    """Read the command line and measure."""
    arguments = parse()
    chosen = {
        name: value
        for name in asdict(QUICK)
        if (value := getattr(arguments, name)) is not None
    }
    options = replace(FULL if arguments.full else QUICK, **chosen)
    parts = [
        name
        for name in PARTS
        if name in (arguments.only or PARTS)
        and (name != "memory" or options.memory_turns)
    ]
    corpus_check.check()
    results = Results(asdict(options) | {"parts": parts})
    name = arguments.name or ("full" if arguments.full else "quick")
    folder = Path(tempfile.mkdtemp(prefix="pidgin-bench-", dir=arguments.work))
    try:
        bench = Bench(options, results, folder)
        for part in parts:
            begin = time.perf_counter()
            try:
                PARTS[part](bench)
            except MissingProgramError as error:
                results.left_out.append(f"{part}: {error}")
            # After each part: what a long run has found survives its end.
            results.write(arguments.results / name)
            print(f"{part}: {time.perf_counter() - begin:.0f} s", flush=True)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the project, as ratios."
    )
    parser.add_argument("--full", action="store_true", help="large corpora: hours")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument(
        "--sizes", nargs="+", type=int, metavar="TURNS", help="corpora, no histories"
    )
    for name, text in NUMBERS.items():
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=int, metavar="N", help=text)
    parser.add_argument("--name", help="of the files of results; quick or full")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help="where to write"
    )
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to build")
    parser.add_argument("--keep", action="store_true", help="keep what was built")
    return parser.parse_args()


if __name__ == "__main__":
    main()
