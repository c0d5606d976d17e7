"""Whatever number a log holds in whatever place, everything else is as it was.

Hypothesis makes documents (events and manifests) whose numbers are anything that JSON
can say. They lie together in one output folder, beside conversations with nothing odd
in them, because a build takes seconds however few there are. `make soak` tries
thousands.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import test_marts_match_logs as comparison
from conftest import ProjectMaker
from helpers.harness import Project
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracles.logs import Logs
from writers.logs import START, Json, OutputFolder, conversation, manifest

DOCUMENTS = 5000 if settings.get_current_profile_name() == "soak" else 300
# How many events make a conversation. The shorter, the more numbers meet no other.
EVENTS_PER_CONVERSATION = 20

# The edges of what types, and we, take for a number.
EDGES = sorted(
    {
        sign * (edge + step)
        for edge in (0, 10**6, 10**9, 10**11, *(2**power for power in (31, 53, 63, 64)))
        for step in (-1, 0, 1)
        for sign in (-1, 1)
    }
)
FLOATS = (1e308, -1e308, 5e-324, -5e-324, 0.5, 1.0, 10.0, 17.5, -0.0, 1e3, 1e18, 1e30)
TEXTS = (
    "1e400",
    "-1e400",
    "NaN",
    "inf",
    "Infinity",
    " 7 ",
    "0x10",
    "1,5",
    "",
    "7e",
    "-",
)
TIMES = (
    "0001-01-01T00:00:00+00:00",
    "0000-01-01T00:00:00",
    "9999-12-31T23:59:59.999999+00:00",
    "9999-12-31T23:59:59",
    "294247-01-10T04:00:54+00:00",
    "-290308-12-22T00:00:00+00:00",
    "1969-12-31T23:59:59+00:00",
    "1970-01-01T00:00:00+00:00",
    "2199-12-31T23:59:59+00:00",
    "2200-01-01T00:00:00",
    "2026-03-01T12:00:00+14:00",
    "2026-02-30T12:00:00+00:00",
    "infinity",
    "-infinity",
    "epoch",
    "now",
)


@dataclass(frozen=True)
class Raw:
    """A number that Python cannot write: its digits."""

    digits: str


RAW = tuple(map(Raw, ("1e400", "-1E+999", "1e-400", "0.1e1", "-0", "9" * 400)))

scalars = st.one_of(
    st.sampled_from(EDGES),
    st.sampled_from(FLOATS),
    st.sampled_from(RAW),
    st.integers(-(2**200), 2**200),
    st.integers(0, 10),
    st.floats(),
    st.floats(0, 1),
    st.sampled_from(EDGES).map(str),
    st.floats().map(str),
    st.sampled_from(TEXTS),
    st.sampled_from(TIMES),
    st.booleans(),
    st.none(),
)
junk = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(("a", "text", "type", "0")), inner, max_size=3),
    ),
    max_leaves=4,
)

MESSAGE = {"role": "assistant", "content": "Hello there, world.", "agent_id": "agent_a"}
# Each event with its numbers, as plain ones. "agent" becomes one of the two.
EVENTS: dict[str, Json] = {
    "ConversationStart": {
        "agent_a_model": "claude-3-5-haiku",
        "agent_b_model": "local:test",
        "agent_a": {"temperature": 0.5, "thinking_budget": 9, "max_tokens": 9},
        "config": {"max_turns": 5, "temperature_a": 0.5, "temperature_b": 1},
        "max_turns": 5,
        "temperature_a": 0.5,
        "temperature_b": 1,
    },
    "SystemPrompt": {"agent_id": "agent", "prompt": "Speak."},
    "TurnStart": {"turn_number": 0},
    "MessageRequest": {
        "agent_id": "agent",
        "turn_number": 0,
        "conversation_history": [MESSAGE],
        "temperature": 1,
        "thinking_budget": 9,
        "max_tokens": 9,
    },
    "MessageChunk": {"agent_id": "agent", "chunk_index": 0, "elapsed_ms": 5},
    "MessageComplete": {
        "agent_id": "agent",
        "message": MESSAGE,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "tokens_used": 15,
        "cache_read_tokens": 1,
        "cache_write_tokens": 1,
        "duration_ms": 100,
    },
    "ThinkingComplete": {
        "agent_id": "agent",
        "turn_number": 0,
        "thinking_content": "Let me see.",
        "thinking_tokens": 3,
        "duration_ms": 100,
    },
    "TokenUsage": {
        "agent_id": "agent",
        "model": "claude-3-5-haiku-20241022",
        "tokens_used": 15,
        "tokens_per_minute_limit": 1000,
        "current_usage_rate": 1.0,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cache_read_tokens": 1,
        "cache_write_tokens": 1,
    },
    "TurnComplete": {
        "turn_number": 0,
        "turn": {"agent_a_message": MESSAGE, "agent_b_message": MESSAGE},
        "convergence_score": 0.5,
        "legacy_convergence_score": 0.5,
    },
    "ConversationEnd": {
        "reason": "max_turns",
        "total_turns": 1,
        "turns_completed": 1,
        "duration_ms": 5,
        "duration_seconds": 0.5,
    },
    "RateLimitPace": {"provider": "local", "wait_time": 0.5},
    "APIError": {
        "agent_id": "agent",
        "error_type": "rate_limit",
        "error_message": "429",
        "context": 1,
        "error_code": 429,
        "retryable": True,
        "retry_count": 0,
    },
    "ProviderTimeout": {
        "agent_id": "agent",
        "error_type": "timeout",
        "timeout_seconds": 2.0,
        "context": 1,
    },
    "ContextLimit": {"agent_id": "agent", "turn_number": 0},
    "EmptyResponse": {"agent_id": "agent", "turn_number": 0},
    "ContextTruncation": {
        "agent_id": "agent",
        "turn_number": 0,
        "original_message_count": 9,
        "truncated_message_count": 4,
        "messages_dropped": 5,
    },
    "InterruptRequest": {"turn_number": 0, "interrupt_source": "user"},
    "ConversationPaused": {"turn_number": 0, "paused_during": "between_turns"},
    "ConversationResumed": {"turn_number": 0},
    "ConversationBranched": {"source_conversation_id": "another", "branch_point": 2},
    "MetricsCalculated": {"turn_number": 0, "metrics": {"overlap": 0.5}},
    "Error": {"error_type": "oserror", "error_message": "disk", "context": 1},
    "Unheard": {"turn_number": 0},
}
MANIFEST: Json = {
    "created_at": 0,
    "started_at": 0,
    "completed_at": 0,
    "total_conversations": 2,
    "completed_conversations": 1,
    "failed_conversations": 0,
    "running_conversations": 0,
    "config": {
        "repetitions": 2,
        "max_turns": 5,
        "temperature": 0.5,
        "temperature_a": 0.5,
        "temperature_b": 0.5,
        "max_parallel": 1,
        "convergence_threshold": 0.5,
        "think_budget": 9,
        "branch_from_turn": 1,
    },
    "conversation": {
        "last_line": 9,
        "total_turns": 2,
        "turns_completed": 2,
        "last_updated": 0,
        "token_usage": {"agent_a": {"prompt_tokens": 1, "total_tokens": 2}},
    },
}

# What each conversation begins with, so that replies have a turn.
FRAME: list[tuple[str, Json]] = [
    ("TurnStart", {"turn_number": 0}),
    *(
        ("MessageRequest", {"agent_id": agent, "turn_number": 0})
        for agent in ("agent_a", "agent_b")
    ),
]

Place = tuple[str, ...]


def places(document: Json, above: Place = ()) -> Iterator[Place]:
    """Find the numbers of a document."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from places(value, (*above, name))
        elif isinstance(value, int | float):
            yield (*above, name)


