"""What is known of a column: its description, and the facts in its ``meta``.

The comments in the database are put together by ``macros/columns.sql``, in the same
words; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# A column as a model's yml or dbt's manifest has it.
Column = Mapping[str, Any]
NUMBERS = ("integer", "bigint", "double")


def facts_of(column: Column) -> dict[str, Any]:
    """Return what the ``meta`` of a column says."""
    config = column.get("config") or {}
    return dict(config.get("meta") or {})


def definition(column: Column) -> str:
    """Return what a column holds, on one line."""
    return " ".join((column.get("description") or "").split())


def range_in_words(facts: Mapping[str, Any]) -> str:
    """Say which values there are; empty if nothing tells."""
    ranges = []
    if "one_of" in facts:
        ranges.append("One of " + ", ".join(facts["one_of"]))
    bounds = facts.get("range")
    if isinstance(bounds, Mapping):
        ranges += [f"{_in_words(own)} for `{field}`" for field, own in bounds.items()]
    elif bounds is not None:
        ranges.append(_in_words(bounds))
    if "range_of_each" in facts:
        ranges.append(_in_words(facts["range_of_each"]) + " each")
    if not ranges:
        return ""
    if "range_note" in facts:
        ranges.append(facts["range_note"])
    return "; ".join(ranges) + "."


def _in_words(bounds: Sequence[float | str | None]) -> str:
    low, high = (f"`{one}`" if isinstance(one, str) else one for one in bounds)
    if low is not None and high is not None:
        return f"From {low} to {high}"
    if low is not None:
        return f"At least {low}"
    if high is not None:
        return f"At most {high}"
    return "Any number"


def null_in_words(facts: Mapping[str, Any]) -> str:
    """Say when a column is NULL; empty if nothing tells."""
    return f"NULL {facts['null_when']}." if facts.get("null_when") else ""


def comment(column: Column) -> str:
    """Return all that a column's description and ``meta`` say."""
    facts = facts_of(column)
    unit = f"Unit: {facts['unit']}." if "unit" in facts else ""
    sentences = (
        definition(column),
        range_in_words(facts),
        unit,
        null_in_words(facts),
        facts.get("source", ""),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def all_columns(
    model: Mapping[str, Any], columns: Mapping[str, Sequence[Column]]
) -> list[Column]:
    """Return the columns of a model, those included that it takes from others.

    Args:
        model: The model as a yml or the manifest has it.
        columns: What each model declares, by its name.
    """
    config = model.get("config") or {}
    found = {column["name"]: column for column in columns[model["name"]]}
    for taken in (config.get("meta") or {}).get("columns_from", ()):
        about = f"{taken['about']}: " if "about" in taken else ""
        for column in columns.get(taken["model"], ()):
            facts = facts_of(column)
            if "source" not in facts or column["data_type"] not in NUMBERS:
                continue
            conditions = filter(None, (facts.get("null_when"), taken.get("null_when")))
            facts["null_when"] = "; also ".join(conditions)
            name = taken.get("prefix", "") + column["name"]
            found[name] = {
                "name": name,
                "data_type": column["data_type"],
                "description": about + definition(column),
                "config": {"meta": facts},
            }
    return list(found.values())
