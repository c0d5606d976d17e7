"""Tables of the warehouse as files: Parquet, CSV, a workbook, or a corpus of ConvoKit.

Beside the data there is always a codebook, made of the comments in the warehouse. An
export is written into a folder of its own first; its files take their places together,
when all of them are whole.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pidgin_analytics.sql_text import identifier, literal

FORMATS = ("parquet", "csv", "xlsx", "convokit")
WORKBOOK = "export.xlsx"
CODEBOOK = ("codebook.csv", "codebook.md")
CORPUS = (
    *("utterances.jsonl", "speakers.json", "conversations.json"),
    *("corpus.json", "index.json"),
)
BATCH = 1000

# A spreadsheet takes a text for a formula that begins with one of these signs, plain
# or full-width, perhaps behind characters that nobody sees. Apostrophes are passed over
# too: so one apostrophe can be put before such a text and taken away again, whether or
# not there were others.
FORMULA = r"^[\p{Z}\p{C}\s']*([=+\-@＝＋－＠]|[\t\r\n])"
NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*")
NESTED = re.compile(r"(STRUCT|MAP|UNION)\(.*|.*\]")

# What a sheet of Excel holds.
SHEET_ROWS = 1_048_576
SHEET_COLUMNS = 16_384
SHEET_NAME = 31
# In units of UTF-16, as Excel counts.
CELL_LENGTH = 32_767
# Excel keeps fifteen digits of a number.
LARGEST_INTEGER = 10**15
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

# Rows stand in this order, as far as a table has these columns.
ORDER = (
    *("experiment_id", "conversation_id", "source_file", "line_number"),
    *("turn_number", "agent_id"),
)

RESEARCHER = "researcher"
# What belongs to an agent and not to one of its messages.
SPEAKER_COLUMNS = (
    *("conversation_id", "experiment_id", "agent_id", "agent_name", "model"),
    *("provider", "partner_model", "partner_provider", "awareness"),
    *("has_custom_awareness", "temperature", "thinking_enabled", "thinking_budget"),
    "max_tokens",
)

NOTES = {
    "parquet": (
        "Texts are exactly as they were logged: text that looks like a formula is not"
        " escaped. Parquet keeps durations to the millisecond."
    ),
    "csv": (
        "A text that a spreadsheet might take for a formula has an apostrophe before"
        " it. This applies if its first character is = + - @ (also full-width), a tab"
        " or a line break; spaces, invisible characters and apostrophes before that are"
        " skipped. Without the apostrophe the text is exactly as it was logged; Parquet"
        " has no apostrophe. Numbers are unchanged. An empty field is NULL, an empty"
        ' text is "". Times are UTC. Lists, structs, maps and JSON are JSON.'
    ),
    "xlsx": (
        "Texts are text cells and never formulas. Times are UTC, to the"
        " millisecond. Whole numbers of more than fifteen digits are text, because"
        " Excel would round them. Lists, structs, maps and JSON are JSON."
    ),
    "convokit": (
        "A ConvoKit corpus: an utterance is the prompt of the researcher or a row"
        " of analysis.messages, a speaker is an agent in one conversation, and the"
        " columns named here are their metadata."
    ),
}

Row = tuple[Any, ...]
Json = dict[str, Any]


class ExportError(Exception):
    """An export cannot be made; the message says why in one sentence."""


@dataclass(frozen=True)
class Column:
    """A column and what its comment says."""

    name: str
    type: str
    comment: str | None


@dataclass(frozen=True)
class Table:
    """A mart, or a view of the schema ``analysis``."""

    name: str
    schema: str
    comment: str | None
    columns: Sequence[Column]

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return f"{identifier(self.schema)}.{identifier(self.name.rpartition('.')[2])}"

    def has(self, column: str) -> bool:
        """Tell whether it has a column of this name."""
        return any(own.name == column for own in self.columns)


@dataclass(frozen=True)
class Exported:
    """What became of one table."""

    table: str
    rows: int
    path: Path
    cut_texts: int = 0
    replaced_texts: int = 0

    @property
    def changes(self) -> str:
        """Say what Excel's limits changed; nothing if they changed nothing."""
        changes = []
        if self.cut_texts:
            changes.append(f"{self.cut_texts} texts cut")
        if self.replaced_texts:
            changes.append(f"{self.replaced_texts} texts with characters replaced")
        return ", ".join(changes)


