"""Every mart says what a plain reading of the same logs says.

Runs on the bundled sample and on every folder that PIDGIN_TEST_OUTPUT_DIRS lists
(separated as in PATH), which is how to check real archives.
"""

from __future__ import annotations

import math
import os
import statistics
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from conftest import ProjectMaker
from helpers.harness import ROOT, SAMPLE, Project
from oracles.logs import (
    AGENTS,
    Logs,
    Message,
    Prices,
    State,
    vocabulary_overlap,
    whole_number,
)

from pidgin_analytics.settings import resolved_path

EXTRA = [
    Path(folder)
    for folder in os.environ.get("PIDGIN_TEST_OUTPUT_DIRS", "").split(os.pathsep)
    if folder
]


@dataclass(frozen=True)
class Reading:
    """A folder read twice: by a build, and by the oracle."""

    project: Project
    logs: Logs

    def keyed(self, sql: str, width: int) -> dict[Any, Any]:
        """Query rows as a mapping from their first columns to the others."""
        rows = self.project.query(sql)
        result = {
            (row[0] if width == 1 else row[:width]): (
                row[width] if len(row) == width + 1 else row[width:]
            )
            for row in rows
        }
        assert len(result) == len(rows), "the key is not unique"
        return result


@pytest.fixture(scope="module", params=[SAMPLE, *EXTRA], ids=str)
def reading(request: pytest.FixtureRequest, project: ProjectMaker) -> Reading:
    """Build the marts of one folder, and read it."""
    folder: Path = request.param
    built = project(folder)
    built.build_and_test()
    # Inside the project paths are relative to it, which is where tests run.
    return Reading(built, Logs(Path(resolved_path(str(folder)))))


def assert_equal(
    actual: Mapping[Any, Any], expected: Mapping[Any, Any], tolerance: float = 0.0
) -> None:
    """Compare two mappings; a failure shows the first few entries that differ."""
    differing = [
        key
        for key in sorted({*actual} | {*expected}, key=repr)
        if key not in actual
        or key not in expected
        or not same(actual[key], expected[key], tolerance)
    ]
    report = [
        f"{key}: is {actual.get(key, 'no row')!r}, not {expected.get(key, 'no row')!r}"
        for key in islice(differing, 5)
    ]
    assert not differing, f"{len(differing)} differ\n" + "\n".join(report)


def same(actual: Any, expected: Any, tolerance: float) -> bool:
    """Compare two values; floating-point numbers within a relative tolerance."""
    if isinstance(actual, float) and isinstance(expected, float):
        return math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(actual, tuple) and isinstance(expected, tuple):
        return len(actual) == len(expected) and all(
            same(a, b, tolerance) for a, b in zip(actual, expected, strict=True)
        )
    return bool(actual == expected)


# Sums of floating-point numbers depend on their order.
ROUNDING = 1e-12


def test_events(reading: Reading) -> None:
    """Every event is there once, at its place, in its time."""
    actual = reading.keyed(
        "select source_file, line_number, event_type, timestamp, conversation_id,"
        " turn_number, agent_id from events",
        2,
    )
    expected = {
        (event.source_file, event.line_number): (
            event.event_type,
            event.timestamp,
            event.conversation_id,
            event.turn_number,
            event.agent_id,
        )
        for event in reading.logs.events
    }
    assert_equal(actual, expected)


def test_event_dates_are_utc(reading: Reading) -> None:
    """A day is a day in UTC."""
    actual = Counter(
        day for (day,) in reading.project.query("select event_date from events")
    )
    expected = Counter(
        event.timestamp.date() if event.timestamp else None
        for event in reading.logs.events
    )
    assert_equal(actual, expected)


def test_event_files(reading: Reading) -> None:
    """Every line of every file is accounted for."""
    actual = reading.keyed(
        "select source_file, size_bytes, line_count, event_count, duplicate_count,"
        " rejected_count, pending_count from event_files",
        1,
    )
    expected = {
        name: (
            Path(name).stat().st_size,
            counts.line_count,
            counts.event_count,
            counts.duplicate_count,
            counts.rejected_count,
            counts.pending_count,
        )
        for name, counts in reading.logs.files.items()
    }
    assert_equal(actual, expected)


