"""What Pidgin 1.1.0's own calculators say of a conversation, and how marts compare.

Metrics that Pidgin does not have come from own_metrics.

Pidgin measures both messages of every turn as speech. Where one of them is an error
placeholder its calculator cannot leave out that side, so what it would remember from
turn to turn is computed here instead, in another way.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from helpers.harness import Project
from pidgin.analysis.convergence import ConvergenceCalculator
from pidgin.metrics.constants import DEFAULT_CONVERGENCE_WEIGHTS
from pidgin.metrics.convergence_metrics import (
    ConvergenceCalculator as SimilarityCalculator,
)
from pidgin.metrics.flat_calculator import FlatMetricsCalculator
from pidgin.metrics.text_analysis import TextAnalyzer

from oracles.own_metrics import (
    OWN_MESSAGE_METRICS,
    OWN_TURN_METRICS,
    PAIR_METRICS,
    Values,
    own_message_metrics,
    returning_metrics,
)

AGENTS = {"agent_a": "a", "agent_b": "b"}
TOLERANCE = 1e-9

# Every column of message_metrics that the design names; the value is Pidgin's name.
MESSAGE_METRICS = {
    name: name
    for name in (
        "message_length",
        "word_count",
        "vocabulary_size",
        "sentence_count",
        "paragraph_count",
        "avg_sentence_length",
        "type_token_ratio",
        "hapax_ratio",
        "lexical_diversity_index",
        "repeated_bigrams",
        "repeated_trigrams",
        "self_repetition",
        "word_entropy",
        "character_entropy",
        "compression_ratio",
        "symbol_density",
        "emoji_count",
        "arrow_count",
        "punctuation_diversity",
        "special_char_count",
        "number_count",
        "question_count",
        "exclamation_count",
        "hedge_words",
        "agreement_markers",
        "disagreement_markers",
        "politeness_markers",
        "hedge_density",
        "first_person_singular",
        "first_person_plural",
        "second_person",
        "formality_score",
        "turn_repetition",
        "new_words",
    )
} | {"type_token_ratio": "ttr", "lexical_diversity_index": "ldi"}

# Columns of message_metrics that are compared.
MESSAGE_COLUMNS = (*MESSAGE_METRICS, *OWN_MESSAGE_METRICS)

# Columns of turn_metrics that FlatMetricsCalculator computes, too.
TURN_METRICS = (
    "vocabulary_overlap",
    "length_convergence",
    "structural_similarity",
    "mimicry_score_a_to_b",
    "mimicry_score_b_to_a",
    "phrase_alignment",
    "cumulative_convergence",
)
# Those that Pidgin's live score computes: a column for each profile of weights.
PROFILES = {
    f"convergence_{profile}": dict(weights)
    for profile, weights in DEFAULT_CONVERGENCE_WEIGHTS.items()
}
# The parts of the live score, and the methods that compute them.
PARTS = {
    "content_similarity": "_content_similarity",
    "length_similarity": "_length_similarity",
    "sentence_similarity": "_sentence_pattern_similarity",
    "structure_similarity": "_structure_similarity",
    "punctuation_similarity": "_punctuation_similarity",
}
# Columns from what else Pidgin can calculate and does not store, and from own formulas.
UNSTORED_METRICS = (
    "repetition_ratio",
    "sentence_pattern_similarity",
    "formality_convergence",
    "punctuation_similarity",
    *OWN_TURN_METRICS,
)
# The live score and the repetition ratio look at the last five spoken turns.
WINDOW = 5
# Columns that the same words give, though Pidgin has no such columns.
WORD_COLUMNS = (
    "lexical_metrics",
    "word_frequencies",
    "agent_a_word_frequencies",
    "agent_b_word_frequencies",
)
# Columns that hold several values, each compared by itself.
DOCUMENTS = ("lexical_metrics", "extended_metrics")
TURN_COLUMNS = (
    *TURN_METRICS,
    *PROFILES,
    *UNSTORED_METRICS,
    *WORD_COLUMNS,
    "extended_metrics",
)


@dataclass(frozen=True)
class Turn:
    """What was said in one complete turn; None where nobody spoke."""

    number: int
    agent_a: str | None
    agent_b: str | None

    @property
    def messages(self) -> dict[str, str]:
        """The messages that are speech, by agent."""
        both = {"agent_a": self.agent_a, "agent_b": self.agent_b}
        return {agent: text for agent, text in both.items() if text is not None}

    @property
    def is_spoken(self) -> bool:
        """Whether both agents spoke."""
        return len(self.messages) == len(AGENTS)


Conversations = Mapping[str, Sequence[Turn]]


def tokens(text: str) -> list[str]:
    """Split a text into words as Pidgin does."""
    return TextAnalyzer.tokenize(text.lower())


def calculated(turns: Iterable[Turn]) -> dict[int, Values]:
    """Run Pidgin's calculator over turns in which both agents spoke."""
    calculator = FlatMetricsCalculator()
    result = {}
    for turn in turns:
        values: Values = calculator.calculate_turn_metrics(
            turn.number, turn.agent_a or "", turn.agent_b or ""
        )
        # Pidgin leaves it 0 and has what it takes.
        difference = abs(values["a_formality_score"] - values["b_formality_score"])
        both_have_words = tokens(turn.agent_a or "") and tokens(turn.agent_b or "")
        result[turn.number] = values | {
            "formality_convergence": 1 - difference if both_have_words else None
        }
    return result


