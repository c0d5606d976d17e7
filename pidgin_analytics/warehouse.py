"""Reads the warehouse from Python, also while builds publish new states.

A successful build replaces the file, or publishes a new snapshot of the lake. Readers
who have the old one open keep it, so each query first checks whether it is still the
newest, and opens the new one if not. A state that nobody uses any more is closed.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb
from duckdb import DuckDBPyConnection, StatementType

from pidgin_analytics import lake, settings
from pidgin_analytics.in_memory import in_memory
from pidgin_analytics.sql_text import identifier, literal

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import polars as pl  # type: ignore[import-not-found,unused-ignore]
    import pyarrow as pa

T = TypeVar("T")
# What `?` (a sequence) or `$name` (a mapping) stand for.
Parameters = Sequence[object] | Mapping[str, object] | None
Row = dict[str, Any]

# Names that DuckDB keeps for itself; it too adds `_db` to them.
RESERVED = ("main", "memory", "system", "temp")
CLOSED = "The warehouse is closed."
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Python objects are made while no other thread of Python runs, so few at a time.
ROWS_AT_ONCE = 1_000
# Of a query that found nothing, what is looked at.
LONGEST_QUERY, MOST_WORDS = 10_000, 32

CONVERSATIONS = """
    select * from analysis.conversations
    where $experiment_id is null or experiment_id = $experiment_id
    order by experiment_id, started_at, conversation_id
"""
TURNS = """
    select * from analysis.turns
    where
        ($conversation_id is null or conversation_id = $conversation_id)
        and ($experiment_id is null or experiment_id = $experiment_id)
    order by experiment_id, conversation_id, turn_number
"""
DASHBOARD = "select * from experiment_dashboard order by created_at, experiment_id"
SEARCH = """
    select
        hits.conversation_id,
        hits.experiment_id,
        experiments.name as experiment_name,
        hits.turn_number,
        hits.agent_id,
        if(
            hits.agent_id = 'agent_a',
            conversations.agent_a_model,
            conversations.agent_b_model
        ) as model,
        hits.text_kind,
        hits.sent_at,
        hits.score,
        hits.snippet
    from search_messages(
        $query,
        max_hits := $limit,
        of_experiment := $experiment,
        of_model := $model,
        of_agent := $agent,
        from_turn := $from_turn,
        to_turn := $to_turn,
        since := $since,
        marks := $marks
    ) as hits
    inner join conversations
        on hits.conversation_id = conversations.conversation_id
    left join experiments
        on hits.experiment_id = experiments.experiment_id
    order by
        hits.score desc,
        hits.conversation_id,
        hits.turn_number,
        hits.agent_id,
        hits.text_kind
"""
# Words that no text holds, and those that differ from them in the fewest letters.
NEAR_WORDS = """
    with
    asked as (select unnest($words) as word),
    known as (
        select distinct unnest([word, search_words]) as word
        from intermediate.int_word_postings
        where word != ''
    ),
    parts as (
        select distinct unnest(string_split(word, ' ')) as word
        from known
        where word is not null
    ),
    unknown as (from asked anti join parts using (word)),
    distances as (
        select
            unknown.word,
            parts.word as near,
            damerau_levenshtein(unknown.word, parts.word) as distance
        from unknown
        inner join parts
            on abs(length(unknown.word) - length(parts.word)) <= 2
    )
    select
        unknown.word,
        coalesce(
            (
                list(distances.near order by distances.distance, distances.near)
                filter (where distances.near is not null)
            )[:3],
            []
        ) as near_words
    from unknown
    left join distances
        on
            unknown.word = distances.word
            and distances.distance <= if(length(unknown.word) < 5, 1, 2)
    group by unknown.word
    order by unknown.word