def test_rejected_lines(reading: Reading) -> None:
    """Exactly the lines that are no events are rejected."""
    actual = reading.project.query(
        "select source_file, line_number from rejected_lines"
    )
    expected = [
        (line.source_file, line.line_number)
        for line in reading.logs.lines
        if line.kind == "rejected"
    ]
    assert sorted(actual) == sorted(expected)


STATE = (
    "conversation_id, status, end_reason, turn_count, event_count, started_at,"
    " ended_at, last_event_at"
)


def state_row(state: State) -> tuple[Any, ...]:
    """Order the fields of a state as STATE does."""
    return (
        state.status,
        state.end_reason,
        state.turn_count,
        state.event_count,
        state.started_at,
        state.ended_at,
        state.last_event_at,
    )


def test_conversation_state(reading: Reading) -> None:
    """The state of a conversation follows from its events alone."""
    actual = reading.keyed(f"select {STATE} from conversation_state", 1)
    expected = {key: state_row(state) for key, state in reading.logs.states().items()}
    assert_equal(actual, expected)


@pytest.mark.parametrize("share", [-0.1, 0.0, 0.2, 0.5, 0.8, 1.0, 1.1])
def test_conversation_state_as_of(reading: Reading, share: float) -> None:
    """The state at a moment follows from the events up to it, that moment included."""
    times = sorted(event.timestamp for event in reading.logs.events if event.timestamp)
    if 0 <= share <= 1:
        # Moments of events, where one event more or less shows.
        moment = times[round(share * (len(times) - 1))]
    else:
        moment = times[0] + share * (times[-1] - times[0] + timedelta(seconds=1))
    actual = {
        row[0]: row[1:]
        for row in reading.project.query(
            f"select {STATE} from conversation_state_as_of(cast(? as timestamptz))",
            [moment],
        )
    }
    expected = {
        key: state_row(state) for key, state in reading.logs.states(moment).items()
    }
    assert_equal(actual, expected)


def test_conversations(reading: Reading) -> None:
    """Conversations have their experiment, status, turns and scores."""
    actual = reading.keyed(
        "select conversation_id, experiment_id, status, end_reason, turn_count,"
        " final_convergence, peak_convergence, ended_on_placeholders"
        " from conversations",
        1,
    )
    scores: dict[str, list[float]] = {}
    is_last_spoken: dict[str, bool] = {}
    for key, turn in sorted(reading.logs.turns.items()):
        is_last_spoken[key[0]] = is_spoken(reading.logs, key)
        if turn.score is not None and is_spoken(reading.logs, key):
            scores.setdefault(key[0], []).append(turn.score)
    expected = {
        key: (
            reading.logs.memberships[key],
            state.status,
            state.end_reason,
            state.turn_count,
            scores[key][-1] if key in scores else None,
            max(scores[key]) if key in scores else None,
            not is_last_spoken[key] if key in is_last_spoken else None,
        )
        for key, state in reading.logs.states().items()
    }
    assert_equal(actual, expected)


def test_conversation_settings(reading: Reading) -> None:
    """Models and prompts are those of the start event, in the words of every era."""
    actual = reading.keyed(
        "select conversation_id, agent_a_model_logged, agent_b_model_logged,"
        " initial_prompt, max_turns from conversations",
        1,
    )
    expected = {}
    for conversation_id, events in reading.logs.conversations.items():
        starts = (e.fields for e in events if e.event_type == "ConversationStartEvent")
        start = next(starts, {})
        config = start.get("config") or {}
        expected[conversation_id] = (
            start.get("agent_a_model") or (start.get("agent_a") or {}).get("model"),
            start.get("agent_b_model") or (start.get("agent_b") or {}).get("model"),
            start.get("initial_prompt", config.get("initial_prompt")),
            whole_number(start.get("max_turns", config.get("max_turns"))),
        )
    assert_equal(actual, expected)


