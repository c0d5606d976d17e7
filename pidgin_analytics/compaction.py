"""Writing the warehouse's file anew."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import duckdb

from pidgin_analytics.files import put_in_place
from pidgin_analytics.sql_text import identifier, literal

# As the profile says for a new one.
STORAGE_VERSION = "v1.4.0"


def compact(path: Path) -> None:
    """Write a warehouse anew, so that nothing is left in it of what was deleted.

    DuckDB keeps the pages of deleted rows, and what they hold, until it needs them.

    Raises:
        duckdb.Error: somebody has it open, or it cannot be written. It is as it was
            then.
        OSError: likewise.
    """
    place = path.resolve()
    part = place.with_name(f"{place.name}.part")
    part.unlink(missing_ok=True)
    try:
        # Not for reading only, so that nobody writes it meanwhile.
        with closing(duckdb.connect(str(path))) as connection:
            ((name,),) = connection.execute("select current_database()").fetchall()
            connection.execute("checkpoint")
            connection.execute(
                f"attach {literal(str(part))} as rewritten"
                f" (storage_version '{STORAGE_VERSION}')"
            )
            connection.execute(
                "copy from database " + identifier(name) + " to rewritten;"
                " checkpoint rewritten; detach rewritten"
            )
            shutil.copymode(place, part)
            put_in_place(part, place)
    finally:
        part.unlink(missing_ok=True)
