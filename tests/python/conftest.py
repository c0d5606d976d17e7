"""What all Python tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Project
from hypothesis import HealthCheck, settings

ProjectMaker = Callable[..., Project]

# One example is a whole build; what takes long here is no sign of a slow strategy.
_slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "default", max_examples=2, deadline=None, suppress_health_check=_slow
)
settings.register_profile(
    "thorough", max_examples=40, deadline=None, suppress_health_check=_slow
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> ProjectMaker:
    """Make projects: `project(output_dir)`, each with a new warehouse.

    Keywords are environment variables: `project(folder, PIDGIN_TIMEZONE="Asia/Tokyo")`.
    """

    def make(output_dir: Path | str, **settings: str) -> Project:
        home = tmp_path_factory.mktemp("project")
        return Project(output_dir, home, tuple(settings.items()))

    return make
