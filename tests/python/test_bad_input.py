"""Whatever lies in the output folder, the build is green and nothing is lost.

Nearly all bad input lies in one folder and is built once. Each case then has a test of
its own, and the comparison with the oracle runs over the whole.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import Any

import duckdb
import pytest
import test_marts_match_logs as comparison
from conftest import ProjectMaker
from helpers.harness import WITHOUT_TESTS, Project
from oracles.logs import Logs
from writers.logs import (
    START,
    Conversation,
    OutputFolder,
    as_line,
    conversation,
    joined,
    manifest,
)

# Two hours ahead of UTC in summer, one in winter; some of its times come twice a year.
TIMEZONE = "Europe/Berlin"
MIB = 1024 * 1024
# DuckDB 2.0 passes over files with a backslash in their name.
LISTS_BACKSLASHES = not duckdb.__version__.startswith("2.")

# Of a line in two parts, s, the first is rejected and the second an event.
KINDS = {"e": "event", "d": "duplicate", "r": "rejected", "b": "blank", "p": "pending"}


def event(name: str, number: int = 0, **fields: Any) -> str:
    """Write an event that no other case has."""
    maker = Conversation(f"line case {name}", START, number)
    return as_line(maker.event("SystemPrompt", prompt="Speak.", **fields))


@dataclass(frozen=True)
class LineCase:
    """The bytes of a file, and what its physical lines are, a letter of KINDS each."""

    content: bytes
    kinds: str
    reasons: tuple[str, ...] = ()


def line_cases() -> Iterator[tuple[str, LineCase]]:
    """Make every case that is about lines."""
    a, b, c = (event("common", number) for number in range(3))
    torn = a[:60]

    def case(
        name: str, content: bytes, kinds: str, *reasons: str
    ) -> tuple[str, LineCase]:
        # Lines of two cases must not be duplicates of each other.
        content = content.replace(b"line case common", f"case {name}".encode())
        return name, LineCase(content, kinds, reasons)

    yield case("whole", joined([a, b]), "ee")
    yield case("no final newline", joined([a, b])[:-1], "ee")
    yield case(
        "malformed in the middle",
        joined([a, '{"event_type": "Brok', "}{", b]),
        "erre",
        "not valid JSON",
        "not valid JSON",
    )
    yield case("torn last line", joined([a]) + torn.encode(), "ep")
    yield case("torn line alone", torn.encode(), "p")
    yield case("torn in a character", joined([a]) + '{"prompt":"é'.encode()[:-1], "ep")
    # The writer was killed, and appended when it came back.
    yield case("torn and continued", joined([a, torn + b, c]), "ese", "not valid JSON")
    yield case("torn, then blank", joined([a, torn, ""]), "erb", "not valid JSON")
    yield case("torn, then spaces", joined([a, torn]) + b"  ", "erb", "not valid JSON")
    yield case(
        "lone surrogates",
        joined(
            [
                a[:-1] + ',"x":"cut \\ud83d"}',
                b[:-1] + ',"x":"\\udc4b and \\\\ud83d and \\ud83d\\udc4b"}',
                c[:-1] + ',"\\ud83d":1}',
            ]
        ),
        "eee",
    )
    yield case(
        "not UTF-8",
        joined([a]) + b'{"event_type":"\xff\xfe"}\n' + joined([b, ""]),
        "ereb",
        "not valid UTF-8",
    )
    yield case(
        "not UTF-8, CRLF",
        joined([a], "\r\n") + b"\xc3\r\n" + joined(["", b], "\r\n"),
        "erbe",
        "not valid UTF-8",
    )
    yield case("not UTF-8, torn", joined([a]) + b"\xff" + torn.encode(), "ep")
    yield case("only bytes", bytes(range(128, 256)) + b"\n", "r", "not valid UTF-8")
    yield case(
        "NUL bytes",
        joined([a]) + b'{"event_type":"\0"}\n' + b"\0" * 4096 + b"\n" + joined([b]),
        "erre",
        "not valid JSON",
        "not valid JSON",
    )
    yield case("escaped NUL", joined([a[:-1] + ',"x":"\\u0000"}']), "e")
    yield case("empty", b"", "")
    yield case("one newline", b"\n", "b")
    yield case("only blank lines", b"\n\n  \n\t\r\n\n", "bbbbb")
    yield case("only spaces", b"   ", "b")
    yield case("CRLF", joined([a, b], "\r\n"), "ee")
    yield case(
        "CRLF and LF", joined([a], "\r\n") + joined([b]) + joined([c], "\r\n"), "eee"
    )
    yield case(
        "LF and CRLF", joined([a]) + joined([b], "\r\n") + joined([c], "\n"), "eee"
    )
    yield case("CR", joined([a, b, c], "\r"), "eee")
    yield case("blank in between", joined([a, "", b, "   ", "", c]), "ebebbe")
    yield case("blank first", joined(["", "", a]), "bbe")
    yield case("blank in between, CRLF", joined([a, "", b], "\r\n"), "ebe")
    yield case("BOM", b"\xef\xbb\xbf" + joined([a, b]), "ee")
    yield case(
        "BOM, not UTF-8",
        b"\xef\xbb\xbf" + joined([a]) + b"\xff\n" + joined([b]),
        "ere",
        "not valid UTF-8",
    )
    yield case("UTF-16", (a + "\n").encode("utf-16"), "rp", "not valid UTF-8")
    yield case("padded", joined([f"  {a}\t", f"\t{b}"]), "ee")
    yield case("twice", joined([a, b, a, a]), "eedd")
    yield case(
        "not Pidgin's",
        joined(['{"a": 1}', "[1, 2]", '"text"', "42", "null", "true", "a,b", "{}"]),
        "rrrrrrrr",
        "no event_type",
        *["not a JSON object"] * 5,
        "not valid JSON",
        "no event_type",
    )
    yield case(
        "no event type",
        joined([f'{{"event_type":{value}}}' for value in ('""', "null")]),
        "rr",
        *["no event_type"] * 2,
    )
    yield case(
        "event type that is no text",
        joined([f'{{"event_type":{value}}}' for value in ("5", "{}", "[]", "true")]),
        "rrrr",
        *["no event_type"] * 4,
    )
    yield case(
        "new event types", joined([a.replace("SystemPrompt", "Brandnew"), b]), "ee"
    )
    yield case(
        "no conversation",
        joined(
            [
                '{"event_type":"ExperimentCompleteEvent","n":1}',
                '{"event_type":"ExperimentCompleteEvent","conversation_id":null}',
                '{"event_type":"ExperimentCompleteEvent","conversation_id":""}',
            ]
        ),
        "eee",
    )
    yield case("NaN", joined([a[:-1] + ',"x":NaN,"y":-Infinity,"z":1e999}']), "e")
    yield case("long number", joined([a[:-1] + f',"x":{"9" * 5000}}}']), "e")
    yield case("deep", joined([a[:-1] + f',"x":{"[" * 900}{"]" * 900}}}', b]), "ee")
    yield case(
        "long line", joined([a, b[:-1] + f',"x":"{"y" * 17 * MIB}"}}', c]), "eee"
    )
    yield case(
        "long line that is torn",
        joined([a]) + b.encode()[:-1] + b',"x":"' + b"y" * 17 * MIB,
        "ep",
    )
    yield case("long rejected line", joined(["x" * 5000]), "r", "not valid JSON")


LINE_CASES = dict(line_cases())

# Folders and files called so; every character that SQL, Jinja, a format string, a glob,
# a shell or an option parser gives a meaning.
NAMES = (
    "with space",
    "it's",
    'a "quoted" one',
    "[brackets] [a-z]",
    "100%",
    "%s %(x)s %",
    "{braces} {0}",
    "{{ jinja }}",
    "{% raw %}",
    "{# comment #}",
    "star*",
    "ques?ion",
    "$HOME ${HOME}",
    "`id`",
    "semi; colon -- comment",
    "/*comment*/".replace("/", "∕"),
    "naïve 会話 🙂 नमस्ते",
    "-dash",
    "--vars",
    "#hash",
    "~",
    "comma, dot.",
    "a=b&c",
    "tab\there",
    "new\nline",
    ".hidden",
)


def write_stories(folder: OutputFolder) -> None:
    """Write conversations and experiments that went wrong as a whole."""
    story = folder.write

    # Manifests and logs without each other, and manifests that cannot be read.
    story("bare_00000001/events_bare.jsonl", conversation("bare"))
    story("broken_00000002/manifest.json", '{"experiment_id": "experiment_0000')
    story("broken_00000002/events_broken.jsonl", conversation("broken"))
    story("list_00000003/manifest.json", '[{"experiment_id": "experiment_00000003"}]')
    story("list_00000003/events_list.jsonl", conversation("list"))
    story(
        "promise_00000004/manifest.json",
        manifest("experiment_00000004", [], name="promise", error="no key"),
    )
    story("empty_00000005/manifest.json", b"")
    story("bytes_00000006/manifest.json", b'{"experiment_id": "\xff"}')
    story("other program/manifest.json", {"name": "web app", "icons": []})
    story(
        "odd_00000007/manifest.json",
        {
            "experiment_id": "experiment_00000007",
            "name": None,
            "config": [],
            "conversations": ["odd"],
            "created_at": "yesterday",
            "total_conversations": "two",
        },
    )
    story("odd_00000007/events_odd.jsonl", conversation("odd"))
    story(
        "hollow_00000008/manifest.json",
        manifest("experiment_00000008", []) | {"conversations": {"hollow": None}},
    )
    story("hollow_00000008/events_hollow.jsonl", conversation("hollow"))

    # The same conversation in two folders, and a copy made while it still ran.
    lines = conversation("copied")
    for name in ("copied_00000009", "backup of copied_00000009"):
        story(f"{name}/manifest.json", manifest("experiment_00000009", ["copied"]))
        story(f"{name}/events_copied.jsonl", lines)
    lines = conversation("grown")
    story("a copy_0000000a/events_grown.jsonl", lines[:4])
    story("grown_0000000a/events_grown.jsonl", lines)
    story(
        "grown_0000000a/manifest.json",
        manifest("experiment_0000000a", ["grown"]),
    )

    # Turns that come again, lines after the end, ends that come again.
    maker = Conversation("again")
    story(
        "again_0000000b/events_again.jsonl",
        map(
            as_line,
            [
                maker.begin(),
                *maker.turn(0, "first answer", "first reply", 0.1),
                *maker.turn(1, "second", "second too", 0.2),
                *maker.turn(0, "better answer", "better reply", 0.9),
                maker.end(),
            ],
        ),
    )
    maker = Conversation("late")
    story(
        "late_0000000c/events_late.jsonl",
        map(
            as_line,
            [
                maker.begin(),
                *maker.turn(0, "so far", "so good"),
                maker.event("TurnStart", turn_number=1),
                maker.event("MessageRequest", turn_number=1, agent_id="agent_a"),
                maker.end("user_interrupt"),
                maker.message("agent_a", "too late"),
            ],
        ),
    )
    maker = Conversation("two ends")
    story(
        "ends_0000000d/events_ends.jsonl",
        map(
            as_line,
            [
                maker.begin(),
                *maker.turn(0, "one", "two"),
                maker.end("high_convergence"),
                maker.end("completed"),
            ],
        ),
    )

    # Messages that do not fit small integers.
    maker = Conversation("large")
    story(
        "large_0000000e/events_large.jsonl",
        map(
            as_line,
            [
                maker.begin(),
                *maker.turn(0, "Yes. " * 40_000, "word" + " word" * 99),
                *maker.turn(1, "x" * 100_000, "? " * 300),
                maker.end(),
            ],
        ),
    )

    # August 2025: one file for all conversations.
    left, right = (conversation(f"{side} lane") for side in ("left", "right"))
    story(
        "lanes_0000000f/events.jsonl",
        [line for pair in zip(left, right, strict=True) for line in pair],
    )

    # June 2025: nested, in local time without an offset.
    nested = []
    for line in conversation("june", [("Hi", "Ho")], "completed"):
        fields = json.loads(line)
        moment = datetime.fromisoformat(fields.pop("timestamp")) - timedelta(days=258)
        kind = fields.pop("event_type")
        nested.append(
            json.dumps(
                {
                    "timestamp": moment.replace(tzinfo=None).isoformat(),
                    "event_type": kind,
                    "beside": "what no version of Pidgin writes there",
                    "data": fields | {"empty": None},
                }
            )
        )
    story("conversations/2025-06-16/111324_e4tgs/events.jsonl", nested)

    # Times that are none, and times written in other ways.
    maker = Conversation("times")
    times = (
        "2026-07-01T12:00:00",
        "2026-01-01T12:00:00.5",
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00-05:30",
        "2026-02-30T12:00:00",
        "yesterday",
        "",
        "2026-01-01T25:00:00+00:00",
        1767268800,
        None,
        ["2026-01-01T12:00:00"],
    )
    story(
        "times_00000010/events_times.jsonl",
        [
            as_line(maker.event("SystemPrompt", number=number) | {"timestamp": time})
            for number, time in enumerate(times)
        ],
    )
    maker = Conversation("timeless")
    story(
        "timeless_00000011/events_timeless.jsonl",
        [
            as_line(event | {"timestamp": "no idea"})
            for event in [maker.begin(), *maker.turn(0, "when", "then"), maker.end()]
        ],
    )

    # Numbers as text, numbers that are none, fields of other types than expected.
    maker = Conversation("texts")
    story(
        "texts_00000012/events_texts.jsonl",
        map(
            as_line,
            [
                maker.begin(),
                *maker.turn("0", "as text", "as text", score="0.75"),
                *maker.turn(1, "not a number", "nor here", score=float("nan")),
                *maker.turn("many", "no turn", "no turn"),
                maker.message("agent_a", "x", prompt_tokens="12", duration_ms="soon"),
                maker.event("MessageComplete", agent_id="agent_a", message="text"),
                maker.event("TurnComplete", turn_number=2, turn="nothing"),
                maker.event("TurnComplete", turn_number=3, turn={"agent_a_message": 1}),
                maker.event("TurnComplete", turn_number=None, turn=None),
                maker.event("ConversationEnd", reason=None),
            ],
        ),
    )

    # Text that would do harm if it were ever taken for anything else.
    maker = Conversation("hostile'; drop table events; --")
    story(
        "hostile_00000013/events_hostile.jsonl",
        map(
            as_line,
            [
                maker.begin(initial_prompt="{{ 1 // 0 }}{% endraw %}"),
                *maker.turn(0, HOSTILE, HOSTILE[::-1]),
                maker.end("'); drop table events; --"),
            ],
        ),
    )
    story(
        "hostile_00000013/manifest.json",
        manifest(
            "experiment_00000013",
            ["hostile'; drop table events; --"],
            name="<script>alert(1)</script>",
        ),
    )

    # Words of every kind, and what looks like one; their counts are the oracle's.
    maker = Conversation("words")
    story(
        "words_00000015/events_words.jsonl",
        map(as_line, [maker.begin(), *maker.turn(0, WORDS, WORDS.swapcase())]),
    )

    # Numbers that are none of a conversation's, and what they were once added to.
    maker = Conversation("absurd")
    usage = {"agent_id": "agent_a", "model": "claude-3-5-haiku-20241022"}
    story(
        "absurd_00000016/events_absurd.jsonl",
        map(
            as_line,
            [
                maker.begin() | {"max_turns": 1e30},
                *maker.turn(0, "Once", "upon", score=float("inf")),
                maker.event(
                    "TokenUsage",
                    **usage,
                    prompt_tokens=9 * 10**18,
                    completion_tokens=5,
                    tokens_used=9 * 10**18 + 5,
                ),
                maker.event(
                    "TokenUsage",
                    **usage,
                    prompt_tokens=10.0,
                    completion_tokens="7",
                    tokens_used=17.5,
                ),
                *maker.turn(1, "a", "time", score=-1e308),
                *maker.turn(2**30, "no turn", "has this number", score=0.5),
                *maker.turn(-1, "nor", "this", score=0.5),
                maker.event("RateLimitPace", provider="x", wait_time=float("inf")),
                maker.event("APIError", context="Turn 99999999999", retryable="maybe"),
                *maker.turn(2, "there", "was", score=0.75),
                maker.event("SystemPrompt")
                | {"timestamp": "0001-01-01T00:00:00+00:00"},
                maker.end() | {"timestamp": "9999-12-31T23:59:59+00:00"},
            ],
        ),
    )
    story(
        "absurd_00000016/manifest.json",
        manifest("experiment_00000016", ["absurd"], total_conversations=1e30),
    )

    # Messages in blocks, as providers give them, and an agent that Pidgin has not.
    maker = Conversation("blocks")
    thinking = {"type": "thinking", "thinking": "let me see"}
    text = {"type": "text", "text": "Hello dear friend."}
    events = [
        maker.begin(),
        maker.event("TurnStart", turn_number=0),
        maker.message("agent_a", [thinking, text]),
        maker.message("agent_b", "[1, 2]"),
        maker.message("agent_c", "I am agent_c"),
        maker.event("TokenUsage", agent_id="agent_c", model="gpt-4o", prompt_tokens=5),
        maker.event(
            "TurnComplete",
            turn_number=0,
            turn={
                "agent_a_message": {"content": [thinking, text]},
                "agent_b_message": {"content": "[1, 2]"},
                "agent_c_message": {"content": "I am agent_c"},
            },
        ),
    ]
    story("blocks_00000017/events_blocks.jsonl", map(as_line, events))

    # July 2025: manifests were in UTC without saying so, events in local time.
    story(
        "exp_00000018/conv_exp_00000018_00000018_events.jsonl",
        [
            as_line(event | {"timestamp": "2025-07-08T12:00:00"})
            for event in [Conversation("naive").begin()]
        ],
    )
    story(
        "exp_00000018/manifest.json",
        manifest("exp_00000018", ["naive"], created_at="2025-07-08T10:00:00"),
    )

    # What a model cost that changed on the way, one spelt in another way, and a reply
    # that nobody reported.
    maker = Conversation("costs")

    def report(agent: str, model: str, tokens: int) -> Any:
        return maker.event(
            "TokenUsage",
            agent_id=agent,
            model=model,
            prompt_tokens=tokens,
            completion_tokens=0,
            tokens_used=tokens,
        )

    unreported = {"prompt_tokens": 700_000, "completion_tokens": 0}
    story(
        "costs_00000019/events_costs.jsonl",
        map(
            as_line,
            [
                maker.begin(),
                maker.event("TurnStart", turn_number=0),
                maker.message("agent_a", "one"),
                report("agent_a", "claude-3-5-haiku-latest", 1_000_000),
                report("agent_a", "CLAUDE-OPUS-4-1-20250805 ", 1_000_000),
                maker.message("agent_b", "two"),
                report("agent_b", "claude-3-5-haiku-20241022", 500_000),
                maker.message("agent_b", "three", **unreported),
            ],
        ),
    )

    # An answer that was cut inside an emoji.
    maker = Conversation("cut")
    story(
        "cut_00000014/events_cut.jsonl",
        map(
            as_line, [maker.begin(), *maker.turn(0, "bye \ud83d", "\U0001f44b \udc4b")]
        ),
    )


WORDS = (
    "İstanbul IJsselmeer ΟΔΟΣ ΣΑΣ. Σ ΑΣ' ΑΣΑ 'ΣΣ' straße ẞ ǅ ﬁ Å Å naïve cafe\u0301 "
    "don't don’t 'tis dogs' rock'n'roll ''a''b'' x_1 _ __a__ 3.14 1,000 ½ ① Ⅷ ² ＡＢ "
    "हिन्दी ไทย 会話 かな العربية עברית 한국어 a\u200bb a\u00adb e\u0301 🙂 -- ’ ' ''"
)
HOSTILE = (
    "Robert'); DROP TABLE events; -- \" \\ \\' $$ ${HOME} {{ x }} {% y %} {# z #} %s"
    " {0} <script>alert('x')</script> \x00 \x1b[31m \u202e \u2028 ]]> */ /* --"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> OutputFolder:
    """Write all bad input."""
    folder = OutputFolder(tmp_path_factory.mktemp("bad") / "pidgin_output")
    for name, case in LINE_CASES.items():
        folder.write(f"lines/{name}.jsonl", case.content)
    for name in NAMES:
        folder.write(f"names/{name}/{name}.jsonl", joined([event(f"name {name}")]))
    if LISTS_BACKSLASHES:
        # It names no experiment: on Windows a backslash separates folders.
        folder.write(
            "back\\slash.jsonl", joined(['{"event_type":"SystemPromptEvent"}'])
        )
    write_stories(folder)

    links = folder.path / "links"
    folder.write("links/real.jsonl", joined([event("linked")]))
    (links / "loop").symlink_to(links, target_is_directory=True)
    (links / "up").symlink_to(folder.path, target_is_directory=True)
    (links / "again.jsonl").symlink_to("real.jsonl")
    (links / "nowhere.jsonl").symlink_to("no such file")
    (links / "folder.jsonl").symlink_to(folder.path, target_is_directory=True)
    (links / "manifest.json").mkdir()
    return folder


@pytest.fixture(scope="module")
def reading(folder: OutputFolder, project: ProjectMaker) -> comparison.Reading:
    """Build it once, with the project's own tests, and read it with the oracle."""
    built = project(folder.path, PIDGIN_TIMEZONE=TIMEZONE)
    built.build_and_test()
    return comparison.Reading(built, Logs(folder.path, TIMEZONE))


