"""Tables as a workbook of Excel: a sheet for each, and one for the codebook."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from pidgin_analytics.exports.codebook import Codebook
from pidgin_analytics.exports.files import Exported, staged
from pidgin_analytics.exports.tables import (
    NUMBERS,
    Column,
    ExportError,
    Table,
    as_text,
    bound,
    query_of,
    rows_of,
    source_of,
)
from pidgin_analytics.sql_text import identifier

WORKBOOK = "export.xlsx"

# What a sheet of Excel holds.
SHEET_ROWS = 1_048_576
SHEET_COLUMNS = 16_384
SHEET_NAME = 31
# In units of UTF-16, as Excel counts.
CELL_LENGTH = 32_767
# Excel keeps fifteen digits of a number.
LARGEST_INTEGER = 10**15
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def write_workbook(
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
        query = f"select count(*) {source_of(table, experiments)}"
        ((rows,),) = cursor.execute(query, bound(experiments)).fetchall()
        _check_sheet(table, rows)
    exported = []
    with staged(folder, [WORKBOOK], overwrite=overwrite) as part:
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
                    query = query_of(table, columns, experiments)
                    for row in rows_of(cursor, query, bound(experiments)):
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
    return as_text(column)


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
