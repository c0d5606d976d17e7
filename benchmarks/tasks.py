"""What is measured beside dbt, each in a process of its own, so that its memory counts.

Usage: python -m benchmarks.tasks TASK JSON

Every task takes keywords and returns something that JSON can hold, printed as the last
line.
"""

import json
import logging
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import duckdb_extension_fts  # type: ignore[import-untyped]
from pidgin.database.import_service import ImportService
from pidgin.metrics.flat_calculator import FlatMetricsCalculator

from benchmarks import pidgin_sqlite, questions
from benchmarks.corpus import Corpus, record
from benchmarks.processes import clean_environment
from pidgin_analytics import Warehouse

NUMBER_TYPES = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE"),
)
# Keys, and what was recorded and not computed.
NO_METRICS = (
    "turn_number",
    "fingerprint",
    "convergence_score",
    "legacy_convergence_score",
)

Json = dict[str, Any]


def import_logs(*, database: str, experiments: list[str]) -> Json:
    """Run Pidgin's own importer over experiments, into a new database.

    Returns:
        Its seconds, the turns it took and the bytes of the database.

    Raises:
        RuntimeError: if it refuses an experiment.
    """
    logging.disable(logging.WARNING)
    begin = time.perf_counter()
    service = ImportService(database)
    turns = 0
    for folder in experiments:
        result = service.import_experiment_from_jsonl(Path(folder))
        if not result.success:
            raise RuntimeError(result.error)
        turns += result.turns_imported
    service.close()  # type: ignore[no-untyped-call]
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "turns": turns, "bytes": Path(database).stat().st_size}


def calculate_metrics(*, experiments: list[str]) -> Json:
    """Run Pidgin's own calculator over the turns of experiments.

    Returns:
        Its seconds, reading the logs left out; turns, and numbers computed, those
        included that are the same in every row.
    """
    conversations: list[list[tuple[int, str, str]]] = []
    for folder in experiments:
        for path in sorted(Path(folder).glob("*.jsonl")):
            with path.open(encoding="utf-8") as lines:
                events = [
                    json.loads(line) for line in lines if "TurnCompleteEvent" in line
                ]
            conversations.append(
                [
                    (
                        event["turn_number"],
                        event["turn"]["agent_a_message"]["content"],
                        event["turn"]["agent_b_message"]["content"],
                    )
                    for event in events
                    if event["event_type"] == "TurnCompleteEvent"
                ]
            )
    values = 0
    begin = time.perf_counter()
    for turns in conversations:
        calculator = FlatMetricsCalculator()
        for turn in turns:
            values += len(calculator.calculate_turn_metrics(*turn))
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "turns": sum(map(len, conversations)),
        "values": values,
    }


def count_values(*, warehouse: str) -> Json:
    """Count the metric values in both marts: numbers, NULLs left out.

    The struct of lexical metrics counts as its fields and the JSON object as its keys;
    word frequencies do not count.
    """
    counts = {}
    with duckdb.connect(warehouse, read_only=True) as connection:
        for mart in ("message_metrics", "turn_metrics"):
            columns = connection.execute(
                "select column_name, data_type from duckdb_columns()"
                " where schema_name = 'main' and table_name = ?",
                [mart],
            ).fetchall()
            terms = [
                f"count({name})"
                for name, data_type in columns
                if data_type in NUMBER_TYPES and name not in NO_METRICS
            ]
            if mart == "turn_metrics":
                terms += [
                    "count(lexical_metrics) * 3",
                    "coalesce(sum(len(json_keys(extended_metrics))), 0)",
                ]
            query = f"select {' + '.join(terms)}, count(*) from {mart}"
            ((values, rows),) = connection.execute(query).fetchall()
            counts[mart] = {"values": int(values), "rows": rows}
    return counts


def tokenise(*, warehouse: str, query: str) -> Json:
    """Split all messages into words, by the SQL in that file, for nothing."""
    sql = Path(query).read_text(encoding="utf-8")
    with duckdb.connect(warehouse, read_only=True) as connection:
        return _timed(
            connection,
            f"select count(*), sum(length(token_text)) from ({sql})",
        )


def scan_lines(*, output_dir: str) -> Json:
    """Read every line of the logs as text with DuckDB, and count characters."""
    return _timed(
        duckdb.connect(),
        f"""
        select count(*), sum(strlen(line))
        from read_csv(
            '{output_dir}/**/*.jsonl', columns = {{'line': 'VARCHAR'}},
            auto_detect = false, header = false, delim = '\x01\x02\x03\x04',
            quote = '', escape = '', comment = '', strict_mode = false,
            max_line_size = 16777216, buffer_size = 33554432
        )
        """,
    )


