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
from statistics import fmean
from typing import Any

from helpers.harness import ROOT
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
# Kinds of phrases that are looked for in statements.
STATEMENT_METRICS = {
    f"{category}_statements": category
    for category in ("closing", "ending", "appreciation", "transcendence", "building")
}
LINE_ENDS = "\n\r\u2028\u2029"
STATEMENT_ENDS = ".!?…。！？" + LINE_ENDS
# Words of a window of MATTR, of a sample of HD-D, and of an agent's recent text.
WINDOW, DRAWS, RECENT = 50, 42, 100
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


@functools.lru_cache(maxsize=16)
def statements_of(text: str) -> list[list[str]]:
    """Part a text where a sentence or line ends, into what holds letters or digits."""
    straight = text.replace("’", "'")
    pieces = re.split(f"[{STATEMENT_ENDS}]", straight)
    return [words_of(piece) for piece in pieces if re.search(r"[^\W_]", piece)]


def statement_count(text: str) -> int:
    """Count statements."""
    return len(statements_of(text))


@functools.cache
def phrases(category: str) -> dict[int, set[tuple[str, ...]]]:
    """Read the phrases of a category by their length, ends of statements included."""
    result: dict[int, set[tuple[str, ...]]] = {}
    for phrase in markers(category):
        words = tuple(phrase.split(" "))
        result.setdefault(len(words), set()).add(words)
    return result


def marked_statements(text: str, category: str) -> int:
    """Count the statements in which one of the phrases comes."""
    statements = [(".", *words, ".") for words in statements_of(text)]
    return sum(
        any(
            words[place : place + length] in known
            for length, known in phrases(category).items()
            for place in range(len(words) - length + 1)
        )
        for words in statements
    )


def lines_of(text: str) -> list[str]:
    """Part a text into lines."""
    return re.split(f"[{LINE_ENDS}]", text)


def can_be_seen(text: str) -> bool:
    """Whether a text shows anything."""
    return bool(visible_text(text))


def visible_text(text: str) -> str:
    """Leave out white space and what is never seen."""
    return "".join(
        letter
        for letter in text
        if not letter.isspace() and unicodedata.category(letter) not in ("Cc", "Cf")
    )


def is_markdown(line: str) -> bool:
    """Whether a line is a rule, the border of a table, or empty markup."""
    signs = re.sub(r"[ \t]", "", line)
    is_rule = len(signs) > 2 and len({*signs}) == 1 and signs[0] in "-*_=~"
    is_border = "|" in signs and {*signs} <= {*"|:+-"}
    is_empty_markup = signs != "" and {*signs} <= {*">#"}
    return is_rule or is_border or is_empty_markup


def symbol_line_share(text: str) -> float | None:
    """Tell the share of lines without words, code and Markdown aside."""
    pieces = text.split("```")
    # What stands between fences is code; a fence that is not closed holds the rest.
    outside = "".join(pieces[::2])
    worded = sum(bool(re.search(r"[^\W_]", line)) for line in lines_of(outside))
    signs = sum(
        can_be_seen(line) and not re.search(r"[^\W_]", line) and not is_markdown(line)
        for line in lines_of(outside)
    )
    return signs / (worded + signs) if worded + signs else None


def direction_words(text: str) -> int:
    """Count words in lines that stand between asterisks."""
    stripped = map(str.strip, lines_of(text))
    return sum(
        len(words_of(line))
        for line in stripped
        if line[:1] == line[-1:] == "*" and len(line) > 2 and "*" not in line[1:-1]
    )


def mattr(words: Sequence[str]) -> float | None:
    """Average the share of different words over all windows."""
    starts = range(len(words) - WINDOW + 1)
    if not starts:
        return None
    return fmean(len({*words[start : start + WINDOW]}) / WINDOW for start in starts)


def mtld(words: Sequence[str]) -> float | None:
    """Average the words that a factor takes, read from the front and from the end."""
    if not words:
        return None
    return fmean((words_per_factor(words), words_per_factor(words[::-1])))


def words_per_factor(words: Sequence[str]) -> float:
    """Count a factor whenever the share of different words comes down to 0.72."""
    factors = 0.0
    stretch: list[str] = []
    for word in words:
        stretch.append(word)
        if len({*stretch}) / len(stretch) <= 0.72:
            factors += 1
            stretch = []
    if stretch:
        factors += (1 - len({*stretch}) / len(stretch)) / (1 - 0.72)
    return len(words) / (factors or 1)


def hd_d(words: Sequence[str]) -> float | None:
    """Add up the chances that a sample holds each of the words."""
    if len(words) < DRAWS:
        return None
    samples = math.comb(len(words), DRAWS)
    missing = (
        math.comb(len(words) - times, DRAWS) for times in Counter(words).values()
    )
    return math.fsum(1 - without / samples for without in missing) / DRAWS


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
    "statement_count": statement_count,
    "symbol_line_share": symbol_line_share,
    "direction_words": direction_words,
    "mattr": lambda text: mattr(words_of(text)),
    "mtld": lambda text: mtld(words_of(text)),
    "hd_d": lambda text: hd_d(words_of(text)),
}
# Who speaks first matters to these.
FIRST_USES = ("newly_shared_words", "novel_symbols")
# To these, what was said before; and to the last of them, too, who speaks first.
EARLIER_MESSAGES = (
    "recent_mattr",
    "similarity_to_last",
    "similarity_to_last_but_one",
    "similarity_to_partner",
)
OWN_MESSAGE_METRICS = (
    *TEXT_METRICS,
    *MARKER_METRICS,
    *STATEMENT_METRICS,
    *FIRST_USES,
    *EARLIER_MESSAGES,
)
RETURNING_METRICS = (
    "phrase_count",
    "returning_phrase_share",
    "nearest_turn_similarity",
    "nearest_turn_distance",
)


