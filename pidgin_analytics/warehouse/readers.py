"""What can be asked of a warehouse, and of one state of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from duckdb import DuckDBPyConnection

from pidgin_analytics.warehouse.places import PublishedState, WarehouseError, place_of
from pidgin_analytics.warehouse.queries import (
    CONVERSATIONS,
    DASHBOARD,
    NEAR_WORDS,
    SEARCH,
    TURNS,
    near_words_parameters,
    search_parameters,
)
from pidgin_analytics.warehouse.running import (
    Parameters,
    Query,
    Row,
    as_arrow,
    as_pandas,
    as_polars,
    as_rows,
    check_installed,
)
from pidgin_analytics.warehouse.states import OpenState, open_newest

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import polars as pl  # type: ignore[import-not-found,unused-ignore]
    import pyarrow as pa

T = TypeVar("T")
CLOSED = "The warehouse is closed."


class Reader:
    """What can be asked of a warehouse, and of one state of it."""

    def _held(self) -> AbstractContextManager[OpenState]:
        """Hold the state for one query."""
        raise NotImplementedError

    def _read(
        self,
        convert: Callable[[DuckDBPyConnection], T],
        sql: str,
        parameters: Parameters,
        query: Query | None = None,
    ) -> T:
        query = query or Query()
        with self._held() as opened, query.executed(opened, sql, parameters) as cursor:
            return convert(cursor)

    def _batches(
        self, sql: str, parameters: Parameters, rows: int, query: Query
    ) -> Generator[pa.RecordBatch]:
        with (
            self._held() as opened,
            query.executed(opened, sql, parameters) as cursor,
            cursor.to_arrow_reader(rows) as reader,
        ):
            yield from reader

    def fetch(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return the rows of a query.

        Args:
            sql: One SELECT (or FROM, WITH, DESCRIBE, SUMMARIZE, SHOW).
            parameters: Values for `?`, in order, or for `$name`, by name. They are
                bound and never become SQL.

        Returns:
            One dict per row: values by the name of their column, in the query's order.
            Timestamps are datetimes in UTC; NULL is None.

        Raises:
            WarehouseError: the warehouse is closed, missing or no DuckDB database, the
                query is not one SELECT, or two of its columns have one name.
            duckdb.Error: DuckDB cannot answer the query; the message says why.
        """
        return self._read(as_rows, sql, parameters)

    def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        """Return the rows of a query as one Arrow table. Otherwise like ``fetch``."""
        return self._read(as_arrow, sql, parameters)

    def polars(self, sql: str, parameters: Parameters = None) -> pl.DataFrame:
        """Return the rows of a query as a Polars frame. Otherwise like ``fetch``.

        Raises:
            WarehouseError: also where polars is not installed.
        """
        check_installed("polars")
        return self._read(as_polars, sql, parameters)

    def pandas(self, sql: str, parameters: Parameters = None) -> pd.DataFrame:
        """Return the rows of a query as a pandas frame. Otherwise like ``fetch``.

        Raises:
            WarehouseError: also where pandas is not installed.
        """
        check_installed("pandas")
        return self._read(as_pandas, sql, parameters)

    def batches(
        self, sql: str, parameters: Parameters = None, *, rows: int = 10_000
    ) -> Generator[pa.RecordBatch]:
        """Give the rows of a query batch by batch, while the query runs.

        Only a few batches are in memory at a time. The query is over when the last one
        is taken or the generator is closed, as a ``break`` out of a loop over it does.

        Args:
            sql: As for ``fetch``.
            parameters: As for ``fetch``.
            rows: Rows of each batch; the last one may have fewer. At least 1.

        Yields:
            Arrow batches, all of one state.

        Raises:
            WarehouseError: as ``fetch`` does, when the first batch is asked for.
            duckdb.Error: as ``fetch`` does, with any batch.
        """
        return self._batches(sql, parameters, rows, Query())

    def conversations(self, experiment_id: str | None = None) -> list[Row]:
        """Return rows of ``analysis.conversations``, as ``fetch`` does.

        Args:
            experiment_id: Only those of one experiment.

        Returns:
            One row per conversation, sorted by experiment, start and id.
        """
        return self.fetch(CONVERSATIONS, {"experiment_id": experiment_id})

    def turns(
        self, conversation_id: str | None = None, experiment_id: str | None = None
    ) -> list[Row]:
        """Return rows of ``analysis.turns``, as ``fetch`` does.

        Args:
            conversation_id: Only those of one conversation.
            experiment_id: Only those of one experiment.

        Returns:
            One row per complete turn, sorted by experiment, conversation and number.
        """
        return self.fetch(
            TURNS,
            {"conversation_id": conversation_id, "experiment_id": experiment_id},
        )

    def dashboard(self) -> list[Row]:
        """Return the rows of ``experiment_dashboard``, as ``fetch`` does.

        Returns:
            One row per experiment, sorted by creation time and id.
        """
        return self.fetch(DASHBOARD)

    def search(
        self,
        query: str,
        *,
        experiment: str | None = None,
        model: str | None = None,
        agent: str | None = None,
        turns: tuple[int | None, int | None] = (None, None),
        since: datetime | None = None,
        limit: int | None = 20,
        marks: tuple[str, str] = ("«", "»"),
    ) -> list[Row]:
        """Find messages and thinking by their words, best first.

        Args:
            query: Words in any order, ``"phrases"``, ``-without``, ``prefix*``; see
                ``search_messages``, which ranks by BM25.
            experiment: Only this one, by id or name.
            model: Only what this model said, by its name in ``conversations``.
            agent: Only ``agent_a`` or ``agent_b``.
            turns: First and last turn, counted from 0; None for any.
            since: Only what was said at or after this moment.
            limit: Maximum number of hits; None for all.
            marks: Text before and after a found word in ``snippet``.

        Returns:
            One row per text: ids and name of the experiment, turn, agent and its model,
            ``text_kind`` (message or thinking), time, ``score`` and ``snippet``.

        Raises:
            WarehouseError: as ``fetch`` does, or the limit is negative.
            duckdb.Error: the warehouse was built by a version without search.
        """
        return self.fetch(
            SEARCH,
            search_parameters(
                query, experiment, model, agent, turns, since, limit, marks
            ),
        )

    def near_words(self, query: str) -> dict[str, list[str]]:
        """Return the words of a query that no text holds, with the nearest that exist.

        Words are near if they differ in one letter, or two from five letters on.
        """
        rows = self.fetch(NEAR_WORDS, near_words_parameters(query))
        return {row["word"]: row["near_words"] for row in rows}


