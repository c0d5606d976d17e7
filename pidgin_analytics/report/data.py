"""Gathers what the report shows, small enough for a page."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pidgin_analytics.experiments import find_experiments
from pidgin_analytics.intervals import EXACT_DEGREES, t_quantiles
from pidgin_analytics.report import queries
from pidgin_analytics.warehouse import Row, Snapshot

# Conversations that are drawn one by one, of each experiment and of all.
SHOWN_OF_EACH, SHOWN_OF_ALL = 24, 1_200
# Points of mean curves; beyond, only every second, third, ... turn is kept.
CURVE_ROWS = 12_000
WORDS_OF_EACH = 40
LONGEST_PROMPT = 300
# Texts are read of so many conversations and bytes at once.
TEXTS_AT_ONCE, BYTES_AT_ONCE = 2_000, 20_000_000
SIGNIFICANT_DIGITS = 6


@dataclass
class Selection:
    """The experiments and conversations of a report, in its order."""

    experiments: list[str]
    conversations: list[str] = field(default_factory=list)


def page_data(
    warehouse: Snapshot,
    wanted: Sequence[str],
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Any], Selection]:
    """Ask for everything that the page shows but the transcripts.

    Args:
        warehouse: The state of the warehouse to be reported.
        wanted: Ids or names of experiments; none for all.
        progress: Is told what is asked next.

    Returns:
        What JSON can hold, and whose it is.

    Raises:
        UnknownExperimentError: There is no such experiment.
    """
    progress("experiments")
    experiments = warehouse.fetch(
        queries.EXPERIMENTS,
        {
            "experiments": [one for one, _ in find_experiments(warehouse, wanted)]
            if wanted
            else None
        },
    )
    ids = [row["experiment_id"] for row in experiments]
    progress("conversations")
    conversations = warehouse.fetch(queries.CONVERSATIONS, {"experiments": ids})
    notes = []
    for row in conversations:
        prompt = row["initial_prompt"]
        if prompt and len(prompt) > LONGEST_PROMPT:
            row["initial_prompt"] = prompt[:LONGEST_PROMPT] + "…"

    progress("curves")
    rows = warehouse.fetch(queries.COUNT_CURVES, {"experiments": ids})[0]["rows"]
    every = max(1, math.ceil(rows / CURVE_ROWS))
    if every > 1:
        notes.append(f"Curves of means show every {_ordinal(every)} turn.")
    curves = warehouse.fetch(queries.CURVES, {"experiments": ids, "every": every})

    progress("single conversations")
    of_each = min(SHOWN_OF_EACH, max(1, SHOWN_OF_ALL // max(1, len(ids))))
    shown = [
        row["conversation_id"]
        for row in warehouse.fetch(
            queries.SHOWN, {"experiments": ids, "of_each": of_each}
        )
    ]
    if len(shown) > SHOWN_OF_ALL:
        shown = sorted(shown)[:SHOWN_OF_ALL]
    if len(shown) < sum(row["turn_count"] > 0 for row in conversations):
        notes.append(
            f"Single curves, time lines and incidents are drawn for {len(shown)} of"
            f" {len(conversations)} conversations, at most {of_each} of each"
            " experiment, chosen by a hash of their ids. All numbers, tables and"
            " curves of means rest on all conversations."
        )
    turns = warehouse.fetch(queries.TURNS, {"conversations": shown})
    incidents = warehouse.fetch(queries.INCIDENTS, {"conversations": shown})

    progress("words")
    words = warehouse.fetch(
        queries.WORDS, {"experiments": ids, "of_each": WORDS_OF_EACH}
    )
    definitions: dict[str, dict[str, str]] = defaultdict(dict)
    for row in warehouse.fetch(queries.DEFINITIONS):
        definitions[row["table_name"]][row["column_name"]] = row["comment"]
    data = {
        "written_at": _plain(datetime.now(UTC)),
        "notes": notes,
        "t_quantiles": [
            round(quantile, 6) for quantile in t_quantiles(EXACT_DEGREES + 1)
        ],
        "metrics": [
            {
                "key": metric.key,
                "title": metric.title,
                "unit": metric.unit,
                "series": [series.key for series in metric.series],
                "columns": [series.column for series in metric.series],
                "labels": metric.labels,
            }
            for metric in queries.METRICS
        ],
        "patterns": queries.PATTERNS,
        "experiments": _table(experiments),
        "conversations": _table(conversations),
        "curves": _table(curves),
        "turns": _table(turns),
        "incidents": _table(incidents),
        "words": _table(words),
        "quality": {
            name: _plain(value)
            for name, value in warehouse.fetch(queries.QUALITY)[0].items()
        },
        "rejected": _table(warehouse.fetch(queries.REJECTED)),
        "definitions": definitions,
    }
    return data, Selection(ids, [row["conversation_id"] for row in conversations])


def transcript_bytes(warehouse: Snapshot, selection: Selection) -> dict[str, int]:
    """Return how many bytes the texts of each conversation take."""
    sizes = {
        row["conversation_id"]: row["bytes"] or 0
        for row in warehouse.fetch(
            queries.TRANSCRIPT_SIZES, {"experiments": selection.experiments}
        )
    }
    return {one: sizes.get(one, 0) for one in selection.conversations}


def transcripts(
    warehouse: Snapshot, selection: Selection, sizes: dict[str, int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each conversation's id and what its reader shows, some at a time."""
    adoptions = warehouse.arrow(
        queries.ADOPTIONS, {"experiments": selection.experiments}
    )
    places: dict[str, tuple[int, int]] = {}
    for place, one in enumerate(adoptions.column("conversation_id").to_pylist()):
        first, _ = places.get(one, (place, place))
        places[one] = first, place + 1
    for ids in _batches(sizes):
        parts = {
            name: _by_conversation(warehouse.fetch(query, {"conversations": ids}))
            for name, query in (
                ("messages", queries.MESSAGES),
                ("turns", queries.TURNS),
                ("incidents", queries.INCIDENTS),
            )
        }
        for one in ids:
            first, last = places.get(one, (0, 0))
            words = adoptions.slice(first, last - first).to_pylist()
            yield (
                one,
                {name: _table(rows.get(one, [])) for name, rows in parts.items()}
                | {"adoptions": _table(_by_conversation(words).get(one, []))},
            )


