"""Writes the logs of archived experiments where they were, byte by byte."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb

from pidgin_analytics import building, printing, settings
from pidgin_analytics.archive import queries
from pidgin_analytics.archive.format import ArchiveError, is_log, pattern
from pidgin_analytics.archive.verify import ArchivedFile, archived_files
from pidgin_analytics.files import make_folder, put_in_place

CHANGED = "The archives are not what the last build found; run `dbt build` first"


def restore_experiments(
    experiment_ids: Sequence[str],
    *,
    keep_archives: bool = False,
    say: Callable[[str], None] = printing.say,
    build: Callable[[], None] = building.build,
) -> None:
    """Write logs and manifests where they were, and remove the archives.

    As ``pidgin-analytics restore`` does. The build that follows reads the logs again.
    Wherever this is interrupted, it goes on when it is called again.

    Args:
        experiment_ids: The experiments.
        keep_archives: Whether to keep the archives. The files are written all the same,
            and are not read again while an archive holds them.
        say: Takes what is done, line by line.
        build: Runs a build, and raises an error where it fails.

    Raises:
        ArchiveError: an experiment is not in the archives, one of its archives is
            damaged, or one of its logs is there with other bytes. Nothing is written
            then, and no archive removed.
        BuildError: the build failed. The files are where they were.
        OSError: a file cannot be written. No archive is removed then.
        WarehouseError: there is no warehouse, a build writes it, or it cannot be
            opened.
    """
    if isinstance(experiment_ids, str):
        raise ArchiveError("experiment_ids must be a list of ids.")
    with contextlib.chdir(settings.PROJECT):
        with building.opened(say) as opened, _reading_archives():
            archives = _archives_of(opened.connection, experiment_ids)
            output_dir = settings.output_dir()
            # Before any file is written.
            missing = {
                archive: missing_files(archive, output_dir, names)
                for archive, names in archives.items()
            }
            for archive, names in archives.items():
                write_files(archive, output_dir, missing[archive])
                say(f"{printing.counted(len(names), 'file')} restored from {archive}")
            if not keep_archives:
                opened.insist()
                for archive in archives:
                    Path(archive).unlink()
        build()


@contextlib.contextmanager
def _reading_archives() -> Iterator[None]:
    """Let what goes wrong with archives that the warehouse names be one sentence."""
    try:
        yield
    except duckdb.IOException as error:
        raise ArchiveError(f"{CHANGED}: {str(error).splitlines()[0]}") from error


def _archives_of(
    connection: duckdb.DuckDBPyConnection, experiment_ids: Sequence[str]
) -> dict[str, list[str]]:
    """Return the archives of these experiments, and which of their files count.

    Also archives whose files are in another one in a later state, which would speak
    again.
    """
    ledger = connection.execute(queries.LEDGER).fetchall()
    held = [pattern(path) for path, problem in ledger if problem is None]
    owners = (
        connection.execute(queries.OWNERS, {"archives": held}).fetchall()
        if held
        else []
    )
    ((has_forgotten,),) = connection.execute(queries.HAS_FORGOTTEN).fetchall()
    if has_forgotten:
        rows = connection.execute(queries.FORGOTTEN, {"kind": "experiment"}).fetchall()
        owners = [(path, name) for path, name in owners if (name,) not in rows]
    known = {name for _, name in owners}
    unknown = [name for name in experiment_ids if name not in known]
    if unknown:
        said = f"There is no such experiment here: {', '.join(unknown)}"
        damaged = [path for path, problem in ledger if problem is not None]
        if damaged:
            said += f". It may be in an archive that is damaged: {', '.join(damaged)}"
        raise ArchiveError(said)
    prefix = f"{settings.output_dir().rstrip('/')}/"
    return {
        archive: [
            path.removeprefix(prefix)
            for (path,) in connection.execute(
                queries.SPEAKING_FILES, {"archive": archive}
            ).fetchall()
        ]
        for archive, name in owners
        if name in experiment_ids
    }


def missing_files(
    archive: str | Path, output_dir: str | Path, names: Sequence[str]
) -> list[str]:
    """Read an archive whole; return which of these files are not where they were.

    A file that is there already with the same bytes is left alone, and so is a manifest
    with other ones, which Pidgin goes on writing.

    Raises:
        ArchiveError: the archive is damaged, or one of its logs is there with other
            bytes.
    """
    folder = Path(output_dir).resolve()
    missing = []
    for file in _checked_files(archive):
        if file.name not in names:
            continue
        target = (folder / file.name).resolve()
        if not target.is_relative_to(folder):
            raise ArchiveError(f"{file.name!r} would lie outside {folder}.")
        if not target.exists():
            missing.append(file.name)
        elif is_log(file.name) and target.read_bytes() != file.content:
            raise ArchiveError(f"{target} is there, and is not what was archived.")
    return missing


def _checked_files(archive: str | Path) -> Iterator[ArchivedFile]:
    try:
        yield from archived_files(archive)
    except ArchiveError as error:
        raise ArchiveError(f"{archive} is damaged, and stays: {error}") from error


def write_files(
    archive: str | Path, output_dir: str | Path, names: Sequence[str]
) -> None:
    """Write these files of an archive where they were; ``missing_files`` names them.

    Raises:
        ArchiveError: the archive is damaged.
        OSError: a file cannot be written.
    """
    folder = Path(output_dir).resolve()
    for file in archived_files(archive, names):
        _write(folder / file.name, file)


def _write(path: Path, file: ArchivedFile) -> None:
    """Write a file under its name only once it is whole."""
    make_folder(path.parent)
    part = path.with_name(path.name + ".part")
    part.write_bytes(file.content)
    os.utime(part, (file.modified_at, file.modified_at))
    put_in_place(part, path)
