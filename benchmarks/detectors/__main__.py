"""Make dialogues with known patterns, and score a detector on them.

Usage: python -m benchmarks.detectors [--each N] [--collection DIR [--labels FILE]]
           [--onsets FILE] [--keep DIR]

The detector is this project, unless a CSV of onsets is given: columns conversation_id,
pattern, turn; a row for each pattern found, the first turn of a dialogue being 0.
--keep keeps the dialogues, as logs of Pidgin in pidgin_output, with what is known of
them in truth.csv and with onsets.csv.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from benchmarks import ROOT
from benchmarks.detectors import scoring
from benchmarks.detectors.dialogues import LABELS, Dialogue, collection, write_logs
from benchmarks.detectors.injection import CLEAN, STRENGTHS, injected, permuted
from benchmarks.detectors.scoring import PATTERNS, Found
from benchmarks.processes import clean_environment

RESULTS = Path(__file__).parents[1] / "results" / "detectors.md"


def main() -> None:
    """Read the command line, make, detect, score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--each", type=int, default=150, help="dialogues for each pattern and strength"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--collection",
        type=Path,
        default=folder_of("PIDGIN_TEST_DIALOGUES"),
        help="folder with results/*/conversations.json; also PIDGIN_TEST_DIALOGUES",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        default=folder_of("PIDGIN_TEST_LABELS"),
        help="labels of some of them; also PIDGIN_TEST_LABELS",
    )
    parser.add_argument("--onsets", type=Path, help="what another detector found")
    parser.add_argument("--keep", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    dialogues = [*injected(arguments.each, arguments.seed)]
    if arguments.collection is not None:
        real = [*collection(arguments.collection, arguments.labels)]
        dialogues += [*real, *(permuted(each, arguments.seed) for each in real)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary) / "dialogues"
        folder.mkdir(parents=True)
        write_truth(dialogues, folder / "truth.csv")
        if arguments.onsets is None or arguments.keep is not None:
            write_logs(dialogues, folder / "pidgin_output")
        onsets = arguments.onsets
        if onsets is None:
            onsets = folder / "onsets.csv"
            detect(folder / "pidgin_output", folder / "pidgin.duckdb", onsets)
        found = read_onsets(onsets, dialogues)
    text = report(dialogues, found)
    print(text)
    if arguments.onsets is None:
        arguments.results.write_text(text + "\n", encoding="utf-8")


def folder_of(variable: str) -> Path | None:
    """Read a path from the environment."""
    return Path(os.environ[variable]) if os.environ.get(variable) else None


def detect(output_dir: Path, warehouse: Path, onsets: Path) -> None:
    """Build the project on the dialogues, and write the onsets of its patterns."""
    command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "build"]
    command += [
        "--select",
        "+conversation_patterns",
        "--exclude-resource-type",
        "test",
        "unit_test",
    ]
    places = [
        "--target-path",
        str(warehouse.parent / "target"),
        "--log-path",
        str(warehouse.parent / "logs"),
    ]
    environment = clean_environment(
        PIDGIN_OUTPUT_DIR=output_dir, PIDGIN_WAREHOUSE=warehouse
    )
    subprocess.run([*command, *places], cwd=ROOT, env=environment, check=True)
    # A build of a part is not published.
    built = warehouse.with_name(f"{warehouse.name}.building") / warehouse.name
    names = ", ".join(f"{pattern}_turn as {pattern}" for pattern in PATTERNS)
    with duckdb.connect(str(built), read_only=True) as connection:
        rows = connection.execute(
            f"unpivot (select conversation_id, {names} from conversation_patterns)"
            " on columns(* exclude conversation_id) into name pattern value turn"
            " order by all"
        ).fetchall()
    with onsets.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("conversation_id", "pattern", "turn"), *rows])