def export_tables(
    connection: duckdb.DuckDBPyConnection,
    tables: Sequence[str],
    folder: Path,
    file_format: str,
    *,
    experiments: Sequence[str] = (),
    overwrite: bool = False,
) -> list[Exported]:
    """Write tables and their codebook into a folder.

    Parquet and CSV have a file for each table, a workbook has a sheet for each.

    Args:
        connection: A warehouse, which may be opened for reading only. What it has not
            committed is not exported.
        tables: Marts by their names, views as ``analysis.turns``.
        folder: Where the files go; it is made if it is not there.
        file_format: ``parquet``, ``csv`` or ``xlsx``.
        experiments: Ids of the experiments to keep to; without any, all. Of
            ``event_files`` and ``rejected_lines`` these are the rows of the logs that
            hold events of the experiments.
        overwrite: Whether files that are there may be replaced.

    Returns:
        The rows of each table and where they are.

    Raises:
        ExportError: Something that was asked for is not there or cannot be had in
            this format, or files are in the way. Nothing was written then.
        duckdb.Error: A table cannot be read or written; likewise.
        OSError: The folder cannot be written; likewise.
    """
    if file_format not in ("parquet", "csv", "xlsx"):
        raise ExportError(f"{file_format} is not a format for tables.")
    with _reading(connection) as cursor:
        known = known_tables(cursor)
        chosen = [_named(name, known) for name in dict.fromkeys(tables)]
        if not chosen:
            raise ExportError("There is no table to export; name at least one.")
        _check_experiments(cursor, experiments)
        if file_format == "xlsx":
            return _export_workbook(cursor, chosen, folder, experiments, overwrite)
        names = [f"{table.name}.{file_format}" for table in chosen]
        exported = []
        with _staged(folder, [*names, *CODEBOOK], overwrite=overwrite) as part:
            for table, name in zip(chosen, names, strict=True):
                rows = _copy(cursor, table, part / name, file_format, experiments)
                exported.append(Exported(table.name, rows, folder / name))
            book = Codebook(file_format, experiments, chosen, exported)
            book.write(part)
        return exported


def export_corpus(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    experiments: Sequence[str] = (),
    overwrite: bool = False,
) -> list[Exported]:
    """Write the conversations as a corpus of ConvoKit, with a codebook.

    The prompt of the researcher and the messages of a conversation are its utterances,
    each a reply to the one before. The first bears the id of the conversation. An agent
    is another speaker in every conversation, because its name, its partner and its
    conditions belong to that conversation; what makes agents comparable, such as the
    model, is the speaker's metadata. Everything that the views ``analysis.messages``
    and ``analysis.conversations`` hold is metadata of one of the three.

    Args:
        connection: A warehouse, as for ``export_tables``.
        folder: Where the files go, which ``convokit.Corpus(filename=...)`` then takes.
        experiments: Ids of the experiments to keep to; without any, all.
        overwrite: Whether files that are there may be replaced.

    Returns:
        How many utterances, speakers and conversations there are, and where.

    Raises:
        ExportError: As for ``export_tables``.
        duckdb.Error: Likewise.
        OSError: Likewise.
    """
    with _reading(connection) as cursor:
        known = known_tables(cursor)
        messages = _named("analysis.messages", known)
        conversations = _named("analysis.conversations", known)
        _check_experiments(cursor, experiments)
        parts = {
            "utterances": _part(
                messages,
                "utterances",
                [
                    column.name
                    for column in messages.columns
                    if column.name in ("agent_id", "model")
                    or not (
                        column.name in ("content", *SPEAKER_COLUMNS)
                        or conversations.has(column.name)
                    )
                ],
            ),
            "speakers": _part(messages, "speakers", SPEAKER_COLUMNS),
            "conversations": replace(conversations, name="conversations"),
        }
        with _staged(folder, [*CORPUS, *CODEBOOK], overwrite=overwrite) as part:
            exported = _write_corpus(cursor, parts, part, folder, experiments)
            book = Codebook("convokit", experiments, list(parts.values()), exported)
            book.write(part)
        return exported


