"""A search finds what is there, and ranks it as BM25 does.

One warehouse is asked random queries; what they must find follows from the texts alone.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import duckdb
import pytest
from click.testing import CliRunner
from conftest import ProjectMaker
from helpers.harness import Project
from hypothesis import settings
from oracles.search import Item, plain, search_words
from writers.logs import Conversation, OutputFolder, as_line

from pidgin_analytics import AsyncWarehouse, Warehouse, WarehouseError, command_line

EXTRA = [
    Path(folder)
    for folder in os.environ.get("PIDGIN_TEST_OUTPUT_DIRS", "").split(os.pathsep)
    if folder
]
# A query takes a tenth of a second, so the suite asks few; `thorough` many.
QUERIES = settings().max_examples // 10 if not EXTRA else 1000
WORDS = """
    the tea lamp storm storms stormy keeper keeper's keepers river rivers
    don't don’t dont can't it it's its café cafe cafés naïve straße strasse
    a I of and or not 42 3.5 foo_bar well-known state-of-the-art C++ 🙂
    İstanbul ΟΔΟΣ οδος Ёлка елка Ñandú São x2 rock''n'roll ʼtis hawaiʼi
    我喜欢猫 喜欢 猫 我用iPhone手机 手机 コーヒー コーヒーと紅茶 ガラス カラス
    나는 고양이를 고양이 สวัสดี ไทย