@pytest.fixture(scope="module")
def built(reading: comparison.Reading) -> Project:
    """Give the project alone."""
    return reading.project


def counts(project: Project, path: Path) -> tuple[int, ...]:
    """Return the counts of one file."""
    (row,) = project.query(
        "select line_count, event_count, duplicate_count, rejected_count, pending_count"
        " from event_files where source_file = ?",
        [str(path)],
    )
    return row


@pytest.mark.parametrize("name", LINE_CASES)
def test_each_line_becomes_what_it_is(
    built: Project, folder: OutputFolder, name: str
) -> None:
    """Events and rejected lines stand where they stood; the counts cover the rest."""
    case = LINE_CASES[name]
    path = folder.path / f"lines/{name}.jsonl"
    numbers = {
        kind: [
            n
            for n, letter in enumerate(case.kinds, start=1)
            if letter == kind or (letter == "s" and kind in "er")
        ]
        for kind in KINDS
    }
    assert counts(built, path) == (
        len(numbers["e"] + numbers["d"] + numbers["r"]),
        len(numbers["e"]),
        len(numbers["d"]),
        len(numbers["r"]),
        len(numbers["p"]),
    )
    events = built.query(
        "select line_number from events where source_file = ? order by all", [str(path)]
    )
    assert [number for (number,) in events] == numbers["e"]
    rejected = built.query(
        "select line_number, reason from rejected_lines where source_file = ?"
        " order by all",
        [str(path)],
    )
    assert rejected == list(zip(numbers["r"], case.reasons, strict=True))


