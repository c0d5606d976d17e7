"""The ten questions, each asked in two dialects, and the check that answers agree.

A question is a folder of `queries`: `duckdb.sql` asks the marts, `sqlite.sql` asks
Pidgin's schema in SQLite. Every query orders its rows completely.
"""

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

QUERIES = Path(__file__).parent / "queries"
TOLERANCE = 1e-9


class UnequalAnswersError(Exception):
    """The two databases answer a question differently; the message says where."""


@dataclass(frozen=True)
class Question:
    """A question, in the dialect of each engine."""

    name: str
    sql: dict[str, str]


def questions() -> list[Question]:
    """Read all questions, in the order of their names."""
    return [
        Question(
            folder.name,
            {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()},
        )
        for folder in sorted(QUERIES.iterdir())
    ]


def check(
    question: Question, marts: duckdb.DuckDBPyConnection, old: sqlite3.Connection
) -> int:
    """Insist on the same rows in the same order from both; return their number.

    Raises:
        UnequalAnswersError: if they differ, fractions by more than a billionth.
    """
    ours = marts.execute(question.sql["duckdb"]).fetchall()
    theirs = old.execute(question.sql["sqlite"]).fetchall()
    if not ours or len(ours) != len(theirs):
        raise UnequalAnswersError(
            f"{question.name}: {len(ours)} rows from DuckDB, {len(theirs)} from SQLite"
        )
    for mine, other in zip(ours, theirs, strict=True):
        if not _equal(mine, other):
            raise UnequalAnswersError(f"{question.name}: {mine} is not {other}")
    return len(ours)


def _equal(row: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(row) == len(other) and all(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        if isinstance(a, float) or isinstance(b, float)
        else a == b
        for a, b in zip(row, other, strict=True)
    )
