"""Where things are: one setting, resolved once, for dbt, its plugin and the command."""

from __future__ import annotations

import os
import re
from pathlib import Path

PROJECT = str(Path(__file__).parents[1])
OUTPUT_DIR = "sample_data/pidgin_output"
WAREHOUSE = "warehouse/pidgin.duckdb"


class SettingError(Exception):
    """A setting cannot work; the message says which and why in one sentence."""


def resolved_path(setting: str) -> str:
    """Give a path its one spelling, whichever way it is written.

    A path is relative to the folder of the project, which dbt and the command work in.
    Inside the project it stays relative, so that a project may be moved; anywhere else
    it is absolute. ``~``, ``file://``, ``//``, ``.``, ``..``, a slash at the end and
    symbolic links are resolved.
    """
    return _resolved(setting, ".")


def _resolved(setting: str, project: str) -> str:
    """As ``resolved_path``, which DuckDB takes with one argument, from any folder."""
    path = re.sub(r"^file://(localhost(?=/))?", "", setting)
    found = Path(os.path.realpath(Path(project) / Path(path).expanduser()))
    place = Path(os.path.realpath(project))
    if found != place and found.is_relative_to(place):
        relative = str(found.relative_to(place))
        # A reader that looks for a pattern spells such a path in its own way.
        if not re.match(r"[^/]*[\[*?]", relative):
            return relative
    return str(found)


def setting(name: str, default: str) -> str:
    """Return an environment variable; one that is set but empty means its default."""
    return os.environ.get(name) or default


def output_dir() -> str:
    """Return Pidgin's output folder, as the macro ``pidgin_output_dir`` does."""
    return resolved_path(setting("PIDGIN_OUTPUT_DIR", OUTPUT_DIR))


def archive_dir() -> str:
    """Return the folder of archives, as the macro ``pidgin_archive_dir`` does."""
    return resolved_path(setting("PIDGIN_ARCHIVE_DIR", f"{output_dir()}/archive"))


def is_lake() -> bool:
    """Whether the warehouse is a lake: dbt's target, as the profile chooses it."""
    return setting("PIDGIN_TARGET", "") == "lake"


def warehouse(project: str = ".") -> str:
    """Return the file of the warehouse, as the profile does."""
    return warehouse_path(setting("PIDGIN_WAREHOUSE", WAREHOUSE), project)


def warehouse_path(setting: str, project: str = ".") -> str:
    """Give the path of a warehouse its one spelling.

    The name of the file stays, also that of a link: it is the name of the database.
    """
    path = Path(setting)
    return str(Path(_resolved(str(path.parent), project)) / path.name)


def lock_timeout(text: str) -> float:
    """Read how many seconds to wait for a build that is under way.

    Raises:
        SettingError: it is no number of seconds.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise SettingError(
            f"PIDGIN_LOCK_TIMEOUT is {text}, which is no number of seconds; write one"
            " such as 60."
        )
    return seconds


def folder_problem(path: str) -> str | None:
    """Say why no logs can be read from a folder; None if nothing keeps it from that."""
    folder = Path(path)
    try:
        if not folder.exists():
            return "does not exist"
        if not folder.is_dir():
            return "is a file; it must be the folder that Pidgin writes to"
        with os.scandir(folder):
            pass
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None
