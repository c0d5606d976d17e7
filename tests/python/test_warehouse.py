"""Reading the warehouse from Python, while new states of it are published."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ProjectMaker
from helpers.harness import ROOT, SAMPLE, Project

from pidgin_analytics import (
    AsyncWarehouse,
    PublishedState,
    Warehouse,
    WarehouseError,
    settings,
)
from pidgin_analytics.warehouse import places, running

Ask = Callable[..., Any]

# A file with two tables that say the same number, put in the place of another.
PUBLISH = """
import os
import duckdb

def publish(path, number):
    new = f"{path}.new"
    with duckdb.connect(new) as connection:
        connection.execute(f'''
            create table one as select {number} as number from range(1000);
            create table two as select {number} as number from range(1000);
            create schema analysis;
            create view analysis.both as
                select number from main.one union all select number from main.two;
            create macro above(least) as table select * from one where number > least;
        ''')
    os.replace(new, path)
"""
BOTH = "select min(number) as least, max(number) as most from analysis.both"
# Minutes, if nobody ends it.
ENDLESS = """
    select sum(a.range * b.range) as product
    from range(1_000_000) as a, range(1_000_000) as b
"""
PATIENCE = 60

_namespace: dict[str, Any] = {}
exec(PUBLISH, _namespace)  # noqa: S102  The publisher below runs the same in a process.
publish: Callable[[Path, int], None] = _namespace["publish"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Publish a first state."""
    path = tmp_path / "pidgin.duckdb"
    publish(path, 1)
    return path


def with_threads(path: Path, method: str, *args: Any, **options: Any) -> Any:
    """Ask a warehouse that is opened for it: `ask(path, "fetch", sql)`."""
    with Warehouse(path) as opened:
        answer = getattr(opened, method)(*args, **options)
        return list(answer) if method == "batches" else answer


def with_asyncio(path: Path, method: str, *args: Any, **options: Any) -> Any:
    """Ask likewise."""

    async def answer() -> Any:
        async with AsyncWarehouse(path) as opened:
            answer = getattr(opened, method)(*args, **options)
            if method == "batches":
                return [batch async for batch in answer]
            return await answer

    return run(answer())


@pytest.fixture(params=[with_threads, with_asyncio])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask in both ways."""
    way: Ask = request.param
    return way


def run(coroutine: Any) -> Any:
    """Run what must come to an end."""

    async def limited() -> Any:
        async with asyncio.timeout(PATIENCE):
            return await coroutine

    return asyncio.run(limited())


def numbers(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Read the answer to BOTH."""
    ((least, most),) = (row.values() for row in rows)
    return least, most


def open_files() -> int:
    """Count the descriptors of this process."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208


def test_every_form_holds_the_same_rows(path: Path, ask: Ask) -> None:
    """Dicts, an Arrow table and batches; with parameters by place and by name."""
    sql = """
        select range as id, if(range % 3 = 0, null, 'café ' || range) as text,
            [range, $more] as list, to_timestamp(range) as moment
        from range(2500) order by id
    """
    rows = ask(path, "fetch", sql, {"more": 7})
    assert rows[1] == {
        "id": 1,
        "text": "café 1",
        "list": [1, 7],
        "moment": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
    }
    assert ask(path, "fetch", sql.replace("$more", "?"), [7]) == rows
    table = ask(path, "arrow", sql, {"more": 7})
    assert table.to_pylist() == rows
    batches = ask(path, "batches", sql, {"more": 7}, rows=1000)
    assert [batch.num_rows for batch in batches] == [1000, 1000, 500]
    assert [row for batch in batches for row in batch.to_pylist()] == rows
    assert ask(path, "fetch", "from one where number > 1") == []
    assert ask(path, "batches", "from one where number > 1") == []


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_frames(path: Path, ask: Ask, package: str) -> None:
    """Where their packages are installed."""
    pytest.importorskip(package)
    sql = "select range as id, 'x' || range as text from range(2500) order by id"
    frame = ask(path, package, sql)
    assert list(frame.columns) == ["id", "text"]
    assert [(row["id"], row["text"]) for row in ask(path, "fetch", sql)] == list(
        zip(frame["id"], frame["text"], strict=True)
    )


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_frames_without_their_package(
    path: Path, ask: Ask, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, and no query."""
    monkeypatch.setattr(running, "find_spec", lambda _: None)
    with pytest.raises(WarehouseError, match=f"^{package} is not installed; "):
        ask(path, package, ENDLESS)