def remembered(turns: Iterable[Turn]) -> dict[int, Values]:
    """Compute what depends on earlier turns, in one pass, under Pidgin's names.

    A word found again in n earlier messages adds the shares that it had of each of
    those messages' vocabularies; no message is compared with another.
    """
    shares: dict[str, dict[str, float]] = {agent: {} for agent in AGENTS}
    spoken = Counter[str]()
    result = {}
    for turn in turns:
        values: Values = {}
        for agent, text in turn.messages.items():
            known, words = shares[agent], set(tokens(text))
            repeated = math.fsum(known.get(word, 0.0) for word in words)
            prefix = AGENTS[agent]
            values[f"{prefix}_new_words"] = len(words - known.keys())
            values[f"{prefix}_turn_repetition"] = repeated / max(spoken[agent], 1)
            for word in words:
                known[word] = known.get(word, 0.0) + 1 / len(words)
            spoken[agent] += 1
        a, b = (shares[agent].keys() for agent in AGENTS)
        overlap = len(a & b) / len(a | b) if a and b else 0.0
        result[turn.number] = values | {"cumulative_convergence": overlap}
    return result


def pidgin_values(turns: Sequence[Turn]) -> dict[int, Values]:
    """Return Pidgin's values of each turn in which anybody spoke, under its names."""
    heard = [turn for turn in turns if turn.messages]
    if all(turn.is_spoken for turn in heard):
        return calculated(heard)
    memory = remembered(heard)
    return {
        turn.number: calculated([turn])[turn.number] | memory[turn.number]
        for turn in heard
    }


def message_metrics(
    turns: Sequence[Turn], values: dict[int, Values]
) -> dict[tuple[int, str], Values]:
    """Return the expected rows of message_metrics, by turn number and agent."""
    own = own_message_metrics({turn.number: turn.messages for turn in turns})
    return {
        (turn.number, agent): own[turn.number, agent]
        | {
            ours: values[turn.number][f"{AGENTS[agent]}_{theirs}"]
            for ours, theirs in MESSAGE_METRICS.items()
        }
        for turn in turns
        for agent in turn.messages
    }


