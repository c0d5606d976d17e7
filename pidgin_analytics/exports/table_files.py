"""Tables as files: Parquet or CSV, one for each, or a workbook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from pidgin_analytics.exports.codebook import CODEBOOK, Codebook
from pidgin_analytics.exports.csv_columns import CSV_OPTIONS, csv_column
from pidgin_analytics.exports.files import Exported, staged
from pidgin_analytics.exports.tables import (
    ExportError,
    Table,
    bound,
    check_experiments,
    known_tables,
    named,
    query_of,
    reading,
)
from pidgin_analytics.exports.workbook import write_workbook
from pidgin_analytics.sql_text import literal


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
    with reading(connection) as cursor:
        known = known_tables(cursor)
        chosen = [named(name, known) for name in dict.fromkeys(tables)]
        if not chosen:
            raise ExportError("There is no table to export; name at least one.")
        check_experiments(cursor, experiments)
        if file_format == "xlsx":
            return write_workbook(cursor, chosen, folder, experiments, overwrite)
        names = [f"{table.name}.{file_format}" for table in chosen]
        exported = []
        with staged(folder, [*names, *CODEBOOK], overwrite=overwrite) as part:
            for table, name in zip(chosen, names, strict=True):
                rows = _copy(cursor, table, part / name, file_format, experiments)
                exported.append(Exported(table.name, rows, folder / name))
            book = Codebook(file_format, experiments, chosen, exported)
            book.write(part)
        return exported


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
    query = query_of(table, columns, experiments)
    ((rows,),) = cursor.execute(
        f"copy ({query}) to {literal(str(path))} ({options})", bound(experiments)
    ).fetchall()
    return int(rows)