def put(document: Json, place: Place, value: Any) -> None:
    """Put another value in a place."""
    for name in place[:-1]:
        document = document[name]
    document[place[-1]] = value


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, Json]:
    """Make an event or a manifest, with at least one number replaced by anything."""
    kind = draw(st.sampled_from([*EVENTS, "manifest"]))
    template: Json = copy.deepcopy(MANIFEST if kind == "manifest" else EVENTS[kind])
    for name, value in template.items():
        if value == "agent":
            template[name] = draw(st.sampled_from(("agent_a", "agent_b")))
        elif name == "turn_number":
            template[name] = draw(st.integers(0, 3))
    found = list(places(template))
    if kind != "manifest":
        found.append(("timestamp",))
    for place in draw(st.lists(st.sampled_from(found), min_size=1, unique=True)):
        value = draw(junk)
        if place == ("context",) and draw(st.booleans()):
            value = f"During message generation for turn {draw(st.sampled_from(EDGES))}"
        put(template, place, value)
    return kind, template


def as_text(document: Json) -> str:
    """Write a document, with numbers that Python cannot write."""
    digits: list[str] = []

    def note(value: Any) -> str:
        assert isinstance(value, Raw)
        digits.append(value.digits)
        return f"\0{len(digits) - 1}\0"

    text = json.dumps(document, default=note)
    for index, number in enumerate(digits):
        text = text.replace(json.dumps(f"\0{index}\0"), number)
    return text


def made(count: int) -> list[tuple[str, Json]]:
    """Let Hypothesis make so many documents; it builds nothing meanwhile."""
    result: list[tuple[str, Json]] = []

    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(documents())
    def note(document: tuple[str, Json]) -> None:
        result.append(document)

    note()
    # Hypothesis makes some of what it made before; those would come one after another.
    random.Random(count).shuffle(result)
    return result


def write_untouched(folder: OutputFolder) -> None:
    """Write conversations in which nothing is odd."""
    for number, name in enumerate(("untouched-1", "untouched-2"), start=1):
        names = [f"{name}-a", f"{name}-b"]
        for conversation_id in names:
            folder.write(
                f"{name}_0000000{number}/events_{conversation_id}.jsonl",
                conversation(conversation_id),
            )
        folder.write(
            f"{name}_0000000{number}/manifest.json",
            manifest(f"experiment_0000000{number}", names, name=name),
        )


