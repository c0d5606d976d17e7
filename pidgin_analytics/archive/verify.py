"""Whether an archive is whole, and what its files were, byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import duckdb

from pidgin_analytics.archive import queries
from pidgin_analytics.archive.format import ArchiveError, check_shape, is_log, pattern


@dataclass(frozen=True)
class ArchivedFile:
    """A log or manifest as it was when it was archived.

    Attributes:
        name: Path below the output folder, with slashes.
        content: Its bytes.
        modified_at: Its modification time, in seconds since 1970.
    """

    name: str
    content: bytes
    modified_at: float


def archived_files(
    archive: str | Path, names: Sequence[str] | None = None
) -> Iterator[ArchivedFile]:
    """Read the files of an archive, or those with these names, one after the other.

    Raises:
        ArchiveError: the archive is damaged or is no archive; the message says how.
    """
    path = pattern(archive)
    try:
        with closing(duckdb.connect()) as connection:
            # Beside a build, so with less.
            connection.execute("set threads = 1")
            check_shape(connection, archive)
            if connection.execute(queries.FALSE_EVENTS, [path]).fetchall():
                raise ArchiveError("It holds an event that is not its line.")
            held = [
                name
                for (name,) in connection.execute(queries.FILE_NAMES, [path]).fetchall()
            ]
            if not held:
                raise ArchiveError("It holds no file.")
            for name in held if names is None else names:
                yield _archived_file(connection, path, name)
    except duckdb.Error as error:
        raise ArchiveError(str(error).splitlines()[0]) from error
    except (OSError, UnicodeError) as error:
        raise ArchiveError(str(error)) from error


def _archived_file(
    connection: duckdb.DuckDBPyConnection, path: str, name: str
) -> ArchivedFile:
    rows = connection.execute(queries.FILE, {"archive": path, "file": name}).fetchall()
    if len(rows) != 1:
        raise ArchiveError(f"It holds {name!r} {len(rows)} times.")
    ((size, modified_at, md5, content),) = rows
    # An archive may come from anybody; its files go nowhere else and are nothing else.
    if (
        PurePosixPath(name).is_absolute()
        or ".." in PurePosixPath(name).parts
        or (not is_log(name) and PurePosixPath(name).name != "manifest.json")
    ):
        raise ArchiveError(f"It holds {name!r}, no log or manifest of Pidgin's.")
    if len(content) != size or md5_of(content) != md5:
        raise ArchiveError(f"What it holds of {name!r} is not what was archived.")
    return ArchivedFile(name, content, modified_at)


def held_hashes(archive: str | Path) -> dict[str, str]:
    """Read an archive whole; return the MD5 hashes of its files by their names.

    Raises:
        ArchiveError: it is damaged or is no archive; the message says how.
    """
    return {file.name: md5_of(file.content) for file in archived_files(archive)}


def archive_problem(archive: str) -> str | None:
    """Read an archive whole and say what is wrong with it; None if nothing is."""
    try:
        held_hashes(archive)
    # Whatever a stranger's file brings about is wrong with that file alone.
    except Exception as error:
        return str(error)
    return None


def is_archived(archive: Path, hashes: dict[str, str]) -> bool:
    """Whether an archive is there already that holds these files, and only these.

    A file under the name of an archive that is another, or damaged, is never taken for
    one that may be replaced.

    Args:
        archive: Where it would be.
        hashes: By name, the MD5 hashes of the files that it would hold.

    Raises:
        ArchiveError: there is a file that is damaged, or holds something else.
    """
    if not archive.exists():
        return False
    try:
        held = held_hashes(archive)
    except ArchiveError as error:
        raise ArchiveError(
            f"{archive} is there and is damaged, or no archive, and is left alone:"
            f" {str(error).rstrip('.')}. Move it away first."
        ) from error
    if held != hashes:
        raise ArchiveError(
            f"{archive} is there and holds other files, and is left alone. Move it"
            " away first."
        )
    return True


def md5_of(content: bytes) -> str:
    """Return the hash that an archive keeps of a file."""
    return hashlib.md5(content).hexdigest()  # noqa: S324
