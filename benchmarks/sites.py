"""Places to measure at: a corpus, a warehouse built from it, and dbt to build it."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.corpus import Corpus, write_corpus
from benchmarks.processes import Run, clean_environment, run

# Folders of the project that a build does not need.
NOT_COPIED = ("target", "logs", "warehouse", "sample_data", "benchmarks")


@dataclass(frozen=True)
class Node:
    """A model, test, seed or hook that a build ran, and its seconds."""

    kind: str
    name: str
    seconds: float


@dataclass(frozen=True)
class Build:
    """One `dbt build`."""

    run: Run
    nodes: tuple[Node, ...]
    warehouse_bytes: int

    @property
    def kinds(self) -> Counter[str]:
        """How many nodes of each kind there were."""
        return Counter(node.kind for node in self.nodes)

    def seconds_of(self, *models: str) -> float:
        """Add up what these models took."""
        by_name = {node.name: node.seconds for node in self.nodes}
        return sum(by_name[model] for model in models)


@dataclass(frozen=True)
class DbtProject:
    """A dbt project on disk, and where it builds to."""

    project: Path
    home: Path
    output_dir: Path
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.home / "pidgin.duckdb"

    @property
    def warehouse_bytes(self) -> int:
        """How large the warehouse is."""
        return self.warehouse.stat().st_size

    def dbt(self, *command: str) -> Run:
        """Run a dbt command in a process of its own.

        Raises:
            FailedProgramError: if it fails.
        """
        return run(
            [
                *(sys.executable, "-m", "dbt.cli.main", "--no-use-colors"),
                *command,
                *("--project-dir", self.project, "--profiles-dir", self.project),
                *("--target-path", self.home / "target"),
                *("--log-path", self.home / "logs"),
            ],
            cwd=self.project,
            environment=clean_environment(
                PIDGIN_OUTPUT_DIR=self.output_dir,
                PIDGIN_WAREHOUSE=self.warehouse,
                **dict(self.settings),
            ),
            log=self.home / "dbt.txt",
        )

    def command(self, *arguments: str) -> Run:
        """Run `pidgin-analytics` in a process of its own.

        Raises:
            FailedProgramError: if it fails.
        """
        return run(
            [
                *(sys.executable, "-c"),
                "from pidgin_analytics.command_line import main; main()",
                *arguments,
            ],
            cwd=self.project,
            environment=clean_environment(
                PIDGIN_OUTPUT_DIR=self.output_dir,
                PIDGIN_WAREHOUSE=self.warehouse,
                DBT_TARGET_PATH=self.home / "target",
                DBT_LOG_PATH=self.home / "logs",
                **dict(self.settings),
            ),
            log=self.home / "command.txt",
        )

    def build(self) -> Build:
        """Run `dbt build` and read what dbt says of each node."""
        finished = self.dbt("build")
        path = self.home / "target" / "run_results.json"
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        return Build(finished, tuple(_nodes(results)), self.warehouse_bytes)

    def models_between(self, source: str, targets: Iterable[str]) -> list[str]:
        """Name the models that follow from one and lead to others, and these others."""
        path = self.home / "target" / "manifest.json"
        parents = json.loads(path.read_text(encoding="utf-8"))["parent_map"]
        prefix = "model.pidgin_analytics."

        @cache
        def ancestors(node: str) -> frozenset[str]:
            own = frozenset(parents.get(node, ()))
            return own.union(*map(ancestors, own))

        wanted = {prefix + target for target in targets}
        candidates = wanted.union(*map(ancestors, wanted))
        return sorted(
            node.removeprefix(prefix)
            for node in candidates
            if prefix + source in ancestors(node)
        )


def _nodes(results: list[dict[str, Any]]) -> Iterator[Node]:
    for result in results:
        kind, _, name, *_ = result["unique_id"].split(".")
        yield Node(kind, name, result["execution_time"])


class Site:
    """A corpus, and the warehouse of it. Each is made when it is first asked for."""

    def __init__(self, corpus: Corpus, project: Path, home: Path) -> None:
        """Choose corpus and place; `project` is the copy of the project to run."""
        self.corpus = corpus
        self.home = home
        home.mkdir(parents=True)
        self._project = project

    @cached_property
    def output_dir(self) -> Path:
        """The logs, as Pidgin lays them out."""
        output = self.home / "pidgin_output"
        write_corpus(self.corpus, output)
        return output

    @cached_property
    def project(self) -> DbtProject:
        """The project with these logs, read and parsed by dbt but not built yet."""
        project = DbtProject(self._project, self.home, self.output_dir)
        project.dbt("parse")
        return project

    @cached_property
    def cold_build(self) -> Build:
        """The first build, of a warehouse that was not there."""
        build = self.project.build()
        path = next((self.home / "target" / "compiled").rglob("int_message_tokens.sql"))
        # The next build compiles it anew, for changed messages only.
        shutil.copy(path, self.tokenising)
        return build

    def another_cold_build(self) -> Build:
        """Build a second warehouse from nothing, that counts for nothing else."""
        home = self.home / "again"
        home.mkdir()
        project = DbtProject(self._project, home, self.output_dir)
        project.dbt("parse")
        build = project.build()
        shutil.rmtree(home)
        return build

    @property
    def tokenising(self) -> Path:
        """The SQL by which the first build split messages into words."""
        return self.home / "tokenising.sql"

    def experiments(self, turns: int) -> tuple[list[Path], int]:
        """Choose experiments that hold that many turns, or all: folders, and turns."""
        chosen: list[Path] = []
        held = 0
        for number in range(self.corpus.experiments):
            if held >= turns:
                break
            (folder,) = self.output_dir.glob(f"experiments/bench-{number}_*")
            chosen.append(folder)
            held += sum(count for _, count in self.corpus.conversations_of(number))
        return chosen, held


def log_bytes(folder: Path) -> int:
    """Add up the sizes of all logs below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*.jsonl"))


def copy_project(target: Path) -> Path:
    """Copy what dbt needs.

    Runs in the copy neither meet nor change what is built in the project itself.
    """
    shutil.copytree(ROOT, target, ignore=_not_copied)
    return target


def _not_copied(folder: str, names: list[str]) -> list[str]:
    is_root = Path(folder) == ROOT
    return [
        name
        for name in names
        if name.startswith((".", "__pycache__")) or (is_root and name in NOT_COPIED)
    ]
