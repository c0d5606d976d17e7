"""Sorts the sentences of a description by what they tell."""

from __future__ import annotations

import re

# How a sentence begins, by what it tells. Any other sentence belongs to the definition.
BEGINNINGS = {
    "range": ("From ", "At least ", "Any number", "One of "),
    "null": ("NULL ",),
    "source": ("Equals ", "After ", "Own definition"),
    "pidgin": ("Pidgin",),
}


def sorted_sentences(description: str) -> dict[str, str]:
    """Sort the sentences of a description by what they tell.

    Args:
        description: Text of a column in a model's yml.

    Returns:
        ``definition``, ``range``, ``null``, ``source`` and ``pidgin``, empty where no
        sentence begins so.
    """
    parts: dict[str, list[str]] = {part: [] for part in ("definition", *BEGINNINGS)}
    text = " ".join(description.split())
    for sentence in re.split(r"(?<=\.)\s+(?=[A-Z`])", text):
        part = next(
            (
                part
                for part, beginnings in BEGINNINGS.items()
                if sentence.startswith(beginnings)
            ),
            "definition",
        )
        parts[part].append(sentence)
    return {part: " ".join(sentences) for part, sentences in parts.items()}
