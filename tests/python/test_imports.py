"""Imports run one way: what is used knows nothing of what uses it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from helpers.harness import ROOT

COMMANDS = ("pidgin_analytics.command_line", "pidgin_analytics.commands")
# The program itself, and the site, which describes its commands.
USERS_OF_COMMANDS = (*COMMANDS, "pidgin_analytics.site")
TESTS = ROOT / "tests" / "python"
FOLDERS = {
    "pidgin_analytics": ROOT / "pidgin_analytics",
    "benchmarks": ROOT / "benchmarks",
    "sampler": ROOT / "sample_data" / "sampler",
    "": TESTS,
}


def modules_of(package: str) -> dict[str, Path]:
    """Return the files of a package, or of the tests, by the names of modules."""
    folder = FOLDERS[package]
    found = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join(part for part in (package, *parts) if part)
        found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Name what a file imports of these modules, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                # A module of a package, or a name in a module.
                name = f"{node.module}.{alias.name}"
                found = name if name in known else node.module
                if found in known:
                    yield found


def imports_of(package: str) -> dict[str, set[str]]:
    """Return what each module of a package imports of the same package."""
    known = modules_of(package)
    return {name: set(imported(path, known)) for name, path in known.items()}


def is_of(name: str, packages: tuple[str, ...]) -> bool:
    """Tell whether a module is one of these, or in one."""
    return any(name == one or name.startswith(f"{one}.") for one in packages)


@pytest.mark.parametrize("package", FOLDERS, ids=lambda name: name or "tests")
def test_no_module_needs_one_that_needs_it(package: str) -> None:
    """Late imports, and those for types alone, count too."""
    imports = imports_of(package)
    assert len([*TopologicalSorter(imports).static_order()]) == len(imports) > 3


def test_only_the_program_imports_commands() -> None:
    """Whatever a command does can be done without it."""
    found = {
        (name, used)
        for name, modules in imports_of("pidgin_analytics").items()
        for used in modules
        if is_of(used, COMMANDS) and not is_of(name, USERS_OF_COMMANDS)
    }
    assert not found


def test_no_room_of_the_tests_imports_a_test() -> None:
    """Oracles, writers and helpers are for tests, and need none."""
    found = {
        (name, used)
        for name, modules in imports_of("").items()
        for used in modules
        if is_of(name, ("oracles", "writers", "helpers"))
        and not is_of(used, ("oracles", "writers", "helpers"))
    }
    assert not found


def test_no_oracle_imports_the_package() -> None:
    """What must come out is computed by other means."""
    known = modules_of("pidgin_analytics")
    found = {
        name: used
        for name, path in modules_of("").items()
        if is_of(name, ("oracles",)) and (used := [*imported(path, known)])
    }
    assert not found