def test_experiments(reading: Reading) -> None:
    """Every manifest and every conversation has its experiment, with its totals."""
    actual = {
        row[0]: (row[1]["total_conversations"], *row[2:])
        for row in reading.project.query(
            "select experiment_id, stats, stats.completed_conversations,"
            " stats.total_turns, stats.avg_convergence from experiments"
        )
    }
    states = reading.logs.states()
    expected = {}
    for experiment_id, members in reading.logs.experiments.items():
        scores = scores_of(reading.logs, members)
        expected[experiment_id] = (
            len(members),
            sum(states[member].status == "completed" for member in members),
            sum(states[member].turn_count for member in members),
            statistics.fmean(scores) if scores else None,
        )
    assert_equal(actual, expected, ROUNDING)


def test_experiments_have_their_manifests_names(reading: Reading) -> None:
    """The newest readable manifest names the experiment."""
    actual = reading.keyed("select experiment_id, name from experiments", 1)
    expected = {}
    for manifest in sorted(reading.logs.manifests, key=lambda m: m.updated_at):
        if manifest.is_readable and manifest.name is not None:
            expected[manifest.experiment_id] = manifest.name
    assert_equal({key: actual.get(key) for key in expected}, expected)


def test_messages(reading: Reading) -> None:
    """Messages have their text, tokens and times, also those of turns cut short."""
    actual = reading.keyed(
        "select conversation_id, turn_number, agent_id, content, sent_at,"
        " prompt_tokens, completion_tokens, cache_read_tokens, cache_write_tokens,"
        " response_time_ms, is_turn_complete, is_api_error from messages",
        3,
    )
    expected = {
        key: (
            message.content,
            message.sent_at,
            message.prompt_tokens,
            message.completion_tokens,
            message.cache_read_tokens,
            message.cache_write_tokens,
            message.response_time_ms,
            message.is_turn_complete,
            message.is_api_error,
        )
        for key, message in reading.logs.messages.items()
    }
    assert_equal(actual, expected)


def test_token_usage(reading: Reading) -> None:
    """Tokens add up to what was reported, or else estimated, call by call."""
    actual = reading.keyed(
        "select conversation_id, agent_id, is_reported, call_count,"
        " reported_call_count, prompt_tokens, completion_tokens, cache_read_tokens,"
        " cache_write_tokens, thinking_tokens from token_usage",
        2,
    )
    expected = {
        key: (
            usage.is_reported,
            len(usage.calls),
            sum(call.is_reported for call in usage.calls),
            usage.total("prompt_tokens"),
            usage.total("completion_tokens"),
            usage.total("cache_read_tokens"),
            usage.total("cache_write_tokens"),
            usage.thinking_tokens,
        )
        for key, usage in reading.logs.usage.items()
    }
    assert_equal(actual, expected)


def test_costs(reading: Reading) -> None:
    """Each call is priced by its own model, as on the day the conversation began."""
    actual = reading.keyed(
        "select conversation_id, agent_id, cost_usd from token_usage", 2
    )
    states = reading.logs.states()
    days = {
        conversation_id: state.started_at.date() if state.started_at else None
        for conversation_id, state in states.items()
    }
    prices = Prices(ROOT / "seeds")
    expected = {
        key: prices.cost(usage, days[key[0]])
        for key, usage in reading.logs.usage.items()
    }
    assert_equal(actual, expected, ROUNDING)


def spoken(logs: Logs, key: tuple[str, int]) -> dict[str, Message]:
    """Return what was really said in a complete turn."""
    messages = {agent: logs.messages.get((*key, agent)) for agent in AGENTS}
    return {
        agent: message
        for agent, message in messages.items()
        if message is not None and message.is_spoken
    }


def is_spoken(logs: Logs, key: tuple[str, int]) -> bool:
    """Tell whether both agents spoke in a complete turn."""
    return len(spoken(logs, key)) == len(AGENTS)


def test_turn_scores(reading: Reading) -> None:
    """Each complete turn has the score that was recorded, and says who spoke."""
    actual = reading.keyed(
        "select conversation_id, turn_number, convergence_score, timestamp, is_spoken"
        " from turn_metrics",
        2,
    )
    expected = {
        key: (turn.score, turn.completed_at, is_spoken(reading.logs, key))
        for key, turn in reading.logs.turns.items()
    }
    assert_equal(actual, expected)