def test_rejected_lines_keep_their_text(built: Project) -> None:
    """The text is there, cut to the stated length; bytes that are no text are shown."""
    rejected: dict[str, str] = dict(
        built.query(
            "select parse_filename(source_file, true), line from rejected_lines"
            " where reason != 'no event_type' and line_number <= 2"
            " order by line_number desc"
        )
    )
    assert rejected["malformed in the middle"] == '{"event_type": "Brok'
    assert rejected["long rejected line"] == "x" * 1000
    assert "\\xFF\\xFE" in rejected["not UTF-8"]


@pytest.mark.parametrize("name", NAMES)
def test_names_mean_nothing(built: Project, folder: OutputFolder, name: str) -> None:
    """A file is found, read and named as it is, whatever it is called."""
    path = folder.path / "names" / name / f"{name}.jsonl"
    assert counts(built, path) == (1, 1, 0, 0, 0)
    assert built.query(
        "select count(*) from events where source_file = ?", [str(path)]
    ) == [(1,)]


@pytest.mark.skipif(
    not LISTS_BACKSLASHES, reason="this DuckDB lists no file with a backslash"
)
def test_backslash_in_a_name(built: Project, folder: OutputFolder) -> None:
    """A file whose name holds a backslash is read like others."""
    assert counts(built, folder.path / "back\\slash.jsonl") == (1, 1, 0, 0, 0)


