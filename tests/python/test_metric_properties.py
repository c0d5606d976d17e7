"""The metrics equal the oracles' for any text that a language model might write.

Hypothesis makes up conversations, and one build measures them all: shrinking would take
a build for each step, so the shortest texts that differ are shown instead.
HYPOTHESIS_PROFILE=thorough tries more. With PIDGIN_PROPERTIES_REPORT=file.md, tables of
how many values were compared and how much they differed are appended there.

Code points that this Python's Unicode version leaves unassigned are not tried: DuckDB
may know a newer version in which they are letters or have small forms, and Pidgin's own
values depend there on the Python that runs it.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from conftest import ProjectMaker
from helpers.harness import Project
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oracles.courses import compared_patterns, compared_rolling
from oracles.logs import NO_REPLY, is_placeholder
from oracles.own_metrics import (
    FIRST_USES,
    MARKER_METRICS,
    STATEMENT_METRICS,
    Values,
    markers,
    own_message_metrics,
)
from oracles.pidgin_metrics import (
    AGENTS,
    MESSAGE_COLUMNS,
    MESSAGE_METRICS,
    PROFILES,
    TURN_METRICS,
    UNSTORED_METRICS,
    Comparison,
    Turn,
    calculated,
    compared,
    live_scores,
    message_rows_of,
    remembered,
    turn_rows_of,
    unstored_metrics,
)
from pidgin.metrics import constants
from writers.logs import Conversation, OutputFolder, as_line

REPORT = os.environ.get("PIDGIN_PROPERTIES_REPORT")
# Many of Hypothesis's examples are variations of others.
EXAMPLES = 2 * settings().max_examples
IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"

CODE_POINTS = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) not in ("Cn", "Cs")
]
SPACES = [character for character in CODE_POINTS if character.isspace()]
DIGITS = [character for character in CODE_POINTS if character.isdecimal()]
MARKERS = [
    sorted(marks)
    for marks in (
        constants.HEDGE_WORDS,
        constants.AGREEMENT_MARKERS,
        constants.DISAGREEMENT_MARKERS,
        constants.POLITENESS_MARKERS,
        constants.FIRST_PERSON_SINGULAR,
        constants.FIRST_PERSON_PLURAL,
        constants.SECOND_PERSON,
        *map(markers, MARKER_METRICS.values()),
    )
]
BE_FORMS = sorted(markers("be_form"))
PARTICIPLES = [*sorted(markers("irregular_participle")), "walked", "red", "ed"]


def strings_of(parts: str | list[str], longest: int = 6) -> st.SearchStrategy[str]:
    """Make texts of some characters or pieces."""
    pieces = st.lists(st.sampled_from([*parts]), min_size=1, max_size=longest)
    return pieces.map("".join)


def words_of(text: str) -> st.SearchStrategy[str]:
    """Make one of the words of a text."""
    return st.sampled_from(text.split())


# Casing, apostrophes, scripts, and signs of several code points.
peculiar = words_of("""
don't 'tis rock'n'roll O’Brien O'Brien' '' _ __init__ snake_case a_1 Extraordinary
naïve Straße STRASSE ẞ ſecond İstanbul ISPARTA ıı i̇ Ångström ŉ ﬁne ﬀ ǅ ª º ΟΔΟΣ ὈΔΥΣΣΕΎΣ
Σ ΣΣ ΑΣ'Α привет שָׁלוֹם مرحبًا ﷽ नमस्ते क्षत्रिय สวัสดี 你好，世界 漢字 カタカナ ｶﾞ
안녕하세요 각 é ́ 🏳️‍🌈 👩🏽‍🚀 👨‍👩‍👧 🇩🇪🇫🇷 1️⃣ ❤️ ☀ ⓜ ㊗️ 🈁 🉑 𝐀𝐁 𝔘𝔫𝔦 Ⓐ 🅰 Ⅷ
""")
phrases = (
    st.sampled_from(MARKERS)
    .flatmap(lambda marks: st.lists(st.sampled_from(marks), min_size=1, max_size=9))
    .map(" ".join)
)
words = phrases.flatmap(
    lambda text: st.sampled_from([text, text.capitalize(), text.upper(), f"{text}'s"])
)
passives = st.builds(
    " ".join,
    st.tuples(
        st.sampled_from(BE_FORMS),
        st.sampled_from(["", "", "quickly", "ly", "not", "quickly slowly", "not,"]),
        st.sampled_from(PARTICIPLES),
    ),
)
sigmas = strings_of("ΑαΣσςΣ.:'’‘·‧．\u0301\u00ad\u200dʰª1_ ǅⅠⓐ")
spaces = strings_of(SPACES, 4)
controls = strings_of([chr(code) for code in range(32)] + ["\x7f", "\x85", "\ufeff"], 4)
numbers = strings_of(
    [*"0123456789.,.,", "½", "Ⅷ", "²", "x", "_", "-", "%"]
) | strings_of([*DIGITS[::7], ".", ","])
labels = strings_of(
    ["**Agent A**:", "**Agent B**: ", "**Agent A**", "**Agent ", "A**", "Agent A:"], 4
)
structures = strings_of(
    ["```", "```python\n", "\n", "\n\n", "\n \n\t\n", "\r\n\r\n", "\n\n\n\n"], 3
) | strings_of(
    ["- ", "* ", "• ", "1. ", "12.", "  3.\n", "\n- ", "\n* ", "\n• ", "\n1. "], 3
)
# Phrases with the ends that they ask for, and almost.
PHRASES = [sorted(markers(category)) for category in STATEMENT_METRICS.values()]
statements = st.sampled_from(PHRASES).flatmap(
    lambda phrases: st.lists(
        st.builds(
            lambda before, phrase, after: before + phrase.strip(". ") + after,
            st.sampled_from([*"\n.… ", "So ", "…and ", "Un", "«"]),
            st.sampled_from(phrases).flatmap(
                lambda text: st.sampled_from(
                    [text, text.upper(), text.replace("'", "’"), f"\n{text}\n"]
                )
            ),
            st.sampled_from([*"\r.!?。 \u2028", ", then", "’s", "'s", "s"]),
        ),
        min_size=2,
        max_size=5,
    ).map("".join)
)
# Lines without words, and what may be taken for them or for stage directions.
LINES = """
---|***|- - -|==|= = =|***-|* * *|~~~||| --- |:-: ||>|> >|#|##|>#|> …|• | * |\u200b|_
* nods *|*nods*|**nods**|*looks up, slowly*|*a* *b*|__|___|◊|🙏 ✨|∞ = ∞|->|```|\u00ad
""".strip()
lines = st.sampled_from(LINES.replace("\n", "|").split("|")).map(
    lambda line: f"\n{line}\n"
)
punctuation = strings_of(".!?.!?,;:-—–…'’\"“”()[]{}¿¡。！？·‽", 8)
arrows = strings_of(["->", "<-", "<->", "=>", "<=", "<=>", "-->", "⟶", "⟵", "⇄", "➔"])
symbols = strings_of(
    [*sorted(constants.ALL_SPECIAL_SYMBOLS), "∴", "╬", "€", "🙂", "⭐"]
)
anything = st.text(st.characters(exclude_categories=("Cn", "Cs")), max_size=6)
plain = words_of("the fog horn belongs to the shore. Why? I see!")
short = st.one_of(
    *(plain, plain, words, peculiar, sigmas, spaces, controls, numbers, labels),
    *(structures, punctuation, arrows, symbols, anything, passives),
)
fragments = (
    short
    | phrases
    | statements
    | st.lists(lines, min_size=2, max_size=4).map("".join)
    | st.builds(lambda text, times: text * times, short, st.integers(2, 30))
)
separators = st.sampled_from(["", " ", " ", " ", "\n", "\n\n", ", ", ". ", "'", "_"])


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    """Make up a conversation whose agents share some of their words and phrases."""
    pool = draw(st.lists(fragments, min_size=1, max_size=8))
    pieces = st.sampled_from(pool) | fragments
    messages = st.builds(
        lambda separator, parts: separator.join(parts),
        separators,
        st.lists(pieces, max_size=12),
    )
    placeholders = st.sampled_from(["[API error: overloaded]", NO_REPLY])
    numbers = draw(
        st.lists(st.integers(0, 7), min_size=1, max_size=6, unique=True).map(sorted)
    )
    turns = []
    for number in numbers:
        a = draw(messages)
        echoes = st.sampled_from(
            [a, a.upper(), a.swapcase(), a[: len(a) // 2], f"{a} {pool[0]}", f"\n{a}."]
        )
        b = draw(st.one_of(messages, messages, echoes))
        silent = draw(st.integers(0, 19))
        if silent in (0, 2):
            a = draw(placeholders)
        if silent in (1, 2):
            b = draw(placeholders)
        turns.append(turn_of(number, a, b))
    return turns


@st.composite
def courses(draw: st.DrawFn) -> list[Turn]:
    """Make up a conversation that goes through phases, each with much of the same."""
    text = st.sampled_from(
        (
            "Thank you so much, I am grateful.",
            "Thanks!",
            "🙏 → 🌟",
            "The tide turns at the shore when the fog horn calls the boats home.",
            "yes " * 9,
            "Why not -> now?",
            "...",
            "",
            "Goodbye, take care!",
            "Let it rest.",
            "*nods*",
            "🌀\n∞\nStill here",
            " ".join(f"word{place}" for place in range(60)),
            " ".join(f"word{place * place % 7}" for place in range(60)),
            " ".join(f"word{place % 60 * 7 % 53}" for place in range(120)),
            NO_REPLY,
        )
    )
    echo = text.map(lambda words: (words, words))
    phases = st.tuples(st.tuples(text, text) | echo, st.integers(1, 6))
    turns = []
    number = 0
    for (a, b), length in draw(st.lists(phases, max_size=6)):
        for _ in range(length):
            turns.append(turn_of(number, a, b))
            number += draw(st.sampled_from((1, 1, 1, 3)))
    return turns


def turn_of(number: int, a: str, b: str) -> Turn:
    """Make a turn of two texts; a placeholder is no speech."""
    texts = (None if is_placeholder(text) else text for text in (a, b))
    return Turn(number, *texts)


def made_up(
    kind: st.SearchStrategy[list[Turn]], name: str = "made_up"
) -> dict[str, list[Turn]]:
    """Draw conversations, and keep those that differ."""
    found: dict[tuple[Turn, ...], None] = {}

    # A label in a label, which is one once the inner is taken out.
    @example([Turn(0, "**Agent **Agent A**: A**", "Why?")])
    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
    @given(kind)
    def collect(turns: list[Turn]) -> None:
        found[tuple(turns)] = None

    collect()
    return {f"{name}_{place:05}": [*turns] for place, turns in enumerate(found)}


def conversations_of_all_characters(size: int = 64) -> dict[str, list[Turn]]:
    """Use every assigned code point by itself, inside a word and beside a sigma.

    Of Chinese characters, Korean syllables and private-use characters, which are tens
    of thousands alike, a sample, unless the profile is thorough.
    """
    alike = ("CJK UNIFIED", "CJK COMPAT", "HANGUL SYLL", "TANGUT", "NUSHU", "private")
    characters = [
        character
        for place, character in enumerate(CODE_POINTS)
        if IS_THOROUGH
        or place % 97 == 0
        or not unicodedata.name(character, private_name(character)).startswith(alike)
    ]
    result = {}
    for start in range(0, len(characters), size):
        chunk = characters[start : start + size]
        texts = (
            " ".join(chunk),
            "".join(f"x{character}1 " for character in chunk),
            " ".join(f"ΑΣ{character} ΑΣ{character}Α" for character in chunk),
            " ".join(f"{character}Σ Α{character}Σ" for character in chunk),
            " ".join(f"{character}a A{character} {character}'b" for character in chunk),
            "".join(f"x{character}Ab c? {character}e e." for character in chunk),
        )
        result[f"characters_{ord(chunk[0]):06x}"] = [
            Turn(0, texts[0], texts[1]),
            Turn(1, texts[2], texts[3]),
            Turn(2, texts[4], texts[5]),
        ]
    return result


def private_name(character: str) -> str:
    """Name what Unicode gives no name: control characters and private ones."""
    return "private" if unicodedata.category(character) == "Co" else "control"


def mirrored(turns: list[Turn]) -> list[Turn]:
    """Swap the two agents."""
    return [Turn(turn.number, turn.agent_b, turn.agent_a) for turn in turns]


def long_message(length: int = 1_000_000) -> list[Turn]:
    """Make a turn with a message of more than a million characters."""
    text = "".join(
        f"Counterrevolutionaries {number * 7 % 9973:,} -> don't: wave {number:,}!"
        f"{' Why??' if number % 5 == 0 else ''}\n\n"
        for number in range(length // 48)
    )
    assert len(text) > length
    return [Turn(0, text, text[length // 2 :][: length // 50])]


def long_conversation(turn_count: int = 5000) -> list[Turn]:
    """Make thousands of short turns, in which words come again and new ones appear."""

    def text(number: int, step: int) -> str:
        known = (f"word{number * place % (40 * step)}" for place in range(1, 7))
        return f"{' '.join(known)}, new{number // step}."

    return [
        Turn(number, text(number, 3), text(number + 1, 5))
        for number in range(turn_count)
    ]


@dataclass(frozen=True)
class Measured:
    """What was said, and the marts of it."""

    project: Project
    made_up: dict[str, list[Turn]]
    courses: dict[str, list[Turn]]
    characters: dict[str, list[Turn]]
    mirrors: dict[str, list[Turn]]
    long_message: list[Turn]
    long_conversation: list[Turn]


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory, project: ProjectMaker
) -> Measured:
    """Write all conversations, and build the metrics once."""
    originals = made_up(conversations())
    result = Measured(
        project=project(tmp_path_factory.mktemp("made up")),
        made_up=originals,
        courses=made_up(courses(), "course"),
        characters=conversations_of_all_characters(),
        mirrors={
            f"mirror_of_{name}": mirrored(turns) for name, turns in originals.items()
        },
        long_message=long_message(),
        long_conversation=long_conversation(),
    )
    folder = OutputFolder(Path(result.project.output_dir))
    for name, group in (
        ("made_up", result.made_up),
        ("courses", result.courses),
        ("characters", result.characters),
        ("mirrors", result.mirrors),
        ("long_message", {"long_message": result.long_message}),
        ("long_conversation", {"long_conversation": result.long_conversation}),
    ):
        folder.write(f"{name}.jsonl", lines_of(group))
    result.project.build_only(
        "--select", "+rolling_convergence", "+conversation_patterns"
    )
    return result


def lines_of(group: dict[str, list[Turn]]) -> Iterator[str]:
    """Write conversations as Pidgin does, a placeholder where nobody spoke."""
    for conversation_id, turns in group.items():
        maker = Conversation(conversation_id)
        events = [maker.begin()]
        for turn in turns:
            a, b = (
                "[API error: overloaded]" if text is None else text
                for text in (turn.agent_a, turn.agent_b)
            )
            events += maker.turn(turn.number, a, b, score_of(turn))
        yield from map(as_line, [*events, maker.end()])


def score_of(turn: Turn) -> float | None:
    """Make up the score of a turn; some have none."""
    place = turn.number * turn.number + sum(map(len, turn.messages.values()))
    return None if place % 11 == 5 else place * 7 % 101 / 100


def test_made_up_conversations(measured: Measured) -> None:
    """Whatever is said, every metric has the oracle's value."""
    comparison = compared(measured.project, measured.made_up)
    texts = {
        text
        for turns in measured.made_up.values()
        for turn in turns
        for text in turn.messages.values()
    }
    write_report(comparison, f"{len(texts)} different made-up texts")
    comparison.insist()
    assert len(texts) >= (2000 if IS_THOROUGH else 300)


def test_courses(measured: Measured) -> None:
    """Whatever course conversations take, averages and patterns are the oracle's."""
    for title, comparison in (
        ("Turns of made-up courses", compared(measured.project, measured.courses)),
        ("Rolling averages", compared_rolling(measured.project)),
        ("Patterns", compared_patterns(measured.project)),
    ):
        write_report(comparison, title)
        comparison.insist()


def test_every_pattern_shows(measured: Measured) -> None:
    """No pattern is always there, or never, and every trend is met."""
    patterns = [
        name
        for (name, *_) in measured.project.query("describe conversation_patterns")
        if name.startswith("has_")
    ]
    assert patterns
    for name in patterns:
        found = measured.project.query(
            f"select distinct {name} from conversation_patterns"
        )
        assert {value for (value,) in found} == {True, False, None}, name
    for name in ("trend", "balanced_trend"):
        trends = measured.project.query(
            f"select distinct {name} from rolling_convergence"
        )
        assert len(trends) == 5, name


def test_every_metric_varies(measured: Measured) -> None:
    """The made-up texts are no proof for a metric that is the same in all of them."""
    messages = message_rows_of(measured.project, measured.made_up)
    turns = turn_rows_of(measured.project, measured.made_up)
    for metrics, kept in (
        (MESSAGE_COLUMNS, chain.from_iterable(m.values() for m in messages.values())),
        (
            (*TURN_METRICS, *PROFILES, *UNSTORED_METRICS),
            chain.from_iterable(t.values() for t in turns.values()),
        ),
    ):
        values = [*kept]
        for metric in metrics:
            assert len({str(row[metric]) for row in values}) >= 3, metric


def test_every_character(measured: Measured) -> None:
    """Each character has its place: letter, digit, mark, space, capital or symbol."""
    comparison = compared(measured.project, measured.characters)
    write_report(comparison, "Every character")
    comparison.insist()


def test_swapped_agents(measured: Measured) -> None:
    """Who is called A is of no importance, but for who mimics whom."""
    originals = measured.made_up
    message_rows = message_rows_of(measured.project, [*originals, *measured.mirrors])
    turn_rows = turn_rows_of(measured.project, [*originals, *measured.mirrors])
    other = {"agent_a": "agent_b", "agent_b": "agent_a"}
    for name in originals:
        mirror = f"mirror_of_{name}"
        for (number, agent), values in message_rows[name].items():
            swapped = message_rows[mirror][number, other[agent]]
            for metric in {*MESSAGE_COLUMNS} - {*FIRST_USES, "similarity_to_partner"}:
                assert swapped[metric] == pytest.approx(values[metric], abs=1e-12)
        for number, values in turn_rows[name].items():
            assert turn_rows[mirror][number] == with_agents_swapped(values), name


def with_agents_swapped(values: Values) -> Values:
    """Exchange the columns of A and B among those that have Pidgin's definition."""
    swaps = {
        "mimicry_score_a_to_b": "mimicry_score_b_to_a",
        "mimicry_score_b_to_a": "mimicry_score_a_to_b",
        "agent_a_word_frequencies": "agent_b_word_frequencies",
        "agent_b_word_frequencies": "agent_a_word_frequencies",
    }
    return {swaps.get(name, name): value for name, value in values.items()}


def test_long_message(measured: Measured) -> None:
    """A message of a megabyte is measured like any other."""
    turns = {"long_message": measured.long_message}
    comparison = compared(measured.project, turns)
    write_report(comparison, "A message of a megabyte")
    comparison.insist()


def test_long_conversation(measured: Measured) -> None:
    """Five thousand turns on, the metrics still know all that was said before.

    Pidgin compares each message with all before it, which would take hours here. So
    what depends on the past is the oracle's; the rest, Pidgin's at some of the turns.
    """
    turns = measured.long_conversation
    name = "long_conversation"
    message_rows = message_rows_of(measured.project, [name])[name]
    turn_rows = turn_rows_of(measured.project, [name])[name]
    assert len(message_rows) == 2 * len(turns)
    assert len(turn_rows) == len(turns)

    comparison = Comparison()
    memory = remembered(turns)
    own = own_message_metrics({turn.number: turn.messages for turn in turns})
    unstored = unstored_metrics(turns)
    some = {*range(12), *range(0, len(turns), 97), len(turns) - 1}
    scores = live_scores(turns, only=some)
    for turn in turns:
        values = memory[turn.number] | unstored[turn.number]
        if turn.number in some:
            values = calculated([turn])[turn.number] | values | scores[turn.number]
        for agent, prefix in AGENTS.items():
            row = message_rows[turn.number, agent]
            comparison.note_all(row, own[turn.number, agent], turn, 0)
            for ours, theirs in MESSAGE_METRICS.items():
                if f"{prefix}_{theirs}" in values:
                    expected = values[f"{prefix}_{theirs}"]
                    comparison.note(ours, row[ours], expected, turn, 0)
        for metric in (*TURN_METRICS, *PROFILES, *UNSTORED_METRICS):
            if metric in values:
                actual = turn_rows[turn.number][metric]
                comparison.note(metric, actual, values[metric], turn, 0)
    write_report(comparison, f"A conversation of {len(turns)} turns")
    comparison.insist()


def test_oracle_remembers_as_pidgin_does(measured: Measured) -> None:
    """Where Pidgin's calculator can be run, the oracle that replaces it agrees."""
    count = 0
    for turns in (*measured.made_up.values(), measured.long_conversation[:100]):
        if all(turn.is_spoken for turn in turns):
            theirs = calculated(turns)
            for number, values in remembered(turns).items():
                count += 1
                expected = {name: theirs[number][name] for name in values}
                assert values == pytest.approx(expected, abs=1e-12)
    assert count > 100


def write_report(comparison: Comparison, title: str) -> None:
    """Append a table to the report, if one is wanted."""
    if REPORT:
        with Path(REPORT).open("a", encoding="utf-8") as report:
            report.write("\n".join([f"## {title}", "", *comparison.table(), "", ""]))
