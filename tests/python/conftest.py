"""What all Python tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.harness import Project
from hypothesis import settings

ProjectMaker = Callable[..., Project]

# The same examples each time: what has not changed does not turn red.
settings.register_profile("default", max_examples=150, deadline=None, derandomize=True)
settings.register_profile(
    "thorough", max_examples=3000, deadline=None, derandomize=False
)
# For what builds again and again: see test_history_equality.py, test_crash_safety.py.
settings.register_profile(
    "soak", max_examples=300, deadline=None, derandomize=False, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "default")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectMaker:
    """Make projects: `project(output_dir)`, each with a new warehouse.

    Keywords are environment variables: `project(folder, PIDGIN_TIMEZONE="Asia/Tokyo")`.
    """

    def make(output_dir: Path | str, **settings: str) -> Project:
        home = tmp_path_factory.mktemp("project")
        return Project(output_dir, home, tuple(settings.items()))

    return make