def test_links(built: Project, folder: OutputFolder) -> None:
    """A link to a file is a copy of it; other links, and folders, are no files."""
    links = folder.path / "links"
    found = built.query(
        "select source_file from event_files where contains(source_file, '/links/')"
        " order by all"
    )
    assert found == [(str(links / "again.jsonl"),), (str(links / "real.jsonl"),)]
    assert counts(built, links / "again.jsonl")[1:3] == (1, 0)
    assert counts(built, links / "real.jsonl")[1:3] == (0, 1)


COMPARISONS: list[Callable[[comparison.Reading], None]] = [
    function
    for name, function in vars(comparison).items()
    if name.startswith("test_") and list(signature(function).parameters) == ["reading"]
]


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda f: f.__name__)
def test_marts_match_the_oracle(
    reading: comparison.Reading, compare: Callable[[comparison.Reading], None]
) -> None:
    """Nothing that is wrong in one place spoils another."""
    compare(reading)


def experiment(project: Project, experiment_id: str) -> tuple[Any, ...]:
    """Return name, state of the manifest and number of conversations."""
    (row,) = project.query(
        "select name, manifest_state, stats.total_conversations, status"
        " from experiments where experiment_id = ?",
        [experiment_id],
    )
    return row


@pytest.mark.parametrize(
    ("experiment_id", "expected"),
    [
        ("experiment_00000001", ("experiment_00000001", "missing", 1, "completed")),
        ("experiment_00000002", ("experiment_00000002", "unreadable", 1, "completed")),
        ("experiment_00000003", ("experiment_00000003", "unreadable", 1, "completed")),
        ("experiment_00000004", ("promise", "readable", 0, "failed")),
        ("experiment_00000005", ("experiment_00000005", "unreadable", 0, "unfinished")),
        ("experiment_00000006", ("experiment_00000006", "unreadable", 0, "unfinished")),
        ("experiment_00000007", ("experiment_00000007", "readable", 1, "completed")),
        ("experiment_00000008", ("experiment_00000008", "readable", 1, "completed")),
        ("experiment_00000009", ("experiment_00000009", "readable", 1, "completed")),
    ],
)
def test_manifests(
    built: Project, experiment_id: str, expected: tuple[Any, ...]
) -> None:
    """Each experiment has one row, whatever became of its manifest and its logs."""
    if experiment_id == "experiment_00000004":
        # It promised no conversation, so none is missing.
        assert experiment(built, experiment_id)[:3] == expected[:3]
    else:
        assert experiment(built, experiment_id) == expected


