"""Finds experiments by what people call them."""

from __future__ import annotations

from collections.abc import Sequence

from pidgin_analytics.printing import unknown
from pidgin_analytics.warehouse import Snapshot


class UnknownExperimentError(Exception):
    """There is none of this id or name; the message says so in one sentence."""


def find_experiments(
    warehouse: Snapshot, wanted: Sequence[str] = ()
) -> list[tuple[str, str | None]]:
    """Find experiments by id or name.

    Args:
        warehouse: What holds them.
        wanted: Ids or names, which may be those of several; without any, all.

    Returns:
        Ids and names, in the order that was asked for.

    Raises:
        UnknownExperimentError: One is not there, or there is none at all.
    """
    known: list[tuple[str, str | None]] = [
        (row["experiment_id"], row["name"])
        for row in warehouse.fetch(
            "select experiment_id, name from experiments"
            " order by created_at, experiment_id"
        )
    ]
    if not known:
        raise UnknownExperimentError(
            "The warehouse holds no experiment; run `dbt build` after Pidgin ran."
        )
    if not wanted:
        return known
    found: dict[str, str | None] = {}
    for asked in wanted:
        hits = [one for one in known if one[0] == asked] or [
            one for one in known if one[1] == asked
        ]
        if not hits:
            words = [word for one in known for word in one if word is not None]
            there = "the table experiments lists them"
            raise UnknownExperimentError(unknown("experiment", asked, words, there))
        found.update(hits)
    return list(found.items())
