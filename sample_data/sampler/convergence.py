"""The convergence score that Pidgin computes while a conversation runs.

The score compares the two agents over their last five turns and is written, to two
decimals, into every TurnCompleteEvent. The weights are those of Pidgin's default
profile, "balanced".
"""

import re
from collections.abc import Sequence

Exchange = tuple[str, str]
"""What agent A and agent B said in one turn."""

WINDOW_TURNS = 5
WEIGHTS = {
    "content": 0.40,
    "length": 0.15,
    "sentences": 0.20,
    "structure": 0.15,
    "punctuation": 0.10,
}

# Below this length two texts share too few words to be compared word by word.
SHORT_TEXT = 50
# Texts that agree this well are scored on their content alone.
NEAR_IDENTICAL = 0.9

AGENT_LABEL = re.compile(r"\*\*Agent [AB]\*\*(:\s*)?")
SPARE_BLANK_LINES = re.compile(r"\n\s*\n\s*\n")
SENTENCE_BREAK = re.compile(r"[.!?]+\s")
# Only the bullets are tied to the start of a line: "3." counts anywhere.
LIST_ITEM = re.compile(r"^\s*[-*•]|\d+\.", re.MULTILINE)


def live_score(exchanges: Sequence[Exchange]) -> float:
    """Score a conversation after its latest turn, from 0 (unlike) to 1 (alike)."""
    recent = exchanges[-WINDOW_TURNS:]
    side_a = [_cleaned(text) for text, _ in recent]
    side_b = [_cleaned(text) for _, text in recent]
    content = _content_similarity(side_a[-1].lower(), side_b[-1].lower())
    if content > NEAR_IDENTICAL:
        return round(content, 2)
    parts = {
        "content": content,
        "length": _ratio(_total_length(side_a), _total_length(side_b)),
        "sentences": _ratio(_sentence_count(side_a), _sentence_count(side_b)),
        "structure": _mean_similarity(_structure(side_a), _structure(side_b)),
        "punctuation": _mean_similarity(_punctuation(side_a), _punctuation(side_b)),
    }
    return round(sum(WEIGHTS[name] * value for name, value in parts.items()), 2)


def _cleaned(text: str) -> str:
    unlabelled = AGENT_LABEL.sub("", text)
    return SPARE_BLANK_LINES.sub("\n\n", unlabelled).strip()


def _content_similarity(text_a: str, text_b: str) -> float:
    """Compare the two newest messages; the older ones have no part in it."""
    if text_a == text_b:
        return 1.0
    if text_a in text_b or text_b in text_a:
        return _ratio(len(text_a), len(text_b))
    if len(text_a) < SHORT_TEXT and len(text_b) < SHORT_TEXT:
        return _overlap(set(text_a), set(text_b))
    return _overlap(set(text_a.split()), set(text_b.split()))


def _overlap(items_a: set[str], items_b: set[str]) -> float:
    return len(items_a & items_b) / len(items_a | items_b)


def _ratio(a: float, b: float) -> float:
    """Divide the smaller by the larger; nothing is unlike everything."""
    return min(a, b) / max(a, b) if a and b else 0.0


def _mean_similarity(features_a: list[float], features_b: list[float]) -> float:
    """Average the ratios; a feature that neither side shows counts as agreement."""
    ratios = [
        _ratio(a, b) if a or b else 1.0
        for a, b in zip(features_a, features_b, strict=True)
    ]
    return sum(ratios) / len(ratios)


def _total_length(texts: list[str]) -> int:
    return sum(len(text) for text in texts)


def _sentence_count(texts: list[str]) -> int:
    """Count sentences; one that ends its message with a full stop is not seen."""
    breaks = sum(len(SENTENCE_BREAK.findall(text)) for text in texts)
    unended = sum(1 for text in texts if text and not text.endswith((".", "!", "?")))
    return breaks + unended


def _structure(texts: list[str]) -> list[float]:
    paragraphs = sum(text.count("\n\n") + 1 for text in texts)
    list_items = sum(len(LIST_ITEM.findall(text)) for text in texts)
    questions = sum(text.count("?") for text in texts)
    code_fences = sum(text.count("```") for text in texts)
    return [paragraphs, list_items, questions, code_fences]


def _punctuation(texts: list[str]) -> list[float]:
    """Measure marks per character, so that long texts do not differ by length."""
    characters = _total_length(texts) or 1
    marks = [("!",), (",",), (";",), (":",), ("-", "—")]
    return [
        sum(text.count(mark) for text in texts for mark in group) / characters
        for group in marks
    ]
