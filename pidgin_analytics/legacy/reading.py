"""Reads one of Pidgin's own databases, whatever its shape."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path

from pidgin_analytics.legacy.events import Database
from pidgin_analytics.legacy.shapes import reader_of
from pidgin_analytics.legacy.tables import LegacyError, Problems, read_tables


def read_database(path: Path, zone: tzinfo) -> Database:
    """Read a database of any shape, without writing to it.

    Args:
        path: The file.
        zone: Zone of the times that Pidgin wrote as local ones.

    Raises:
        LegacyError: it is no database of Pidgin's, or cannot be read now.
    """
    problems = Problems()
    tables = read_tables(path, problems)
    try:
        return reader_of(tables, zone, problems).read()
    except KeyError as error:
        raise LegacyError(f"A table of it lacks the column {error}.") from error
