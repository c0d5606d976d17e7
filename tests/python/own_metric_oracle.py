"""The metrics that are this project's own, computed from what their descriptions say.

Written from models/marts/metrics/*.yml and not from the SQL, and with other means
(Python's re, unicodedata and Counter), so that a mistake in one of the two is not
repeated in the other. The marker lists are the seed's, since they are the definition.
"""

from __future__ import annotations

import csv
import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from harness import ROOT
from pidgin.metrics import constants

Values = dict[str, Any]
# What each agent said, by turn number, in the order of turns; agent A comes first.
Spoken = Mapping[int, Mapping[str, str]]

MARKER_METRICS = {
    "third_person": "third_person",
    "certainty_words": "certainty",
    "tentative_words": "tentative",
    "gratitude_markers": "gratitude",
    "discourse_markers": "discourse",
    "existential_language": "existential",
    "meta_commentary": "meta",
}
# Unicode's blocks of pictographs, and the pictographs of blocks that hold other signs.
PICTOGRAPH_BLOCKS = (
    ("Miscellaneous Symbols", 0x2600, 0x26FF),
    ("Dingbats", 0x2700, 0x27BF),
    ("Miscellaneous Symbols and Pictographs", 0x1F300, 0x1F5FF),
    ("Emoticons", 0x1F600, 0x1F64F),
    ("Transport and Map Symbols", 0x1F680, 0x1F6FF),
    ("Supplemental Symbols and Pictographs", 0x1F900, 0x1F9FF),
    ("Symbols and Pictographs Extended-A", 0x1FA70, 0x1FAFF),
    ("Regional indicators, two of which make a flag", 0x1F1E6, 0x1F1FF),
    ("Watch and hourglass", 0x231A, 0x231B),
    ("Clocks and buttons of players", 0x23E9, 0x23FA),
    ("Star", 0x2B50, 0x2B50),
    ("Circle", 0x2B55, 0x2B55),
    ("Small squares", 0x25FD, 0x25FE),
    ("Large squares", 0x2B1B, 0x2B1C),
    ("Tile", 0x1F004, 0x1F004),
    ("Joker", 0x1F0CF, 0x1F0CF),
    ("Blood type", 0x1F18E, 0x1F18E),
    ("Squared words", 0x1F191, 0x1F19A),
    ("Squared katakana", 0x1F201, 0x1F201),
    ("Squared ideographs", 0x1F21A, 0x1F21A),
    ("Squared ideographs", 0x1F22F, 0x1F22F),
    ("Squared ideographs", 0x1F232, 0x1F236),
    ("Squared ideographs", 0x1F238, 0x1F23A),
    ("Circled ideographs", 0x1F250, 0x1F251),
    ("Coloured circles and squares", 0x1F7E0, 0x1F7EB),
    ("Heavy equals sign", 0x1F7F0, 0x1F7F0),
)
PICTOGRAPHS = {
    chr(code) for _, first, last in PICTOGRAPH_BLOCKS for code in range(first, last + 1)
}


@functools.cache
def markers(category: str) -> frozenset[str]:
    """Read the words of a category."""
    path = ROOT / "seeds" / "linguistic_markers.csv"
    with path.open(encoding="utf-8", newline="") as seed:
        rows = [row for row in csv.DictReader(seed) if row["category"] == category]
    assert rows, category
    return frozenset(row["marker"] for row in rows)


def words_of(text: str) -> list[str]:
    """Find runs of letters, digits and underscores with apostrophes inside."""
    return re.findall(r"\w(?:[\w']*\w)?", text.lower())


def sentences_of(text: str) -> list[tuple[str, str]]:
    """Find the stretches between runs of marks, each with the run that ends it."""
    pieces = re.findall(r"([^.!?]+)([.!?]*)", text)
    return [(sentence, marks) for sentence, marks in pieces if sentence.strip()]


def sentence_lengths(text: str) -> list[int]:
    """Count what white space separates in each sentence."""
    return [len(sentence.split()) for sentence, _ in sentences_of(text)]


def spaced_words_per_sentence(text: str) -> float:
    """Divide these words by the sentences."""
    lengths = sentence_lengths(text)
    return sum(lengths) / len(lengths) if lengths else 0.0


def question_density(text: str) -> float:
    """Tell the share of sentences whose closing marks hold a question mark."""
    closings = [marks for _, marks in sentences_of(text)]
    return sum("?" in marks for marks in closings) / max(len(closings), 1)


def bigram_entropy(text: str) -> float:
    """Measure how evenly the text spreads over its pairs of neighbouring words."""
    uses = Counter(pairwise(words_of(text)))
    shares = [count / uses.total() for count in uses.values()]
    return math.fsum(share * math.log2(1 / share) for share in shares)


def pictograph_count(text: str) -> int:
    """Count characters of the blocks of pictographs."""
    return sum(character in PICTOGRAPHS for character in text)