def test_manifests_of_other_programs_are_no_experiments(built: Project) -> None:
    """A manifest.json without an experiment's id is none of ours."""
    assert built.query("select 1 from experiments where name = 'web app'") == []


def test_copied_folders(built: Project, folder: OutputFolder) -> None:
    """A copy adds duplicates and nothing else."""
    first = folder.path / "backup of copied_00000009" / "events_copied.jsonl"
    second = folder.path / "copied_00000009" / "events_copied.jsonl"
    lines = len(conversation("copied"))
    assert counts(built, first) == (lines, lines, 0, 0, 0)
    assert counts(built, second) == (lines, 0, lines, 0, 0)
    assert experiment(built, "experiment_00000009")[2] == 1

    prefix = folder.path / "a copy_0000000a" / "events_grown.jsonl"
    whole = folder.path / "grown_0000000a" / "events_grown.jsonl"
    lines = len(conversation("grown"))
    assert counts(built, prefix)[1:3] == (4, 0)
    assert counts(built, whole)[1:3] == (lines - 4, 4)
    assert built.query(
        "select status, turn_count, experiment_id from conversations"
        " where conversation_id = 'grown'"
    ) == [("completed", 2, "experiment_0000000a")]


def test_turns_that_come_again(built: Project) -> None:
    """The last record of a turn counts, and its messages with it."""
    assert built.query(
        "select turn_number, convergence_score from turn_metrics"
        " where conversation_id = 'again' order by all"
    ) == [(0, 0.9), (1, 0.2)]
    assert built.query(
        "select content from messages"
        " where conversation_id = 'again' and turn_number = 0 order by agent_id"
    ) == [("better answer",), ("better reply",)]


