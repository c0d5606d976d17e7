"""Moves experiments that have ended from logs and event store into archives.

What an archive holds is compared with the logs, byte by byte, and with the event store
before it gets its name. Then the build takes it in, and lets the event store go of what
it holds. Wherever this is interrupted, it or the next build goes on from there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pidgin_analytics import building, lake, printing, settings
from pidgin_analytics.archive import queries
from pidgin_analytics.archive.forget import without_conversations
from pidgin_analytics.archive.format import (
    ArchiveError,
    archive_path,
    begin_rows,
    end_rows,
    pattern,
    unfinished,
    write_rows,
)
from pidgin_analytics.archive.verify import (
    ArchivedFile,
    archive_problem,
    held_hashes,
    is_archived,
    md5_of,
)
from pidgin_analytics.files import make_folder, put_in_place
from pidgin_analytics.warehouse import WarehouseError

OLD_TABLES = "The tables are older than the event store; run `dbt build` first."


@dataclass(frozen=True)
class _Choice:
    """Which experiments an operation is about."""

    older_than_days: float
    experiment_ids: list[str] | None

    @property
    def parameters(self) -> dict[str, object]:
        return {
            "older_than_days": self.older_than_days,
            "experiment_ids": self.experiment_ids,
        }


@dataclass(frozen=True)
class _File:
    """A log or manifest, as the event store has read it."""

    path: str
    kind: str
    size: int
    modified_at: int

    @property
    def name(self) -> str:
        """Its path below the output folder."""
        return self.path.removeprefix(f"{settings.output_dir().rstrip('/')}/")

    def obstacle(self) -> str | None:
        """Say why it is not what was read; None if it may be."""
        try:
            found = Path(self.path).stat()
        except OSError:
            return f"{self.path} is gone"
        if (found.st_size, _seconds(found)) != (self.size, self.modified_at):
            return f"{self.path} has changed since the last build"
        return None

    def read(self) -> bytes:
        """Return what it holds.

        Raises:
            ArchiveError: it is not what was read, or cannot be read.
        """
        try:
            with Path(self.path).open("rb") as file:
                content = file.read()
                # Of what was opened: another file may have its name by now.
                found = os.fstat(file.fileno())
        except OSError as error:
            raise ArchiveError(f"{self.path}: {error.strerror}") from error
        read = (len(content), found.st_size, _seconds(found))
        if read != (self.size, self.size, self.modified_at):
            raise ArchiveError(f"{self.path} has changed since the last build")
        return content


def _seconds(found: os.stat_result) -> int:
    """Return a modification time as DuckDB has it."""
    return found.st_mtime_ns // 10**9


def archive_experiments(
    *,
    older_than_days: float = 30,
    experiment_ids: Sequence[str] | None = None,
    delete_logs: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] = printing.say,
    build: Callable[[], None] = building.build,
) -> list[Path]:
    """Move experiments that have ended into Parquet files, one for each.

    As ``pidgin-analytics archive`` does: folders and warehouse are those of the
    environment. What may be archived, and what prevents it, is in the view
    ``archive_candidates``. A build follows, which takes the archives in.

    Args:
        older_than_days: Days since the last event of an experiment.
        experiment_ids: Only these experiments.
        delete_logs: Whether to delete logs after that build, once the archive that
            holds them was read again. Also those of experiments, as old, that were
            archived before.
        dry_run: Whether only to say what would be done.
        say: Takes what is done, line by line.
        build: Runs a build, and raises an error where it fails.

    Returns:
        The archives that were written.

    Raises:
        ArchiveError: an experiment is not there, or could not be archived, because of
            a damaged archive under its name, for example; the others are archived.
        BuildError: the build failed; no log is deleted then.
        OSError: a log cannot be deleted.
        WarehouseError: there is no warehouse, its tables are not up to date, a build
            writes it, or it cannot be opened.
    """
    if isinstance(experiment_ids, str):
        raise ArchiveError("experiment_ids must be a list of ids.")
    if not older_than_days >= 0:
        raise ArchiveError(
            f"older_than_days is {older_than_days}; it must be a number of days."
        )
    choice = _Choice(
        float(older_than_days), None if experiment_ids is None else list(experiment_ids)
    )
    written: list[Path] = []
    faults: list[str] = []
    with contextlib.chdir(settings.PROJECT):
        with _current(say) as opened:
            _check_experiments(opened.connection, choice)
            files_of = _files_by_experiment(opened.connection)
            for experiment_id, size, obstacle in opened.connection.execute(
                queries.CANDIDATES, choice.parameters
            ).fetchall():
                said = f"{experiment_id}, {size} bytes of logs: "
                files = files_of[experiment_id]
                obstacle = obstacle or _first_obstacle(files)
                if obstacle:
                    said += f"stays, because {obstacle}"
                elif dry_run:
                    said += "would be archived"
                    said += ", and its logs deleted" if delete_logs else ""
                else:
                    try:
                        archive = _archive(opened.connection, experiment_id, files)
                    except (ArchiveError, OSError, duckdb.Error) as error:
                        said += f"stays, because of a fault: {lake.one_line(error)}"
                        faults.append(said)
                    else:
                        said += f"archived, {archive.stat().st_size} bytes"
                        written.append(archive)
                say(said)
            if delete_logs and dry_run:
                _delete_logs(opened, choice, say, dry_run=True)
        if not dry_run:
            build()
            if delete_logs:
                with _current(say) as opened:
                    _delete_logs(opened, choice, say, dry_run=False)
    if faults:
        raise ArchiveError("; ".join(faults))
    return written


@contextlib.contextmanager
def _current(say: Callable[[str], None]) -> Iterator[building.Opened]:
    """Open a warehouse whose tables are what its event store says."""
    with building.opened(say) as opened:
        ((count,),) = opened.connection.execute(queries.STALE_ROWS).fetchall()
        if count:
            raise WarehouseError(OLD_TABLES)
        yield opened


def _check_experiments(connection: duckdb.DuckDBPyConnection, choice: _Choice) -> None:
    if not choice.experiment_ids:
        return
    unknown = connection.execute(
        queries.UNKNOWN_EXPERIMENTS, {"experiment_ids": choice.experiment_ids}
    ).fetchall()
    if unknown:
        raise ArchiveError(
            "There is no such experiment here: "
            + ", ".join(name for (name,) in unknown)
        )


def _files_by_experiment(
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, list[_File]]:
    """Ask once: it takes a look through the event store."""
    files: dict[str, list[_File]] = {}
    for experiment_id, *file in connection.execute(queries.FILES).fetchall():
        files.setdefault(experiment_id, []).append(_File(*file))
    return files


def _first_obstacle(files: list[_File]) -> str | None:
    """Say which file is not as it was read; only the disk tells."""
    return min(filter(None, (file.obstacle() for file in files)), default=None)


def _archive(
    connection: duckdb.DuckDBPyConnection, experiment_id: str, files: list[_File]
) -> Path:
    """Write the archive of an experiment, make sure of it, and give it its name.

    Raises:
        ArchiveError: it does not hold what it should, or there is another file of that
            name; a file is not what was read.
    """
    try:
        hashes = _take_files(connection, files)
        # Named for the state of the files, so that a second try writes the same again.
        state = "\n".join(
            f"{file.name}|{file.modified_at}|{hashes.get(file.name)}" for file in files
        )
        archive = archive_path(
            settings.archive_dir(),
            experiment_id,
            md5_of(state.encode("utf-8", "surrogatepass")),
        )
        # Else it was written by a command that was stopped before the build.
        if not is_archived(archive, hashes):
            _write(connection, experiment_id, archive, hashes)
    finally:
        connection.execute(queries.END_FILES)
    return archive


def _write(
    connection: duckdb.DuckDBPyConnection,
    experiment_id: str,
    archive: Path,
    hashes: dict[str, str],
) -> None:
    make_folder(archive.parent)
    part = unfinished(archive)
    try:
        begin_rows(connection)
        for statement in (queries.ADD_LINES, queries.ADD_MANIFESTS):
            connection.execute(statement, {"experiment_id": experiment_id})
        write_rows(connection, part)
        if any(_differences(connection, part)):
            connection.execute(queries.KEEP_PAYLOADS, {"archive": pattern(part)})
            write_rows(connection, part)
        _check(connection, part, hashes)
        put_in_place(part, archive)
    finally:
        part.unlink(missing_ok=True)
        end_rows(connection)


def _take_files(
    connection: duckdb.DuckDBPyConnection, files: list[_File]
) -> dict[str, str]:
    """Read the files into a table, one at a time; return the hashes by name."""
    forgotten = _forgotten(connection)
    hashes = {}
    connection.execute(queries.BEGIN_FILES)
    for file in files:
        content: bytes | None = file.read()
        assert content is not None  # noqa: S101
        if file.kind == "manifest" and forgotten:
            # It is as it is on disk, but for what was forgotten.
            content = without_conversations(
                ArchivedFile(file.name, content, file.modified_at), forgotten
            )
            if content is None:
                continue
        hashes[file.name] = md5_of(content)
        connection.execute(
            queries.ADD_FILE,
            {
                "source_file": file.path,
                "name": file.name,
                "file_kind": file.kind,
                "size_bytes": len(content),
                "modified_at": file.modified_at,
                "md5": hashes[file.name],
                "content": content,
            },
        )
    return hashes


def _forgotten(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the conversations that were to be forgotten."""
    ((has_any,),) = connection.execute(queries.HAS_FORGOTTEN).fetchall()
    if not has_any:
        return []
    rows = connection.execute(queries.FORGOTTEN, {"kind": "conversation"}).fetchall()
    return [name for (name,) in rows]


