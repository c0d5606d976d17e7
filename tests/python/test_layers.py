"""Models run one way: each reads earlier layers or its own, never later ones."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import ProjectMaker
from helpers.harness import SAMPLE

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ModelNode

# From the files up. Folders on one line stand side by side; `models/compat` and
# `models/analysis` read from everything that people use.
LAYERS = (
    ("staging/archive", "staging/pidgin"),
    ("intermediate/store",),
    ("intermediate/events",),
    ("intermediate/conversations",),
    ("intermediate/text",),
    ("marts/core",),
    ("marts/metrics",),
    ("marts/as_of", "marts/dashboard", "marts/embeddings", "marts/search"),
    ("analysis", "compat"),
)
RANKS = {folder: rank for rank, folders in enumerate(LAYERS) for folder in folders}


@pytest.fixture(scope="module")
def manifest(project: ProjectMaker) -> Manifest:
    """Everything that dbt knows, models about vectors included."""
    return project(SAMPLE, PIDGIN_EMBEDDING_MODEL="any").manifest()


@pytest.fixture(scope="module")
def models(manifest: Manifest) -> dict[str, ModelNode]:
    """Every model, by its unique id."""
    # Late, because it takes seconds and not every test module needs it.
    from dbt.contracts.graph.nodes import ModelNode

    return {
        name: node
        for name, node in manifest.nodes.items()
        if isinstance(node, ModelNode)
    }


def folder(node: ModelNode) -> str:
    """Where a model lies, without its own name."""
    return str(Path(node.path).parent)


def later_ones_read(models: dict[str, ModelNode]) -> list[tuple[str, str]]:
    """Pairs of a model and one of a later layer that it reads."""
    return [
        (node.name, models[name].name)
        for node in models.values()
        for name in node.depends_on.nodes
        if name in models and RANKS[folder(models[name])] > RANKS[folder(node)]
    ]


def test_models_run_one_way(models: dict[str, ModelNode]) -> None:
    """Every folder has its place, and no model reads one of a later layer."""
    assert {folder(node) for node in models.values()} == set(RANKS)
    assert later_ones_read(models) == []


def test_a_model_that_reads_a_later_one_is_found(models: dict[str, ModelNode]) -> None:
    """The rule can fail."""
    name = "model.pidgin_analytics.int_turns"
    needs = dataclasses.replace(
        models[name].depends_on, nodes=["model.pidgin_analytics.conversations"]
    )
    changed = models | {name: dataclasses.replace(models[name], depends_on=needs)}
    assert later_ones_read(changed) == [("int_turns", "conversations")]


def test_what_people_read_is_public(models: dict[str, ModelNode]) -> None:
    """Marts and views are for everybody, steps for this project; names say which."""
    for node in models.values():
        is_step = node.config.schema in ("intermediate", "staging")
        assert (node.access == "public") != is_step, node.name
        assert node.group == "pidgin_analytics"
        is_named_as_step = node.name.startswith(("int_", "stg_"))
        lies_with_steps = folder(node).startswith(("intermediate", "staging"))
        assert is_named_as_step == lies_with_steps, node.name


def test_steps_are_private_unless_programs_ask_them(
    manifest: Manifest, models: dict[str, ModelNode]
) -> None:
    """Those that an exposure names are protected, and no others."""
    asked = {
        name for node in manifest.exposures.values() for name in node.depends_on.nodes
    }
    for name, node in models.items():
        if node.access != "public":
            expected = "protected" if name in asked else "private"
            assert node.access == expected, node.name


def test_tables_have_the_key_that_they_describe(models: dict[str, ModelNode]) -> None:
    """Dbt finds the primary key that the description names, because a test holds it."""
    for node in models.values():
        if node.config.materialized not in ("incremental", "table", "event_store"):
            continue
        said = re.search(r"\*\*Primary key\*\*: (.+)", node.description)
        assert said, node.name
        named = set(re.findall(r"`(\w+)`", said[1]))
        # A part of a key that may be NULL is tested with something in its place.
        tested = {
            re.sub(r"ifnull\((\w+), ''\)", r"\1", one) for one in node.primary_key
        }
        assert tested == named, node.name
