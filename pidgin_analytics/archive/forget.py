"""Takes conversations and experiments out for good.

They leave the event store and the archives, and their ids are remembered, so that files
which still lie there, or come back, are not read again. What is built of them goes with
the build that follows, and what is left in free pages of the warehouse when that is
written anew. docs/decisions/0009-forgetting.md says why.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from pidgin_analytics import (
    building,
    compaction,
    lake,
    printing,
    publishing,
    settings,
)
from pidgin_analytics.archive import queries
from pidgin_analytics.archive.format import (
    ArchiveError,
    archives_below,
    begin_rows,
    is_log,
    pattern,
    write_rows,
)
from pidgin_analytics.archive.verify import (
    ArchivedFile,
    archive_problem,
    archived_files,
    md5_of,
)
from pidgin_analytics.files import put_in_place

# As the event store looks for them, in macros/text/event_documents.sql.
_EVENT_START = re.compile(
    rb'\{\s*"(?:conversation_id|timestamp|event_type|experiment_id)"\s*:'
)
_NESTED = re.compile(rb'"data"\s*:\s*$')


def forget(
    ids: Sequence[str],
    *,
    dry_run: bool = False,
    say: Callable[[str], None] = printing.say,
    build: Callable[[], None] = building.build,
) -> None:
    """Take conversations, and experiments with all of theirs, out for good.

    As ``pidgin-analytics forget`` does. A build follows, and then the warehouse is
    written anew, since DuckDB keeps the bytes of deleted rows. Logs and manifests in
    the output folder stay. Wherever this is interrupted, it goes on when it is called
    again.

    Args:
        ids: Conversations and experiments.
        dry_run: Whether only to say what would be done.
        say: Takes what is done, line by line.
        build: Runs a build, and raises an error where it fails.

    Raises:
        ArchiveError: an id is not known, or is that of several conversations; nothing
            is changed then. Or an archive cannot be written again, or the warehouse not
            be written anew.
        BuildError: the build failed; the next one lets go of what is left.
        WarehouseError: there is no warehouse, a build writes it, or it cannot be
            opened.
    """
    if isinstance(ids, str):
        raise ArchiveError("ids must be a list of ids.")
    with contextlib.chdir(settings.PROJECT):
        with building.opened(say) as opened:
            chosen = _forget_in_stores(opened, list(ids), say, dry_run=dry_run)
            opened.insist()
            _forget_in_archives(opened.connection, chosen, say, dry_run=dry_run)
        if dry_run:
            return
        build()
        if problem := _write_anew(say):
            raise ArchiveError(
                "What was forgotten is in no table any more, but its bytes may still be"
                f" in the warehouse file, which cannot be rewritten: {problem} Run the"
                " same command again."
            )


def _forget_in_stores(
    opened: building.Opened,
    ids: list[str],
    say: Callable[[str], None],
    *,
    dry_run: bool,
) -> dict[str, list[str]]:
    """Take what is named out of the event store; return what that is.

    All at once, with the ids: killed in the middle, nothing is forgotten, or nothing is
    left. A dry run does the same and takes it back.
    """
    connection = opened.connection
    connection.execute("begin")
    try:
        connection.execute(queries.BEGIN_FORGOTTEN)
        connection.execute(queries.BEGIN_MEMBERS)
        _check_ids(connection, ids)
        chosen: dict[str, list[str]] = {"conversation_ids": [], "experiment_ids": []}
        for kind, name in connection.execute(
            queries.CHOSEN_IDS, {"ids": ids}
        ).fetchall():
            chosen[f"{kind}_ids"].append(name)
            say(f"{kind} {name} {'would be' if dry_run else 'is'} forgotten")
        connection.execute(queries.BEGIN_FORGOTTEN_LINES, chosen)
        ((count,),) = connection.execute(queries.COUNT_FORGOTTEN_LINES).fetchall()
        say(f"{count} lines of logs {'would go' if dry_run else 'go'}")
        if not dry_run:
            connection.execute(queries.NOTE_FORGOTTEN, chosen)
            for statement in queries.FORGET_LINES:
                connection.execute(statement)
            connection.execute(queries.FORGET_MANIFESTS, chosen)
            ((has_vectors,),) = connection.execute(queries.HAS_VECTORS).fetchall()
            if has_vectors:
                connection.execute(
                    queries.FORGET_VECTORS,
                    {"conversation_ids": chosen["conversation_ids"]},
                )
            connection.execute(queries.FORGET_NOTES)
            opened.insist()
            connection.execute("commit")
            return chosen
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("rollback")
    return chosen


def _check_ids(connection: duckdb.DuckDBPyConnection, ids: list[str]) -> None:
    """Refuse ids that nothing has, and those of several conversations."""
    unknown = connection.execute(queries.UNKNOWN_IDS, {"ids": ids}).fetchall()
    if unknown:
        raise ArchiveError(
            "There is no such conversation or experiment here: "
            + ", ".join(name for (name,) in unknown)
        )
    shared = connection.execute(queries.SHARING_EXPERIMENTS, {"ids": ids}).fetchall()
    if shared:
        raise ArchiveError(
            "Several experiments have a conversation of this id, and only the"
            " experiment tells them apart: name one of "
            + ", ".join(name for (name,) in shared)
        )
    alike = connection.execute(queries.EXPERIMENTS_ALIKE, {"ids": ids}).fetchall()
    if alike:
        raise ArchiveError(
            "Experiments that share an id in their logs can only be forgotten together:"
            " name all of " + ", ".join(name for (name,) in alike)
        )


def _forget_in_archives(
    connection: duckdb.DuckDBPyConnection,
    chosen: dict[str, list[str]],
    say: Callable[[str], None],
    *,
    dry_run: bool,
) -> None:
    """Take what is chosen out of the archives.

    An archive of what is forgotten goes; one that holds other conversations, too, is
    written again without it. A damaged one is named, and stays as it is.
    """
    problems = dict(connection.execute(queries.LEDGER).fetchall())
    for path in archives_below(settings.archive_dir()):
        archive = str(path)
        # One that came in since the last build was not looked into yet.
        problem = problems[archive] if archive in problems else archive_problem(archive)
        said = None
        if problem is None:
            try:
                said = _forget_in_one(path, chosen, dry_run=dry_run)
            except (ArchiveError, duckdb.Error) as error:
                problem = lake.one_line(error)
        if problem is not None:
            say(
                f"WARNING: The archive {archive} cannot be read, so it may still hold"
                f" what is to be forgotten: {problem}"
            )
        elif said:
            say(f"The archive {archive} {'would be' if dry_run else 'is'} {said}")


def _forget_in_one(
    archive: Path, chosen: dict[str, list[str]], *, dry_run: bool
) -> str | None:
    """Take what is chosen out of an archive; return what is done with it, if anything.

    Raises:
        ArchiveError: it is damaged, and stays as it is.
        duckdb.Error: likewise.
    """
    with closing(duckdb.connect()) as connection:
        ((is_whole, is_touched),) = connection.execute(
            queries.ARCHIVE_HOLDS, {**chosen, "archive": pattern(archive)}
        ).fetchall()
    if is_whole:
        if not dry_run:
            archive.unlink()
        return "removed"
    if is_touched:
        if not dry_run:
            forget_in_archive(archive, chosen["conversation_ids"])
        return "written again"
    return None


def _write_anew(say: Callable[[str], None]) -> str | None:
    """Write the warehouse without what was deleted; return what keeps it from that."""
    try:
        if settings.is_lake():
            # Late, because it takes dbt in.
            from pidgin_analytics import lake_maintenance

            timeout = settings.setting("PIDGIN_LOCK_TIMEOUT", "60")
            with closing(
                lake.Builder(lake.of_environment(), settings.lock_timeout(timeout), say)
            ) as builder:
                lake_maintenance.clean(builder, 0, at_once=True)
            return None
        path = Path(settings.warehouse())
        compaction.compact(publishing.working_file(path))
        return publishing.publish(str(path))
    except (
        duckdb.Error,
        OSError,
        lake.LakeError,
        publishing.WarehouseInUseError,
        settings.SettingError,
    ) as error:
        return lake.one_line(error)


def forget_in_archive(archive: Path, conversation_ids: list[str]) -> bool:
    """Write an archive again without these conversations; return whether it had any.

    A log of nothing else goes whole, and so does an archive of nothing else. Manifests
    lose the entries of the conversations.

    Raises:
        ArchiveError: the archive is damaged, or what was written instead. It is as it
            was then.
    """
    part = archive.with_name(f"{archive.name}.forgetting")
    changed = {}
    for file in archived_files(archive):
        kept = without_conversations(file, conversation_ids)
        if kept != file.content:
            changed[file.name] = kept
    if not changed:
        return False
    try:
        if _copy_rest(archive, part, changed, conversation_ids):
            if problem := archive_problem(str(part)):
                raise ArchiveError(problem)
            put_in_place(part, archive)
        else:
            archive.unlink()
    finally:
        part.unlink(missing_ok=True)
    return True


def _copy_rest(
    archive: Path,
    part: Path,
    changed: dict[str, bytes | None],
    conversation_ids: list[str],
) -> bool:
    """Copy an archive, but for the changed files; return whether anything is left."""
    with closing(duckdb.connect()) as connection:
        connection.execute("set threads = 1")
        connection.execute(queries.BEGIN_CHANGED_FILES)
        for name, content in changed.items():
            connection.execute(
                "insert into changed_files values (?, ?, ?, ?)",
                [
                    name,
                    content,
                    None if content is None else len(content),
                    None if content is None else md5_of(content),
                ],
            )
        begin_rows(connection)
        connection.execute(
            queries.ADD_REST,
            {
                "archive": pattern(archive),
                "conversation_ids": conversation_ids,
                "spellings": _spelled(conversation_ids),
            },
        )
        write_rows(connection, part)
        ((count,),) = connection.execute(
            "select count(*) from archive_rows where line_number = 0"
        ).fetchall()
    return bool(count)


def without_conversations(
    file: ArchivedFile, conversation_ids: Sequence[str]
) -> bytes | None:
    """Return what is left of a file without these conversations; None if nothing is.

    Lines of no conversation go with a log of nothing else, and where they name one.
    """
    if not is_log(file.name):
        return _manifest_without(file.content, conversation_ids)
    names = [name.encode() for name in _spelled(conversation_ids)]
    kept = []
    owners = set()
    # As the event store parts lines.
    for line in re.findall(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+", file.content):
        kept_parts = []
        for part in _parts_of(line):
            owner = _conversation_of(part)
            owners.add(owner)
            if owner is None:
                is_forgotten = any(name in part for name in names)
            else:
                is_forgotten = owner in conversation_ids
            if not is_forgotten:
                kept_parts.append(part)
        if kept_parts:
            end = line[len(line.rstrip(b"\r\n")) :]
            kept.append(b"".join(kept_parts).rstrip(b"\r\n") + end)
    owners.discard(None)
    if owners and owners.issubset(conversation_ids):
        return None
    return b"".join(kept)


def _parts_of(line: bytes) -> list[bytes]:
    """Part a line in which events stand behind one another, as the event store does."""
    if _event_in(line) is not None:
        return [line]
    starts = [
        found.start()
        for found in _EVENT_START.finditer(line)
        # The nested object of the first era begins like an event and is none. Its name
        # stands right before it.
        if not _NESTED.search(line, max(0, found.start() - 100), found.start())
    ]
    places = [0, *(start for start in starts if start), len(line)]
    parts = [line[start:end] for start, end in itertools.pairwise(places)]
    return parts if any(_event_in(part) is not None for part in parts) else [line]


def _event_in(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _conversation_of(line: bytes) -> str | None:
    """Return the conversation that a line of a log says it belongs to, if any."""
    event = _event_in(line)
    if event is None:
        return None
    if event.get("conversation_id") is None and isinstance(event.get("data"), dict):
        event = event["data"]
    found = event.get("conversation_id")
    return found if isinstance(found, str) and found else None


def _manifest_without(content: bytes, conversation_ids: Sequence[str]) -> bytes | None:
    try:
        manifest = json.loads(content)
    except ValueError:
        is_named = any(name.encode() in content for name in _spelled(conversation_ids))
        return None if is_named else content
    listed = manifest.get("conversations") if isinstance(manifest, dict) else None
    if not isinstance(listed, dict) or listed.keys().isdisjoint(conversation_ids):
        return content
    before = len(listed)
    for name in conversation_ids:
        listed.pop(name, None)
    # What is forgotten is not missing.
    if isinstance(manifest.get("total_conversations"), int):
        manifest["total_conversations"] -= before - len(listed)
    return json.dumps(manifest, indent=2).encode()


def _spelled(conversation_ids: Sequence[str]) -> list[str]:
    """Return ids as JSON may write them: as they are, or with ASCII only."""
    return [
        spelling
        for name in conversation_ids
        for spelling in {
            name,
            json.dumps(name)[1:-1],
            json.dumps(name, ensure_ascii=False)[1:-1],
        }
    ]