@contextlib.contextmanager
def _reading(
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Show the same state of the warehouse to every query."""
    connection.execute("begin")
    try:
        yield connection
    finally:
        connection.execute("rollback")


def known_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, Table]:
    """Return what can be exported, by name."""
    found: dict[tuple[str, str, str | None], list[Column]] = {}
    for schema, name, comment, *column in connection.execute(
        """
        with relations as (
            select database_oid, schema_oid, table_oid, comment from duckdb_tables()
            union all
            select database_oid, schema_oid, view_oid, comment from duckdb_views()
        )
        select
            schema_name, table_name, relations.comment,
            column_name, data_type, columns.comment
        from duckdb_columns() as columns
        inner join relations using (database_oid, schema_oid, table_oid)
        where
            database_name = current_database()
            and schema_name in ('main', 'analysis')
            and not internal
            -- Names become names of files.
            and regexp_full_match(table_name, '[A-Za-z_][A-Za-z0-9_]*')
        order by schema_name = 'analysis', table_name, column_index
        """
    ).fetchall():
        found.setdefault((schema, name, comment), []).append(Column(*column))
    tables = (
        Table(name if schema == "main" else f"{schema}.{name}", schema, comment, own)
        for (schema, name, comment), own in found.items()
    )
    return {table.name: table for table in tables}


def _named(name: str, known: dict[str, Table]) -> Table:
    if name not in known:
        there = f"there are {', '.join(known) or 'none'}"
        raise ExportError(unknown("table", name, known, there))
    return known[name]


def unknown(kind: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """Say that something is not there, and what was perhaps meant."""
    near = difflib.get_close_matches(name, list(known))
    hint = f"did you mean {' or '.join(near)}?" if near else f"{otherwise}."
    return f"There is no {kind} {name}; {hint}"


def _check_experiments(
    cursor: duckdb.DuckDBPyConnection, experiments: Sequence[str]
) -> None:
    known = [
        name
        for (name,) in cursor.execute(
            "select experiment_id from main.experiments order by all"
        ).fetchall()
    ]
    for experiment in experiments:
        if experiment not in known:
            there = "the table experiments lists them"
            raise ExportError(unknown("experiment", experiment, known, there))


@contextlib.contextmanager
def _staged(folder: Path, names: Sequence[str], *, overwrite: bool) -> Iterator[Path]:
    """Give a folder to write these files in; they get to their places if all went well.

    It lies in the folder that they are for, so that each takes its place at once. A
    folder that was made for an export that failed is gone again.
    """
    for name in names:
        path = folder / name
        if path.is_dir() or (os.path.lexists(path) and not overwrite):
            hint = "" if path.is_dir() else "; --overwrite replaces it"
            raise ExportError(f"{path} is there already{hint}.")
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    part = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
        yield part
        for name in names:
            (part / name).replace(folder / name)
        made = []
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def _copy(
    cursor: duckdb.DuckDBPyConnection,
    table: Table,
    path: Path,
    file_format: str,
    experiments: Sequence[str],
) -> int:
    """Have DuckDB write a table, and return its number of rows."""
    if file_format == "parquet":
        columns = "*"
        options = "format parquet, compression zstd"
    else:
        columns = ", ".join(csv_column(column) for column in table.columns)
        options = CSV_OPTIONS
    query = _query(table, columns, experiments)
    ((rows,),) = cursor.execute(
        f"copy ({query}) to {literal(str(path))} ({options})", _values(experiments)
    ).fetchall()
    return int(rows)


CSV_OPTIONS = r"format csv, header, new_line '\r\n'"


def csv_column(column: Column) -> str:
    """Write the SQL of a column as a CSV file holds it."""
    name = identifier(column.name)
    if NUMBERS.fullmatch(column.type) or column.type in ("BOOLEAN", "DATE", "UUID"):
        return name
    if column.type == "TIMESTAMP WITH TIME ZONE":
        return (
            f"strftime(timezone('UTC', {name}), '%Y-%m-%dT%H:%M:%S.%f+00:00') as {name}"
        )
    text = _text(column)
    return (
        f"if(regexp_matches({text}, {literal(FORMULA)}), '''' || {text}, {text})"
        f" as {name}"
    )


def _text(column: Column) -> str:
    """Write the SQL of a column as text; what is nested as JSON."""
    name = identifier(column.name)
    nested = NESTED.fullmatch(column.type)
    return f"cast({f'to_json({name})' if nested else name} as varchar)"


def _query(table: Table, columns: str, experiments: Sequence[str]) -> str:
    """Write the query of a table's rows; the values that it takes are bound."""
    order = ", ".join(identifier(column) for column in ORDER if table.has(column))
    return f"select {columns} {_from(table, experiments)}" + (
        f" order by {order}" if order else ""
    )


def _from(table: Table, experiments: Sequence[str]) -> str:
    condition = _condition(table) if experiments else "true"
    return f"from {table.sql} where {condition}"


def _condition(table: Table) -> str:
    """Write the SQL that tells the rows of experiments, a list that is bound."""
    if table.has("experiment_id"):
        return "list_contains(?, experiment_id)"
    if table.has("source_file"):
        return (
            "source_file in (select source_file from main.events"
            " where list_contains(?, experiment_id))"
        )
    raise ExportError(
        f"{table.name} does not say which experiment a row belongs to; export it whole."
    )


def _values(experiments: Sequence[str]) -> list[list[str]]:
    return [list(experiments)] if experiments else []


def _export_workbook(
    cursor: duckdb.DuckDBPyConnection,
    tables: Sequence[Table],
    folder: Path,
    experiments: Sequence[str],
    overwrite: bool,
) -> list[Exported]:
    """Write one workbook, with a sheet for each table and one for the codebook."""
    # Late, because only workbooks need it.
    from xlsxwriter import Workbook
    from xlsxwriter.exceptions import XlsxWriterException

    for table in tables:
        query = f"select count(*) {_from(table, experiments)}"
        ((rows,),) = cursor.execute(query, _values(experiments)).fetchall()
        _check_sheet(table, rows)
    exported = []
    with _staged(folder, [WORKBOOK], overwrite=overwrite) as part:
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "use_zip64": True,
            "tmpdir": str(part),
        }
        try:
            with Workbook(str(part / WORKBOOK), options) as workbook:
                for table in tables:
                    sheet = Sheet(workbook, table.name)
                    sheet.write_row([column.name for column in table.columns])
                    columns = ", ".join(sheet_column(own) for own in table.columns)
                    query = _query(table, columns, experiments)
                    for row in _rows(cursor, query, _values(experiments)):
                        sheet.write_row(row)
                    exported.append(
                        Exported(
                            table.name,
                            sheet.row_count - 1,
                            folder / WORKBOOK,
                            sheet.cut_texts,
                            sheet.replaced_texts,
                        )
                    )
                sheet = Sheet(workbook, "codebook")
                book = Codebook("xlsx", experiments, tables, exported)
                for row in (book.HEADER, *book.rows()):
                    sheet.write_row(row)
        except XlsxWriterException as error:
            raise ExportError(f"The workbook cannot be written: {error}") from error
    return exported