def test_lexical_metrics(reading: Reading) -> None:
    """Words are counted as Pidgin counts them, and only where both spoke."""
    actual = {
        (conversation_id, turn_number): (overlap, *(lexical or {}).values())
        for conversation_id, turn_number, overlap, lexical in reading.project.query(
            "select conversation_id, turn_number, vocabulary_overlap, lexical_metrics"
            " from turn_metrics"
        )
    }
    expected: dict[tuple[str, int], tuple[Any, ...]] = {}
    for key in reading.logs.turns:
        both = spoken(reading.logs, key)
        if len(both) < len(AGENTS):
            expected[key] = (None,)
            continue
        a, b = (both[agent].tokens for agent in AGENTS)
        words = len({*a, *b})
        expected[key] = (
            vocabulary_overlap(a, b),
            words,
            words,
            words / max(len(a) + len(b), 1),
        )
    assert_equal(actual, expected, ROUNDING)


def test_word_frequencies(reading: Reading) -> None:
    """Every word is counted, for each agent and for both."""
    actual = reading.keyed(
        "select conversation_id, turn_number, word_frequencies,"
        " agent_a_word_frequencies, agent_b_word_frequencies from turn_metrics",
        2,
    )
    expected = {}
    for key in reading.logs.turns:
        both = spoken(reading.logs, key)
        counts = {agent: Counter(message.tokens) for agent, message in both.items()}
        together = sum(counts.values(), Counter[str]())
        expected[key] = (
            dict(together) if len(both) == len(AGENTS) else None,
            *(dict(counts[agent]) if agent in counts else None for agent in AGENTS),
        )
    assert_equal(actual, expected)


def test_rolling_convergence(reading: Reading) -> None:
    """A rolling average covers a turn and the four before it, where agents spoke."""
    actual = reading.keyed(
        "select conversation_id, turn_number, convergence_score, rolling_avg_5"
        " from rolling_convergence",
        2,
    )
    numbers: dict[str, list[int]] = {}
    for conversation_id, turn_number in sorted(reading.logs.turns):
        numbers.setdefault(conversation_id, []).append(turn_number)
    expected = {}
    for conversation_id, ordered in numbers.items():
        keys = [(conversation_id, number) for number in ordered]
        scores = [
            reading.logs.turns[key].score if is_spoken(reading.logs, key) else None
            for key in keys
        ]
        for index, key in enumerate(keys):
            window = [s for s in scores[max(index - 4, 0) : index + 1] if s is not None]
            expected[key] = (
                reading.logs.turns[key].score,
                statistics.fmean(window) if window else None,
            )
    assert_equal(actual, expected, ROUNDING)


def scores_of(logs: Logs, members: list[str]) -> list[float]:
    """Return all scores of the turns of an experiment in which both agents spoke."""
    return [
        turn.score
        for key, turn in logs.turns.items()
        if key[0] in members and turn.score is not None and is_spoken(logs, key)
    ]


def slope(points: list[tuple[int, float]]) -> float | None:
    """Return the slope of the line through the points; one turn number has none."""
    if len({x for x, _ in points}) < 2:
        return None
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def slopes_within(points: list[tuple[str, int, float]]) -> float | None:
    """Return the mean of the conversations' own slopes."""
    slopes = [
        slope([(number, score) for name, number, score in points if name == each])
        for each in {name for name, _, _ in points}
    ]
    present = [each for each in slopes if each is not None]
    return statistics.fmean(present) if present else None


def summary(points: list[tuple[str, int, float]]) -> tuple[float | None, ...]:
    """Summarise scores as the dashboard does."""
    scores = [score for _, _, score in points]
    return (
        statistics.fmean(scores) if scores else None,
        statistics.median(scores) if scores else None,
        slope([(number, score) for _, number, score in points]),
        slopes_within(points),
    )


def total(values: list[int | None]) -> int | None:
    """Add up what is known."""
    present = [value for value in values if value is not None]
    return sum(present) if present else None


FIGURES = (
    "avg_convergence",
    "median_convergence",
    "convergence_trend",
    "convergence_trend_within",
)