"""


class WarehouseError(Exception):
    """The warehouse cannot be queried; the message says why in one sentence."""


class MissingWarehouseError(WarehouseError):
    """No build has published anything there yet."""


@dataclass(frozen=True)
class PublishedState:
    """What a build published, as far as its place tells.

    Attributes:
        path: The file of the warehouse, as an absolute path; None for a lake.
        written_at: When it was published, in UTC.
        identity: Of a file its device, inode, time of writing in nanoseconds and size
            in bytes; of a lake the number of the snapshot and the time of publishing in
            microseconds. Two states differ in at least one of them.
    """

    path: Path | None
    written_at: datetime
    identity: tuple[int, ...]


class _Place(ABC):
    """Where builds publish: a file or a lake."""

    @abstractmethod
    def published(self) -> PublishedState:
        """Look which state is published now.

        Raises:
            WarehouseError: there is none, or it cannot be told.
        """

    @abstractmethod
    def attach(self, connection: DuckDBPyConnection, state: PublishedState) -> str:
        """Attach a state for reading only, and return the name of its database.

        Raises:
            duckdb.Error: it is not there any more, or no database.
        """

    @abstractmethod
    def directories(self) -> list[str]:
        """Return the folders that DuckDB reads the state from."""

    @abstractmethod
    def close(self) -> None:
        """Ask no more."""

    def failed(self, error: Exception) -> WarehouseError:
        """Make the error that says why the warehouse cannot be opened."""
        reason = str(error).partition("\n")[0]
        return WarehouseError(f"The warehouse {self} cannot be opened: {reason}")


class _FilePlace(_Place):
    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def published(self) -> PublishedState:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise MissingWarehouseError(
                f"There is no warehouse at {self._path}; run `dbt build`."
            ) from None
        except OSError as error:
            raise self.failed(error) from error
        return PublishedState(
            self._path,
            datetime.fromtimestamp(found.st_mtime, UTC),
            (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size),
        )

    def attach(
        self,
        connection: DuckDBPyConnection,
        state: PublishedState,  # noqa: ARG002
    ) -> str:
        name = self._path.stem
        name += "_db" if name.lower() in RESERVED else ""
        # The type, lest DuckDB look for an extension that reads the file.
        connection.execute(
            f"attach {literal(str(self._path))} as {identifier(name)}"
            " (read_only, type duckdb)"
        )
        return name

    def directories(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class _LakePlace(_Place):
    def __init__(self, place: lake.Lake) -> None:
        self._lake = place
        self._reader = lake.Reader(place)

    def __str__(self) -> str:
        return str(self._lake)

    def published(self) -> PublishedState:
        try:
            found = self._reader.published()
        except lake.LakeError as error:
            raise WarehouseError(str(error)) from error
        if found is None:
            raise MissingWarehouseError(
                f"Nothing is published in {self._lake}; run `dbt build`."
            )
        moment = found.published_at.astimezone(UTC)
        return PublishedState(
            None,
            moment,
            (found.snapshot_id, (moment - EPOCH) // timedelta(microseconds=1)),
        )

    def attach(self, connection: DuckDBPyConnection, state: PublishedState) -> str:
        try:
            self._lake.attach(connection, snapshot_id=state.identity[0])
        except lake.LakeError as error:
            raise WarehouseError(str(error)) from error
        return lake.ALIAS

    def directories(self) -> list[str]:
        return [self._lake.data]

    def close(self) -> None:
        self._reader.close()


def _place(path: str | os.PathLike[str] | None) -> _Place:
    """Find the place: a file that is named, or what the environment says.

    Raises:
        WarehouseError: a setting of the lake is missing or none.
    """
    if path is None and settings.is_lake():
        try:
            return _LakePlace(lake.of_environment())
        except lake.LakeError as error:
            raise WarehouseError(str(error)) from error
    if path is None:
        path = Path(settings.PROJECT, settings.warehouse(settings.PROJECT))
    # Absolute, so that the process may go elsewhere meanwhile.
    return _FilePlace(Path(path).absolute())


def connect(path: str | os.PathLike[str] | None = None) -> DuckDBPyConnection:
    """Open what is published now with DuckDB, for what one SELECT cannot do.

    Args:
        path: A file; by default what the environment names, a file or a lake.

    Returns:
        A connection that finds tables by their plain names, cannot write them, and
        takes as much memory as a build may.

    Raises:
        MissingWarehouseError: nothing is published there yet.
        WarehouseError: it cannot be opened.
    """
    with closing(_place(path)) as place:
        _, connection, name = _newest(place)
    connection.execute(f"use {identifier(name)}")
    return connection


class _OpenState:
    """A published state, open until its last user is done."""

    def __init__(
        self, state: PublishedState, connection: DuckDBPyConnection, name: str
    ) -> None:
        self.state = state
        self._connection = connection
        self._name = name
        self._users = 1
        self._lock = threading.Lock()

    @contextmanager
    def used(self) -> Iterator[_OpenState]:
        """Keep it open; only for those who know that it is."""
        with self._lock:
            self._users += 1
        try:
            yield self
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Have one user less. Whoever opened it is the first one."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self._connection.close()

    def cursor(self) -> DuckDBPyConnection:
        """Make a session that finds tables by their plain names."""
        cursor = self._connection.cursor()
        # The only setting of sessions that a locked configuration lets through; they
        # do not inherit it.
        cursor.execute(f"use {self._name}")
        return cursor


def _newest(place: _Place) -> tuple[PublishedState, DuckDBPyConnection, str]:
    """Open what is published now, and return its state and the name of its database.

    Raises:
        WarehouseError: it is missing, no database, or just being written.
    """
    while True:
        state = place.published()
        connection = in_memory()
        try:
            name = place.attach(connection, state)
            newest = place.published()
        except duckdb.Error as error:
            connection.close()
            # What was replaced on the way is no reason to complain; what is written in
            # its place is.
            if place.published().identity[:2] == state.identity[:2]:
                raise place.failed(error) from error
            continue
        except BaseException:
            connection.close()
            raise
        if newest == state:
            return state, connection, name
        connection.close()


def _open(place: _Place) -> _OpenState:
    """Open what is published now so that a query can do nothing but read it.

    Raises:
        WarehouseError: it is missing, no database, or just being written.
    """
    state, connection, name = _newest(place)
    try:
        archives = ", ".join(map(literal, _archives(connection, name)))
        directories = ", ".join(map(literal, place.directories()))
        # In this order: each of them takes away what the ones before need.
        connection.execute(f"set allowed_paths = [{archives}]")
        connection.execute(f"set allowed_directories = [{directories}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return _OpenState(state, connection, identifier(name))


def _archives(connection: DuckDBPyConnection, name: str) -> list[str]:
    """Return the files that views of the warehouse read: `events`, of archives."""
    if not connection.execute(
        "select 1 from duckdb_tables() where database_name = ?"
        " and schema_name = 'staging' and table_name = 'stg_archive__archives'",
        [name],
    ).fetchall():
        return []
    return [
        path
        for (path,) in connection.execute(
            f"select source_file from {identifier(name)}.staging.stg_archive__archives"  # noqa: S608
            " where problem is null"
        ).fetchall()
    ]


class _Query:
    """A query that one thread runs and another may interrupt."""

    def __init__(self) -> None:
        self._cursor: DuckDBPyConnection | None = None

    @contextmanager
    def executed(
        self, opened: _OpenState, sql: str, parameters: Parameters
    ) -> Iterator[DuckDBPyConnection]:
        """Begin the query on a cursor of its own; its rows come as they are taken.

        Raises:
            WarehouseError: it is not one SELECT.
            duckdb.Error: it is wrong, or was interrupted.
        """
        cursor = opened.cursor()
        try:
            statements = cursor.extract_statements(sql)
            # The rest could still write into memory that all queries share, or over
            # the warehouse itself, which DuckDB counts among the files it may use.
            if [one.type for one in statements] != [StatementType.SELECT]:
                raise WarehouseError("A query must be one SELECT, and nothing else.")
            self._cursor = cursor
            cursor.execute(statements[0], parameters)
            yield cursor
        finally:
            self._cursor = None
            cursor.close()

    def interrupt(self) -> None:
        """End the query if it runs. One that has not begun yet does not notice."""
        cursor = self._cursor
        if cursor is not None:
            # It may be closed at this moment.
            with suppress(duckdb.Error):
                cursor.interrupt()


def _rows(cursor: DuckDBPyConnection) -> list[Row]:
    names = [column[0] for column in cursor.description or ()]
    if len(set(names)) < len(names):
        raise WarehouseError("Two columns have one name; give them names with `as`.")
    rows: list[Row] = []
    while some := cursor.fetchmany(ROWS_AT_ONCE):
        rows += [dict(zip(names, row, strict=True)) for row in some]
    return rows


def _arrow(cursor: DuckDBPyConnection) -> pa.Table:
    return cursor.to_arrow_table()


def _polars(cursor: DuckDBPyConnection) -> pl.DataFrame:
    return cursor.pl()


def _pandas(cursor: DuckDBPyConnection) -> pd.DataFrame:
    return cursor.df()


def _search(
    query: str,
    experiment: str | None,
    model: str | None,
    agent: str | None,
    turns: tuple[int | None, int | None],
    since: datetime | None,
    limit: int | None,
    marks: tuple[str, str],
) -> dict[str, object]:
    """Make the parameters of a search."""
    if limit is not None and limit < 0:
        raise WarehouseError("The limit of a search cannot be negative.")
    return {
        # Halves of a character are none, and DuckDB takes characters only.
        "query": query.encode(errors="replace").decode(),
        "limit": limit,
        "experiment": experiment,
        "model": model,
        "agent": agent,
        "from_turn": turns[0],
        "to_turn": turns[1],
        "since": since,
        "marks": list(marks),
    }


def _asked_words(query: str) -> dict[str, object]:
    """Make the parameters of a look for near words."""
    words = re.findall(r"\w+", query.lower()[:LONGEST_QUERY])
    return {"words": list(dict.fromkeys(words))[:MOST_WORDS]}


def _next(stream: Iterator[T]) -> T | None:
    return next(stream, None)


def _check_installed(package: str) -> None:
    if find_spec(package) is None:
        raise WarehouseError(f"{package} is not installed; install it, or use arrow().")


class _Reader:
    """What can be asked of a warehouse, and of one state of it."""

    def _held(self) -> AbstractContextManager[_OpenState]:
        """Hold the state for one query."""
        raise NotImplementedError

    def _read(
        self,
        convert: Callable[[DuckDBPyConnection], T],
        sql: str,
        parameters: Parameters,
        query: _Query | None = None,
    ) -> T:
        query = query or _Query()
        with self._held() as opened, query.executed(opened, sql, parameters) as cursor:
            return convert(cursor)

    def _batches(
        self, sql: str, parameters: Parameters, rows: int, query: _Query
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
        return self._read(_rows, sql, parameters)

    def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        """Return the rows of a query as one Arrow table. Otherwise like ``fetch``."""
        return self._read(_arrow, sql, parameters)

    def polars(self, sql: str, parameters: Parameters = None) -> pl.DataFrame:
        """Return the rows of a query as a Polars frame. Otherwise like ``fetch``.

        Raises:
            WarehouseError: also where polars is not installed.
        """
        _check_installed("polars")
        return self._read(_polars, sql, parameters)

    def pandas(self, sql: str, parameters: Parameters = None) -> pd.DataFrame:
        """Return the rows of a query as a pandas frame. Otherwise like ``fetch``.

        Raises:
            WarehouseError: also where pandas is not installed.
        """
        _check_installed("pandas")
        return self._read(_pandas, sql, parameters)

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
        return self._batches(sql, parameters, rows, _Query())

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
            _search(query, experiment, model, agent, turns, since, limit, marks),
        )

    def near_words(self, query: str) -> dict[str, list[str]]:
        """Return the words of a query that no text holds, with the nearest that exist.

        Words are near if they differ in one letter, or two from five letters on.
        """
        rows = self.fetch(NEAR_WORDS, _asked_words(query))
        return {row["word"]: row["near_words"] for row in rows}


class Snapshot(_Reader):
    """One state of the warehouse, for as many queries as you like."""

    def __init__(self, opened: _OpenState) -> None:
        """Begin with a state that is held; ``Warehouse.snapshot`` makes these."""
        self.state = opened.state
        self._opened = opened
        self._is_open = True

    @contextmanager
    def _held(self) -> Iterator[_OpenState]:
        if not self._is_open:
            raise WarehouseError("The snapshot is closed.")
        with self._opened.used():
            yield self._opened

    def _close(self) -> None:
        self._is_open = False


class Warehouse(_Reader):
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
        self._place = _place(path)
        self._opened: _OpenState | None = None
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
    def _held(self) -> Iterator[_OpenState]:
        with ExitStack() as stack:
            with self._lock:
                opened = stack.enter_context(self._newest().used())
            yield opened

    def _newest(self) -> _OpenState:
        state = self._published()
        if self._opened is None or self._opened.state != state:
            newest = _open(self._place)
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


class _Pool:
    """Threads that queries run in, so that the event loop never waits for one."""

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "pidgin-warehouse")
        self._running: dict[asyncio.Future[Any], _Query] = {}

    async def run(
        self, query: _Query, function: Callable[..., T], *arguments: object
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

    async def _end(self, job: asyncio.Future[Any], query: _Query) -> None:
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
    """What ``_Reader`` can be asked, for asyncio."""

    def __init__(self, reader: _Reader, pool: _Pool) -> None:
        self._reader = reader
        self._pool = pool

    async def _read(
        self,
        convert: Callable[[DuckDBPyConnection], T],
        sql: str,
        parameters: Parameters,
    ) -> T:
        query = _Query()
        return await self._pool.run(
            query, self._reader._read, convert, sql, parameters, query
        )

    async def fetch(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Return the rows of a query, as ``Warehouse.fetch`` does."""
        return await self._read(_rows, sql, parameters)

    async def arrow(self, sql: str, parameters: Parameters = None) -> pa.Table:
        """Return the rows of a query as one Arrow table. Otherwise like ``fetch``."""
        return await self._read(_arrow, sql, parameters)

    async def polars(self, sql: str, parameters: Parameters = None) -> pl.DataFrame:
        """Return the rows of a query as ``Warehouse.polars`` does."""
        _check_installed("polars")
        return await self._read(_polars, sql, parameters)

    async def pandas(self, sql: str, parameters: Parameters = None) -> pd.DataFrame:
        """Return the rows of a query as ``Warehouse.pandas`` does."""
        _check_installed("pandas")
        return await self._read(_pandas, sql, parameters)

    async def batches(
        self, sql: str, parameters: Parameters = None, *, rows: int = 10_000
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """Give the rows of a query batch by batch, as ``Warehouse.batches`` does.

        It takes a thread only while a batch is made, so a loop over it may ask other
        queries. After a ``break`` the query ends as soon as the event loop turns; with
        ``contextlib.aclosing`` at the end of its block.
        """
        query = _Query()
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
            _search(query, experiment, model, agent, turns, since, limit, marks),
        )

    async def near_words(self, query: str) -> dict[str, list[str]]:
        """Return words as ``Warehouse.near_words`` does."""
        rows = await self.fetch(NEAR_WORDS, _asked_words(query))
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
            await self._pool.run(_Query(), self._warehouse.__enter__)
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
                _Query(), stack.enter_context, self._warehouse.snapshot()
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
