"""Exports hold what the warehouse holds, say what it means, and do no harm."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
import unicodedata
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from click.testing import CliRunner, Result
from conftest import ProjectMaker
from helpers.harness import SAMPLE, Project
from hypothesis import given
from hypothesis import strategies as st
from writers.logs import Conversation, OutputFolder, as_line, manifest

from pidgin_analytics import exports
from pidgin_analytics.command_line import main
from pidgin_analytics.exports import workbook
from pidgin_analytics.exports.codebook import CODEBOOK, Codebook, markdown_cell
from pidgin_analytics.exports.corpus import CORPUS
from pidgin_analytics.exports.csv_columns import CSV_OPTIONS, csv_column
from pidgin_analytics.exports.tables import NUMBERS, ORDER, Column

EXPERIMENT = "=1+1|<b>\x1b[31m'; drop table messages --"
CONVERSATION = "conv/%\"'; drop --"
PROMPT = '=HYPERLINK("http://x.example","</script>")'
TEXTS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", "\n", "  =cmd|' /C calc'!A0"),
    *("＝1", "\ufeff＠1", "\xa0-2", "\u200b+3", "\x00=1", "'=1", "''=1", "'quoted'"),
    *("plain", 'a,"b"\r\nc;=1', "</script><!--", "NUL \x00 and \x1b[31m", "\ufffe"),
    "<r><t>1</t></r></is></c><c><f>1+1</f></c><c t='inlineStr'><is></r>",
    *(
        "_x0041_",
        "lone \ud800 surrogate",
        "\u2028",
        "x" * 40_000,
        "\U0001f4a5" * 20_000,
    ),
    *("end \r", "c:\\folder", " spaces ", "--- | `md` |", "The end."),
]
MAIN = ("messages", "events", "experiments", "turn_metrics", "token_usage")
EVERYTHING = 2**31 - 1


@pytest.fixture(scope="module")
def built(project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build the bundled sample and an experiment that means harm."""
    folder = OutputFolder(tmp_path_factory.mktemp("logs") / "output")
    shutil.copytree(SAMPLE, folder.path)
    maker = Conversation(CONVERSATION)
    events = [maker.begin(initial_prompt=PROMPT)]
    for number in range(0, len(TEXTS), 2):
        a, b = TEXTS[number : number + 2]
        events += maker.turn(number // 2, a, b)
    lines = [as_line(event) for event in [*events, maker.end()]]
    folder.write("harm/events.jsonl", [*lines, "=no event"])
    # One without a prompt, and one in which nobody says a word.
    folder.write(
        "harm/events_2.jsonl",
        [as_line(event) for event in Conversation("conv").turn(0, "One.", "Two.")],
    )
    folder.write("harm/events_3.jsonl", [as_line(Conversation("mute").begin())])
    listed = [CONVERSATION, "conv", "mute"]
    folder.write("harm/manifest.json", manifest(EXPERIMENT, listed))
    made = project(folder.path)
    made.build_only()
    return made


@pytest.fixture
def warehouse(built: Project) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse, in a zone that is far from UTC."""
    with built.opened("Asia/Tokyo") as connection:
        yield connection


@pytest.fixture
def small(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Make a warehouse of two tables."""
    with duckdb.connect() as connection:
        connection.execute("create table experiments as select 'e' as experiment_id")
        connection.execute(
            "create table texts (line_number integer, text varchar, amount double)"
        )
        yield connection


def command(built: Project, *arguments: str) -> Result:
    """Run the command in this process."""
    runner = CliRunner(
        env=built.environment | {"PIDGIN_WAREHOUSE": str(built.warehouse)}
    )
    return runner.invoke(main, ["export", *arguments])


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a file as everybody would."""
    csv.field_size_limit(EVERYTHING)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def is_unseen(character: str) -> bool:
    """Tell whether a reader, or a spreadsheet, may pass over a character."""
    return unicodedata.category(character)[0] in "ZC" or character.isspace()


def might_be_formula(text: str, passed: str = "") -> bool:
    """Tell whether a spreadsheet may take a text for a formula."""
    for character in text:
        if character in "=+-@＝＋－＠\t\r\n":
            return True
        if not is_unseen(character) and character not in passed:
            return False
    return False


def as_logged(cell: str) -> str:
    """Take the apostrophe away, as the codebook says."""
    if cell.startswith("'") and might_be_formula(cell, passed="'"):
        return cell[1:]
    return cell


def as_cell(value: Any) -> str:
    """Write a value as a CSV file holds it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date() | int() | UUID() | str():
            return str(value)
    raise NotImplementedError(value)


def assert_same(cell: str, value: Any) -> None:
    """Compare a cell of a CSV file with a value of the warehouse."""
    if isinstance(value, float):
        assert math.isclose(float(cell), value, rel_tol=0)
    elif isinstance(value, (list, dict)):
        assert json.loads(cell) == value
    elif isinstance(value, timedelta):
        assert re.fullmatch(r"(\d+ days? )?\d\d:\d\d:\d\d(\.\d+)?", cell)
    else:
        assert as_logged(cell) == as_cell(value)


@pytest.mark.parametrize("table", [*MAIN, "analysis.turns", "analysis.messages"])
def test_csv_holds_what_the_warehouse_holds(
    table: str, warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Every cell says what its value was, and none is a formula."""
    (exported,) = exports.export_tables(warehouse, [table], tmp_path, "csv")
    assert exported.path == tmp_path / f"{table}.csv"
    written = exported.path.read_bytes()
    written.decode("utf-8")
    assert written.endswith(b"\r\n")
    rows = read_csv(exported.path)
    columns = list(rows[0])
    order = ", ".join(column for column in ORDER if column in columns)
    expected = warehouse.execute(f"select * from {table} order by {order}").fetchall()
    assert columns == [column[0] for column in warehouse.description or []]
    assert exported.rows == len(rows) == len(expected)
    numbers = {
        column
        for column, kind in warehouse.execute(
            f"select column_name, column_type from (describe {table})"
        ).fetchall()
        if NUMBERS.fullmatch(kind)
    }
    for row, values in zip(rows, expected, strict=True):
        for (column, cell), value in zip(row.items(), values, strict=True):
            assert_same(cell, value)
            assert column in numbers or not might_be_formula(cell), (column, cell)


def test_harmful_texts_arrive(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """They are in the warehouse as they were logged, and in the CSV file made safe."""
    exports.export_tables(
        warehouse, ["messages"], tmp_path, "csv", experiments=[EXPERIMENT]
    )
    cells = [
        row["content"]
        for row in read_csv(tmp_path / "messages.csv")
        if row["conversation_id"] == CONVERSATION
    ]
    expected = [text.replace("\ud800", "\ufffd") for text in TEXTS]
    assert [as_logged(cell) for cell in cells] == expected
    assert sum(cell != text for cell, text in zip(cells, expected, strict=True)) == 16


# What matters at the beginning of a text, and then anything.
ANY_TEXT = st.builds(
    "{}{}".format,
    st.text("=+-@＝＋－＠\t\r\n' \",;a\x00\xa0\ufeff", max_size=4),
    st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=4),
)


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database for made-up texts."""
    with duckdb.connect() as connection:
        yield connection


@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=50))
def test_no_text_is_a_formula_and_each_comes_back(
    texts: list[str],
    memory: duckdb.DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever is said, CSV makes it safe and loses nothing; numbers stay."""
    path = tmp_path_factory.getbasetemp() / "texts.csv"
    columns = ", ".join(
        csv_column(Column(name, kind, None))
        for name, kind in (("text", "VARCHAR"), ("amount", "BIGINT"))
    )
    memory.execute(
        f"copy (select {columns} from (select unnest($texts) as text,"
        " -generate_subscripts($texts, 1) as amount))"
        f" to '{path}' ({CSV_OPTIONS})",
        {"texts": texts},
    )
    rows = read_csv(path)
    assert [as_logged(row["text"]) for row in rows] == texts
    assert not any(might_be_formula(row["text"]) for row in rows)
    assert [int(row["amount"]) for row in rows] == [-n - 1 for n in range(len(texts))]


def test_parquet_keeps_types_and_values(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Everything that can be exported comes back as it is, but for durations."""
    tables = list(exports.known_tables(warehouse))
    assert {*MAIN, "event_files", "rejected_lines", "analysis.turns"} < set(tables)
    exports.export_tables(warehouse, tables, tmp_path, "parquet")
    for table in tables:
        file = f"read_parquet('{tmp_path / table}.parquet')"
        types = f"select column_name, column_type from (describe from {file})"
        assert (
            warehouse.execute(types).fetchall()
            == warehouse.execute(types.replace(file, table)).fetchall()
        )
        columns = "* exclude (duration)" if table == "experiments" else "*"
        ours, theirs = (f"select {columns} from {source}" for source in (table, file))
        differences = (
            f"({ours} except all {theirs}) union all ({theirs} except all {ours})"
        )
        assert not warehouse.execute(differences).fetchall(), table
    compression = "select distinct compression from parquet_metadata(?)"
    assert warehouse.execute(
        compression, [str(tmp_path / "messages.parquet")]
    ).fetchall() == [("ZSTD",)]


def read_sheets(path: Path) -> dict[str, list[dict[str, str]]]:
    """Read a workbook's cells as text, and insist that it holds nothing but cells."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    sheets = {}
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "external" in name.lower()]
        # Of our own making.
        book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
        names = [sheet.attrib["name"] for sheet in book.iter(f"{space}sheet")]
        for number, name in enumerate(names, start=1):
            content = archive.read(f"xl/worksheets/sheet{number}.xml")
            sheet = ET.fromstring(content)  # noqa: S314
            for kind in ("f", "hyperlink"):
                assert not list(sheet.iter(f"{space}{kind}"))
            rows = [
                {
                    re.sub(r"\d", "", cell.attrib["r"]): re.sub(
                        "_x([0-9A-F]{4})_",
                        lambda found: chr(int(found[1], 16)),
                        "".join(part.text or "" for part in cell.iter() if part.text),
                    )
                    for cell in row
                }
                for row in sheet.iter(f"{space}row")
            ]
            letters = rows[0]
            sheets[name] = [
                {letters[letter]: text for letter, text in row.items()}
                for row in rows[1:]
            ]
    return sheets


def test_workbook(built: Project, tmp_path: Path) -> None:
    """Texts are texts; what Excel cannot hold is cut or replaced, and counted."""
    tables = ["messages", "analysis.conversations", "experiments", "turn_metrics"]
    result = command(
        built, *tables, "--to", str(tmp_path), "--format", "xlsx",
        "--experiment", EXPERIMENT,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    path = tmp_path / "export.xlsx"
    assert [file.name for file in tmp_path.iterdir()] == ["export.xlsx"]
    rows = len(TEXTS) + 2
    # The id of the experiment in every row, and three messages.
    changes = f"2 texts cut, {rows + 3} texts with characters replaced"
    assert f"messages: {rows} rows, {path} ({changes})" in result.output
    sheets = read_sheets(path)
    assert list(sheets) == [*tables, "codebook"]

    by_turn = {
        (row["turn_number"], row["agent_id"]): row
        for row in sheets["messages"]
        if row["conversation_id"] == CONVERSATION
    }
    for number, text in enumerate(TEXTS):
        row = by_turn[str(number // 2), "agent_b" if number % 2 else "agent_a"]
        shown = row.get("content", "")
        expected = re.sub("[\x00\x1b\ufffe\ud800]", "\ufffd", text)
        if len(text) > 10_000:
            assert shown.endswith(f" [cut, of {len(text)} characters]")
            assert expected.startswith(shown.partition(" [cut")[0])
            assert 32_765 <= len(shown.encode("utf-16-le")) // 2 <= 32_767
        else:
            assert shown == expected
    ((fingerprint, sent_at),) = built.query(
        "select fingerprint, sent_at from messages"
        " where conversation_id = 'conv' and agent_id = 'agent_b'"
    )
    (row,) = (
        row
        for row in sheets["messages"]
        if row["conversation_id"] == "conv" and row["agent_id"] == "agent_b"
    )
    assert row["fingerprint"] == str(fingerprint)
    # Excel counts days since the end of 1899.
    days = (sent_at - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)
    assert float(row["sent_at"]) == pytest.approx(days, abs=1e-8)
    assert json.loads(sheets["experiments"][0]["stats"])["total_conversations"] == 3

    book = sheets["codebook"]
    assert changes in next(
        row["description"] for row in book if row.get("table") == "messages"
    )
    assert version("pidgin-analytics") in book[0]["description"]


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("SHEET_ROWS", "rows, and a sheet of Excel holds 4"),
        ("SHEET_COLUMNS", "columns, and a sheet of Excel holds 5"),
        ("SHEET_NAME", "characters in its name, and a sheet of Excel holds 5"),
    ],
)
def test_workbook_refuses_what_it_cannot_hold(
    limit: str,
    says: str,
    warehouse: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It names what can hold it, and writes nothing."""
    monkeypatch.setattr(workbook, limit, 5)
    with pytest.raises(exports.ExportError, match=f"{says}: export it as csv or par"):
        exports.export_tables(warehouse, ["messages"], tmp_path / "new", "xlsx")
    assert not list(tmp_path.iterdir())


def test_experiments_are_kept_to(built: Project, tmp_path: Path) -> None:
    """Every table holds what belongs to the chosen ones, and no more."""
    two = ["experiment_33e5cc01", EXPERIMENT]
    with built.opened() as connection:
        known = exports.known_tables(connection)
        exported = exports.export_tables(
            connection, list(known), tmp_path, "csv", experiments=two
        )
        for one in exported:
            rows = read_csv(one.path)
            assert one.rows == len(rows)
            if known[one.table].has("experiment_id"):
                ids = {as_logged(row["experiment_id"]) for row in rows}
                assert ids <= set(two)
                whole = connection.execute(
                    f"select count(*) from {one.table}"
                    " where list_contains(?, experiment_id)",
                    [two],
                ).fetchall()
                assert whole == [(len(rows),)]
            else:
                files = {row["source_file"] for row in rows}
                assert all("harm" in name or "33e5cc01" in name for name in files)
    (line,) = read_csv(tmp_path / "rejected_lines.csv")
    assert line["line"] == "'=no event"
    assert len(read_csv(tmp_path / "event_files.csv")) == 3 + 2


def test_a_table_of_no_experiment_is_not_filtered_in_silence(
    small: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Which rows belong to an experiment cannot be known, and is said."""
    with pytest.raises(exports.ExportError, match="texts does not say which"):
        exports.export_tables(
            small, ["texts"], tmp_path / "x", "csv", experiments=["e"]
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_codebook_describes_every_column(
    file_format: str, warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Beside the tables stands what they mean, as data and to read."""
    tables = list(exports.known_tables(warehouse))
    exported = exports.export_tables(
        warehouse, tables, tmp_path, file_format, experiments=[EXPERIMENT]
    )
    book = read_csv(tmp_path / "codebook.csv")
    assert list(book[0]) == list(Codebook.HEADER)
    assert all(row["description"] for row in book)
    assert {(row["table"], row["column"], row["type"]) for row in book[1:]} == {
        (table.name, column, kind)
        for table in exports.known_tables(warehouse).values()
        for column, kind in [("", ""), *((c.name, c.type) for c in table.columns)]
    }
    assert [
        (row["table"], int(row["rows"])) for row in book[1:] if not row["column"]
    ] == [(one.table, one.rows) for one in exported]
    about = book[0]["description"]
    assert version("pidgin-analytics") in about
    assert datetime.now(UTC).date().isoformat()[:7] in about
    assert f"Experiments: {EXPERIMENT}." in about

    text = (tmp_path / "codebook.md").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert r"Experiments: \=1\+1\|\<b\>" in text
    assert r"## analysis\.turns" in text
    for row in book:
        if row["column"]:
            assert f"| `{row['column']}` |" in text
    # Rows of a Markdown table have as many cells as its head.
    for line in text.splitlines():
        if line.startswith("| `"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 4


def test_the_codebook_is_markdown_whatever_it_says() -> None:
    """Bars, tags and line breaks in a description do not break its table."""
    cell = markdown_cell("One | two\n\n  `chats_<day>` <b>&amp;")
    assert cell == r"One \| two `chats_<day>` &#60;b&#62;&#38;amp;"


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def corpus(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write all conversations as a corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    result = command(built, "--to", str(folder), "--format", "convokit")
    assert result.exit_code == 0, result.output
    return folder


def test_corpus_follows_the_rules_of_convokit(built: Project, corpus: Path) -> None:
    """One root per conversation, whose id it bears; replies are to what is there."""
    assert {path.name for path in corpus.iterdir()} == {
        *CORPUS,
        *CODEBOOK,
    }
    utterances = json_lines(corpus / "utterances.jsonl")
    speakers = json.loads((corpus / "speakers.json").read_bytes())
    conversations = json.loads((corpus / "conversations.json").read_bytes())
    index = json.loads((corpus / "index.json").read_bytes())
    overall = json.loads((corpus / "corpus.json").read_bytes())

    by_id = {utterance["id"]: utterance for utterance in utterances}
    assert len(by_id) == len(utterances)
    roots = [one for one in utterances if one["reply-to"] is None]
    assert sorted(root["id"] for root in roots) == sorted(conversations)
    seen = set()
    for one in utterances:
        assert set(one) == {
            *("id", "conversation_id", "text", "speaker", "meta", "reply-to"),
            *("timestamp", "vectors"),
        }
        if one["reply-to"] is None:
            assert one["id"] == one["conversation_id"]
        else:
            before = by_id[one["reply-to"]]
            assert before["id"] in seen
            assert before["conversation_id"] == one["conversation_id"]
            assert before["timestamp"] <= one["timestamp"]
        seen.add(one["id"])
    # A chain, not a tree.
    replies = [one["reply-to"] for one in utterances if one["reply-to"] is not None]
    assert len(set(replies)) == len(replies)
    assert {one["speaker"] for one in utterances} == set(speakers)

    assert set(index) == {
        *("utterances-index", "speakers-index", "conversations-index"),
        *("overall-index", "version", "vectors"),
    }
    for name, metas in (
        ("utterances-index", [one["meta"] for one in utterances]),
        ("speakers-index", [one["meta"] for one in speakers.values()]),
        ("conversations-index", [one["meta"] for one in conversations.values()]),
        ("overall-index", [overall]),
    ):
        for meta in metas:
            assert list(meta) == list(index[name])
            for key, value in meta.items():
                assert value is None or str(type(value)) in index[name][key], key

    ((messages, prompts, talks),) = built.query(
        "select (select count(*) from messages), count(initial_prompt), count(*)"
        " from analysis.conversations"
    )
    assert len(utterances) == messages + prompts
    # But for the one without a word.
    assert len(conversations) == talks - 1


def test_corpus_says_who_said_what(built: Project, corpus: Path) -> None:
    """Texts, speakers and metadata are those of the warehouse; no text is changed."""
    utterances = json_lines(corpus / "utterances.jsonl")
    root = "conv%2F%25\"'; drop --"
    harmful = [one for one in utterances if one["conversation_id"] == root]
    expected = [PROMPT, *(text.replace("\ud800", "\ufffd") for text in TEXTS)]
    assert [one["text"] for one in harmful] == expected
    assert [one["id"] for one in harmful[:3]] == [
        root,
        f"{root}/0/agent_a",
        f"{root}/0/agent_b",
    ]
    assert [one["speaker"] for one in harmful[:3]] == [
        "researcher",
        f"{root}/agent_a",
        f"{root}/agent_b",
    ]
    # Without a prompt, a message begins.
    plain = [one for one in utterances if one["conversation_id"] == "conv"]
    assert [one["id"] for one in plain] == ["conv", "conv/0/agent_b"]
    assert plain[0]["meta"]["turn_number"] == 0

    speakers = json.loads((corpus / "speakers.json").read_bytes())
    conversations = json.loads((corpus / "conversations.json").read_bytes())
    assert conversations[root]["meta"]["conversation_id"] == CONVERSATION
    with built.opened() as connection:
        rows = connection.execute(
            "select * from analysis.messages where experiment_name = 'two-tempers'"
        )
        names = [column[0] for column in rows.description or []]
        for values in rows.fetchall():
            row = dict(zip(names, values, strict=True))
            key = f"{row['conversation_id']}/{row['turn_number']}/{row['agent_id']}"
            (one,) = (one for one in utterances if one["id"] == key)
            speaker = speakers[one["speaker"]]["meta"]
            conversation = conversations[one["conversation_id"]]["meta"]
            together = conversation | speaker | one["meta"] | {"content": one["text"]}
            for name, value in row.items():
                shown = together[name]
                if isinstance(value, datetime):
                    shown = datetime.fromisoformat(shown)
                assert shown == value, name
            assert one["timestamp"] == row["sent_at"].timestamp()


def test_corpus_of_one_experiment(built: Project, tmp_path: Path) -> None:
    """The others stay out."""
    result = command(
        built, "--to", str(tmp_path), "--format", "convokit",
        "--experiment", "experiment_33e5cc01",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    conversations = json.loads((tmp_path / "conversations.json").read_bytes())
    assert {one["meta"]["experiment_name"] for one in conversations.values()} == {
        "two-tempers"
    }
    ids = {one["conversation_id"] for one in json_lines(tmp_path / "utterances.jsonl")}
    assert ids == set(conversations)
    book = read_csv(tmp_path / "codebook.csv")
    assert {row["table"] for row in book[1:]} == {
        *("utterances", "speakers", "conversations")
    }
    assert all(row["description"] for row in book)


def test_convokit_loads_the_corpus(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is installed, ConvoKit itself says that the corpus is sound."""
    # It writes its configuration there.
    monkeypatch.setenv("HOME", str(tmp_path))
    convokit = pytest.importorskip("convokit")
    loaded = convokit.Corpus(filename=str(corpus))
    utterances = json_lines(corpus / "utterances.jsonl")
    assert set(loaded.get_utterance_ids()) == {one["id"] for one in utterances}
    for conversation in loaded.iter_conversations():
        assert conversation.check_integrity(verbose=False)
        in_time = conversation.get_chronological_utterance_list()
        assert [one.id for one in in_time] == [
            one["id"] for one in utterances if one["conversation_id"] == conversation.id
        ]


def test_command(built: Project, tmp_path: Path) -> None:
    """It says what it wrote, where the user stands."""
    (tmp_path / "here").mkdir()
    before = Path.cwd()
    os.chdir(tmp_path / "here")
    try:
        result = command(
            built, "messages", "analysis.turns", "messages", "--to", "../out",
            "--format", "parquet",
        )  # fmt: skip
    finally:
        os.chdir(before)
    assert result.exit_code == 0, result.output
    rows = built.value("select count(*) from messages")
    assert f"messages: {rows} rows, " in result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "analysis.turns.parquet",
        "codebook.csv",
        "codebook.md",
        "messages.parquet",
    ]
    again = ("messages", "--to", str(tmp_path / "out"), "--format", "csv")
    result = command(built, *again, "--overwrite", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == [
        {
            "table": "messages",
            "rows": rows,
            "path": str(tmp_path / "out" / "messages.csv"),
            "cut_texts": 0,
            "replaced_texts": 0,
        }
    ]
    result = command(built, *again, "--overwrite", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["mesages"], 1, "There is no table mesages; did you mean messages"),
        (["zzz"], 1, "There is no table zzz; there are archive_candidates, "),
        (["../messages"], 1, "There is no table ../messages"),
        (["staging.stg_pidgin__event_lines"], 1, "There is no table staging"),
        (
            ["messages", "--experiment", "experiment_33e5cc0"],
            1,
            "There is no experiment experiment_33e5cc0; did you mean experiment_33e5c",
        ),
        (
            ["messages", "--experiment", "\x1b[1m"],
            1,
            "no experiment \ufffd[1m; the table exp",
        ),
        ([], 2, "Name at least one TABLE"),
        (["messages", "--format", "convokit"], 2, "convokit takes no TABLE"),
        (["messages", "--format", "json"], 2, "'json' is not one of"),
    ],
)
def test_refusals(
    arguments: list[str], code: int, says: str, built: Project, tmp_path: Path
) -> None:
    """One sentence says why, and nothing is written."""
    to = ["--format", "csv", "--to", str(tmp_path / "new" / "folder")]
    result = command(built, *to, *arguments)
    assert result.exit_code == code, result.output
    assert says in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_without_a_warehouse(tmp_path: Path) -> None:
    """It is said what makes one; what is none is left alone."""
    file = tmp_path / "not.duckdb"
    file.write_text("no database")
    for path, says in (
        (tmp_path / "no.duckdb", "There is no warehouse"),
        (file, "cannot be opened"),
    ):
        result = CliRunner(env={"PIDGIN_WAREHOUSE": str(path)}).invoke(
            main,
            ["export", "messages", "--to", str(tmp_path / "x"), "--format", "csv"],
        )
        assert result.exit_code == 1
        assert says in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["not.duckdb"]


def test_a_folder_that_cannot_be(built: Project, tmp_path: Path) -> None:
    """The reason is said."""
    (tmp_path / "file").write_text("mine")
    to = str(tmp_path / "file" / "folder")
    result = command(built, "messages", "--to", to, "--format", "csv")
    assert result.exit_code == 1
    assert f"Nothing could be exported to {to}: " in result.output
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("file_format", "name"),
    [
        ("csv", "messages.csv"),
        ("csv", "codebook.md"),
        ("xlsx", "export.xlsx"),
        ("convokit", "speakers.json"),
    ],
)
def test_overwrite(file_format: str, name: str, built: Project, tmp_path: Path) -> None:
    """Files stay unless it is asked for, and other files stay always."""
    (tmp_path / name).write_text("mine")
    (tmp_path / "events.csv").write_text("mine")
    tables = [] if file_format == "convokit" else ["messages"]
    arguments = [*tables, "--to", str(tmp_path), "--format", file_format]
    result = command(built, *arguments)
    assert result.exit_code == 1
    assert f"{name} is there already; --overwrite replaces it." in result.output
    assert (tmp_path / name).read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2

    result = command(built, *arguments, "--overwrite")
    assert result.exit_code == 0, result.output
    assert (tmp_path / name).read_bytes() != b"mine"
    assert (tmp_path / "events.csv").read_text() == "mine"


def test_a_folder_is_never_replaced(built: Project, tmp_path: Path) -> None:
    """Not even with --overwrite."""
    (tmp_path / "messages.csv").mkdir()
    to = ["--to", str(tmp_path), "--format", "csv", "--overwrite"]
    result = command(built, "messages", *to)
    assert result.exit_code == 1
    assert "messages.csv is there already." in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["messages.csv"]


@pytest.mark.parametrize("file_format", ["parquet", "csv", "xlsx"])
def test_all_or_nothing(
    file_format: str, small: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Where one table fails, the others are not written either."""
    small.execute(
        "create view failing as select if(i > 2500, error('failed'), i) as line_number"
        " from range(5000) as t(i)"
    )
    with pytest.raises(duckdb.Error, match="failed"):
        exports.export_tables(
            small, ["texts", "failing"], tmp_path / "new" / "folder", file_format
        )
    assert not list(tmp_path.iterdir())

    name = "export.xlsx" if file_format == "xlsx" else f"texts.{file_format}"
    (tmp_path / name).write_text("mine")
    with pytest.raises(duckdb.Error, match="failed"):
        exports.export_tables(
            small, ["texts", "failing"], tmp_path, file_format, overwrite=True
        )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_names_of_files_are_plain(
    small: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """A table whose name would be a path is not exported; columns may be anything."""
    small.execute('create table "../texts" as select 1 as one')
    with pytest.raises(exports.ExportError, match=r"There is no table \.\./texts"):
        exports.export_tables(small, ["../texts"], tmp_path, "csv")
    small.execute("""create table odd ("a ""b"" '; --" varchar, "1" integer[])""")
    small.execute("insert into odd values ('=1', [-1])")
    folder = tmp_path / "it's"
    exports.export_tables(small, ["odd"], folder, "csv")
    assert read_csv(folder / "odd.csv") == [{'a "b" \'; --': "'=1", "1": "[-1]"}]
    exports.export_tables(small, ["odd"], folder, "xlsx")
    assert read_sheets(folder / "export.xlsx")["odd"] == [
        {'a "b" \'; --': "=1", "1": "[-1]"}
    ]
    exports.export_tables(small, ["odd"], folder, "parquet", overwrite=True)
    assert (folder / "odd.parquet").exists()


def test_numbers_that_excel_lacks_are_text(
    small: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Neither rounded nor an error."""
    small.execute(
        "insert into texts values (1, null, 'inf'), (2, 'x', 'nan'), (3, '', -1.5)"
    )
    small.execute("create table large as select 999999999999999 as a, 10::bigint**18 b")
    small.execute("create table exact as select 1234567890123456789 as number")
    exports.export_tables(small, ["texts", "exact"], tmp_path, "xlsx")
    sheets = read_sheets(tmp_path / "export.xlsx")
    assert [row["amount"] for row in sheets["texts"]] == ["inf", "nan", "-1.5"]
    assert sheets["exact"] == [{"number": "1234567890123456789"}]