def scan_json(*, output_dir: str) -> Json:
    """Parse the logs with DuckDB's read_json, five columns of complete turns."""
    return _timed(
        duckdb.connect(),
        f"""
        select
            count(*), count(distinct conversation_id), max(turn_number),
            max(timestamp), avg(convergence_score)
        from read_json(
            '{output_dir}/**/*.jsonl', format = 'newline_delimited',
            columns = {{
                conversation_id: 'VARCHAR', turn_number: 'INTEGER',
                event_type: 'VARCHAR', timestamp: 'TIMESTAMPTZ',
                convergence_score: 'DOUBLE'
            }}
        )
        where event_type = 'TurnCompleteEvent'
        """,
    )


def _timed(connection: duckdb.DuckDBPyConnection, sql: str) -> Json:
    begin = time.perf_counter()
    rows = connection.execute(sql).fetchall()
    return {"seconds": time.perf_counter() - begin, "rows": repr(rows)}


def copy_marts(*, warehouse: str, target: str) -> Json:
    """Copy every mart but the events themselves into a new database; its bytes."""
    with duckdb.connect() as connection:
        # Under the name it was built as, which its views spell out.
        connection.execute(f"attach '{warehouse}' as pidgin (read_only)")
        ((version,),) = connection.execute(
            "select tags['storage_version'] from duckdb_databases()"
            " where database_name = 'pidgin'"
        ).fetchall()
        # In the same file format, so that the sizes compare.
        connection.execute(
            f"attach '{target}' as copied (storage_version '{version.rstrip('+')}')"
        )
        marts = connection.execute(
            "select table_name from information_schema.tables"
            " where table_catalog = 'pidgin' and table_schema = 'main'"
            " and table_name not in ('events', 'rejected_lines')"
        ).fetchall()
        for (mart,) in marts:
            connection.execute(f"create table copied.{mart} as from pidgin.main.{mart}")
    return {"bytes": Path(target).stat().st_size}