def turn_metrics(turns: Sequence[Turn], values: dict[int, Values]) -> dict[int, Values]:
    """Return the expected rows of turn_metrics; NULL where a placeholder stands."""
    scores, unstored = live_scores(turns), unstored_metrics(turns)
    result = {}
    for turn in turns:
        row: Values = dict.fromkeys(TURN_COLUMNS)
        words = {agent: tokens(text) for agent, text in turn.messages.items()}
        for agent, own in words.items():
            row[f"{agent}_word_frequencies"] = dict(Counter(own))
        if turn.is_spoken:
            both = words["agent_a"] + words["agent_b"]
            for name in (*TURN_METRICS, "formality_convergence"):
                row[name] = values[turn.number][name]
            row |= scores[turn.number] | unstored[turn.number]
            row["word_frequencies"] = dict(Counter(both))
            row["lexical_metrics"] = {
                "vocabulary_size": len({*both}),
                "unique_words": len({*both}),
                "type_token_ratio": len({*both}) / max(len(both), 1),
            }
        result[turn.number] = row
    return result


def live_scores(
    turns: Iterable[Turn], only: Container[int] | None = None
) -> dict[int, Values]:
    """Run Pidgin's live score over the messages so far, at each or only some turns."""
    said: list[SimpleNamespace] = []
    result = {}
    for turn in turns:
        if not turn.is_spoken:
            continue
        said += [
            SimpleNamespace(agent_id=agent, content=text, role="assistant")
            for agent, text in turn.messages.items()
        ]
        if only is not None and turn.number not in only:
            continue
        values: Values = {
            column: ConvergenceCalculator(weights=weights).calculate(said)
            for column, weights in PROFILES.items()
        }
        parts = parts_of_score(said[-2 * WINDOW :])
        result[turn.number] = values | {
            "extended_metrics": parts,
            "punctuation_similarity": parts["punctuation_similarity"],
        }
    return result


def parts_of_score(messages: list[SimpleNamespace]) -> dict[str, float]:
    """Run each part of the live score, also where the score looks at content only."""
    calculator = ConvergenceCalculator()
    cleaned = [calculator._clean_message_content(message) for message in messages]
    return {
        part: getattr(calculator, method)(cleaned[::2], cleaned[1::2])
        for part, method in PARTS.items()
    }


def unstored_metrics(turns: Iterable[Turn]) -> dict[int, Values]:
    """Run what else Pidgin can calculate, on what the descriptions name."""
    said: list[str] = []
    result = {}
    spoken = [turn for turn in turns if turn.is_spoken]
    returning = returning_metrics([[*turn.messages.values()] for turn in spoken])
    for turn, own in zip(spoken, returning, strict=True):
        texts = [*turn.messages.values()]
        said += texts
        sentences = map(TextAnalyzer.split_sentences, texts)
        result[turn.number] = own | {
            "repetition_ratio": SimilarityCalculator.calculate_repetition_ratio(
                said[-2 * WINDOW :]
            ),
            "sentence_pattern_similarity": (
                SimilarityCalculator.calculate_sentence_pattern_similarity(*sentences)
            ),
            **{metric: measure(texts) for metric, measure in PAIR_METRICS.items()},
        }
    return result


