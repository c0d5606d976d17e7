"""Writes files whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_files(files: dict[Path, bytes]) -> None:
    """Write files whole: each takes its place when all of them are written.

    Args:
        files: What each is to hold. Folders that they lie in are made.

    Raises:
        OSError: One cannot be written; none has taken its place then, unless it was
            the last step that failed.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=path.parent, prefix=".part-", delete=False
            ) as part:
                parts[path] = Path(part.name)
                part.write(content)
            # As any other new file: a temporary one is for its owner alone.
            umask = os.umask(0)
            os.umask(umask)
            parts[path].chmod(0o666 & ~umask)
        for path, written in parts.items():
            written.replace(path)
    finally:
        for written in parts.values():
            written.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, sure to be on disk.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def put_in_place(part: Path, path: Path) -> None:
    """Give a finished file its name, in the same folder.

    A loss of power leaves it under one of the two names, and whole.

    Raises:
        OSError: it cannot be renamed.
    """
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