def test_lines_after_the_end(built: Project) -> None:
    """A late reply is kept and does not reopen the conversation."""
    assert built.query(
        "select status, end_reason, turn_count from conversations"
        " where conversation_id = 'late'"
    ) == [("interrupted", "user_interrupt", 1)]
    assert built.query(
        "select content, is_turn_complete from messages"
        " where conversation_id = 'late' and turn_number = 1"
    ) == [("too late", False)]


def test_two_ends(built: Project) -> None:
    """The first end is the cause."""
    assert built.query(
        "select status, end_reason from conversations"
        " where conversation_id = 'two ends'"
    ) == [("completed", "high_convergence")]


def test_large_messages(built: Project) -> None:
    """No number is too small for a long message."""
    ((large, long),) = built.query(
        "select max(length(content)) filter (where turn_number = 0),"
        " max(length(content)) filter (where turn_number = 1)"
        " from messages where conversation_id = 'large'"
    )
    assert (large, long) == (len("Yes. " * 40_000), 100_000)
    assert built.query(
        "select agent_a_word_frequencies['yes'], agent_b_word_frequencies['word']"
        " from turn_metrics where conversation_id = 'large' and turn_number = 0"
    ) == [(40_000, 100)]


def test_times(built: Project) -> None:
    """Times without an offset are of PIDGIN_TIMEZONE; what is no time is NULL."""
    times = [
        moment
        for (moment,) in built.query(
            "select timestamp from events where conversation_id = 'times'"
            " order by line_number"
        )
    ]
    assert times == [
        datetime(2026, 7, 1, 10, tzinfo=UTC),
        datetime(2026, 1, 1, 11, 0, 0, 500_000, tzinfo=UTC),
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 1, 17, 30, tzinfo=UTC),
        *[None] * 7,
    ]
    assert built.query(
        "select started_at, status from conversations"
        " where conversation_id = '111324_e4tgs' or conversation_id = 'june'"
    ) == [(datetime(2025, 6, 16, 10, tzinfo=UTC), "interrupted")]
    # Fields beside "data" and empty ones are part of the event.
    assert built.query(
        "select distinct event_data ->> '$.beside', json_type(event_data, '$.empty')"
        " from events where source_file like '%111324_e4tgs%'"
    ) == [("what no version of Pidgin writes there", "NULL")]
    assert built.query(
        "select status, turn_count, started_at from conversations"
        " where conversation_id = 'timeless'"
    ) == [("completed", 1, None)]


def test_times_are_instants_in_every_session(built: Project) -> None:
    """The reader's own zone shifts neither moments nor days."""
    sql = (
        "select line_number, timestamp, event_date, epoch_ms(timestamp) from events"
        " where conversation_id = 'times' order by all"
    )
    assert built.query(sql, timezone="America/Los_Angeles") == built.query(sql)
    state = (
        "select * from conversation_state_as_of("
        f"timestamptz '{START + timedelta(seconds=3)}') order by all"
    )
    assert built.query(state, timezone="Asia/Kolkata") == built.query(state)


def test_numbers_as_text(built: Project) -> None:
    """Numbers are numbers also as text; what is no number is NULL, NaN above all."""
    assert built.query(
        "select turn_number, convergence_score from turn_metrics"
        " where conversation_id = 'texts' order by all"
    ) == [(0, 0.75), (1, None), (2, None), (3, None)]


