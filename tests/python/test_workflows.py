"""The workflows do what a contributor does, with nothing that can change under them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.harness import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path: Path) -> dict[Any, Any]:
    """Read a file of YAML."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_pinned_and_may_do_little(path: Path) -> None:
    """Each action by its commit, each job within a time, and rights by name."""
    workflow = read(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        rights = job.get("permissions", {})
        assert {right for right, level in rights.items() if level == "write"} <= {
            "pages",
            "id-token",
        }
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
            if "checkout" in step.get("uses", ""):
                # Or every later step could push.
                assert step["with"]["persist-credentials"] is False
            # Text of a pull request would become a command.
            assert "${{" not in step.get("run", "")


def test_the_tests_are_the_ones_of_everybody() -> None:
    """CI runs the README's command, and pages come after it."""
    steps = read(ROOT / ".github/workflows/tests.yml")["jobs"]["tests"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")
    pages = read(ROOT / ".github/workflows/pages.yml")
    # YAML takes `on` for true.
    assert pages[True]["workflow_run"]["workflows"] == ["Tests"]
    assert "conclusion == 'success'" in pages["jobs"]["site"]["if"]
    # The site has the comparison of all metrics, made anew.
    steps = pages["jobs"]["site"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make site"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    _, _, target = makefile.partition("\nsite: ")
    target = target.partition("\n\n")[0]
    assert "PIDGIN_PARITY_REPORT" in target
    assert "--parity" in target


def test_hooks_are_the_linters_of_make_lint() -> None:
    """No linter of its own version, and none that `make lint` does not run."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        command = hook["entry"].replace(".venv/bin/", "$(BIN)/")
        if command.startswith("make "):
            assert f"\n{command.removeprefix('make ')}:" in makefile
        else:
            assert command in makefile


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_forms_ask_for_what_they_need(path: Path) -> None:
    """Each form has a name, and asks for at least two things that must be given."""
    form = read(path)
    if path.name == "config.yml":
        assert form == {"blank_issues_enabled": True}
        return
    assert form["name"]
    assert form["description"]
    needed = [
        part["id"]
        for part in form["body"]
        if part.get("validations", {}).get("required")
    ]
    assert len(needed) >= 2
    assert len({part["id"] for part in form["body"]}) == len(form["body"])
