"""The file that people open, and the file that builds write.

A build writes a working file, in a folder beside the warehouse. What a whole green
build leaves there is copied, and the copy takes the place of the warehouse in one step.
So the warehouse is always whole, and builds and readers never wait for each other. See
docs/decisions/0012-publishing.md.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb

from pidgin_analytics.sql_text import literal

# Of files that are copied within this process: see _opened.
_descriptors: dict[Path, int] = {}
CHUNK = 1 << 24


class WarehouseInUseError(Exception):
    """Another process writes the warehouse; the message says which one."""


def working_file(warehouse: Path) -> Path:
    """Return the file that builds write.

    It bears the warehouse's name, because that is the name of the database.
    """
    return warehouse.with_name(f"{warehouse.name}.building") / warehouse.name


def warehouse_of(path: Path) -> Path:
    """Return the file that people open, whichever of the two is given."""
    folder = path.parent
    is_working = folder.name == f"{path.name}.building"
    return folder.with_name(path.name) if is_working else path


def open_for_writing(
    path: Path,
    config: dict[str, Any],
    timeout: float,
    say: Callable[[str], None],
) -> duckdb.DuckDBPyConnection:
    """Open a database once no other process has it open.

    Args:
        path: The database.
        config: DuckDB's settings.
        timeout: Seconds to wait at most.
        say: Takes one line that names the other process, if there is reason to wait.

    Raises:
        WarehouseInUseError: it still has it open after that time.
        duckdb.Error: the database cannot be opened for another reason.
    """
    end = time.monotonic() + timeout
    is_waiting = False
    while True:
        try:
            return duckdb.connect(str(path), config=config)
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise
            owner = _owner(str(error))
        if time.monotonic() >= end:
            raise WarehouseInUseError(
                f"{owner} still writes this warehouse after {timeout:g} seconds; try"
                " again when it is done, or wait longer with PIDGIN_LOCK_TIMEOUT."
            )
        if not is_waiting:
            is_waiting = True
            say(f"Waiting up to {timeout:g} seconds: {owner} writes this warehouse.")
        time.sleep(0.1)


def _owner(complaint: str) -> str:
    """Name the process that DuckDB names, by what was typed to start it."""
    found = re.search(r"\(PID (\d+)\)", complaint)
    if not found:
        return "another process"
    number = found[1]
    # Only Linux tells, and only of one's own processes.
    with suppress(OSError):
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace")
        command = " ".join(words.split("\0")).strip()
        if command:
            return f"process {number} ({command[:80]})"
    return f"process {number}"


def begin(warehouse: Path) -> None:
    """Make the place of the working file, and begin with the warehouse if there is one.

    A warehouse that was built without a working file, or copied from elsewhere, is
    taken over as it is.

    Raises:
        OSError: a file cannot be written.
        duckdb.Error: somebody writes the warehouse, or it is none.
    """
    working = working_file(warehouse)
    working.parent.mkdir(parents=True, exist_ok=True)
    if working.exists() or not warehouse.exists():
        return
    # While a reader has it open nobody writes it.
    with closing(duckdb.connect(str(warehouse), read_only=True)):
        if log_of(warehouse).exists():
            _copy(log_of(warehouse), log_of(working))
        _copy(warehouse, working)


def remove_leftovers(warehouse: Path) -> None:
    """Remove the copy that a killed build has not finished; nobody may build now."""
    place = Path(os.path.realpath(warehouse))
    for path in (place, working_file(warehouse)):
        _part_of(path).unlink(missing_ok=True)


def publish(warehouse: str) -> str | None:
    """Put a copy of the working file into the place of the warehouse.

    The working file must hold all its changes (CHECKPOINT), and nobody may write it
    meanwhile. Whoever has the warehouse open keeps what it was.

    Args:
        warehouse: The path that people open.

    Returns:
        Why it is not published; None if it is. The warehouse is as it was then.
    """
    path = Path(warehouse)
    # Of a link, what it leads to.
    place = Path(os.path.realpath(path))
    try:
        # What somebody wrote into the file before would be taken for this one's.
        log_of(place).unlink(missing_ok=True)
        _copy(working_file(path), place)
    except OSError as error:
        with suppress(OSError):
            _part_of(place).unlink(missing_ok=True)
        return error.strerror or str(error)
    return None


def published_digest(warehouse: str) -> str | None:
    """Return what the macro ``publish`` noted of the state that is published.

    None where there is no such state, or one from before there were any notes.
    """
    if not Path(warehouse).exists():
        return None
    with closing(duckdb.connect()) as connection, suppress(duckdb.Error):
        connection.execute(f"attach {literal(warehouse)} as published (read_only)")
        found = connection.execute(
            "select digest from published.staging.published_state"
        ).fetchone()
        return found[0] if found else None
    return None


def log_of(database: Path) -> Path:
    """Where DuckDB keeps what is not in the file yet."""
    return database.with_name(f"{database.name}.wal")


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that the target is there whole or not at all, even after a crash.

    Where the file system can, both share their blocks until one is changed.
    """
    part = _part_of(target)
    descriptor = _opened(source)
    with part.open("wb") as file:
        size = os.fstat(descriptor).st_size
        position = 0
        while position < size:
            position += _copy_some(descriptor, file.fileno(), position, size - position)
        if target.exists():
            os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _copy_some(source: int, target: int, position: int, size: int) -> int:
    """Copy bytes from a position to the end of the target; return how many."""
    if hasattr(os, "copy_file_range"):
        # Not between all file systems.
        with suppress(OSError):
            copied = os.copy_file_range(source, target, size, position, position)
            if copied:
                os.lseek(target, position + copied, os.SEEK_SET)
                return copied
    os.lseek(target, position, os.SEEK_SET)
    return os.write(target, os.pread(source, min(size, CHUNK), position))


def _opened(path: Path) -> int:
    """Return a descriptor for reading a file, which stays open.

    A process that closes any descriptor of a file loses its locks on that file, and
    with them DuckDB's on the database that this process is building.
    """
    place = Path(os.path.realpath(path))
    known = _descriptors.get(place)
    if known is not None and os.path.samestat(os.fstat(known), place.stat()):
        return known
    _descriptors[place] = os.open(place, os.O_RDONLY)
    if known is not None:
        # Another file had the name then; nobody has a lock on that one.
        os.close(known)
    return _descriptors[place]
