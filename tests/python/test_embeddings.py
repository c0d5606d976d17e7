"""Vectors of texts: each text is asked of a model once, and nothing else pays for it.

A made-up model stands for any: it counts what it is asked. The default model itself is
asked what is alike.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import ProjectMaker
from helpers.harness import Project
from oracles.paraphrases import PARAPHRASES
from writers.logs import OutputFolder, conversation

from pidgin_analytics import embeddings

ASKED = "PIDGIN_TEST_ASKED_TEXTS"
REPLIES = (("Tea by the river.", "A river of tea!"), ("Storms.", "Tea by the river."))


Vector = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def cosine(one: Vector, other: Vector) -> float:
    """Compute it by hand."""
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def letters(texts: list[str]) -> Vector:
    """Make a vector of each text."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return np.array(
        [[text.lower().count(one) for one in alphabet] for text in texts], np.float32
    )


def count_letters(texts: list[str]) -> Vector:
    """Be a model that notes what it is asked."""
    with Path(os.environ[ASKED]).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
    return letters(texts)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the file that the model notes its texts in."""
    path = tmp_path / "asked"
    path.touch()
    monkeypatch.setenv(ASKED, str(path))
    return path


def texts_in(path: Path) -> list[str]:
    """Read what the model was asked."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_text_is_asked_once(
    project: ProjectMaker, tmp_path: Path, asked: Path
) -> None:
    """Over builds with a limit, full refresh, archive, restore; one may forget it."""
    folder = OutputFolder(tmp_path / "pidgin_output")
    for name in ("one", "two"):
        folder.write(f"e_00000001/events_{name}.jsonl", conversation(name, REPLIES))
    built: Project = project(
        folder.path,
        PIDGIN_EMBEDDING_MODEL="test_embeddings:count_letters",
        PYTHONPATH=str(Path(__file__).parent),
        **{ASKED: str(asked)},
    )
    outcome = built.build_only("--vars", "{embedding_limit: 2}")
    assert (
        "3 texts without a vector; this build makes those of 2 texts." in outcome.text
    )
    assert len(texts_in(asked)) == 2
    known = "select count(semantic_similarity_to_previous) from analysis.messages"
    few = built.value(known)
    built.build_only()
    assert built.value(known) == 6 > few
    assert sorted(texts_in(asked)) == sorted(
        {text for pair in REPLIES for text in pair}
    )
    assert built.query(
        "select turn_number, semantic_similarity from analysis.turns"
        " where conversation_id = 'one' order by all"
    ) == [
        (turn, pytest.approx(cosine(*letters(list(pair))), abs=1e-6))
        for turn, pair in enumerate(REPLIES)
    ]
    assert built.query(
        "select conversation_id, turn_number, agent_id, semantic_similarity"
        " from similar_messages('one', 0, 'agent_a') limit 3"
    ) == [
        ("one", 1, "agent_b", 1.0),
        ("two", 0, "agent_a", 1.0),
        ("two", 1, "agent_b", 1.0),
    ]

    built.build_only("--full-refresh")
    options = ("--older-than-days", "0", "--delete-logs")
    assert built.command("archive", *options).success
    ids = [row[0] for row in built.query("select experiment_id from experiments")]
    assert built.command("restore", *ids).success
    assert built.value("select count(*) from messages") == 8
    folder.write(
        "e_00000002/events_three.jsonl", conversation("three", [("New.", "New.")])
    )
    built.build_only()
    assert texts_in(asked)[3:] == ["New."]
    means = [
        letters(texts).mean(axis=0)
        for texts in ([text for pair in REPLIES for text in pair], ["New."])
    ]
    assert built.query(
        "select conversation_id, semantic_similarity from similar_conversations('one')"
    ) == [("two", 1.0), ("three", pytest.approx(cosine(*means), abs=1e-6))]

    assert built.command("forget", "three", build=False).success
    vectors = "select count(*) from staging.text_embeddings"
    assert built.value(vectors) == 3
    built.build_only()
    assert built.value(vectors) == 3


def test_no_vector_without_a_model() -> None:
    """What is missing is said in a sentence; what is no number is refused."""
    assert "not installed" in str(
        embeddings.embedding_problem("no_such_library:encode")
    )
    assert "cannot be loaded" in str(embeddings.embedding_problem("json:encode"))
    assert embeddings.embedding_problem("test_embeddings:count_letters") is None

    def asked(function: str, texts: list[str | None]) -> object:
        models = pa.array([f"test_embeddings:{function}"] * len(texts))
        return embeddings.embeddings_of(pa.array(texts), models).to_pylist()

    with pytest.raises(ValueError, match="finite"):
        asked("give_nan", ["tea"])
    with pytest.raises(ValueError, match="gave vectors"):
        asked("give_one", ["tea", "storm"])
    assert asked("give_one", ["tea", None, "tea"]) == [[1.0], None, [1.0]]


def give_nan(texts: list[str]) -> list[list[float]]:
    """Be a bad model."""
    return [[float("nan")] for _ in texts]


def give_one(texts: list[str]) -> list[list[float]]:
    """Be a model that takes one text only."""
    return [[1.0]]


def test_the_default_model_knows_what_is_alike() -> None:
    """Of a hundred sentences the nearest to each is the one that says the same."""
    texts = [text for pair in PARAPHRASES for text in pair]
    found = embeddings.embeddings_of(
        pa.array(texts), pa.array([embeddings.DEFAULT] * len(texts))
    )
    vectors = np.array(found.to_pylist())
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    # A pair stands side by side.
    partners = np.arange(len(texts)) ^ 1
    assert len(set(texts)) == 100
    assert cosines.argmax(axis=1).tolist() == partners.tolist()