def _check_sheet(table: Table, rows: int) -> None:
    """Refuse what does not fit into a sheet of Excel."""
    for count, limit, name in (
        # One for the names of the columns.
        (rows, SHEET_ROWS - 1, "rows"),
        (len(table.columns), SHEET_COLUMNS, "columns"),
        (len(table.name), SHEET_NAME, "characters in its name"),
    ):
        if count > limit:
            raise ExportError(
                f"{table.name} has {count:,} {name}, and a sheet of Excel holds"
                f" {limit:,}: export it as csv or parquet."
            )


def sheet_column(column: Column) -> str:
    """Write the SQL of a column whose values a sheet can hold."""
    name = identifier(column.name)
    if NUMBERS.fullmatch(column.type) or column.type in ("BOOLEAN", "DATE"):
        return name
    if column.type == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {name})"
    return _text(column)


class Sheet:
    """A sheet of a workbook that is filled row by row."""

    def __init__(self, workbook: Any, name: str) -> None:
        """Add the sheet to a workbook."""
        self._sheet = workbook.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        self._plain = workbook.add_format()
        self._time = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._date = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self.row_count = 0
        self.cut_texts = 0
        self.replaced_texts = 0

    def write_row(self, row: Sequence[Any]) -> None:
        """Write the next row."""
        for number, value in enumerate(row):
            if value is not None:
                self._write(self.row_count, number, value)
        self.row_count += 1

    def _write(self, row: int, column: int, value: Any) -> None:
        sheet = self._sheet
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif isinstance(value, datetime):
            sheet.write_datetime(row, column, value, self._time)
        elif isinstance(value, date):
            sheet.write_datetime(row, column, value, self._date)
        elif not isinstance(value, str) and _is_exact(value):
            sheet.write_number(row, column, value)
        else:
            text = self._fitting(str(value))
            if text.startswith("<r>") and text.endswith("</r>"):
                # XlsxWriter would take it for its own markup, formulas and all. In two
                # pieces it is text.
                sheet.write_rich_string(row, column, text[:1], self._plain, text[1:])
            else:
                sheet.write_string(row, column, text)

    def _fitting(self, text: str) -> str:
        """Make a text one that a cell can hold, and count what that changes."""
        fitting = NOT_IN_XML.sub("\ufffd", text)
        self.replaced_texts += fitting != text
        # No character takes more than two units.
        if len(fitting) > CELL_LENGTH // 2:
            units = fitting.encode("utf-16-le")
            if len(units) > 2 * CELL_LENGTH:
                self.cut_texts += 1
                mark = f" [cut, of {len(text)} characters]"
                kept = units[: 2 * (CELL_LENGTH - len(mark))]
                fitting = kept.decode("utf-16-le", "ignore") + mark
        return fitting


