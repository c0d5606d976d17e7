"""What a run found, as JSON and as a page."""

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import ROOT

PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "pidgin-ai")


@dataclass(frozen=True)
class Ratio:
    """How many times `other` is of `ours`; both in the same unit, from the same run."""

    part: str
    corpus: str
    what: str
    ours: float
    other: float
    unit: str
    note: str = ""

    @property
    def ratio(self) -> float:
        """The second divided by the first."""
        return self.other / self.ours


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    part: str
    corpus: str
    what: str
    value: float
    unit: str
    note: str = ""


@dataclass
class Results:
    """Everything that a run has found so far."""

    options: dict[str, Any]
    machine: dict[str, str] = field(default_factory=lambda: describe_machine())
    ratios: list[Ratio] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    model_seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write `path`.json and `path`.md."""
        path.parent.mkdir(parents=True, exist_ok=True)
        ratios = [asdict(ratio) | {"ratio": ratio.ratio} for ratio in self.ratios]
        document = json.dumps(asdict(self) | {"ratios": ratios}, indent=2)
        path.with_suffix(".json").write_text(document + "\n", encoding="utf-8")
        page = "\n".join(self._page()) + "\n"
        path.with_suffix(".md").write_text(page, encoding="utf-8")

    def _page(self) -> list[str]:
        page = [
            "# Measured",
            "",
            "Written by `python -m benchmarks`; its README says what is what.",
            "",
            *table(("", "Machine"), self.machine.items()),
        ]
        entries: list[Ratio | Figure] = [*self.ratios, *self.figures]
        for part in dict.fromkeys(entry.part for entry in entries):
            page += ["", f"## {part}", ""]
            ratios = [ratio for ratio in self.ratios if ratio.part == part]
            if ratios:
                page += table(
                    ("Corpus", "Ratio of", "Ratio", "First", "Second", "Remarks"),
                    (
                        (
                            *(each.corpus, each.what, f"{each.ratio:,.3g}"),
                            shown(each.other, each.unit),
                            *(shown(each.ours, each.unit), each.note),
                        )
                        for each in ratios
                    ),
                )
                page.append("")
            page += table(
                ("Corpus", "Figure", "Value", "Remarks"),
                (
                    (each.corpus, each.what, shown(each.value, each.unit), each.note)
                    for each in self.figures
                    if each.part == part
                ),
            )
        if self.model_seconds:
            page += ["", "## Seconds per model, first build", ""]
            page += self._model_table()
        if self.left_out:
            page += ["", "## Left out", "", *(f"- {each}" for each in self.left_out)]
        return page

    def _model_table(self) -> list[str]:
        corpora = [*self.model_seconds]
        models = dict.fromkeys(
            name
            for seconds in self.model_seconds.values()
            for name in sorted(seconds, key=seconds.__getitem__, reverse=True)
        )
        return table(
            ("Model", *corpora),
            (
                (
                    model,
                    *(f"{self.model_seconds[each][model]:.2f}" for each in corpora),
                )
                for model in models
            ),
        )


def shown(value: float, unit: str) -> str:
    """Write a number with its unit, as a reader wants it."""
    if unit == "bytes":
        return f"{value / 1e6:,.1f} MB"
    return f"{value:,.0f} {unit}" if value >= 1_000 else f"{value:,.3g} {unit}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Write the lines of a Markdown table; none if it has no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return []
    return [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines]


def describe_machine() -> dict[str, str]:
    """Describe where this runs, without names and paths."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "revision": _revision(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    } | {name: importlib.metadata.version(name) for name in PACKAGES}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":")[1] for line in lines if line.startswith("model name"))
    return next(names, platform.processor()).strip()


def _revision() -> str:
    """Name the commit that was measured, and whether files differed from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        described = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