def message_values(text: str) -> Values:
    """Compute what one text tells by itself."""
    words = words_of(text)
    return (
        {metric: measure(text) for metric, measure in TEXT_METRICS.items()}
        | {
            metric: sum(word in markers(category) for word in words)
            for metric, category in MARKER_METRICS.items()
        }
        | {
            metric: marked_statements(text, category)
            for metric, category in STATEMENT_METRICS.items()
        }
    )


def own_message_metrics(spoken: Spoken) -> dict[tuple[int, str], Values]:
    """Compute the own metrics of a conversation's messages, by turn and agent."""
    result = {}
    symbols: set[str] = set()
    vocabulary: dict[str, set[str]] = {"agent_a": set(), "agent_b": set()}
    said: dict[str, list[list[str]]] = {"agent_a": [], "agent_b": []}
    for number, messages in spoken.items():
        for agent, text in messages.items():
            (partner,) = vocabulary.keys() - {agent}
            new_words = set(words_of(text)) - vocabulary[agent]
            new_symbols = symbols_of(text) - symbols
            result[number, agent] = message_values(text) | {
                "newly_shared_words": len(new_words & vocabulary[partner]),
                "novel_symbols": len(new_symbols),
                **compared_with_earlier(words_of(text), said[agent], said[partner]),
            }
            said[agent].append(words_of(text))
            vocabulary[agent] |= new_words
            symbols |= new_symbols
    return result


def compared_with_earlier(
    words: list[str], own: Sequence[list[str]], partners: Sequence[list[str]]
) -> Values:
    """Compare a message with the agent's last two and the partner's last."""
    recent = [word for message in own[-4:] for word in message] + words
    return {
        "similarity_to_last": similarity(words, own[-1:]),
        "similarity_to_last_but_one": similarity(words, own[:-1][-1:]),
        "similarity_to_partner": similarity(words, partners[-1:]),
        "recent_mattr": mattr(words if len(words) >= WINDOW else recent[-RECENT:]),
    }


def similarity(words: Iterable[str], other: Sequence[Iterable[str]]) -> float | None:
    """Compare the words of two messages, if there is another."""
    if not other:
        return None
    a, b = {*words}, {*other[0]}
    return len(a & b) / len(a | b) if a | b else 0.0


def returning_metrics(turns: Sequence[Sequence[str]]) -> list[Values]:
    """Tell of the messages of each spoken turn how much of them came before."""
    last_uses: dict[tuple[str, ...], int] = {}
    result = []
    for place, turn in enumerate(turns):
        own = [phrase for text in turn for phrase in phrases_of(text)]
        uses = Counter(own)
        new = sum(last_uses.get(phrase, -9) < place - 5 for phrase in uses)
        # By the turn that a phrase was last used in.
        shared = Counter[int]()
        for phrase, times in uses.items():
            if phrase in last_uses:
                shared[last_uses[phrase]] += times
        nearest = max(shared, key=lambda n: (shared[n], n), default=None)
        values: Values = {
            "phrase_count": len(own),
            "returning_phrase_share": None,
            "nearest_turn_similarity": None,
            "nearest_turn_distance": None if nearest is None else place - nearest,
        }
        if own:
            most = 0 if nearest is None else shared[nearest]
            values["returning_phrase_share"] = (len(own) - new) / len(own)
            values["nearest_turn_similarity"] = most / len(own)
        result.append(values)
        last_uses |= dict.fromkeys(own, place)
    return result


def phrases_of(text: str) -> list[tuple[str, ...]]:
    """Find the phrases of three words, or the whole of a shorter message."""
    words = words_of(text)
    if len(words) < 3:
        whole = " ".join(words) or visible_text(text)
        return [(whole,)] if whole else []
    return [*zip(words, words[1:], words[2:], strict=False)]


def symbols_of(text: str) -> set[str]:
    """Find the characters of Unicode's general category S."""
    return {letter for letter in text if unicodedata.category(letter).startswith("S")}


def turn_taking_balance(messages: Iterable[str]) -> float | None:
    """Compare the numbers of words; where there are none, there is no balance."""
    counts = [len(words_of(text)) for text in messages]
    return 2 * min(counts) / sum(counts) if sum(counts) else None


# Of the two messages of a turn.
PAIR_METRICS: dict[str, Callable[[Sequence[str]], Any]] = {
    "turn_taking_balance": turn_taking_balance,
}
OWN_TURN_METRICS = (*PAIR_METRICS, *RETURNING_METRICS)