def _is_exact(number: Any) -> bool:
    """Tell whether Excel can hold a number as it is."""
    if isinstance(number, int):
        return abs(number) < LARGEST_INTEGER
    return math.isfinite(number)


@dataclass(frozen=True)
class Codebook:
    """What an export holds, table by table and column by column."""

    file_format: str
    experiments: Sequence[str]
    tables: Sequence[Table]
    exported: Sequence[Exported]

    HEADER = ("table", "column", "type", "rows", "description")

    def rows(self) -> Iterator[Row]:
        """Return its rows: of the export, then of each table and its columns."""
        yield None, None, None, None, f"{self._origin()} {NOTES[self.file_format]}"
        for table, exported in zip(self.tables, self.exported, strict=True):
            comment = table.comment or ""
            if exported.changes:
                comment += f"\n\nWhat Excel's limits changed: {exported.changes}."
            yield table.name, None, None, exported.rows, comment.strip()
            for column in table.columns:
                yield table.name, column.name, column.type, None, column.comment or ""

    def _origin(self) -> str:
        return f"{self._made()} Experiments: {', '.join(self.experiments) or 'all'}."

    @staticmethod
    def _made() -> str:
        return f"Exported by pidgin-analytics {_version()} on {_now()}."

    def write(self, folder: Path) -> None:
        """Write it as CSV and as Markdown."""
        (folder / CODEBOOK[1]).write_text(self.markdown(), encoding="utf-8")
        types = ("VARCHAR", "VARCHAR", "VARCHAR", "BIGINT", "VARCHAR")
        columns = [
            csv_column(Column(name, kind, None))
            for name, kind in zip(self.HEADER, types, strict=True)
        ]
        table = pa.table(
            dict(zip(self.HEADER, zip(*self.rows(), strict=True), strict=True))
        )
        with duckdb.connect() as own:
            own.register("codebook", table)
            own.execute(
                f"copy (select {', '.join(columns)} from codebook)"  # noqa: S608
                f" to {literal(str(folder / CODEBOOK[0]))} ({CSV_OPTIONS})"
            )

    def markdown(self) -> str:
        """Write it as Markdown."""
        experiments = ", ".join(map(_escaped, self.experiments)) or "all"
        lines = [
            "# Codebook",
            "",
            self._made(),
            "",
            f"Experiments: {experiments}.",
            "",
            NOTES[self.file_format],
        ]
        for name, column, kind, count, description in list(self.rows())[1:]:
            if column is None:
                lines += ["", f"## {_escaped(name)}", "", f"Rows: {count:,}", ""]
                lines += [description, "", "| column | type | description |"]
                lines += ["|---|---|---|"]
            else:
                cells = (f"`{column}`", _escaped(kind), _cell(description))
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Write text so that Markdown shows it as it is, on one line."""
    shown = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "\ufffd", text)
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", shown)


def _cell(markdown: str) -> str:
    """Put a description, which is Markdown itself, into a cell of a table."""
    text = re.sub(
        r"(`[^`]*`)|[<>&]",
        lambda found: found[1] or f"&#{ord(found[0])};",
        markdown,
    )
    return re.sub(r"\s*\n\s*", " ", text.strip()).replace("|", r"\|")


def _part(table: Table, name: str, columns: Sequence[str]) -> Table:
    """Return some of a table's columns under a name of their own."""
    return replace(
        table,
        name=name,
        columns=[column for column in table.columns if column.name in columns],
    )


