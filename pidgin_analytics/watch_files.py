"""Which files changed, whether a conversation ended, and when to refresh.

Nothing here builds anything or looks at a clock, so that all of it can be tried in any
order of events.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pidgin_analytics import settings

# Size in bytes and time of modification in nanoseconds, by path.
Files = dict[str, tuple[int, int]]

# As the macro is_log_or_manifest says.
LOG_OR_MANIFEST = re.compile(
    r"(?!\._)(manifest\.json|.*\.(?i:(jsonl|ndjson)(\.gz|\.zst)?))", re.DOTALL
)
COMPRESSED = re.compile(r".*\.(gz|zst)", re.DOTALL | re.IGNORECASE)
# What dbt makes its manifest of.
PROJECT_FILE = re.compile(r"(?!\.).*\.(sql|yml|csv|md)", re.DOTALL)
PROJECT_FOLDERS = ("macros", "models", "seeds", "tests")
PROJECT_SETTINGS = ("dbt_project.yml", "profiles.yml", "selectors.yml")
END = b"ConversationEndEvent"
CHUNK = 1 << 20


def files_below(
    folder: str, is_wanted: Callable[[str], object]
) -> Iterator[os.DirEntry[str]]:
    """Give the files below a folder; links to folders are not followed.

    What cannot be looked at is left out: a build names it.
    """
    folders = [folder]
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif is_wanted(entry.name):
                        yield entry


def state_of(entries: Iterator[os.DirEntry[str]]) -> Files:
    """Note size and time of each file; of a link, of what it leads to."""
    files: Files = {}
    for entry in entries:
        # It may be gone by now.
        with suppress(OSError):
            found = entry.stat()
            if stat.S_ISREG(found.st_mode):
                files[entry.path] = (found.st_size, found.st_mtime_ns)
    return files


def output_files(output_dir: str, archive_dir: str) -> Files:
    """Return the logs and manifests of a folder, and the archives beside them."""
    files = state_of(files_below(output_dir, LOG_OR_MANIFEST.fullmatch))
    return files | state_of(
        files_below(archive_dir, lambda name: name.endswith(".parquet"))
    )


def project_files(project: str = settings.PROJECT) -> Files:
    """Return the files that dbt reads to know the project."""
    files: Files = {}
    for folder in PROJECT_FOLDERS:
        files |= state_of(
            files_below(os.path.join(project, folder), PROJECT_FILE.fullmatch)  # noqa: PTH118
        )
    for name in PROJECT_SETTINGS:
        path = Path(project, name)
        with suppress(OSError):
            found = path.stat()
            files[str(path)] = (found.st_size, found.st_mtime_ns)
    return files


def changed_paths(before: Files, after: Files) -> set[str]:
    """Return the files that came, went or changed."""
    return {path for path, _ in before.items() ^ after.items()}


@dataclass
class Ends:
    """Finds the ends of conversations in what is appended to logs.

    A line counts once it is whole, because a build leaves half a line alone. Words in a
    message may look like an end: then a refresh comes early, which does no harm.
    """

    # Up to where whole lines were looked at.
    _seen: dict[str, int] = field(default_factory=dict)

    def skip(self, files: Files) -> None:
        """Take what is there as seen."""
        self._seen.update((path, size) for path, (size, _) in files.items())

    def found(self, changed: Collection[str], files: Files) -> bool:
        """Whether a conversation ended in the changed logs since the last look."""
        ends = [self._found_in(path, files.get(path)) for path in changed]
        return any(ends)

    def _found_in(self, path: str, state: tuple[int, int] | None) -> bool:
        if state is None:
            self._seen.pop(path, None)
            return False
        if path.endswith((".json", ".parquet")) or COMPRESSED.fullmatch(path):
            return False
        size, _ = state
        begin = self._seen.get(path, 0)
        # One that is shorter than it was is another one.
        begin = begin if begin <= size else 0
        is_found = False
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                begin, is_found = _look(file.fileno(), begin, size)
        except OSError:
            # A build says what is wrong with it.
            pass
        self._seen[path] = begin
        return is_found


def _look(descriptor: int, begin: int, end: int) -> tuple[int, bool]:
    """Look for an end in the whole lines of a part of a file.

    Returns:
        Where the last whole line ends, and whether one of them is an end.
    """
    is_found = is_in_line = False
    whole = position = begin
    rest = b""
    while position < end:
        chunk = os.pread(descriptor, min(CHUNK, end - position), position)
        if not chunk:
            break
        # The word may lie across two chunks.
        text = rest + chunk
        last = text.rfind(b"\n")
        is_in_line = is_in_line or END in text[: last + 1]
        if last >= 0:
            is_found = is_found or is_in_line
            is_in_line = False
            whole = position + len(chunk) - len(text) + last + 1
        tail = text[last + 1 :]
        is_in_line = is_in_line or END in tail
        rest = tail[-len(END) + 1 :]
        position += len(chunk)
    return whole, is_found


@dataclass
class Schedule:
    """Decides when to refresh.

    Every change is covered by a refresh that begins after it was noticed: at once when
    a conversation ended, else when the interval since the last refresh began is over.
    Without a change there is no refresh. One that failed has covered nothing.

    Attributes:
        interval: Seconds between the beginnings of two refreshes.
        changed: What no refresh has covered yet.
        has_failed: Whether the last refresh failed.
    """

    interval: float
    changed: set[str] = field(default_factory=set)
    has_failed: bool = False
    _is_urgent: bool = False
    _covering: set[str] = field(default_factory=set)
    _began: float | None = None

    def note(self, changed: Collection[str], *, is_urgent: bool = False) -> None:
        """Take in what changed, and whether it must be seen at once."""
        self.changed.update(changed)
        self._is_urgent = self._is_urgent or is_urgent

    def due(self, now: float) -> float | None:
        """Return the moment of the next refresh; None as long as there is no reason."""
        if self._began is None or self._is_urgent:
            return now
        if self.changed or self.has_failed:
            return max(now, self._began + self.interval)
        return None

    def reason(self) -> str:
        """Say why a refresh is due."""
        if self._began is None:
            return "first"
        if self.has_failed:
            return "failed before"
        return "ended" if self._is_urgent else "interval"

    def begin(self, now: float) -> None:
        """Begin a refresh, which covers what was noticed until now."""
        self._began = now
        self._is_urgent = False
        self._covering, self.changed = self.changed, set()

    def end(self, *, is_success: bool) -> None:
        """End it; what a failed one should have covered waits for the next one."""
        self.has_failed = not is_success
        if self.has_failed:
            self.changed |= self._covering
        self._covering = set()


class Folder:
    """Looks again and again at what a build reads."""

    def __init__(self, output_dir: str, archive_dir: str) -> None:
        """Name the folders; what is there now is for the first refresh."""
        self._output_dir = output_dir
        self._archive_dir = archive_dir
        self._ends = Ends()
        self._is_missing = self._looks_missing()
        self._files = output_files(output_dir, archive_dir)
        self._ends.skip(self._files)
        self.project = project_files()

    def look(self) -> tuple[set[str], bool]:
        """Return what changed since the last look, and whether that cannot wait."""
        changed = changed_paths(self.project, project := project_files())
        self.project = project
        files = output_files(self._output_dir, self._archive_dir)
        # Asked after, lest a folder that goes meanwhile look empty.
        is_missing = self._looks_missing()
        has_turned = is_missing != self._is_missing
        self._is_missing = is_missing
        if has_turned:
            changed.add(self._output_dir)
        if is_missing:
            # Its files may come back, and need not be looked at again then.
            return changed, False
        appended = changed_paths(self._files, files)
        has_ended = self._ends.found(appended, files)
        self._files = files
        return changed | appended, has_ended or has_turned

    def _looks_missing(self) -> bool:
        return settings.folder_problem(self._output_dir) is not None