@dataclass
class Comparison:
    """Collects, for each metric, how many values were compared and how they differ."""

    compared: Counter[str] = field(default_factory=Counter)
    largest: dict[str, float] = field(default_factory=dict)
    faults: dict[tuple[int, str], list[str]] = field(default_factory=dict)

    def note_all(self, actual: Values, expected: Values, place: Any, size: int) -> None:
        """Compare all columns of a row that are expected to have a value."""
        for metric, value in expected.items():
            self.note(metric, actual[metric], value, place, size)

    def note(
        self, metric: str, actual: Any, expected: Any, place: Any, size: int
    ) -> None:
        """Compare one value, which a text of that size led to."""
        if metric in DOCUMENTS and isinstance(expected, dict):
            found = actual or {}
            for key, value in expected.items():
                self.note(f"{metric}.{key}", found.get(key), value, place, size)
            return
        tolerance = 0.0
        if isinstance(expected, int | float) and isinstance(actual, int | float):
            difference = abs(actual - expected)
            if isinstance(expected, float) and metric not in PROFILES:
                tolerance = TOLERANCE * max(1.0, abs(expected))
        else:
            difference = 0.0 if actual == expected else math.inf
        self.compared[metric] += 1
        self.largest[metric] = max(self.largest.get(metric, 0.0), difference)
        if not difference <= tolerance:
            fault = f"{metric} is {actual!a}, not {expected!a}"
            self.faults.setdefault((size, f"{place!a}"), []).append(fault)

    def insist(self) -> None:
        """Fail, with the shortest texts first, unless all is equal."""
        first = [
            f"{place[:2000]}:\n  " + "\n  ".join(fault[:500] for fault in faults[:5])
            for (_, place), faults in sorted(self.faults.items())[:5]
        ]
        assert not first, f"{len(self.faults)} texts differ\n" + "\n".join(first)

    def table(self) -> list[str]:
        """Return the lines of a Markdown table, one row for each metric."""
        return [
            "| Metric | Values compared | Largest difference |",
            "|---|---:|---:|",
            *(
                f"| {metric} | {count} | {self.largest[metric]:.2g} |"
                for metric, count in self.compared.items()
            ),
        ]


def compared(project: Project, expected: Conversations) -> Comparison:
    """Compare the rows of these conversations in both marts with what Pidgin says."""
    comparison = Comparison()
    message_rows = message_rows_of(project, expected)
    turn_rows = turn_rows_of(project, expected)
    for name, turns in expected.items():
        said = {turn.number: turn for turn in turns}
        values = pidgin_values(turns)
        messages, scores = message_metrics(turns, values), turn_metrics(turns, values)
        assert message_rows[name].keys() == messages.keys(), name
        assert turn_rows[name].keys() == scores.keys(), name
        for (number, agent), row in messages.items():
            text = said[number].messages[agent]
            found = message_rows[name][number, agent]
            comparison.note_all(found, row, (name, number, agent, text), len(text))
        for number, row in scores.items():
            turn = said[number]
            size = sum(map(len, turn.messages.values()))
            comparison.note_all(turn_rows[name][number], row, (name, turn), size)
    return comparison


def message_rows_of(
    project: Project, conversation_ids: Iterable[str]
) -> dict[str, dict[tuple[int, str], Values]]:
    """Read the metrics of messages: by conversation, then turn number and agent."""
    result: dict[str, dict[tuple[int, str], Values]] = {}
    for key, values in rows(
        project, "message_metrics", 3, MESSAGE_COLUMNS, conversation_ids
    ):
        conversation_id, number, agent = key
        result.setdefault(conversation_id, {})[number, agent] = values
    return {name: result.get(name, {}) for name in conversation_ids}


def turn_rows_of(
    project: Project, conversation_ids: Iterable[str]
) -> dict[str, dict[int, Values]]:
    """Read the metrics of turns: by conversation, then turn number."""
    result: dict[str, dict[int, Values]] = {}
    for key, values in rows(project, "turn_metrics", 2, TURN_COLUMNS, conversation_ids):
        if values["extended_metrics"] is not None:
            values["extended_metrics"] = json.loads(values["extended_metrics"])
        conversation_id, number = key
        result.setdefault(conversation_id, {})[number] = values
    return {name: result.get(name, {}) for name in conversation_ids}


def rows(
    project: Project,
    mart: str,
    width: int,
    columns: Iterable[str],
    conversation_ids: Iterable[str],
) -> Iterator[tuple[tuple[Any, ...], Values]]:
    """Read columns of a mart, with keys of that width, each of which comes once."""
    key = ("conversation_id", "turn_number", "agent_id")[:width]
    names = [*columns]
    seen = set()
    for row in project.query(
        f"select {', '.join((*key, *names))} from {mart}"
        " where list_contains(?, conversation_id)",
        [[*conversation_ids]],
    ):
        assert row[:width] not in seen, f"{mart}: {row[:width]} is there twice"
        seen.add(row[:width])
        yield row[:width], dict(zip(names, row[width:], strict=True))