def _write_corpus(
    cursor: duckdb.DuckDBPyConnection,
    parts: dict[str, Table],
    part: Path,
    folder: Path,
    experiments: Sequence[str],
) -> list[Exported]:
    """Write the files of a corpus."""
    values = _values(experiments)
    condition = "list_contains(?, experiment_id)" if experiments else "true"
    counts = {}

    rows = _rows(cursor, _utterance_query(parts["utterances"], condition), values * 2)
    counts["utterances"] = 0
    has_researcher = False
    with (part / "utterances.jsonl").open("x", encoding="ascii") as file:
        for utterance in _utterances(rows, parts["utterances"]):
            file.write(json.dumps(utterance, allow_nan=False) + "\n")
            counts["utterances"] += 1
            has_researcher |= utterance["speaker"] == RESEARCHER

    columns = ", ".join(identifier(column.name) for column in parts["speakers"].columns)
    rows = _rows(
        cursor,
        f"select distinct on (conversation_id, agent_id) {columns}"  # noqa: S608
        f" from analysis.messages where {condition} order by conversation_id, agent_id",
        values,
    )
    speakers = (
        (_speaker(meta["conversation_id"], meta["agent_id"]), meta)
        for meta in (_meta(parts["speakers"], row) for row in rows)
    )
    researcher = _meta(parts["speakers"], [None] * len(parts["speakers"].columns))
    counts["speakers"] = _write_object(
        part / "speakers.json",
        (
            (name, {"meta": meta, "vectors": []})
            for pairs in ([(RESEARCHER, researcher)] * has_researcher, speakers)
            for name, meta in pairs
        ),
    )

    rows = _rows(
        cursor,
        # The others have no utterance, and so no place in a corpus.
        f"select * from analysis.conversations where {condition}"  # noqa: S608
        " and (initial_prompt is not null or conversation_id in"
        " (select conversation_id from analysis.messages)) order by conversation_id",
        values,
    )
    counts["conversations"] = _write_object(
        part / "conversations.json",
        (
            (_id(meta["conversation_id"]), {"meta": meta, "vectors": []})
            for meta in (_meta(parts["conversations"], row) for row in rows)
        ),
    )

    corpus: Json = {
        "exported_by": f"pidgin-analytics {_version()}",
        "exported_at": _now(),
        "experiments": list(experiments) or ["all"],
    }
    index = {
        f"{name}-index": {
            column.name: [str(_json_type(column.type))] for column in table.columns
        }
        for name, table in parts.items()
    } | {
        "overall-index": {name: [str(type(value))] for name, value in corpus.items()},
        "version": 1,
        "vectors": [],
    }
    for name, content in (("corpus.json", corpus), ("index.json", index)):
        (part / name).write_text(json.dumps(content, indent=1), encoding="ascii")
    files = dict(zip(parts, CORPUS, strict=False))
    return [
        Exported(name, count, folder / files[name]) for name, count in counts.items()
    ]


