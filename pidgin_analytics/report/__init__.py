"""Writes a report of experiments: one page, which opens without a network."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from pidgin_analytics.files import write_files
from pidgin_analytics.palette import DARK, LIGHT, Palette
from pidgin_analytics.report.data import (
    as_json,
    page_data,
    transcript_bytes,
    transcripts,
)
from pidgin_analytics.warehouse import Warehouse

__all__ = ["Written", "write_report"]

# Files of scripts, in the order in which they need each other.
SCRIPTS = ("base.js", "charts.js", "views.js", "reader.js", "application.js")
# Texts of messages up to so many bytes are in the page itself.
INLINE_BYTES = 2_000_000
CHARTS = "window.vegaEmbed = vegaEmbed;"
TRANSCRIPT_FILE = re.compile(r"[0-9a-f]{32}\.js")


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: The page.
        bytes: Its size.
        experiments: Experiments in it.
        conversations: Conversations in it.
        transcripts: Where their texts are: `inline`, `files` or `none`.
        folder: The folder of the texts beside the page, if they are in files.
        folder_bytes: The size of these files.
    """

    path: Path
    bytes: int
    experiments: int
    conversations: int
    transcripts: str
    folder: Path | None
    folder_bytes: int


def write_report(
    warehouse: Warehouse,
    path: Path,
    experiments: Sequence[str] = (),
    *,
    with_transcripts: bool = True,
    inline_bytes: int = INLINE_BYTES,
    progress: Callable[[str], None] = lambda _: None,
) -> Written:
    """Write the report as one HTML file, whole or not at all.

    Args:
        warehouse: The warehouse, of which one published state is read.
        path: The file to write. One that is there is replaced. Where texts are in
            files, they are in a folder beside it, named after it.
        experiments: Ids or names of experiments; none for all.
        with_transcripts: Whether the report holds what was said.
        inline_bytes: Up to how many bytes the texts of messages are in the page itself.
        progress: Is told what is done next.

    Raises:
        UnknownExperimentError: There is no such experiment.
        WarehouseError: The warehouse cannot be read.
        OSError: The file or the folder cannot be written.
    """
    with warehouse.snapshot() as snapshot:
        data, selection = page_data(snapshot, experiments, progress)
        sizes = transcript_bytes(snapshot, selection) if with_transcripts else {}
        if not with_transcripts:
            kind = "none"
        else:
            kind = "inline" if sum(sizes.values()) <= inline_bytes else "files"
        folder = path.with_name(f"{path.stem}_transcripts")
        data["transcripts"] = {"kind": kind, "folder": folder.name}
        texts = None
        written: dict[str, str] = {}
        folder_bytes = 0
        if kind == "inline":
            progress("transcripts")
            texts = as_json(dict(transcripts(snapshot, selection, sizes)))
        elif kind == "files":
            progress("transcripts, into files")
            written, folder_bytes = _write_files(
                transcripts(snapshot, selection, sizes), folder
            )
            data["transcripts"]["files"] = written
        state = snapshot.state.written_at
    progress("page")
    page = _page(as_json(data), texts, state)
    write_files({path: page.encode("utf-8", "replace")})
    _remove_others(folder, set(written.values()))
    return Written(
        path,
        path.stat().st_size,
        len(selection.experiments),
        len(selection.conversations),
        kind,
        folder if kind == "files" else None,
        folder_bytes,
    )


def _page(data: str, texts: str | None, state: datetime) -> str:
    loader = PackageLoader("pidgin_analytics.report", "page")
    environment = Environment(loader=loader, autoescape=True)
    style = environment.get_template("style.css").render(
        light=_variables(LIGHT), dark=_variables(DARK)
    )
    scripts = [
        Markup(loader.get_source(environment, name)[0])  # noqa: S704
        for name in SCRIPTS
    ]
    return environment.get_template("page.html").render(
        nonce=secrets.token_urlsafe(16),
        style=Markup(style),  # noqa: S704
        version=version("pidgin-analytics"),
        written_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        warehouse_written_at=f"{state:%Y-%m-%d %H:%M}",
        # JSON without a `<` ends no script.
        data=Markup(data),  # noqa: S704
        transcripts=Markup(texts) if texts is not None else None,  # noqa: S704
        charts=Markup(_charts()),  # noqa: S704
        scripts=scripts,
    )


def _charts() -> str:
    """Return the library that draws charts, of which nothing ends a script."""
    return vl_convert.javascript_bundle(CHARTS).replace("</script", "<\\/script")


def _variables(palette: Palette) -> str:
    colors = asdict(palette)
    series = colors.pop("series")
    colors |= {f"series_{place}": color for place, color in enumerate(series, 1)}
    return " ".join(
        f"--{name.replace('_', '-')}: {color};" for name, color in colors.items()
    )


def _write_files(
    transcripts: Iterable[tuple[str, dict[str, Any]]], folder: Path
) -> tuple[dict[str, str], int]:
    """Write a script for each conversation, which a page may read from a file."""
    written: dict[str, str] = {}
    size = 0
    for one, transcript in transcripts:
        # An id may be no name of a file.
        name = f"{hashlib.md5(one.encode(), usedforsecurity=False).hexdigest()}.js"
        text = f"window.pidginTranscripts[{as_json(one)}]={as_json(transcript)};\n"
        content = text.encode("utf-8", "replace")
        write_files({folder / name: content})
        written[one] = name
        size += len(content)
    return written, size


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove texts of an earlier report, which may have been forgotten since."""
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        if TRANSCRIPT_FILE.fullmatch(file.name) and file.name not in kept:
            file.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