def _batches(sizes: dict[str, int]) -> Iterator[list[str]]:
    batch: list[str] = []
    total = 0
    for one, size in sizes.items():
        if batch and (len(batch) == TEXTS_AT_ONCE or total + size > BYTES_AT_ONCE):
            yield batch
            batch, total = [], 0
        batch.append(one)
        total += size
    if batch:
        yield batch


def as_json(value: object) -> str:
    """Write JSON that no HTML parser takes for anything else, inside a script."""
    return (
        json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        .replace("<", "\\u003c")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


def _by_conversation(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.pop("conversation_id")].append(row)
    return found


def _table(rows: list[Row]) -> dict[str, Any]:
    """Turn rows into columns; texts that come again are written once.

    Returns:
        The number of rows, and for each column a list of values, or the different
        texts beside a list of their places.
    """
    columns: dict[str, Any] = {}
    for name in rows[0] if rows else ():
        values = [_plain(row[name]) for row in rows]
        if all(isinstance(value, str | None) for value in values):
            texts = list(dict.fromkeys(values))
            if len(texts) < len(values) / 2:
                places = {text: place for place, text in enumerate(texts)}
                columns[name] = {
                    "texts": texts,
                    "places": [places[value] for value in values],
                }
                continue
        columns[name] = values
    return {"count": len(rows), "columns": columns}


def _plain(value: Any) -> Any:
    """Return what JSON can hold: moments in UTC, and numbers to six digits."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return value


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