def _differences(
    connection: duckdb.DuckDBPyConnection, archive: Path
) -> tuple[int, int]:
    """Count the lines that only the event store has, and those only an archive has."""
    ((lost, other),) = connection.execute(
        queries.COUNT_DIFFERENCES, {"archive": pattern(archive)}
    ).fetchall()
    return lost, other


def _check(
    connection: duckdb.DuckDBPyConnection, archive: Path, hashes: dict[str, str]
) -> None:
    """Make sure that an archive holds these files and the lines of the event store.

    Raises:
        ArchiveError: it does not.
    """
    if held_hashes(archive) != hashes:
        raise ArchiveError("it does not hold the files as they are on disk")
    lost, other = _differences(connection, archive)
    if lost or other:
        raise ArchiveError(
            f"{lost} lines of the event store are not in the archive as they are in"
            f" the store, {other} of the archive are not in the store"
        )


def _delete_logs(
    opened: building.Opened,
    choice: _Choice,
    say: Callable[[str], None],
    *,
    dry_run: bool,
) -> None:
    """Delete the logs that an archive holds in their present state."""
    problems: dict[str, str | None] = {}
    for path, size, modified_at, md5, archive in opened.connection.execute(
        queries.ARCHIVED_LOGS, choice.parameters
    ).fetchall():
        log = _File(path, "log", size, modified_at)
        if log.obstacle():
            # It went before, or goes on: nothing to do with this archive any more.
            continue
        if archive not in problems:
            problems[archive] = archive_problem(archive)
        try:
            content = log.read()
        except ArchiveError as error:
            say(f"{path} stays: {error}")
            continue
        if md5_of(content) != md5:
            say(f"{path} stays: it is not what was archived")
        elif problems[archive]:
            say(f"{path} stays: {archive} {problems[archive]}")
        elif dry_run:
            say(f"{path} would be deleted, {size} bytes")
        else:
            opened.insist()
            Path(path).unlink()
            say(f"{path} deleted, {size} bytes")
