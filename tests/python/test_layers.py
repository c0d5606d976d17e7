"""Models run one way: each reads what lies below it or beside it, never above."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import ProjectMaker
from helpers.harness import SAMPLE

if TYPE_CHECKING:
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
def models(project: ProjectMaker) -> dict[str, ModelNode]:
    """Every model that dbt knows, those about vectors included."""
    # Late, because it takes seconds and not every test module needs it.
    from dbt.contracts.graph.nodes import ModelNode

    made = project(SAMPLE, PIDGIN_EMBEDDING_MODEL="any")
    return {
        name: node
        for name, node in made.manifest().nodes.items()
        if isinstance(node, ModelNode)
    }


def folder(node: ModelNode) -> str:
    """Where a model lies, without its own name."""
    return str(Path(node.path).parent)


def upward(models: dict[str, ModelNode]) -> list[tuple[str, str]]:
    """Pairs of a model and one that it reads from above."""
    return [
        (node.name, models[name].name)
        for node in models.values()
        for name in node.depends_on.nodes
        if name in models and RANKS[folder(models[name])] > RANKS[folder(node)]
    ]


def test_models_run_one_way(models: dict[str, ModelNode]) -> None:
    """Every folder has its place, and no model reads one of a folder above."""
    assert {folder(node) for node in models.values()} == set(RANKS)
    assert upward(models) == []


def test_a_model_that_reads_upward_is_found(models: dict[str, ModelNode]) -> None:
    """The rule can fail."""
    name = "model.pidgin_analytics.int_turns"
    needs = dataclasses.replace(
        models[name].depends_on, nodes=["model.pidgin_analytics.conversations"]
    )
    changed = models | {name: dataclasses.replace(models[name], depends_on=needs)}
    assert upward(changed) == [("int_turns", "conversations")]


def test_what_people_read_is_public(models: dict[str, ModelNode]) -> None:
    """Marts and views are for everybody, steps for this project; names say which."""
    for node in models.values():
        is_step = node.config.schema in ("intermediate", "staging")
        assert (node.access == "public") != is_step, node.name
        assert node.group == "pidgin_analytics"
        is_named_as_step = node.name.startswith(("int_", "stg_"))
        lies_with_steps = folder(node).startswith(("intermediate", "staging"))
        assert is_named_as_step == lies_with_steps, node.name


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
