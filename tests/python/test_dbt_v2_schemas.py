"""The project's YAML is what dbt v2 will take: dbt carries the JSON schemas of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dbt.jsonschemas
import jsonschema
import pytest
import yaml
from helpers.harness import ROOT

SCHEMAS = Path(dbt.jsonschemas.__path__[0])


def newest(kind: str) -> dict[str, Any]:
    """Read the schema of the highest version."""
    numbered = (SCHEMAS / kind).glob("*.*.*.json")
    path = max(numbered, key=lambda one: [int(part) for part in one.stem.split(".")])
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def problems(kind: str, content: object) -> Iterator[str]:
    """Say what a schema refuses, and where."""
    for error in jsonschema.Draft7Validator(newest(kind)).iter_errors(content):
        place = "/".join(map(str, error.absolute_path))
        yield f"{place}: {error.message[:200]}"


def property_files() -> list[str]:
    """Name every file that describes models, seeds or macros."""
    return sorted(
        str(path.relative_to(ROOT))
        for folder in ("models", "seeds", "macros", "tests/generic")
        for path in (ROOT / folder).rglob("*.yml")
    )


def test_the_project_file() -> None:
    """No setting that v2 does not know."""
    content = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert not list(problems("project", content))
    assert list(problems("project", content | {"model-path": ["models"]}))


@pytest.mark.parametrize("name", property_files())
def test_properties(name: str) -> None:
    """Nothing beside what v2 knows: what is the project's own stands in `meta`."""
    content = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    assert not list(problems("resources", content))


def test_a_setting_of_ones_own_is_found() -> None:
    """One that stands beside those of dbt, and not in `meta`."""
    content = {"version": 2, "models": [{"name": "tea", "config": {"leaves": 3}}]}
    assert list(problems("resources", content))
