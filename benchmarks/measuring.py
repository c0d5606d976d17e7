"""What the parts of a run measure with: options, sites, and tasks done beside dbt."""

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.corpus import Corpus
from benchmarks.processes import Run, clean_environment, run
from benchmarks.results import Results
from benchmarks.sites import DbtProject, Site, copy_project


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        sizes: turns of the corpora whose requests hold no histories.
        histories: turns of the corpus whose requests do.
        calculator_turns: how many of them Pidgin's calculator gets.
        importer_turns: how many of them Pidgin's importer gets.
        memory_turns: turns of the corpus that is built with a memory limit; 0 for none.
        watched_turns: turns that a conversation goes on under `watch`.
        snapshots: commits to a lake whose catalog is looked at.
        catalog_conversations: conversations in that lake.
        repeats: how often what is short is measured; the median counts.
    """

    sizes: tuple[int, ...]
    histories: int
    calculator_turns: int
    importer_turns: int
    memory_turns: int
    watched_turns: int
    snapshots: int
    catalog_conversations: int
    repeats: int


@dataclass(frozen=True)
class Measured:
    """What a task returned, and the process that it ran in."""

    value: Any
    run: Run


class Bench:
    """Makes each site once, and remembers what is measured once."""

    def __init__(self, options: Options, results: Results, folder: Path) -> None:
        """Copy the project as it is now, so that it may change during the run."""
        self.options = options
        self.results = results
        self.folder = folder
        self._project = copy_project(folder / "project")
        self._sites: dict[Corpus, Site] = {}
        self._measured: dict[tuple[str, Corpus], Measured] = {}

    def site(self, corpus: Corpus) -> Site:
        """Return the site of a corpus."""
        if corpus not in self._sites:
            home = self.folder / f"site-{len(self._sites)}"
            self._sites[corpus] = Site(corpus, self._project, home)
        return self._sites[corpus]

    @property
    def plain_sites(self) -> list[Site]:
        """The sites without histories, the smallest first."""
        return [self.site(Corpus(turns)) for turns in sorted(self.options.sizes)]

    @property
    def histories_site(self) -> Site:
        """The site with histories."""
        return self.site(Corpus(self.options.histories, histories=True))

    def empty_project(self, build: DbtProject) -> DbtProject:
        """Place a project beside another one, with no files in it yet."""
        home = self.folder / "empty"
        return DbtProject(home / "project", home, build.output_dir)

    def limited_project(self, site: Site, memory_limit: str) -> DbtProject:
        """Return the site's project with a memory limit for DuckDB, and parse it."""
        home = site.home / "limited"
        copy = copy_project(home / "project")
        settings = (("PIDGIN_MEMORY_LIMIT", memory_limit),)
        project = DbtProject(copy, home, site.output_dir, settings)
        project.dbt("parse")
        return project

    def task(self, name: str, **keywords: Any) -> Measured:
        """Do a task in a process of its own."""
        place = self.folder / "task"
        place.mkdir(exist_ok=True)
        finished = run(
            [sys.executable, "-m", "benchmarks.tasks", name, json.dumps(keywords)],
            cwd=place,
            # Pidgin makes folders in the home that it finds.
            environment=clean_environment(HOME=place, PYTHONPATH=ROOT),
            log=place / "output.txt",
        )
        return Measured(json.loads(finished.output.splitlines()[-1]), finished)

    def imported(self, site: Site) -> Measured:
        """Let Pidgin's importer read as much of a site as the options say, once."""
        experiments, _ = site.experiments(self.options.importer_turns)
        return self._once(
            "import",
            site,
            lambda: self.task(
                "import_logs",
                database=str(site.home / "imported.duckdb"),
                experiments=[str(folder) for folder in experiments],
            ),
        )

    def sqlite(self, site: Site) -> Measured:
        """Put a site's marts into SQLite, once."""
        return self._once(
            "sqlite",
            site,
            lambda: self.task(
                "fill_sqlite",
                warehouse=str(site.project.warehouse),
                target=str(sqlite_path(site)),
            ),
        )

    def _once(self, what: str, site: Site, measure: Callable[[], Measured]) -> Measured:
        key = (what, site.corpus)
        if key not in self._measured:
            self._measured[key] = measure()
        return self._measured[key]

    def free_bytes(self) -> int:
        """Tell how much room the disk has left."""
        return shutil.disk_usage(self.folder).free


def sqlite_path(site: Site) -> Path:
    """Say where the site's SQLite database is."""
    return site.home / "sqlite.db"


def median_seconds(tasks: Iterable[Measured]) -> float:
    """Return the median of the seconds that a task took by its own clock."""
    seconds: list[float] = [task.value["seconds"] for task in tasks]
    return statistics.median(seconds)