def fill_sqlite(*, warehouse: str, target: str) -> Json:
    """Put the marts' data into SQLite, in Pidgin's own schema of 2025; its bytes."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        pidgin_sqlite.fill(connection, Path(target))
    return {"bytes": Path(target).stat().st_size}


def compare_queries(*, warehouse: str, sqlite: str, repeats: int) -> list[Json]:
    """Time the researchers' questions in both databases; answers are checked first.

    Returns:
        For each question its name, the rows of its answer and the median seconds.
    """
    results = []
    with (
        duckdb.connect(warehouse, read_only=True) as marts,
        pidgin_sqlite.opened(Path(sqlite)) as old,
    ):
        marts.execute("set TimeZone = 'UTC'")
        for question in questions.questions():
            rows = questions.check(question, marts, old)
            seconds: dict[str, list[float]] = {"duckdb": [], "sqlite": []}
            for _ in range(repeats):
                for engine, connection in (("duckdb", marts), ("sqlite", old)):
                    begin = time.perf_counter()
                    connection.execute(question.sql[engine]).fetchall()
                    seconds[engine].append(time.perf_counter() - begin)
            medians = {
                name: statistics.median(times) for name, times in seconds.items()
            }
            results.append({"question": question.name, "rows": rows, **medians})
    return results


def compare_search(*, warehouse: str, folder: str, queries: int) -> dict[str, Json]:
    """Time searches for three words in a warehouse and in DuckDB's `fts`.

    The words of a query are of one message, so that it finds something.
    Both are asked for the ten best, in turn; `fts` for messages only.

    Returns:
        For each of the two the median seconds of a query, the bytes of the index and of
        the texts that it needs, and for `fts` the seconds of making the index.
    """
    with duckdb.connect(warehouse, read_only=True) as connection:
        texts = connection.execute(
            "select token_text from intermediate.int_message_tokens"
            " where len(string_split(token_text, ' ')) > 20"
            " order by conversation_id, turn_number, agent_id"
        ).fetchall()
    # In the file format of the warehouse, so that the sizes compare.
    postings = Path(folder) / "postings.duckdb"
    with duckdb.connect(config={"storage_compatibility_version": "v1.4.0"}) as copying:
        copying.execute(f"attach '{warehouse}' as pidgin (read_only)")
        copying.execute(f"attach '{postings}' as copied")
        copying.execute(
            "create table copied.postings as from pidgin.intermediate.int_word_postings"
        )
    dice = random.Random(0)
    asked = [
        " ".join(dice.sample(sorted(set(text.split())), 3))
        for (text,) in dice.choices(texts, k=queries)
    ]
    extension = next(
        Path(duckdb_extension_fts.__path__[0]).rglob("fts.duckdb_extension")
    )
    with (
        duckdb.connect(warehouse, read_only=True) as ours,
        duckdb.connect(Path(folder) / "fts.duckdb") as theirs,
    ):
        theirs.execute(f"load '{extension}'")
        theirs.execute(f"attach '{warehouse}' as warehouse (read_only)")
        theirs.execute(
            "create table texts as select row_number() over () as id, content"
            " from warehouse.main.messages where is_spoken and content is not null"
        )
        theirs.execute("checkpoint")
        text_bytes = (Path(folder) / "fts.duckdb").stat().st_size
        begin = time.perf_counter()
        theirs.execute(
            "pragma create_fts_index('texts', 'id', 'content', stemmer = 'none',"
            " stopwords = 'none', ignore = '[^a-z0-9_]+')"
        )
        made = time.perf_counter() - begin
        theirs.execute("checkpoint")
        seconds: dict[str, list[float]] = {"ours": [], "fts": []}
        for query in asked:
            for name, connection, sql in (
                ("ours", ours, "from search_messages(?, max_hits := 10)"),
                (
                    "fts",
                    theirs,
                    "select * from (select *, fts_main_texts.match_bm25(id, ?,"
                    " conjunctive := 1) as score from texts) where score is not null"
                    " order by score desc limit 10",
                ),
            ):
                begin = time.perf_counter()
                hits = connection.execute(sql, [query]).fetchall()
                seconds[name].append(time.perf_counter() - begin)
                if not hits:
                    raise ValueError(f"{name} does not find {query}")
    fts_bytes = (Path(folder) / "fts.duckdb").stat().st_size - text_bytes
    return {
        "ours": {
            "query": statistics.median(seconds["ours"]),
            "bytes": postings.stat().st_size,
        },
        "fts": {
            "query": statistics.median(seconds["fts"]),
            "bytes": fts_bytes,
            "build": made,
        },
    }


def watch_turns(
    *, corpus_turns: int, project: str, home: str, warehouse: str, turns: int
) -> Json:
    """Let a conversation go on under `watch --interval 1`, a turn after the other.

    Returns:
        Of each turn the seconds from its last line in the log until its row stands in
        the warehouse that people open; after each turn the bytes, threads and open
        files of `watch`.

    Raises:
        RuntimeError: `watch` ended.
    """
    corpus = Corpus(corpus_turns)
    output = Path(home) / "pidgin_output"
    recording = record(corpus, corpus.experiments - 1)
    conversation = recording.add_conversation(corpus.conversations, 1)
    recording.write(output, [conversation])
    (log,) = output.rglob(f"events_{conversation.id}.jsonl")
    program = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "from pidgin_analytics.command_line import main; main()",
            *("watch", "--interval", "1", "--json"),
        ],
        cwd=project,
        env=clean_environment(
            PIDGIN_OUTPUT_DIR=output,
            PIDGIN_WAREHOUSE=warehouse,
            DBT_TARGET_PATH=Path(home) / "target",
            DBT_LOG_PATH=Path(home) / "logs",
            PYTHONPATH=project,
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    dice = random.Random(0)
    delays, states = [], []
    with Warehouse(warehouse) as reader:
        for number in range(turns + 1):
            begin = time.perf_counter()
            while reader.fetch(
                "select count(*) as turns from turn_metrics where conversation_id = ?",
                [conversation.id],
            ) != [{"turns": number + 1}]:
                if program.poll() is not None:
                    raise RuntimeError(f"watch ended with {program.returncode}")
                time.sleep(0.02)
            # Of the first, how long the program takes to start.
            if number:
                delays.append(time.perf_counter() - begin)
            states.append(_state_of(program.pid))
            time.sleep(dice.uniform(0, 2))
            written = len(conversation.lines)
            conversation.add_turns(1)
            with log.open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in conversation.lines[written:])
    program.terminate()
    if program.wait(60):
        raise RuntimeError(f"watch ended with {program.returncode}")
    return {"delays": delays, "states": states}


def _state_of(process: int) -> Json:
    place = Path("/proc") / str(process)
    status = dict(
        line.split(":", 1)
        for line in (place / "status").read_text(encoding="utf-8").splitlines()
    )
    return {
        "bytes": int(status["VmRSS"].split()[0]) * 1024,
        "threads": int(status["Threads"]),
        "files": len(list((place / "fd").iterdir())),
    }


TASKS: dict[str, Callable[..., Any]] = {
    task.__name__: task
    for task in (
        *(import_logs, calculate_metrics, count_values, tokenise, scan_lines),
        *(scan_json, copy_marts, fill_sqlite, compare_queries, compare_search),
        watch_turns,
    )
}


def main() -> None:
    """Do the task that the command line names."""
    _, task, keywords = sys.argv
    print(json.dumps(TASKS[task](**json.loads(keywords))))


if __name__ == "__main__":
    main()
