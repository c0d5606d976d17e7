"""The warehouse for asyncio: its queries run in threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb
from duckdb import DuckDBPyConnection

from pidgin_analytics.warehouse.places import PublishedState, WarehouseError
from pidgin_analytics.warehouse.queries import (
    CONVERSATIONS,
    DASHBOARD,
    NEAR_WORDS,
    SEARCH,
    TURNS,
    near_words_parameters,
    search_parameters,
)
from pidgin_analytics.warehouse.readers import CLOSED, Reader, Snapshot, Warehouse
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

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import polars as pl  # type: ignore[import-not-found,unused-ignore]
    import pyarrow as pa

T = TypeVar("T")


class _Pool:
    """Threads that queries run in, so that the event loop never waits for one."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "pidgin-warehouse")
        self._running: dict[asyncio.Future[Any], Query] = {}

    async def run(
        self, query: Query, function: Callable[..., T], *arguments: object
    ) -> T:
        """Call a function in a thread; if the task is cancelled, interrupt its query.

        The task goes on, or is cancelled, once the thread is free for others again.
        """
        try:
            future = self._executor.submit(function, *arguments)
        except RuntimeError:
            raise WarehouseError(CLOSED) from None
        job = asyncio.wrap_future(future)
        self._running[job] = query
        try:
            # Unlike `await job`, this leaves the job alone when the task is cancelled.
            await asyncio.wait([job])
        except asyncio.CancelledError:
            # What still waits for a thread never begins.
            future.cancel()
            await self._end(job, query)
            raise
        finally:
            del self._running[job]
        if job.cancelled():
            raise WarehouseError(CLOSED)
        try:
            return job.result()
        except duckdb.InterruptException:
            raise WarehouseError(CLOSED) from None

    async def _end(self, job: asyncio.Future[Any], query: Query) -> None:
        cancelled: asyncio.CancelledError | None = None
        while not job.done():
            # Again and again: a query that is just about to begin does not notice.
            query.interrupt()
            try:
                await asyncio.wait([job], timeout=0.01)
            except asyncio.CancelledError as error:
                # The thread has to come back all the same.
                cancelled = error
        if not job.cancelled():
            # Or asyncio complains that nobody looked.
            job.exception()
        if cancelled is not None:
            raise cancelled

    async def close(self) -> None:
        """Interrupt what runs, and end the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        for job, query in list(self._running.items()):
            await self._end(job, query)
        self._executor.shutdown()


class _AsyncReader:
    """What ``Reader`` can be asked, for asyncio."""

    def __init__(self, reader: Reader, pool: _Pool) -> None:
        self._reader = reader
        self._pool = pool

    async def _read(
        self,
        convert: Callable[[DuckDBPyConnection], T],
        sql: str,
        parameters: Parameters,
    ) -> T:
        query = Query()
        return await self._pool.run(
            query, self._reader._read, convert, sql, parameters, query
        )

    async def fetch(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return the rows of a query, as ``Warehouse.fetch`` does."""
        return await self._read(as_rows, sql, parameters)

    async def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        """Return the rows of a query as one Arrow table. Otherwise like ``fetch``."""
        return await self._read(as_arrow, sql, parameters)

    async def polars(self, sql: str, parameters: Parameters = None) -> pl.DataFrame:
        """Return the rows of a query as ``Warehouse.polars`` does."""
        check_installed("polars")
        return await self._read(as_polars, sql, parameters)

    async def pandas(self, sql: str, parameters: Parameters = None) -> pd.DataFrame:
        """Return the rows of a query as ``Warehouse.pandas`` does."""
        check_installed("pandas")
        return await self._read(as_pandas, sql, parameters)

    async def batches(
        self, sql: str, parameters: Parameters = None, *, rows: int = 10_000
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """Give the rows of a query batch by batch, as ``Warehouse.batches`` does.

        It takes a thread only while a batch is made, so a loop over it may ask other
        queries. After a ``break`` the query ends as soon as the event loop turns; with
        ``contextlib.aclosing`` at the end of its block.
        """
        query = Query()
        stream = self._reader._batches(sql, parameters, rows, query)
        try:
            while (batch := await self._pool.run(query, _next, stream)) is not None:
                yield batch
        finally:
            query.interrupt()
            stream.close()

    async def conversations(self, experiment_id: str | None = None) -> list[Row]:
        """Return rows as ``Warehouse.conversations`` does."""
        return await self.fetch(CONVERSATIONS, {"experiment_id": experiment_id})

    async def turns(
        self, conversation_id: str | None = None, experiment_id: str | None = None
    ) -> list[Row]:
        """Return rows as ``Warehouse.turns`` does."""
        return await self.fetch(
            TURNS,
            {"conversation_id": conversation_id, "experiment_id": experiment_id},
        )

    async def dashboard(self) -> list[Row]:
        """Return rows as ``Warehouse.dashboard`` does."""
        return await self.fetch(DASHBOARD)

    async def search(
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
        """Find messages and thinking as ``Warehouse.search`` does."""
        return await self.fetch(
            SEARCH,
            search_parameters(
                query, experiment, model, agent, turns, since, limit, marks
            ),
        )

    async def near_words(self, query: str) -> dict[str, list[str]]:
        """Return words as ``Warehouse.near_words`` does."""
        rows = await self.fetch(NEAR_WORDS, near_words_parameters(query))
        return {row["word"]: row["near_words"] for row in rows}


class AsyncSnapshot(_AsyncReader):
    """One state of the warehouse, for as many queries as you like."""

    def __init__(self, snapshot: Snapshot, pool: _Pool) -> None:
        """Begin with a snapshot; ``AsyncWarehouse.snapshot`` makes these."""
        super().__init__(snapshot, pool)
        self.state = snapshot.state


class AsyncWarehouse(_AsyncReader):
    """The warehouse for asyncio: read-only, as it was published last.

    Queries run in threads, each on a cursor of its own, and each sees one whole state:
    what was published when it began. A task that is cancelled interrupts its query.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, threads: int = 4
    ) -> None:
        """Name the file; it is opened by ``async with`` or by the first query.

        Args:
            path: As for ``Warehouse``.
            threads: How many queries run at once; the others wait for their turn.
        """
        self._warehouse = Warehouse(path)
        super().__init__(self._warehouse, _Pool(threads))

    async def __aenter__(self) -> Self:
        """Open the warehouse.

        Raises:
            WarehouseError: it is missing or no DuckDB database.
        """
        try:
            await self._pool.run(Query(), self._warehouse.__enter__)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the warehouse."""
        await self.aclose()

    async def aclose(self) -> None:
        """Take no more queries, and interrupt those that run: WarehouseError."""
        self._warehouse.close()
        await self._pool.close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSnapshot]:
        """Hold one state for several queries, even if another one is published.

        Yields:
            An object with the methods of the warehouse, for this state (``state``).

        Raises:
            WarehouseError: the warehouse is closed, missing or no DuckDB database.
        """
        with ExitStack() as stack:
            # Closes it too if the task is cancelled while the thread opens it.
            snapshot = await self._pool.run(
                Query(), stack.enter_context, self._warehouse.snapshot()
            )
            yield AsyncSnapshot(snapshot, self._pool)

    def updates(self, *, every: float = 1.0) -> AsyncGenerator[PublishedState, None]:
        """Wait for new states, from the call on.

        To miss none, call it before the first query. Of states that were published in
        quick succession only the last is returned. Closing the warehouse ends it.

        Args:
            every: Seconds between two looks.

        Yields:
            Each new state. A query after it sees that state or a later one.

        Raises:
            WarehouseError: the warehouse is closed already, or gone.
        """
        return self._updates(self._warehouse._published(), every)

    async def _updates(
        self, seen: PublishedState, every: float
    ) -> AsyncGenerator[PublishedState, None]:
        while not self._warehouse._is_closed:
            # Of a lake it is asked over the network.
            state = await asyncio.to_thread(self._warehouse._place.published)
            if state != seen:
                yield (seen := state)
            await asyncio.sleep(every)


def _next(stream: Iterator[T]) -> T | None:
    return next(stream, None)
