"""Write the tables of docs/metrics.md from the yml of the metric marts.

A metric is described once, there, with what its ``meta`` says. This program puts the
tables between two marks in the page; the rest of the page is written by hand::

    python docs/write_metrics_page.py            # write the page
    python docs/write_metrics_page.py --check    # exit 1 if the page is stale
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from pidgin_analytics.descriptions import (
    definition,
    facts_of,
    null_in_words,
    range_in_words,
)

FOLDER = Path(__file__).resolve().parent
MODELS = FOLDER.parent / "models" / "marts" / "metrics"
PAGE = FOLDER / "metrics.md"
MARTS = [
    "message_metrics",
    "turn_metrics",
    "rolling_convergence",
    "conversation_patterns",
]

BEGIN = "<!-- Written by docs/write_metrics_page.py; edit the models' yml. -->"
END = "<!-- End of what is written. -->"

# Keys, and what says where a row comes from; everything else is a metric.
NO_METRICS = {
    "experiment_id",
    "conversation_id",
    "turn_number",
    "agent_id",
    "timestamp",
    "fingerprint",
}


def escaped(text: str) -> str:
    """Escape what Markdown or a table would take for markup, other than code spans."""
    pieces = re.split(r"(`[^`]*`)", text)
    for place in range(0, len(pieces), 2):
        pieces[place] = re.sub(r"([\\*_\[\]<>#~])", r"\\\1", pieces[place])
    return "".join(pieces).replace("|", "\\|")


def table_row(mart: str, column: dict[str, Any]) -> str:
    """Describe a metric in one row of a table.

    Raises:
        ValueError: something that every metric needs is missing.
    """
    facts = facts_of(column)
    values = {
        "description": definition(column),
        "range": range_in_words(facts),
        "source": facts.get("source", ""),
    }
    for name, value in values.items():
        if not value and (name != "range" or column["data_type"] != "boolean"):
            raise ValueError(f"{mart}.{column['name']} has no {name}")
    null = re.sub(r"^NULL (\w)", lambda m: m[1].upper(), null_in_words(facts))
    cells = [
        f"`{column['name']}`",
        column["data_type"],
        escaped(values["description"]),
        escaped(values["range"]),
        facts.get("unit", ""),
        escaped(null or "Never."),
        escaped(values["source"]),
    ]
    return f"| {' | '.join(cells)} |"


def mart_section(mart: str) -> str:
    """Describe a mart: its grain, what is peculiar, and its metrics."""
    text = (MODELS / f"{mart}.yml").read_text(encoding="utf-8")
    model = yaml.safe_load(text)["models"][0]
    description = model["description"].strip().replace("### Nuance\n", "")
    rows = [
        table_row(mart, column)
        for column in model["columns"]
        if column["name"] not in NO_METRICS
    ]
    return "\n".join(
        [
            f"## {mart}",
            "",
            description,
            "",
            "| Metric | Type | Definition | Range | Unit | NULL | Source, and Pidgin |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def metrics_page(page: str) -> str:
    """Replace the tables in a page.

    Args:
        page: The page as it is, with both marks in it.
    """
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    sections = "\n".join(mart_section(mart) for mart in MARTS)
    return f"{head}{BEGIN}\n\n{sections}\n{END}{tail}"


def main() -> int:
    """Write the page, or compare it with what would be written."""
    parser = argparse.ArgumentParser(description="Write docs/metrics.md.")
    parser.add_argument(
        "--check", action="store_true", help="exit 1 if the page is stale"
    )
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    current = metrics_page(page)
    if not check:
        PAGE.write_text(current, encoding="utf-8", newline="\n")
    elif page != current:
        print(
            "docs/metrics.md is stale: run python docs/write_metrics_page.py",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