def write_truth(dialogues: Iterable[Dialogue], path: Path) -> None:
    """Write what is known of the dialogues, in the form of onsets."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("conversation_id", "group", "reading", "pattern", "turn"))
        for dialogue in dialogues:
            for number, reading in enumerate(dialogue.readings):
                writer.writerows(
                    (dialogue.name, dialogue.group, number, pattern, turn)
                    for pattern, turn in reading.items()
                    if turn is not None
                )


def read_onsets(path: Path, dialogues: Iterable[Dialogue]) -> Found:
    """Read what was found; what is not named was not found."""
    found: dict[str, dict[str, int | None]] = {
        dialogue.name: dict.fromkeys(PATTERNS) for dialogue in dialogues
    }
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["conversation_id"]][row["pattern"]] = int(row["turn"])
    return found


def report(dialogues: Sequence[Dialogue], found: Found) -> str:
    """Write all tables."""
    groups = scoring.grouped(dialogues, lambda dialogue: dialogue.group)
    parts = [
        "# Detectors of patterns",
        "## Patterns put into dialogues",
        INJECTED,
        injection_table(groups, found),
    ]
    parts += ["## What else is found in them", CROSSED, crossed_table(groups, found)]
    real = [each for each in dialogues if each.group not in made_groups()]
    if real:
        labelled = [each for each in real if each.readings and each.group != "permuted"]
        natural = [each for each in groups["permuted"] if each.readings]
        if labelled:
            parts += [
                "## Dialogues that readers labelled",
                READ,
                label_table(labelled, found),
            ]
            parts += [
                "## The same, their messages in another order",
                PERMUTED,
                permuted_table(natural, found),
            ]
        parts += [
            "## All dialogues of the collection",
            RATES,
            rate_table(groups, found),
        ]
    return "\n\n".join(parts)


INJECTED = f"""Share of dialogues in which the pattern was found within {scoring.NEAR}
turns of where it begins, with the 95 % interval of Wilson; share of clean dialogues in
which it was found; median distance of the turns at middle strength."""
CROSSED = """Share of the dialogues with one pattern (rows, middle strength) in which
another was found, too (columns). Many belong together: silence is short, and a sign
alone is both silence and a symbol."""
READ = """Cohen's kappa with each of two readings, and the distance of the turns where
both see the pattern."""
PERMUTED = """Dialogues in which neither reading sees the pattern, each agent's messages
shuffled: share in which it is found."""
RATES = (
    "Share of dialogues in which each pattern was found, with Wilson's 95 % interval."
)


def made_groups() -> set[str]:
    """Name the groups that are made here."""
    return {
        CLEAN,
        *(f"{pattern}-{strength}" for pattern in PATTERNS for strength in STRENGTHS),
    }


def injection_table(groups: dict[str, list[Dialogue]], found: Found) -> str:
    """Tell hits and false alarms."""
    rows = []
    for pattern in PATTERNS:
        cells = [
            scoring.rate(scoring.hits(groups[f"{pattern}-{strength}"], found, pattern))
            for strength in STRENGTHS
        ]
        middle = scoring.agreement(groups[f"{pattern}-middle"], found, pattern, 0)
        alarms = scoring.rate(scoring.alarms(groups[CLEAN], found, pattern))
        both = groups[f"{pattern}-middle"] + groups[CLEAN]
        rows.append(
            (
                pattern,
                *cells,
                alarms,
                f"{middle.median_error}",
                f"{scoring.mean_kappa(both, found, pattern):.2f}",
            )
        )
    return scoring.table(
        (
            "Pattern",
            *STRENGTHS,
            "False alarms",
            "Turns apart",
            "Kappa, middle and clean",
        ),
        rows,
    )


def crossed_table(groups: dict[str, list[Dialogue]], found: Found) -> str:
    """Tell which patterns are found where another was put."""
    rows = [
        (
            pattern,
            *(
                f"{sum(seen) / len(seen):.0%}"
                for other in PATTERNS
                for seen in [scoring.alarms(groups[f"{pattern}-middle"], found, other)]
            ),
        )
        for pattern in PATTERNS
    ]
    return scoring.table(("Put in", *PATTERNS), rows)


def label_table(labelled: Sequence[Dialogue], found: Found) -> str:
    """Tell how a detector agrees with the readings."""
    rows = []
    for pattern in LABELS.values():
        first, second = (
            scoring.agreement(labelled, found, pattern, reading) for reading in (0, 1)
        )
        seen = [
            (one[pattern] is not None, other[pattern] is not None)
            for one, other in (dialogue.readings for dialogue in labelled)
        ]
        errors = first.errors + second.errors
        near = sum(abs(error) <= 1 for error in errors) / len(errors) if errors else 0
        rows.append(
            (
                pattern,
                f"{sum(one for one, _ in seen)} of {len(labelled)}",
                f"{scoring.kappa(seen):.2f}",
                f"{first.kappa:.2f}",
                f"{second.kappa:.2f}",
                f"{first.median_error}, {second.median_error}",
                f"{near:.0%}",
            )
        )
    head = ("Pattern", "Labelled", "Readers", "Kappa 1", "Kappa 2")
    return scoring.table((*head, "Median turns apart", "Within one turn"), rows)


def permuted_table(natural: Sequence[Dialogue], found: Found) -> str:
    """Tell false alarms where the order of messages means nothing."""
    rows = []
    for pattern in LABELS.values():
        without = [
            each
            for each in natural
            if all(reading[pattern] is None for reading in each.readings)
        ]
        rows.append(
            (
                pattern,
                str(len(without)),
                scoring.rate(scoring.alarms(without, found, pattern)),
            )
        )
    return scoring.table(("Pattern", "Dialogues", "Found"), rows)


def rate_table(groups: dict[str, list[Dialogue]], found: Found) -> str:
    """Tell how often each pattern was found, by models."""
    rows = [
        (
            group,
            str(len(members)),
            *(
                scoring.rate(scoring.alarms(members, found, pattern))
                for pattern in PATTERNS
            ),
        )
        for group, members in sorted(groups.items())
        if group not in made_groups() | {"permuted"}
    ]
    return scoring.table(("Models", "Dialogues", *PATTERNS), rows)


if __name__ == "__main__":
    main()