def test_absurd_numbers(built: Project) -> None:
    """What no conversation can have is NULL; the event keeps what it says."""
    assert built.query(
        "select max_turns, turn_count, status, ended_at from conversations"
        " where conversation_id = 'absurd'"
    ) == [(None, 3, "completed", None)]
    assert built.query(
        "select turn_number, convergence_score from turn_metrics"
        " where conversation_id = 'absurd' order by all"
    ) == [(0, None), (1, None), (2, 0.75)]
    assert built.query(
        "select distinct turn_number from messages where conversation_id = 'absurd'"
        " order by all"
    ) == [(0,), (1,), (2,)]
    assert built.query(
        "select incident_type, turn_number, seconds, is_retryable from incidents"
        " where conversation_id = 'absurd' order by all"
    ) == [("api_error", None, None, None), ("rate_limit_wait", None, None, None)]
    # Two reports of which one can be read, and four replies without any.
    assert built.query(
        "select call_count, reported_call_count, uncounted_call_count, prompt_tokens,"
        " completion_tokens, cost_usd from token_usage"
        " where conversation_id = 'absurd' and agent_id = 'agent_a'"
    ) == [(6, 2, 1, 50, 32, None)]
    assert built.query(
        "select planned_conversations, duration < interval '1 hour' from experiments"
        " where experiment_id = 'experiment_00000016'"
    ) == [(None, True)]
    assert built.query(
        "select count(*), count(*) filter (where turn_number is null)"
        " from events where conversation_id = 'absurd' and event_type like 'Turn%'"
    ) == [(10, 4)]
    assert built.query(
        "select distinct json_extract_string(event_data, '$.turn_number') from events"
        " where conversation_id = 'absurd' and event_type = 'TurnCompleteEvent'"
        " and turn_number is null order by all"
    ) == [("-1",), (str(2**30),)]


def test_messages_in_blocks(built: Project) -> None:
    """Blocks of text are the text; a third agent has events and no messages."""
    assert built.query(
        "select agent_id, content from messages where conversation_id = 'blocks'"
        " order by all"
    ) == [("agent_a", "Hello dear friend."), ("agent_b", "[1, 2]")]
    assert built.query(
        "select word_count from message_metrics where conversation_id = 'blocks'"
        " order by agent_id"
    ) == [(3,), (2,)]
    assert built.query("select count(*) from events where agent_id = 'agent_c'") == [
        (2,)
    ]


def test_naive_times_of_manifests_are_utc(built: Project) -> None:
    """Pidgin wrote them so, whatever the zone of the events."""
    assert built.query(
        "select created_at, started_at from experiments"
        " where experiment_id = 'exp_00000018'"
    ) == [(datetime(2025, 7, 8, 10, tzinfo=UTC),) * 2]


def test_costs_of_each_call(built: Project) -> None:
    """A dollar is of the model that was asked, however it is spelt."""
    assert built.query(
        "select agent_id, model, models, call_count, reported_call_count,"
        " prompt_tokens, cost_usd from token_usage where conversation_id = 'costs'"
        " order by all"
    ) == [
        (
            "agent_a",
            None,
            ["claude-3-5-haiku-20241022", "claude-opus-4-1-20250805"],
            2,
            2,
            2_000_000,
            15.8,
        ),
        (
            "agent_b",
            "claude-3-5-haiku-20241022",
            ["claude-3-5-haiku-20241022"],
            2,
            1,
            1_200_000,
            0.96,
        ),
    ]


def test_hostile_text(built: Project) -> None:
    """Text is data and comes through unchanged."""
    assert built.query(
        "select content from messages where turn_number = 0"
        " and conversation_id like 'hostile%' order by agent_id"
    ) == [(HOSTILE,), (HOSTILE[::-1],)]
    assert experiment(built, "experiment_00000013")[0] == "<script>alert(1)</script>"
    assert built.query(
        "select initial_prompt, end_reason from conversations"
        " where conversation_id like 'hostile%'"
    ) == [("{{ 1 // 0 }}{% endraw %}", "'); drop table events; --")]


def test_half_an_emoji(built: Project) -> None:
    """Half a surrogate pair reads as U+FFFD; whole pairs stay."""
    assert built.query(
        "select content from messages where conversation_id = 'cut' order by agent_id"
    ) == [("bye \ufffd",), ("\U0001f44b \ufffd",)]


def test_torn_lines_are_read_once_whole(tmp_path: Path, project: ProjectMaker) -> None:
    """A torn line becomes an event, or is rejected, once it has its end."""
    folder = OutputFolder(tmp_path / "out")
    lines = conversation("torn")
    for name in ("completed", "abandoned", "still torn"):
        content = joined([event(name), event(name, 1)])
        folder.write(f"{name}.jsonl", content[:-20])
    running = joined(lines)[:-20]
    folder.write("torn_00000001/events_torn.jsonl", running)
    torn = project(folder.path)
    torn.build_only()
    assert torn.query(
        "select distinct line_count, event_count, pending_count from event_files"
        " where not contains(source_file, 'events_torn')"
    ) == [(1, 1, 1)]
    assert torn.query("select * from rejected_lines") == []
    assert torn.query("select distinct status from conversations") == [("unfinished",)]

    folder.append("completed.jsonl", joined([event("completed", 1)])[-20:])
    folder.append("abandoned.jsonl", joined(["", event("abandoned", 2)]))
    folder.append("torn_00000001/events_torn.jsonl", joined(lines)[-20:])
    torn.build_only()
    assert counts(torn, folder.path / "completed.jsonl") == (2, 2, 0, 0, 0)
    assert counts(torn, folder.path / "abandoned.jsonl") == (3, 2, 0, 1, 0)
    assert counts(torn, folder.path / "still torn.jsonl") == (1, 1, 0, 0, 1)
    assert torn.query(
        "select status, turn_count from conversations where conversation_id = 'torn'"
    ) == [("completed", 2)]