class Snapshot(Reader):
    """One state of the warehouse, for as many queries as you like."""

    def __init__(self, opened: OpenState) -> None:
        """Begin with a state that is held; ``Warehouse.snapshot`` makes these."""
        self.state = opened.state
        self._opened = opened
        self._is_open = True

    @contextmanager
    def _held(self) -> Iterator[OpenState]:
        if not self._is_open:
            raise WarehouseError("The snapshot is closed.")
        with self._opened.used():
            yield self._opened

    def _close(self) -> None:
        self._is_open = False


class Warehouse(Reader):
    """The warehouse, read-only, as it was published last.

    Each query sees one whole state: what was published when it began. Threads may share
    a warehouse. A process that has one open cannot write the same file.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Name the file; it is opened by ``with`` or by the first query.

        Args:
            path: The file. By default that of ``PIDGIN_WAREHOUSE``, which is relative
                to the project, as for dbt; with ``PIDGIN_TARGET=lake`` the lake.

        Raises:
            WarehouseError: a setting of the lake is missing or none.
        """
        self._place = place_of(path)
        self._opened: OpenState | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Open the warehouse.

        Raises:
            WarehouseError: it is missing or no DuckDB database.
        """
        with self._held():
            return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the warehouse."""
        self.close()

    def close(self) -> None:
        """Take no more queries. Those that run in other threads still finish."""
        with self._lock:
            self._is_closed = True
            if self._opened is not None:
                self._opened.let_go()
                self._opened = None
        self._place.close()

    @contextmanager
    def _held(self) -> Iterator[OpenState]:
        with ExitStack() as stack:
            with self._lock:
                opened = stack.enter_context(self._newest().used())
            yield opened

    def _newest(self) -> OpenState:
        state = self._published()
        if self._opened is None or self._opened.state != state:
            newest = open_newest(self._place)
            if self._opened is not None:
                self._opened.let_go()
            self._opened = newest
        return self._opened

    def _published(self) -> PublishedState:
        if self._is_closed:
            raise WarehouseError(CLOSED)
        return self._place.published()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Hold one state for several queries, even if another one is published.

        Yields:
            An object with the methods of the warehouse, for this state (``state``).

        Raises:
            WarehouseError: the warehouse is closed, missing or no DuckDB database.
        """
        with self._held() as opened:
            snapshot = Snapshot(opened)
            try:
                yield snapshot
            finally:
                snapshot._close()

    def updates(self, *, every: float = 1.0) -> Generator[PublishedState]:
        """Wait for new states, from the call on. See ``AsyncWarehouse.updates``."""
        return self._updates(self._published(), every)

    def _updates(self, seen: PublishedState, every: float) -> Generator[PublishedState]:
        while not self._is_closed:
            state = self._place.published()
            if state != seen:
                yield (seen := state)
            time.sleep(every)