def test_parameters_never_become_sql(path: Path, ask: Ask) -> None:
    """They come back as they were."""
    texts = {
        "ends": "'; drop table one; --",
        "quotes": "\"'`",
        "backslash": "\\",
        "place": "? $1 $name %s {}",
        "nothing": "",
        "zero": "a\x00b",
        "letters": "𝄞 é\n\t",
        "long": "x" * 10**6,
    }
    by_place = ", ".join(f"? as {name}" for name in texts)
    by_name = ", ".join(f"${name} as {name}" for name in texts)
    assert ask(path, "fetch", f"select {by_place}", list(texts.values())) == [texts]
    assert ask(path, "fetch", f"select {by_name}", texts) == [texts]
    asked = "select * from one where cast(number as varchar) = ?"
    assert ask(path, "fetch", asked, ["1' or '1' = '1"]) == []


def test_macros_take_parameters(path: Path, ask: Ask) -> None:
    """Those of the warehouse that return tables."""
    assert len(ask(path, "fetch", "from above(?)", [0])) == 1000
    assert ask(path, "fetch", "from above(?)", [1]) == []


def test_sessions_are_in_utc(
    path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the machine is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    sql = """
        select
            current_setting('TimeZone') as zone,
            hour(timestamptz '2026-01-01 00:30:00+01') as hour
    """
    assert ask(path, "fetch", sql) == [{"zone": "UTC", "hour": 23}]


@pytest.mark.parametrize(
    "statement",
    [
        "create table three (number integer)",
        "create table memory.three (number integer)",
        "create temp table one (number integer)",
        "create or replace view analysis.both as select 3 as number",
        "insert into one values (3)",
        "update one set number = 3",
        "delete from one",
        "drop table one",
        "alter table one rename to three",
        "begin",
        "checkpoint",
        "vacuum",
        "copy one to '{path}' (use_tmp_file false)",
        "explain analyze copy one to '{path}' (use_tmp_file false)",
        "copy one to '{folder}/out.csv'",
        "export database '{folder}/out'",
        "attach '{folder}/other.duckdb'",
        "attach ':memory:' as analysis",
        "detach pidgin",
        "use memory",
        "install httpfs",
        "load httpfs",
        "set timezone = 'Asia/Tokyo'",
        "set enable_external_access = true",
        "reset lock_configuration",
        "set variable it = 1",
        "prepare it as select 1",
        "create secret (type s3)",
        "call pragma_version()",
        "select 1; drop table one",
        "select 1; select 2",
        "",
        "-- nothing",
    ],
)
def test_a_query_is_one_select(path: Path, statement: str) -> None:
    """Nothing else gets as far as DuckDB; the file and its folder stay as they are."""
    before = path.read_bytes()
    sql = statement.format(path=path, folder=path.parent)
    with Warehouse(path) as opened:
        for ask in (opened.fetch, opened.arrow, lambda it: next(opened.batches(it))):
            with pytest.raises(WarehouseError, match=r"^A query must be one SELECT"):
                ask(sql)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_duckdb_itself_refuses_to_write(path: Path) -> None:
    """Also what were taken for a SELECT could not write, nor open that door again."""
    with Warehouse(path) as opened, opened._held() as state, state.cursor() as cursor:
        for statement in (
            "insert into one values (3)",
            "drop view analysis.both",
            f"copy one to '{path.parent}/out.csv'",
            f"attach '{path.parent}/other.duckdb'",
            "set enable_external_access = true",
            "set lock_configuration = false",
        ):
            with pytest.raises(duckdb.Error, match=r"read-only|disabled|locked"):
                cursor.execute(statement)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "sql",
    [
        "from one",
        "with it as (from one) from it",
        "describe one",
        "summarize one",
        "show tables",
        "values (1)",
        "pivot one on number in (1) using count(*)",
        "from one;",
    ],
)
def test_what_counts_as_a_select(path: Path, sql: str) -> None:
    """All that only reads."""
    with Warehouse(path) as opened:
        assert opened.fetch(sql)