def _utterance_query(utterances: Table, condition: str) -> str:
    """Write the query of all utterances, each conversation's in their order.

    ConvoKit sorts by time, which must not contradict the order: an utterance is never
    earlier than the one before, and one without a time has that of the one before.
    """
    columns = ", ".join(identifier(column.name) for column in utterances.columns)
    return f"""
        with utterances as (
            select
                conversation_id,
                initial_prompt as text_of_utterance,
                started_at as time_of_utterance
            from analysis.conversations
            where {condition} and initial_prompt is not null
            union all by name
            select
                conversation_id,
                content as text_of_utterance,
                sent_at as time_of_utterance,
                {columns}
            from analysis.messages
            where {condition}
        )
        select
            conversation_id,
            coalesce(text_of_utterance, ''),
            epoch_us(
                coalesce(
                    max(time_of_utterance) over (
                        partition by conversation_id
                        order by turn_number nulls first, agent_id nulls first
                    ),
                    min(time_of_utterance) over (partition by conversation_id)
                )
            ) / 1000000,
            {columns}
        from utterances
        order by conversation_id, turn_number nulls first, agent_id nulls first
    """  # noqa: S608


def _utterances(rows: Iterable[Row], table: Table) -> Iterator[Json]:
    """Make utterances of their rows: each replies to the one before."""
    conversation = previous = None
    for conversation_id, text, seconds, *values in rows:
        meta = _meta(table, values)
        agent = meta["agent_id"]
        root = _id(conversation_id)
        own = root
        if conversation_id == conversation:
            own = f"{root}/{meta['turn_number']}/{agent}"
        else:
            conversation, previous = conversation_id, None
        yield {
            "id": own,
            "conversation_id": root,
            "text": text,
            "speaker": _speaker(conversation_id, agent) if agent else RESEARCHER,
            "meta": meta,
            "reply-to": previous,
            "timestamp": seconds,
            "vectors": [],
        }
        previous = own


def _id(conversation_id: str) -> str:
    """Write the id of a conversation without slashes, which ids are joined with."""
    return conversation_id.replace("%", "%25").replace("/", "%2F")


def _speaker(conversation_id: str, agent_id: str) -> str:
    return f"{_id(conversation_id)}/{agent_id}"


def _meta(table: Table, row: Sequence[Any]) -> Json:
    """Return a row as metadata, in types that JSON has."""
    return {
        column.name: _plain(value)
        for column, value in zip(table.columns, row, strict=True)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str, list, dict)):
        return value
    return str(value)


def _json_type(data_type: str) -> type:
    """Return the type that a column's values have when JSON is read in Python."""
    if data_type == "BOOLEAN":
        return bool
    if data_type in ("DOUBLE", "FLOAT"):
        return float
    if NUMBERS.fullmatch(data_type) and not data_type.startswith("DECIMAL"):
        return int
    if data_type.endswith("]"):
        return list
    if NESTED.fullmatch(data_type):
        return dict
    return str


def _write_object(path: Path, entries: Iterable[tuple[str, Json]]) -> int:
    """Write a JSON object entry by entry, and return how many there are."""
    count = 0
    with path.open("x", encoding="ascii") as file:
        file.write("{")
        for name, value in entries:
            file.write(",\n" if count else "\n")
            file.write(f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}")
            count += 1
        file.write("\n}\n")
    return count


def _rows(
    cursor: duckdb.DuckDBPyConnection, query: str, values: list[list[str]]
) -> Iterator[Row]:
    """Return the rows of a query, in batches behind the scenes."""
    cursor.execute(query, values)
    while batch := cursor.fetchmany(BATCH):
        yield from batch


def _version() -> str:
    return version("pidgin-analytics")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