def test_a_line_of_100_megabytes(tmp_path: Path, project: ProjectMaker) -> None:
    """It is an event like others, in memory that every laptop has."""
    folder = OutputFolder(tmp_path / "out")
    huge = event("huge", 1)[:-1] + ',"x":"' + "y" * 100 * MIB + '"}'
    folder.write("huge.jsonl", joined([event("huge"), huge, event("huge", 2)]))
    large = project(folder.path)
    process = large.dbt_process("build", *WITHOUT_TESTS)
    assert process.stdout is not None
    output = process.stdout.read()
    # The process's own use of resources, where a test runner has other children too.
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, output
    assert counts(large, folder.path / "huge.jsonl") == (3, 3, 0, 0, 0)
    # Builds of it took between 1.7 and 2.1 GiB.
    assert usage.ru_maxrss * 1024 < 3 * 1024 * MIB


HOSTILE_FOLDER = 'o\'ut "put" [1] {0} {{ y }} {% z %} %s *? $HOME é; -- #'


def test_output_folder_with_a_hostile_name(
    tmp_path: Path, project: ProjectMaker
) -> None:
    """The configured folder may be called anything; its neighbours are not read."""
    folder = OutputFolder(tmp_path / HOSTILE_FOLDER)
    folder.write("named_00000001/events_named.jsonl", conversation("named"))
    folder.write(
        "named_00000001/manifest.json", manifest("experiment_00000001", ["named"])
    )
    # Would match, if a character of the name were taken for a wildcard.
    neighbour = OutputFolder(tmp_path / HOSTILE_FOLDER.replace("*?", "anything"))
    neighbour.write("events_other.jsonl", conversation("other"))
    named = project(folder.path)
    named.build_only()
    assert named.query("select conversation_id, experiment_id from conversations") == [
        ("named", "experiment_00000001")
    ]
    assert named.query("select source_file from event_files") == [
        (str(folder.path / "named_00000001/events_named.jsonl"),)
    ]


def test_variable_wins_over_environment(tmp_path: Path, project: ProjectMaker) -> None:
    """The output folder can be given as a dbt variable, and then is that."""
    # Without braces: dbt itself takes those in a variable for Jinja.
    folder = OutputFolder(tmp_path / 'o\'ut "put" [1] %s *? $HOME é; -- #')
    folder.write("events.jsonl", conversation("by variable"))
    other = OutputFolder(tmp_path / "other")
    other.write("events.jsonl", conversation("by environment"))
    variables = json.dumps({"pidgin_output_dir": str(folder.path)})
    chosen = project(other.path)
    chosen.build_only("--vars", variables)
    assert chosen.query("select conversation_id from conversations") == [
        ("by variable",)
    ]


def test_from_another_folder(tmp_path: Path, project: ProjectMaker) -> None:
    """Files are named from the project's folder; elsewhere nothing is begun."""
    folder = OutputFolder(tmp_path / "out")
    folder.write("events.jsonl", conversation("at home"))
    built = project(folder.path)
    built.build_only()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outcome = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *built.arguments("build")],
        cwd=elsewhere,
        env=built.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode
    assert "dbt has to run in the project's folder: cd " in outcome.stdout
    assert [*elsewhere.iterdir()] == []
    built.build_only()
    assert built.query("select conversation_id from conversations") == [("at home",)]


def test_folder_without_logs(tmp_path: Path, project: ProjectMaker) -> None:
    """It builds a valid warehouse without rows, and the build says so."""
    folder = tmp_path / "out"
    folder.mkdir()
    empty = project(folder)
    outcome = empty.build()
    assert f"No event logs below {folder}" in outcome.text
    contents = empty.contents()
    assert {"events", "conversations", "experiment_dashboard"} <= set(contents)
    assert {name: rows for name, rows in contents.items() if rows} == {}
    assert empty.query("select * from conversation_state_as_of(now())") == []
    # Logs that come later are found.
    OutputFolder(folder).write("events.jsonl", conversation("later"))
    empty.build_only()
    assert empty.query("select conversation_id from conversations") == [("later",)]


def test_output_folder_that_is_missing(tmp_path: Path, project: ProjectMaker) -> None:
    """A mistyped folder stops the build, and the tables stay as they are."""
    folder = OutputFolder(tmp_path / "out")
    folder.write("events.jsonl", conversation("here"))
    typed = project(folder.path)
    typed.build_only()
    outcome = typed.reading(tmp_path / "typo").dbt("build")
    assert not outcome.success
    assert f"PIDGIN_OUTPUT_DIR is {tmp_path / 'typo'}, which does not exist" in (
        outcome.text
    )
    assert "Traceback" not in outcome.text
    assert typed.query("select conversation_id from conversations") == [("here",)]


def test_output_folder_that_is_a_file(tmp_path: Path, project: ProjectMaker) -> None:
    """One sentence says what is wrong."""
    path = tmp_path / "file.jsonl"
    shutil.copy(__file__, path)
    outcome = project(path).dbt("build")
    assert not outcome.success
    sentence = f"PIDGIN_OUTPUT_DIR is {path}, which is a file"
    assert sentence in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize("zone", ["Mars/Olympus'; drop table events; --", "7"])
def test_time_zone_that_is_none(
    tmp_path: Path, project: ProjectMaker, zone: str
) -> None:
    """One sentence says what is wrong."""
    outcome = project(tmp_path, PIDGIN_TIMEZONE=zone).dbt("build")
    assert not outcome.success
    assert f"PIDGIN_TIMEZONE is {zone}, which is no time zone" in outcome.text