def test_files_beside_the_warehouse_are_not_read(path: Path, ask: Ask) -> None:
    """But the archives that it names are: its views read them."""
    folder = path.parent
    archives = [folder / "it's one.parquet", folder / "another.parquet"]
    for archive in archives:
        name = str(archive).replace("'", "''")
        duckdb.execute(f"copy (select 5 as number) to '{name}'")
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema staging")
        connection.execute(
            "create table staging.stg_archive__archives as"
            " select ? as source_file, null as problem",
            [str(archives[0])],
        )
        for view, archive in zip(("named", "other"), archives, strict=True):
            name = str(archive).replace("'", "''")
            connection.execute(f"create view {view} as from read_parquet(['{name}'])")
    assert ask(path, "fetch", "from named") == [{"number": 5}]
    for sql in ("from other", "from read_text('/etc/hosts')", "from glob('/*')"):
        with pytest.raises(duckdb.PermissionException, match="disabled"):
            ask(path, "fetch", sql)


def test_errors_of_duckdb_stay_what_they_are(path: Path, ask: Ask) -> None:
    """They say best what is wrong with a query."""
    for sql, parameters in (
        ("select nothing from one", None),
        ("selec 1", None),
        ("select ?", None),
        ("select ?", [1, 2]),
    ):
        with pytest.raises(duckdb.Error):
            ask(path, "fetch", sql, parameters)


def test_columns_of_one_name(path: Path, ask: Ask) -> None:
    """A dict would lose one of them; Arrow can hold both."""
    sql = "select 1 as number, 2 as number"
    with pytest.raises(WarehouseError, match="Two columns have one name"):
        ask(path, "fetch", sql)
    assert ask(path, "arrow", sql).num_columns == 2


@pytest.mark.parametrize(
    "name",
    [
        'it\'s "mine"; drop.duckdb',
        "select.duckdb",
        "memory.duckdb",
        "MEMORY.duckdb",
        "main.duckdb",
        "temp.duckdb",
        "a.b.duckdb",
        "no ending",
        "ü 𝄞.duckdb",
        "-- x.duckdb",
    ],
)
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    """The file's name is the name of the database, quoted."""
    path = tmp_path / name
    publish(path, 4)
    with Warehouse(path) as opened:
        assert numbers(opened.fetch(BOTH)) == (4, 4)


