"""What an export holds, in words: the comments of the warehouse, beside the data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow as pa

from pidgin_analytics.exports.csv_columns import CSV_OPTIONS, csv_column
from pidgin_analytics.exports.files import Exported
from pidgin_analytics.exports.tables import Column, Row, Table
from pidgin_analytics.sql_text import literal

CODEBOOK = ("codebook.csv", "codebook.md")

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
        return (
            f"Exported by pidgin-analytics {program_version()} on {time_of_export()}."
        )

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
                cells = (f"`{column}`", _escaped(kind), markdown_cell(description))
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Write text so that Markdown shows it as it is, on one line."""
    shown = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "\ufffd", text)
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", shown)


def markdown_cell(markdown: str) -> str:
    """Put a description, which is Markdown itself, into a cell of a table."""
    text = re.sub(
        r"(`[^`]*`)|[<>&]",
        lambda found: found[1] or f"&#{ord(found[0])};",
        markdown,
    )
    return re.sub(r"\s*\n\s*", " ", text.strip()).replace("|", r"\|")


def program_version() -> str:
    """Return the version of this package."""
    return version("pidgin-analytics")


def time_of_export() -> str:
    """Write the present time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
