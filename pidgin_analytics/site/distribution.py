"""How the values of a column are spread in a warehouse."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from pidgin_analytics.site.catalog import Relation
from pidgin_analytics.sql_text import identifier

BINS = 16
# So many different values are shown each; of more, the most frequent.
FEW = 12
TOP = 5
# Longer texts are for reading, and are not shown.
LONG = 60
NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|DECIMAL.*)$")
PLAIN = ("VARCHAR", "BOOLEAN", "DATE", "UUID")


@dataclass(frozen=True)
class Bar:
    """One value, or one stretch of values, and how many rows have it."""

    label: str
    count: int
    # Of a stretch: where it begins and ends. The last one holds its end, too.
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Distribution:
    """The values of one column."""

    rows: int
    nulls: int
    distinct: int | None
    # "histogram" in the order of values, "values" with the most frequent first.
    kind: str
    bars: tuple[Bar, ...] = ()
    # Whether other values than those in the bars occur.
    is_cut: bool = False
    minimum: str | None = None
    median: str | None = None
    maximum: str | None = None

    @property
    def highest(self) -> int:
        """The longest bar."""
        return max((bar.count for bar in self.bars), default=0)

    @property
    def null_share(self) -> float:
        """Share of the rows without a value, from 0 to 1."""
        return self.nulls / self.rows if self.rows else 0.0


def distributions(
    connection: duckdb.DuckDBPyConnection, relation: Relation
) -> dict[str, Distribution]:
    """Return the distribution of each column of a table or view.

    Args:
        connection: To a warehouse; needs not be allowed to write.
        relation: A table or view. What is not in the warehouse has no distributions.
    """
    cursor = connection.cursor()
    place = f"{identifier(relation.schema)}.{identifier(relation.alias)}"
    try:
        # Once, because a view would be computed for each column.
        cursor.execute(
            f"create or replace temp table shown as select * from {place}"  # noqa: S608
        )
    except duckdb.CatalogException:
        return {}
    types = cursor.execute("select * from shown limit 0").description or []
    found = {
        str(name): _distribution(cursor, str(name), str(kind))
        for name, kind, *_ in types
    }
    cursor.execute("drop table shown")
    return found


def _distribution(
    cursor: duckdb.DuckDBPyConnection, name: str, kind: str
) -> Distribution:
    column = identifier(name)
    rows, values = _row(
        cursor,
        f"select count(*), count({column}) from shown",  # noqa: S608
    )
    nulls = rows - values
    if not values:
        return Distribution(rows, nulls, 0, "none")
    if NUMERIC.fullmatch(kind) and not name.endswith("fingerprint"):
        return _numbers(cursor, column, kind, rows, nulls)
    if kind.startswith("TIMESTAMP"):
        return _moments(cursor, column, rows, nulls)
    if kind not in PLAIN:
        return Distribution(rows, nulls, None, "none")
    distinct, longest = _row(
        cursor,
        f"select count(distinct {column}), max(length({column}::varchar))"  # noqa: S608
        " from shown",
    )
    if longest > LONG or (distinct == values and distinct > FEW):
        return Distribution(rows, nulls, distinct, "none")
    shown = distinct if distinct <= FEW else TOP
    bars = cursor.execute(
        f"select {column}::varchar as value, count(*) as times from shown"  # noqa: S608
        f" where {column} is not null group by value order by times desc, value"
        f" limit {shown}"
    ).fetchall()
    return Distribution(
        rows,
        nulls,
        distinct,
        "values",
        tuple(Bar(value, times) for value, times in bars),
        is_cut=shown < distinct,
    )


def _numbers(
    cursor: duckdb.DuckDBPyConnection, column: str, kind: str, rows: int, nulls: int
) -> Distribution:
    """Count numbers: each by itself if there are few whole ones, else in stretches."""
    distinct, low, median, high = _row(
        cursor,
        f"select count(distinct {column}), min({column})::double,"  # noqa: S608
        f" median({column})::double, max({column})::double from shown"
        f" where isfinite({column}::double)",
    )
    if low is None:
        return Distribution(rows, nulls, None, "none")
    texts = [written(number) for number in (low, median, high)]
    is_whole = "INT" in kind
    if low == high or (is_whole and high - low < FEW):
        places = int(high - low) + 1
        edges = [low + step for step in range(places)]
        counts = dict(
            cursor.execute(
                f"select {column}::double, count(*) from shown"  # noqa: S608
                f" where {column} is not null group by all"
            ).fetchall()
        )
        bars = [
            Bar(written(edge), counts.get(edge, 0), low=edge, high=edge)
            for edge in edges
        ]
        return Distribution(
            rows, nulls, distinct, "histogram", tuple(bars), False, *texts
        )
    # Stretches of whole numbers are whole.
    width = math.ceil((high - low + 1) / BINS) if is_whole else (high - low) / BINS
    number = math.ceil((high - low + 1) / width) if is_whole else BINS
    edges = [low + width * step for step in range(number + 1)]
    if not is_whole:
        edges[-1] = high
    counts = dict(
        cursor.execute(
            f"select least(len(list_filter($edges, edge -> edge <= {column})),"  # noqa: S608
            f" $number), count(*) from shown where isfinite({column}::double)"
            " group by all",
            {"edges": edges, "number": number},
        ).fetchall()
    )
    bars = []
    for step in range(number):
        first, last = edges[step], edges[step + 1]
        label = f"{written(first)} to {written(last - 1 if is_whole else last)}"
        bars.append(Bar(label, counts.get(step + 1, 0), low=first, high=last))
    return Distribution(rows, nulls, distinct, "histogram", tuple(bars), False, *texts)


def _moments(
    cursor: duckdb.DuckDBPyConnection, column: str, rows: int, nulls: int
) -> Distribution:
    distinct, low, median, high = _row(
        cursor,
        f"select count(distinct {column}), epoch(min({column})),"  # noqa: S608
        f" epoch(median({column})), epoch(max({column})) from shown",
    )
    texts = [
        f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"
        for moment in (low, median, high)
    ]
    return Distribution(rows, nulls, distinct, "none", (), False, *texts)


def written(number: float) -> str:
    """Write a number in three digits that matter, without a power of ten."""
    if number == int(number) and abs(number) < 1e15:
        return f"{int(number):,}"
    if abs(number) >= 1e15:
        return f"{number:.2e}"
    digits = max(0, 2 - math.floor(math.log10(abs(number))))
    if digits > 8:
        return f"{number:.2e}"
    return (
        f"{number:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{number:,.0f}"
    )


def _row(cursor: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = cursor.execute(query).fetchone()
    assert row is not None  # noqa: S101
    return row