def test_the_path_comes_from_the_environment(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is relative to the project, wherever the process is and goes."""
    monkeypatch.setenv("PIDGIN_WAREHOUSE", path.name)
    monkeypatch.setattr(settings, "PROJECT", str(path.parent))
    monkeypatch.chdir("/")
    with Warehouse() as opened:
        monkeypatch.chdir(tmp_path)
        publish(path, 2)
        assert numbers(opened.fetch(BOTH)) == (2, 2)


def test_missing_warehouse(tmp_path: Path, ask: Ask) -> None:
    """The sentence says where it should be and what makes one."""
    path = tmp_path / "none.duckdb"
    with pytest.raises(WarehouseError) as error:
        ask(path, "fetch", "select 1")
    assert str(error.value) == f"There is no warehouse at {path}; run `dbt build`."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["text", "empty", "sqlite", "folder", "torn"])
def test_what_is_no_database(tmp_path: Path, path: Path, ask: Ask, kind: str) -> None:
    """The sentence names it, and no extension is looked for."""
    other = tmp_path / "other.duckdb"
    if kind == "sqlite":
        with closing(sqlite3.connect(other)) as connection:
            connection.execute("create table one (number)")
    elif kind == "folder":
        other.mkdir()
    else:
        contents = {
            "text": b"hello " * 9999,
            "empty": b"",
            "torn": path.read_bytes()[:9000],
        }
        other.write_bytes(contents[kind])
    with pytest.raises(WarehouseError) as error:
        ask(other, "fetch", "select 1")
    assert str(error.value).startswith(f"The warehouse {other} cannot be opened: ")
    assert "\n" not in str(error.value)


def test_a_broken_publish_is_told_and_made_good(path: Path) -> None:
    """Queries fail while no database is there, and go on with the next one."""
    with Warehouse(path) as opened:
        path.with_name("text").write_text("no database")
        path.with_name("text").replace(path)
        with pytest.raises(WarehouseError, match="cannot be opened"):
            opened.fetch(BOTH)
        path.unlink()
        with pytest.raises(WarehouseError, match="There is no warehouse"):
            opened.fetch(BOTH)
        publish(path, 3)
        assert numbers(opened.fetch(BOTH)) == (3, 3)


def test_closed_warehouse(path: Path) -> None:
    """Whatever is asked of it, it says so; closing twice is no mistake."""
    with Warehouse(path) as opened, opened.snapshot() as snapshot:
        late = opened.batches(BOTH)
    opened.close()
    for ask in (
        lambda: opened.fetch(BOTH),
        lambda: next(late),
        lambda: opened.snapshot().__enter__(),
        lambda: opened.updates(),
        lambda: opened.__enter__(),
    ):
        with pytest.raises(WarehouseError, match=r"^The warehouse is closed\.$"):
            ask()
    with pytest.raises(WarehouseError, match=r"^The snapshot is closed\.$"):
        snapshot.fetch(BOTH)


def test_closed_warehouse_with_asyncio(path: Path) -> None:
    """The same; and queries that run are ended."""

    async def close() -> None:
        async with AsyncWarehouse(path, threads=1) as opened:
            async with opened.snapshot() as snapshot:
                pass
            with pytest.raises(WarehouseError, match="snapshot is closed"):
                await snapshot.fetch(BOTH)
            running = asyncio.create_task(opened.fetch(ENDLESS))
            waiting = asyncio.create_task(opened.fetch(BOTH))
            await asyncio.sleep(0.1)
        await opened.aclose()
        for answer in (
            running,
            waiting,
            opened.fetch(BOTH),
            anext(opened.batches(BOTH)),
            opened.snapshot().__aenter__(),
            opened.__aenter__(),
        ):
            with pytest.raises(WarehouseError, match=r"^The warehouse is closed\.$"):
                await answer
        with pytest.raises(WarehouseError, match="is closed"):
            opened.updates()

    run(close())


def test_a_new_state_is_taken_up(path: Path) -> None:
    """Between queries, by every warehouse of the process, whatever else is open."""
    with (
        duckdb.connect(str(path), read_only=True),
        Warehouse(path) as first,
        Warehouse(path) as second,
        first.snapshot() as held,
    ):
        assert numbers(first.fetch(BOTH)) == (1, 1)
        for number in (2, 3):
            publish(path, number)
            assert numbers(first.fetch(BOTH)) == (number, number)
            with Warehouse(path) as third:
                assert numbers(third.fetch(BOTH)) == (number, number)
            assert numbers(held.fetch(BOTH)) == (1, 1)
        assert numbers(second.fetch(BOTH)) == (3, 3)


def test_a_snapshot_holds_one_state(path: Path) -> None:
    """In every form, and batches too that were begun before."""
    with Warehouse(path) as opened:
        with opened.snapshot() as held:
            batches = opened.batches("from one", rows=100)
            next(batches)
            publish(path, 2)
            assert numbers(held.fetch(BOTH)) == (1, 1)
            assert held.arrow("from two limit 1").to_pylist() == [{"number": 1}]
            assert numbers(opened.fetch(BOTH)) == (2, 2)
            assert {
                n for b in held.batches("from two") for n in b["number"].to_pylist()
            } == {1}
            assert {n for b in batches for n in b["number"].to_pylist()} == {1}
            with opened.snapshot() as newer:
                assert newer.state != held.state
        assert numbers(opened.fetch(BOTH)) == (2, 2)


def test_a_snapshot_holds_one_state_with_asyncio(path: Path) -> None:
    """The same."""

    async def hold() -> None:
        async with AsyncWarehouse(path) as opened, opened.snapshot() as held:
            batches = opened.batches("from one", rows=100)
            await anext(batches)
            publish(path, 2)
            assert numbers(await held.fetch(BOTH)) == (1, 1)
            assert (await held.arrow("from two limit 1")).to_pylist() == [{"number": 1}]
            assert numbers(await opened.fetch(BOTH)) == (2, 2)
            async for batch in batches:
                assert set(batch["number"].to_pylist()) == {1}
            async with opened.snapshot() as newer:
                assert newer.state != held.state

    run(hold())


def test_a_snapshot_that_is_cancelled_lets_go(path: Path) -> None:
    """Also when the thread holds the state already, and the task does not know."""

    async def cancel() -> None:
        async with AsyncWarehouse(path, threads=2) as opened:
            await opened.fetch(BOTH)
            files = open_files()
            for number in range(2, 12):
                publish(path, number)
                taking = asyncio.ensure_future(opened.snapshot().__aenter__())
                await asyncio.sleep(0.002 * number)
                if taking.cancel():
                    with pytest.raises(asyncio.CancelledError):
                        await taking
                else:
                    taking.result()
                del taking
                assert numbers(await opened.fetch(BOTH)) == (number, number)
            publish(path, 12)
            await opened.fetch(BOTH)
            assert open_files() == files

    run(cancel())


def test_many_queries_at_once(path: Path) -> None:
    """Each task gets the answer to its own question."""

    async def ask_many() -> None:
        async with AsyncWarehouse(path, threads=3) as opened:
            answers = await asyncio.gather(
                *(
                    opened.fetch("select ? as it, count(*) as rows from one", [number])
                    for number in range(200)
                )
            )
        assert answers == [[{"it": number, "rows": 1000}] for number in range(200)]

    run(ask_many())


def test_threads_share_a_warehouse(path: Path) -> None:
    """Likewise without asyncio."""
    with Warehouse(path) as opened, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda it: opened.fetch("select ? as it", [it]), range(200))
        assert list(answers) == [[{"it": number}] for number in range(200)]


@pytest.mark.parametrize("method", ["fetch", "arrow"])
@pytest.mark.parametrize("seconds", [0, 0.001, 0.2])
def test_a_cancelled_task_ends_its_query(
    path: Path, method: str, seconds: float
) -> None:
    """And no other one; its thread is free for the next, whenever it was cancelled."""

    async def cancel() -> None:
        async with AsyncWarehouse(path, threads=2) as opened:
            other = asyncio.create_task(opened.fetch(ENDLESS))
            await asyncio.sleep(0.1)
            for _ in range(5):
                query = asyncio.create_task(getattr(opened, method)(ENDLESS))
                await asyncio.sleep(seconds)
                query.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await query
                assert numbers(await opened.fetch(BOTH)) == (1, 1)
            assert not other.done()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await other
            assert numbers(await opened.fetch(BOTH)) == (1, 1)

    run(cancel())


def test_a_large_result_is_cancelled_too(path: Path) -> None:
    """While its rows become Python objects, or the next batch is waited for."""

    async def cancel() -> None:
        async with AsyncWarehouse(path, threads=1) as opened:
            rows = "from range(100_000_000_000)"
            stream = opened.batches(ENDLESS)
            for slow in (opened.fetch(rows), anext(stream)):
                query = asyncio.ensure_future(slow)
                await asyncio.sleep(0.2)
                query.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await query
                assert numbers(await opened.fetch(BOTH)) == (1, 1)

    run(cancel())


def test_a_query_that_waits_for_a_thread_is_cancelled(path: Path) -> None:
    """It never begins."""

    async def cancel() -> None:
        async with AsyncWarehouse(path, threads=1) as opened:
            running = asyncio.create_task(opened.fetch(ENDLESS))
            await asyncio.sleep(0.1)
            waiting = asyncio.create_task(opened.fetch(ENDLESS))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert not running.done()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            assert numbers(await opened.fetch(BOTH)) == (1, 1)

    run(cancel())


def test_breaking_out_of_batches_ends_the_query(path: Path) -> None:
    """Its state is closed when another one was published meanwhile."""
    with Warehouse(path) as opened:
        opened.fetch(BOTH)
        files = open_files()
        for number in range(2, 6):
            for batch in opened.batches("from range(100_000_000_000), one", rows=5000):
                assert batch.num_rows == 5000
                publish(path, number)
                assert numbers(opened.fetch(BOTH)) == (number, number)
                break
            assert open_files() == files


def test_breaking_out_of_batches_ends_the_query_with_asyncio(path: Path) -> None:
    """The same, with other queries in the loop and one thread for all of them."""

    async def leave() -> None:
        async with AsyncWarehouse(path, threads=1) as opened:
            await opened.fetch(BOTH)
            files = open_files()
            sql = "from range(100_000_000_000), one"
            for number in range(2, 6):
                async for batch in opened.batches(sql, rows=5000):
                    assert batch.num_rows == 5000
                    publish(path, number)
                    assert numbers(await opened.fetch(BOTH)) == (number, number)
                    break
                # The event loop turns.
                await opened.fetch(BOTH)
                assert open_files() == files
            async with aclosing(opened.batches(sql)) as batches:
                await anext(batches)
                publish(path, 7)
                await opened.fetch(BOTH)
            assert open_files() == files

    run(leave())


def test_nothing_is_left_of_a_thousand_queries(path: Path) -> None:
    """No descriptor, no thread."""

    async def ask_often() -> None:
        async with AsyncWarehouse(path) as opened:
            await asyncio.gather(*(opened.fetch(BOTH) for _ in range(20)))
            before = open_files(), threading.active_count()
            for _ in range(50):
                await asyncio.gather(*(opened.fetch(BOTH) for _ in range(20)))
            assert (open_files(), threading.active_count()) == before

    with Warehouse(path) as opened:
        opened.fetch(BOTH)
    before = open_files(), threading.active_count()
    run(ask_often())
    with Warehouse(path) as opened:
        for _ in range(200):
            opened.fetch(BOTH)
    assert (open_files(), threading.active_count()) == before


@asynccontextmanager
async def publisher(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Publish 50 states from another process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"{PUBLISH}\nfor number in range(2, 52): publish({str(path)!r}, number)",
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def test_every_query_sees_one_whole_state(path: Path) -> None:
    """While another process publishes; states that were left are closed."""

    async def read(opened: AsyncWarehouse, seen: list[tuple[int, int]]) -> None:
        while not seen or seen[-1] != (51, 51):
            seen.append(numbers(await opened.fetch(BOTH)))
            async with opened.snapshot() as held:
                one, two = await asyncio.gather(
                    held.fetch("select max(number) as n from one"),
                    held.fetch("select max(number) as n from two"),
                )
                seen.append((one[0]["n"], two[0]["n"]))

    def read_with_threads(opened: Warehouse) -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []
        while not seen or seen[-1] != (51, 51):
            seen.append(numbers(opened.fetch(BOTH)))
        return seen

    async def read_meanwhile() -> list[list[tuple[int, int]]]:
        async with AsyncWarehouse(path) as opened:
            with Warehouse(path) as other:
                await opened.fetch(BOTH)
                files = open_files()
                seen: list[list[tuple[int, int]]] = [[], [], []]
                async with publisher(path) as process:
                    reading = asyncio.gather(*(read(opened, its) for its in seen))
                    last = await asyncio.to_thread(read_with_threads, other)
                    await reading
                    assert await process.wait() == 0
                assert open_files() == files
                return [*seen, last]

    for answers in run(read_meanwhile()):
        assert all(one == two for one, two in answers)
        # Never back to an older one.
        assert answers == sorted(answers)
        assert len(set(answers)) > 2


def test_fifty_states_leave_nothing_open(path: Path) -> None:
    """One after the other, each asked once."""
    with Warehouse(path) as opened:
        opened.fetch(BOTH)
        before = open_files(), threading.active_count()
        for number in range(2, 52):
            publish(path, number)
            assert numbers(opened.fetch(BOTH)) == (number, number)
        assert (open_files(), threading.active_count()) == before


def test_a_file_that_is_replaced_while_it_is_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened again, also where the first try failed."""
    real = places._FilePlace.attach
    tries = []

    def attach(place: Any, connection: Any, state: PublishedState) -> Any:
        tries.append(state)
        if len(tries) < 4:
            publish(path, 1 + len(tries))
        if len(tries) == 2:
            raise duckdb.IOException("torn")
        return real(place, connection, state)

    monkeypatch.setattr(places._FilePlace, "attach", attach)
    files = open_files()
    with Warehouse(path) as opened_last:
        with opened_last.snapshot() as held:
            assert numbers(held.fetch(BOTH)) == (4, 4)
            assert held.state == tries[-1]
        assert len(tries) == 4
    assert open_files() == files


def test_updates_tell_each_publish(path: Path) -> None:
    """Once each, beginning with the call; and they end with the task."""

    async def watch() -> None:
        async with AsyncWarehouse(path) as opened:
            updates = opened.updates(every=0.01)
            for number in (2, 3, 4):
                publish(path, number)
                state = await anext(updates)
                assert state.identity[1] == path.stat().st_ino
                assert state.path == path
                assert state.written_at.tzinfo is UTC
                assert numbers(await opened.fetch(BOTH)) == (number, number)
                async with opened.snapshot() as held:
                    assert held.state == state

            async def wait() -> PublishedState:
                async for state in updates:
                    return state
                raise AssertionError("ended by itself")

            # Nothing new: it waits until it is cancelled, and is over then.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await wait()
            with pytest.raises(StopAsyncIteration):
                await anext(updates)

            waiting = asyncio.create_task(anext(opened.updates(every=0.01)))
            await asyncio.sleep(0.05)
        with pytest.raises(StopAsyncIteration):
            await waiting

    run(watch())


def test_updates_without_asyncio(path: Path) -> None:
    """The same; they end when the warehouse is closed."""
    with Warehouse(path) as opened:
        updates = opened.updates(every=0.01)
        for number in (2, 3):
            publish(path, number)
            assert next(updates).identity[1] == path.stat().st_ino
            assert numbers(opened.fetch(BOTH)) == (number, number)
        gone = opened.updates(every=0.01)
        path.unlink()
        with pytest.raises(WarehouseError, match="There is no warehouse"):
            next(gone)
        publish(path, 4)
        next(updates)
    assert list(updates) == []


def test_the_package_is_imported_quickly() -> None:
    """The plugin of dbt imports it; what reads the warehouse comes when asked for."""
    code = (
        "import sys, pidgin_analytics;"
        "assert 'duckdb' not in sys.modules and 'asyncio' not in sys.modules;"
        "pidgin_analytics.AsyncWarehouse;"
        "assert not hasattr(pidgin_analytics, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_marts_that_people_start_from(project: ProjectMaker) -> None:
    """Of the real project, in the order that is promised."""
    built = project(SAMPLE)
    built.build_only()
    for ask in (with_threads, with_asyncio):
        check_marts(built, ask)


def check_marts(built: Project, ask: Ask) -> None:
    """Compare them with what DuckDB says itself."""
    path = built.warehouse
    conversations = ask(path, "conversations")
    keys = [(row["experiment_id"], row["started_at"]) for row in conversations]
    assert keys == sorted(keys)
    assert len(keys) == built.value("select count(*) from analysis.conversations")
    first = conversations[0]
    own = ask(path, "conversations", first["experiment_id"])
    assert own == [
        row for row in conversations if row["experiment_id"] == first["experiment_id"]
    ]
    assert ask(path, "conversations", "' or 1 = 1 --") == []

    turns = ask(path, "turns")
    names = ("experiment_id", "conversation_id", "turn_number")
    assert turns == sorted(turns, key=lambda row: [row[name] for name in names])
    assert len(turns) == built.value("select count(*) from analysis.turns")
    for name in names[:2]:
        assert ask(path, "turns", **{name: first[name]}) == [
            row for row in turns if row[name] == first[name]
        ]
    dashboard = ask(path, "dashboard")
    assert [row["experiment_id"] for row in dashboard] == [
        experiment
        for (experiment,) in built.query(
            "select experiment_id from experiments order by created_at, experiment_id"
        )
    ]
    # Views, macros and archives of the warehouse work as they do elsewhere.
    assert ask(path, "fetch", "select count(*) as n from events") == [
        {"n": built.value("select count(*) from events")}
    ]
    assert ask(path, "fetch", "from experiment_dashboard_as_of(?)", [datetime.now(UTC)])
