"""The files of an export, which take their places together."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pidgin_analytics.exports.tables import ExportError


@dataclass(frozen=True)
class Exported:
    """What became of one table."""

    table: str
    rows: int
    path: Path
    cut_texts: int = 0
    replaced_texts: int = 0

    @property
    def changes(self) -> str:
        """Say what Excel's limits changed; nothing if they changed nothing."""
        changes = []
        if self.cut_texts:
            changes.append(f"{self.cut_texts} texts cut")
        if self.replaced_texts:
            changes.append(f"{self.replaced_texts} texts with characters replaced")
        return ", ".join(changes)


@contextlib.contextmanager
def staged(folder: Path, names: Sequence[str], *, overwrite: bool) -> Iterator[Path]:
    """Give a folder to write these files in; they get to their places if all went well.

    It lies in the folder that they are for, so that each takes its place at once. A
    folder that was made for an export that failed is gone again.
    """
    for name in names:
        path = folder / name
        if path.is_dir() or (os.path.lexists(path) and not overwrite):
            hint = "" if path.is_dir() else "; --overwrite replaces it"
            raise ExportError(f"{path} is there already{hint}.")
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    part = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
        yield part
        for name in names:
            (part / name).replace(folder / name)
        made = []
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()