def symbol_share(text: str) -> float:
    """Tell the share of symbols among all but marks and what is never seen."""
    kinds = [(unicodedata.category(letter), letter) for letter in text]
    kinds = [each for each in kinds if not each[0].startswith("M") and each[0] != "Cf"]
    symbols = 0
    previous = ""
    for kind, letter in kinds:
        is_behind_a_word = kind.startswith("P") and previous.startswith("L")
        if not (kind.startswith("L") or letter.isspace() or is_behind_a_word):
            symbols += 1
        previous = kind
    return symbols / max(len(kinds), 1)


def math_symbol_count(text: str) -> int:
    """Count the characters of Pidgin's set."""
    return sum(character in constants.MATH_SYMBOLS for character in text)


def proper_noun_count(text: str) -> int:
    """Count capitalised words, but none that is the first after a break."""
    stretches = re.split(r"[.!?:\n]", text)
    candidates = (
        word
        for stretch in stretches
        # A stretch of a word only, such as the Com of example.Com, has its first word,
        # too.
        for word in re.findall(r"\w[\w']*", stretch)[1:]
    )
    return sum(is_capitalised(word) for word in candidates)


def is_capitalised(word: str) -> bool:
    """Whether a word's first letter is a capital and its second a small one."""
    return [unicodedata.category(letter) for letter in word[:2]] == ["Lu", "Ll"]


def passive_voice(text: str) -> int:
    """Count forms of be with a participle behind them, or behind one word in -ly."""
    words = words_of(text)
    return sum(
        word in markers("be_form")
        and (
            is_participle(behind[:1])
            or (bool(behind) and behind[0].endswith("ly") and is_participle(behind[1:]))
        )
        for place, word in enumerate(words)
        for behind in [words[place + 1 : place + 3]]
    )


def is_participle(words: Sequence[str]) -> bool:
    """Whether there is a word, and it is a participle."""
    return any(
        word.endswith("ed") or word in markers("irregular_participle")
        for word in words[:1]
    )


def flesch_reading_ease(text: str) -> float | None:
    """Compute Flesch's formula; a text without words has no score."""
    words = words_of(text)
    if not words:
        return None
    per_sentence = len(words) / max(len(sentences_of(text)), 1)
    per_word = sum(map(syllables, words)) / len(words)
    return 206.835 - 1.015 * per_sentence - 84.6 * per_word


def syllables(word: str) -> int:
    """Guess from groups of vowels; what is no vowel is taken for a consonant."""
    groups = len(re.findall(r"[aeiouy]+", word))
    ending = "".join("v" if letter in "aeiouy" else "c" for letter in word[-3:])
    is_silent = word.endswith("e") and ending[-2:-1] == "c"
    if word.endswith("le") and ending[-3:-1] == "cc":
        is_silent = False
    return max(groups - is_silent, 1)


TEXT_METRICS: dict[str, Callable[[str], Any]] = {
    "sentence_lengths": sentence_lengths,
    "spaced_words_per_sentence": spaced_words_per_sentence,
    "question_density": question_density,
    "bigram_entropy": bigram_entropy,
    "pictograph_count": pictograph_count,
    "symbol_share": symbol_share,
    "math_symbol_count": math_symbol_count,
    "proper_noun_count": proper_noun_count,
    "passive_voice": passive_voice,
    "flesch_reading_ease": flesch_reading_ease,
}
# Who speaks first matters to these.
FIRST_USES = ("newly_shared_words", "novel_symbols")
OWN_MESSAGE_METRICS = (*TEXT_METRICS, *MARKER_METRICS, *FIRST_USES)
OWN_TURN_METRICS = ("turn_taking_balance",)


def message_values(text: str) -> Values:
    """Compute what one text tells by itself."""
    words = words_of(text)
    return {metric: measure(text) for metric, measure in TEXT_METRICS.items()} | {
        metric: sum(word in markers(category) for word in words)
        for metric, category in MARKER_METRICS.items()
    }


def own_message_metrics(spoken: Spoken) -> dict[tuple[int, str], Values]:
    """Compute the own metrics of a conversation's messages, by turn and agent."""
    result = {}
    symbols: set[str] = set()
    vocabulary: dict[str, set[str]] = {"agent_a": set(), "agent_b": set()}
    for number, messages in spoken.items():
        for agent, text in messages.items():
            (partner,) = vocabulary.keys() - {agent}
            new_words = set(words_of(text)) - vocabulary[agent]
            new_symbols = symbols_of(text) - symbols
            result[number, agent] = message_values(text) | {
                "newly_shared_words": len(new_words & vocabulary[partner]),
                "novel_symbols": len(new_symbols),
            }
            vocabulary[agent] |= new_words
            symbols |= new_symbols
    return result


def symbols_of(text: str) -> set[str]:
    """Find the characters of Unicode's general category S."""
    return {letter for letter in text if unicodedata.category(letter).startswith("S")}


def turn_taking_balance(messages: Iterable[str]) -> float | None:
    """Compare the numbers of words; where there are none, there is no balance."""
    counts = [len(words_of(text)) for text in messages]
    return 2 * min(counts) / sum(counts) if sum(counts) else None