def test_experiment_dashboard(reading: Reading) -> None:
    """The dashboard summarises an experiment's turns, messages, tokens and troubles."""
    logs = reading.logs
    columns = [*FIGURES, *(f"{figure}_balanced" for figure in FIGURES)]
    actual = reading.keyed(
        "select experiment_id, models, conversations, completed_conversations,"
        " interrupted_conversations, failed_conversations, unfinished_conversations,"
        " turns, spoken_turns, messages, words, prompt_tokens, completion_tokens,"
        f" incidents, {', '.join(columns)} from experiment_dashboard",
        1,
    )
    # Recomputed scores and incidents are compared with the logs elsewhere.
    balanced = reading.keyed(
        "select conversation_id, turn_number, convergence_balanced from turn_metrics",
        2,
    )
    incidents = Counter(
        name
        for (name,) in reading.project.query("select conversation_id from incidents")
    )
    states = logs.states()
    expected = {}
    for experiment_id, members in logs.experiments.items():
        turns = [key for key in logs.turns if key[0] in members]
        spoken_turns = [key for key in turns if is_spoken(logs, key)]
        messages = [m for key, m in logs.messages.items() if key[0] in members]
        usage = [u for key, u in logs.usage.items() if key[0] in members]
        statuses = Counter(states[member].status for member in members)
        live = ((*key, logs.turns[key].score) for key in spoken_turns)
        anew = ((*key, balanced[key]) for key in spoken_turns)
        expected[experiment_id] = (
            models_of(logs, members),
            len(members),
            statuses["completed"],
            statuses["interrupted"],
            statuses["failed"],
            statuses["unfinished"],
            len(turns),
            len(spoken_turns),
            len(messages),
            sum(len(m.tokens) for m in messages if m.is_spoken and m.is_turn_complete),
            total([u.total("prompt_tokens") for u in usage]),
            total([u.total("completion_tokens") for u in usage]),
            sum(incidents[member] for member in members),
            *summary([(c, n, score) for c, n, score in live if score is not None]),
            *summary([(c, n, score) for c, n, score in anew if score is not None]),
        )
    assert_equal(actual, expected, ROUNDING)


def models_of(logs: Logs, members: list[str]) -> list[str] | None:
    """Name the models of an experiment's conversations."""
    names = set()
    for member in members:
        for event in logs.conversations[member]:
            if event.event_type == "ConversationStartEvent":
                for agent in AGENTS:
                    nested = event.fields.get(agent) or {}
                    names.add(event.fields.get(f"{agent}_model") or nested.get("model"))
                break
    aliases = Prices(ROOT / "seeds").aliases
    keys = {name.strip().lower() for name in names if name and name.strip()}
    return sorted({aliases.get(key, key) for key in keys}) or None


def test_experiment_costs(reading: Reading) -> None:
    """An experiment's cost is that of all who spoke or used tokens, or not known."""
    actual = reading.keyed(
        "select experiment_id, cost_usd from experiment_dashboard", 1
    )
    costs = reading.keyed(
        "select conversation_id, agent_id, cost_usd from token_usage", 2
    )
    speakers = {
        (name, agent)
        for (name, _, agent), message in reading.logs.messages.items()
        if message.is_spoken
    }
    expected = {}
    for experiment_id, members in reading.logs.experiments.items():
        parts = [costs.get(key) for key in speakers | costs.keys() if key[0] in members]
        known = [part for part in parts if part is not None]
        is_known = bool(parts) and len(known) == len(parts)
        expected[experiment_id] = math.fsum(known) if is_known else None
    assert_equal(actual, expected, ROUNDING)


def test_the_comparison_itself_can_fail(reading: Reading) -> None:
    """The folder holds something to compare, and a difference is noticed."""
    assert reading.logs.turns
    assert any(message.tokens for message in reading.logs.messages.values())
    actual: dict[Hashable, Any] = {"a": (1, 0.5, datetime(2026, 1, 1, tzinfo=UTC))}
    for other in ({}, {"b": actual["a"]}, {"a": (1, 0.6, actual["a"][2])}):
        with pytest.raises(AssertionError):
            assert_equal(actual, other, ROUNDING)