def write_documents(folder: OutputFolder, made: Sequence[tuple[str, Json]]) -> int:
    """Write the documents as logs and manifests; return how many events they are."""
    events = [document for document in made if document[0] != "manifest"]
    manifests = iter(document for kind, document in made if kind == "manifest")
    starts = range(0, len(events), EVENTS_PER_CONVERSATION)
    for number, start in enumerate(starts):
        chunk = events[start : start + EVENTS_PER_CONVERSATION]
        name, home = f"odd-{number}", f"odd_1{number:07x}"
        lines = [
            event_line(name, position, kind, document)
            for position, (kind, document) in enumerate([*copy.deepcopy(FRAME), *chunk])
        ]
        folder.write(f"{home}/events_{name}.jsonl", lines)
        if document := next(manifests, None):
            write_manifest(folder, f"1{number:07x}", name, document)
    # Those that are left have no conversations.
    for number, document in enumerate(manifests):
        write_manifest(folder, f"2{number:07x}", f"none-{number}", document)
    return len(events) + len(FRAME) * len(starts)


def event_line(name: str, position: int, kind: str, fields: Json) -> str:
    """Write an event, in the shape of one era or the other."""
    moment = (START + timedelta(seconds=position)).isoformat()
    envelope = {
        "timestamp": fields.pop("timestamp", moment),
        "event_type": f"{kind}Event",
    }
    fields = {"conversation_id": name, "position": position, **fields}
    if position % 5 == 4:
        return as_text({**envelope, "data": fields})
    return as_text({**fields, **envelope})


def write_manifest(
    folder: OutputFolder, experiment: str, name: str, fields: Json
) -> None:
    """Write a manifest that lists one conversation."""
    listed = {name: fields.pop("conversation")}
    experiment_id = f"experiment_{experiment}"
    document = manifest(experiment_id, [], **fields) | {"conversations": listed}
    folder.write(f"odd_{experiment}/manifest.json", as_text(document))


def of_untouched(project: Project) -> dict[str, list[str]]:
    """Return all rows that speak of an untouched conversation or experiment."""
    return {
        name: [row for row in rows if "untouched" in row]
        for name, rows in project.contents().items()
    }


@dataclass(frozen=True)
class Case:
    """A folder of odd documents, built."""

    reading: comparison.Reading
    event_count: int
    before: dict[str, list[str]]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, project: ProjectMaker) -> Case:
    """Build what is untouched alone, then all, with every data test."""
    folder = OutputFolder(tmp_path_factory.mktemp("numbers") / "pidgin_output")
    write_untouched(folder)
    alone = project(folder.path)
    alone.build_only()
    event_count = write_documents(folder, made(DOCUMENTS))
    together = project(folder.path)
    together.build_and_test()
    logs = Logs(folder.path)
    return Case(comparison.Reading(together, logs), event_count, of_untouched(alone))


def test_every_event_is_kept(case: Case) -> None:
    """The lines are the events, each with what it says."""
    project = case.reading.project
    counts = project.query(
        "select cast(sum(line_count) as integer), cast(sum(event_count) as integer)"
        " from event_files where contains(source_file, '/odd_')"
    )
    assert counts == [(case.event_count, case.event_count)]
    kept = project.query(
        "select line_number, json_extract_string(event_data, '$.position')"
        " from events where conversation_id like 'odd-%'"
    )
    assert len(kept) == case.event_count
    assert all(int(position) == line - 1 for line, position in kept)


def test_untouched_conversations_are_as_they_are_alone(case: Case) -> None:
    """No row of theirs differs in any mart."""
    after = of_untouched(case.reading.project)
    for name, rows in case.before.items():
        assert after[name] == rows, name
    # Marts of trouble hold nothing of them.
    assert sum(map(bool, case.before.values())) >= 10


# What the oracle reads in the same way; it does not know of damaged settings.
COMPARISONS = [
    comparison.test_events,
    comparison.test_event_files,
    comparison.test_conversation_state,
    comparison.test_messages,
    comparison.test_token_usage,
    comparison.test_costs,
    comparison.test_turn_scores,
    comparison.test_rolling_convergence,
    comparison.test_experiment_dashboard,
]


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda f: f.__name__)
def test_what_can_be_read_is_read(case: Case, compare: Any) -> None:
    """A number in range is there, and no other."""
    compare(case.reading)


LIMITS = {
    "conversations": {"temperature_a": 100, "temperature_b": 100, "max_turns": 1e9},
    "thinking_traces": {"thinking_tokens": 1e9, "duration_ms": 1e11},
    "incidents": {"seconds": 1e8, "turn_number": 999_999},
    "experiments": {"planned_conversations": 1e9},
    "messages": {"prompt_tokens": 1e9, "response_time_ms": 1e11},
}


@pytest.mark.parametrize("table", LIMITS)
def test_numbers_are_in_range(case: Case, table: str) -> None:
    """Nothing that was read is out of range; of many documents something was."""
    for column, limit in LIMITS[table].items():
        ((least, most, known),) = case.reading.project.query(
            f"select min({column}), max({column}), count({column}) from {table}"
        )
        assert known or DOCUMENTS < 1000, column
        if known:
            assert 0 <= least <= most <= limit, column
            assert math.isfinite(most), column