"""
GAPS = (" ", " ", " ", " ", ", ", ". ", "\n", " — ", "/", "\t", '" ')
HOSTILE = (
    *("", " ", '"', '""', "-", "--", "*", "-*", '-"', "'", "’", "';--", "%", "_", "\\"),
    "'; drop table messages; --",
    "') union select * from messages --",
    "$1 ? {{ query }} :name",
    "[a-z]+(.*)\\p{L}{1,1000}",
    '"never closed',
    "tea\x00lamp",
    "\u202etea\u202c \u200f\u05e9\u05dc\u05d5\u05dd",
    "\ufeff\ufffe\U0010ffff",
    "-tea",
    "* " * 50,
    "a" * 1_000_000,
    "tea " * 250_000,
    '"' * 1_000_000,
    "a* b* c* " * 100_000,
    "-x " * 300_000,
    "猫" * 300_000,
)


@dataclass(frozen=True)
class Found:
    """A warehouse, and the texts that it must find, by their key."""

    project: Project
    connection: duckdb.DuckDBPyConnection
    texts: dict[tuple[Any, ...], str]

    def keys(self, query: str) -> set[tuple[Any, ...]]:
        """Return the keys of what a query finds."""
        return set(self.scores(query))

    def scores(self, query: str) -> dict[tuple[Any, ...], float]:
        """Return the score of each text that a query finds."""
        rows = self.connection.execute(
            "select conversation_id, turn_number, agent_id, text_kind, score"
            " from search_messages(?)",
            [query],
        ).fetchall()
        found = {row[:4]: row[4] for row in rows}
        assert len(found) == len(rows)
        return found


def made_up_text(dice: random.Random) -> str:
    """Write words in any order, with all that may stand between them."""
    words = dice.choices(WORDS.split(), k=dice.randint(0, 12))
    return "".join(word + dice.choice(GAPS) for word in words)


def write_conversations(folder: OutputFolder) -> None:
    """Write conversations with thoughts, placeholders and replies of no turn."""
    dice = random.Random(19)
    for number in range(40):
        maker = Conversation(f"c{number}")
        events = [maker.begin()]
        for turn in range(4):
            at_b = {"turn_number": turn, "agent_id": "agent_b"}
            if dice.random() < 0.3:
                thought = made_up_text(dice)
                events.append(
                    maker.event("ThinkingComplete", **at_b, thinking_content=thought)
                )
            is_failed = dice.random() < 0.1
            answer = "[API error: tea]" if is_failed else made_up_text(dice)
            events += maker.turn(turn, made_up_text(dice), answer)
        events.append(maker.event("TurnStart", turn_number=4))
        events.append(maker.message("agent_a", made_up_text(dice)))
        folder.write(
            f"e{number % 3}_0000000{number % 3}/events_c{number}.jsonl",
            [as_line(event) for event in events],
        )


@pytest.fixture(scope="module", params=["made up", *EXTRA], ids=str)
def found(
    request: pytest.FixtureRequest,
    project: ProjectMaker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Found]:
    """Build a warehouse and read all texts in it."""
    if request.param == "made up":
        folder = OutputFolder(tmp_path_factory.mktemp("search") / "pidgin_output")
        write_conversations(folder)
        built = project(folder.path)
    else:
        built = project(request.param)
    built.build_only()
    with built.opened() as connection:
        texts = {
            row[:4]: row[4]
            for row in connection.execute(
                "select conversation_id, turn_number, agent_id, 'message', content"
                " from messages where content is not null and not is_api_error"
                " union all select conversation_id, turn_number, agent_id, 'thinking',"
                " thinking_content from thinking_traces"
                " where thinking_content is not null"
                " order by all"
            ).fetchall()
        }
        yield Found(built, connection, texts)


def some_words(found: Found, dice: random.Random, count: int) -> str:
    """Cut words that stand in a row out of some text, with what is between them."""
    while True:
        pieces = dice.choice(list(found.texts.values())).split()
        place = dice.randrange(max(1, len(pieces) - count + 1))
        text = " ".join(pieces[place : place + count]).replace('"', " ")
        if search_words(text):
            return text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Café", [("Café", False, False, False, " cafe ", ["cafe"])]),
        ('-"Hot Tea"', [('-"Hot Tea"', True, True, True, " hot tea ", ["hot", "tea"])]),
        ("well-kn*", [("well-kn*", False, False, True, " well kn", ["kn*", "well"])]),
        ("“Café”", [('"Café"', False, True, True, " café ", ["cafe"])]),
        ("猫", [("猫", False, False, False, "猫", ["猫"])]),
        ("tea tea", [("tea", False, False, False, " tea ", ["tea"])]),
        ("- * 🙂", []),
    ],
)
def test_what_a_query_asks_for(
    found: Found, query: str, expected: list[tuple[Any, ...]]
) -> None:
    """The first step of a search reads the query; the others take its rows."""
    rows = found.connection.execute(
        "select item, is_excluded, is_exact, is_checked, found_by,"
        " list_sort([asked.term || if(asked.is_prefix, '*', '') for asked in terms]),"
        " len(term_keys) = len(terms)"
        " from intermediate.search_items(?)",
        [query],
    ).fetchall()
    assert rows == [(*row, True) for row in expected]


def word(found: Found, dice: random.Random) -> Item:
    """Look for a word, often without its accents."""
    # Quotation marks in it would part it.
    text = dice.choice(some_words(found, dice, 1).split()).strip("-*”“„‟")
    if not search_words(text):
        return word(found, dice)
    return Item(plain(text) if dice.random() < 0.5 else text)


def phrase(found: Found, dice: random.Random) -> Item:
    """Look for words in a row."""
    return Item(
        some_words(found, dice, dice.randint(1, 4)).strip("”“„‟"), is_exact=True
    )


def prefix(found: Found, dice: random.Random) -> Item:
    """Look for the beginning of a word."""
    whole = dice.choice(search_words(some_words(found, dice, 1)))
    return Item(whole[: dice.randint(1, 4)], is_prefix=True)


def exclusion(found: Found, dice: random.Random) -> Item:
    """Look for what lacks any of these."""
    item = dice.choice([word, phrase, prefix])(found, dice)
    return Item(item.text, item.is_exact, item.is_prefix, is_excluded=True)


@pytest.mark.parametrize("kind", [word, phrase, prefix, exclusion])
def test_what_is_found_is_what_is_there(
    found: Found, kind: Callable[[Found, random.Random], Item]
) -> None:
    """Each kind of query, alone and beside others, finds what brute force finds."""
    dice = random.Random(kind.__name__)
    sizes = set()
    for _ in range(QUERIES):
        items = [kind(found, dice)]
        if items[0].is_excluded or dice.random() < 0.3:
            items.append(dice.choice([word, prefix])(found, dice))
        query = dice.choice([" ", "  ", "\n"]).join(item.query for item in items)
        query = query.replace('" ', '"').replace("'", dice.choice("'’"))
        expected = {
            key
            for key, text in found.texts.items()
            if all(item.suits(text) for item in items)
        }
        assert found.keys(query) == expected, (query, items)
        sizes.add(len(expected))
    assert len(sizes) > 3


def test_ranks_are_those_of_bm25(found: Found) -> None:
    """Scores equal those that another program computes."""
    dice = random.Random(2009)
    keys = list(found.texts)
    documents = [list(map(plain, search_words(found.texts[key]))) for key in keys]
    oracle = bm25s.BM25(k1=1.2, b=0.75, method="lucene", dtype="float64")
    oracle.index(documents, show_progress=False)
    # Words of one text, so that at least this one has them all.
    choices = [[word for word in words if word.isascii()] for words in documents]
    choices = [words for words in choices if words]
    count = 0
    for _ in range(QUERIES):
        words = dice.choice(choices)
        query = {dice.choice(words) for _ in range(dice.randint(1, 3))}
        scores = found.scores(" ".join(query))
        expected = dict(zip(keys, oracle.get_scores(sorted(query)), strict=True))
        assert scores
        for key, score in scores.items():
            assert abs(score - expected[key]) < 1e-9
        count += len(scores)
    assert count > QUERIES


@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: repr(query[:20]))
def test_hostile_queries_are_answered(found: Found, query: str) -> None:
    """Whatever is asked, an answer comes, and it is of these texts."""
    assert found.keys(query) <= {*found.texts}
    snippets = found.connection.execute(
        "select snippet from search_messages(?, max_hits := 3)", [query]
    ).fetchall()
    assert len(snippets) <= 3


def test_filters_and_snippets(found: Found) -> None:
    """Filters keep the score; a snippet is a piece of its text, with marks."""
    query = dict.fromkeys(search_words(max(found.texts.values(), key=len)))
    wanted = next(word for word in query if len(found.keys(word)) > 3)
    scores = found.scores(wanted)
    best = sorted(scores, key=lambda key: (-scores[key], key[0], *key[1:]))
    rows = found.connection.execute(
        "select conversation_id, turn_number, agent_id, text_kind, score, snippet"
        " from search_messages(?, max_hits := 3)"
        " order by score desc, conversation_id, turn_number, agent_id, text_kind",
        [wanted],
    ).fetchall()
    assert [row[:4] for row in rows] == best[:3]
    for *key, score, snippet in rows:
        assert score == scores[tuple(key)]
        assert "«" in snippet
        piece = snippet.replace("«", "").replace("»", "").strip("…")
        assert " ".join(piece.split()) in " ".join(found.texts[tuple(key)].split())
    agents = found.connection.execute(
        "select conversation_id, turn_number, agent_id, text_kind, score"
        " from search_messages(?, of_agent := 'agent_b', from_turn := 1, to_turn := 2)",
        [wanted],
    ).fetchall()
    assert {row[:4]: row[4] for row in agents} == {
        key: score
        for key, score in scores.items()
        if key[2] == "agent_b" and 1 <= key[1] <= 2
    }


@pytest.mark.parametrize(
    ("columns", "makes_snippets"), [("snippet", True), ("count(*)", False)]
)
def test_unwanted_snippets_are_not_made(
    found: Found, columns: str, makes_snippets: bool
) -> None:
    """The plan of a query has the steps of snippets only if it selects them."""
    ((_, plan),) = found.connection.execute(
        f"explain (format json) select {columns} from search_messages('the')"
    ).fetchall()
    assert ("found_pieces" in plan) == makes_snippets


def words_of_agents(found: Found) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """Return every use of a word, by conversation and agent."""
    uses: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for (conversation, turn, agent, kind), text in found.texts.items():
        if kind == "message":
            uses.setdefault((conversation, agent), []).extend(
                (turn, word) for word in re.findall(r"\b[\w']+\b", text.lower())
            )
    return uses


def test_words_and_who_took_them_up(found: Found) -> None:
    """Both views say what counting by hand says."""
    counted = {}
    for (conversation, agent), uses in words_of_agents(found).items():
        for word in {word for _, word in uses}:
            turns = [turn for turn, other in uses if other == word]
            counted[conversation, agent, word] = (
                *(min(turns), len(turns), len(set(turns))),
            )
    rows = found.connection.execute(
        "select conversation_id, agent_id, word, first_turn, uses, turns from word_use"
    ).fetchall()
    assert {row[:3]: row[3:] for row in rows} == counted
    assert len(rows) == len(counted)

    adopted = {}
    for (conversation, agent, word), (first, count, _) in counted.items():
        other = counted.get((conversation, "agent_b", word))
        if agent == "agent_a" and other is not None:
            sides = [(first, "agent_a", count), (other[0], "agent_b", other[1])]
            adopted[conversation, word] = (*sorted(sides),)
    rows = found.connection.execute(
        "select conversation_id, word, origin_turn, origin_agent_id, origin_uses,"
        " adopted_turn, adopter_agent_id, adopter_uses from word_adoptions"
    ).fetchall()
    assert {row[:2]: (row[2:5], row[5:]) for row in rows} == adopted
    assert len(rows) == len(adopted)
    flagged = found.connection.execute(
        "select distinct word from word_use where is_stop_word"
    ).fetchall()
    assert ("the",) in flagged
    assert ("storm",) not in flagged


def test_similar_conversations(found: Found) -> None:
    """The cosine is that of vectors made by hand."""
    counts: dict[str, Counter[str]] = {}
    for (conversation, _), uses in words_of_agents(found).items():
        counts.setdefault(conversation, Counter()).update(word for _, word in uses)
    counts = {conversation: words for conversation, words in counts.items() if words}
    holders = Counter(word for words in counts.values() for word in words)
    vectors = {
        conversation: {
            word: (1 + math.log(count)) * math.log(len(counts) / holders[word])
            for word, count in words.items()
        }
        for conversation, words in counts.items()
    }
    lengths = {name: math.hypot(*vector.values()) for name, vector in vectors.items()}
    for wanted in sorted(vectors)[:3]:
        rows = found.connection.execute(
            "select conversation_id, word_similarity, shared_words"
            " from similar_conversations(?)",
            [wanted],
        ).fetchall()
        others = {name for name in vectors if lengths[name] and name != wanted}
        assert {row[0] for row in rows} == (others if lengths[wanted] else set())
        assert [row[1] for row in rows] == sorted(
            (row[1] for row in rows), reverse=True
        )
        for name, similarity, shared_words in rows:
            shared = vectors[wanted].keys() & vectors[name].keys()
            product = sum(
                vectors[wanted][word] * vectors[name][word] for word in shared
            )
            expected = product / lengths[wanted] / lengths[name]
            assert abs(similarity - expected) < 1e-9
            assert shared_words == len(shared)


def test_from_python(found: Found) -> None:
    """A warehouse gives the same hits, the best first, with names beside them."""
    wanted = max(
        search_words(max(found.texts.values(), key=len)),
        key=lambda word: len(found.keys(word)),
    )
    scores = found.scores(wanted)
    with Warehouse(found.project.warehouse) as warehouse:
        hits = warehouse.search(wanted, limit=None)
        few = warehouse.search(wanted, limit=2, agent="agent_a", turns=(0, None))
        halves = warehouse.search(f"{wanted} \ud800")
        with pytest.raises(WarehouseError, match="negative"):
            warehouse.search(wanted, limit=-1)
        near = warehouse.near_words(f"{wanted} {wanted}qq lampq'")
    key = ("conversation_id", "turn_number", "agent_id", "text_kind")
    assert {tuple(hit[name] for name in key): hit["score"] for hit in hits} == scores
    assert [hit["score"] for hit in hits] == sorted(scores.values(), reverse=True)
    assert few == [hit for hit in hits if hit["agent_id"] == "agent_a"][:2]
    assert halves == hits[:20]
    assert wanted not in near
    assert wanted in near[f"{wanted}qq"] or len(wanted) < 3

    async def asked() -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
        async with AsyncWarehouse(found.project.warehouse) as warehouse:
            return (
                await warehouse.search(wanted, limit=None),
                await warehouse.near_words(f"{wanted} {wanted}qq lampq'"),
            )

    assert asyncio.run(asked()) == (hits, near)


def test_command(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command shows hits, says what was looked for, and writes JSON."""
    monkeypatch.setenv("PIDGIN_WAREHOUSE", str(found.project.warehouse))

    def said(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(command_line.main, ["search", *arguments])
        assert result.exit_code == code, result.output
        return result.output

    wanted = max(search_words(max(found.texts.values(), key=len)), key=len)
    hits = json.loads(said(wanted, "--json", "--limit", "1000"))
    assert {hit["conversation_id"] for hit in hits} == {
        conversation for conversation, *_ in found.keys(wanted)
    }
    shown = said(wanted, "--limit", "1")
    assert shown.startswith("1. ")
    assert "«" in shown
    assert "\x1b" not in shown
    assert json.loads(said(wanted, "--json", "--since", "2199-01-01")) == []
    assert "where you look: " in said(wanted, "--since", "2199-01-01T00:00+01:00")
    assert json.loads(said(wanted, "--json", "--model", "none")) == []
    turns = [
        {hit["turn_number"] for hit in json.loads(said(wanted, "--json", *options))}
        for options in (["--turns", "1..2"], ["--turns", "..0"], ["--turns", "1"])
    ]
    assert turns[0] <= {1, 2}
    assert turns[1] <= {0}
    assert turns[2] <= {1}
    nothing = said(f"{wanted}q \x1b[31mqqqqqqq")
    assert nothing.startswith(f"Nothing holds all of this: {wanted}q \ufffd[31mqqqqqqq")
    assert f"{wanted}q is nowhere" in nothing
    assert "Name the words to look for" in said(' "" * ', code=2)
    said(wanted, "--turns", "3...9", code=2)
    said(wanted, "--since", "yesterday", code=2)
