"""What rolling_convergence and conversation_patterns make of the metrics of turns.

Computed from the descriptions of the two marts in plain Python, out of the rows of
turn_metrics and message_metrics, which are compared elsewhere.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import yaml
from helpers.harness import ROOT, Project

from oracles.own_metrics import Values
from oracles.pidgin_metrics import AGENTS, Comparison

KEYS = ("conversation_id", "turn_number", "agent_id")
# The two scores that are smoothed, and what the names of their columns begin with.
SCORES = {"convergence_score": "", "convergence_balanced": "balanced_"}
Messages = Mapping[tuple[int, str], Values]


def thresholds() -> Values:
    """Read where the project draws its lines."""
    text = (ROOT / "dbt_project.yml").read_text(encoding="utf-8")
    variables: Values = yaml.safe_load(text)["vars"]
    return variables


def compared_rolling(project: Project) -> Comparison:
    """Compare every row of rolling_convergence."""
    comparison = Comparison()
    actual = table(project, "rolling_convergence", 2)
    expected = {
        (conversation_id, number): row
        for conversation_id, turns in turns_of(project).items()
        for number, row in zip(turns, rolling_rows([*turns.values()]), strict=True)
    }
    assert actual.keys() == expected.keys()
    for key, row in expected.items():
        insist_on_columns(actual[key], row)
        comparison.note_all(actual[key], row, key, 0)
    return comparison


def compared_patterns(project: Project) -> Comparison:
    """Compare every row of conversation_patterns."""
    comparison = Comparison()
    actual = table(project, "conversation_patterns", 1)
    lines = thresholds()
    turns = turns_of(project)
    messages: dict[str, dict[tuple[int, str], Values]] = {}
    for (conversation_id, number, agent), row in table(
        project, "message_metrics", 3
    ).items():
        messages.setdefault(conversation_id, {})[number, agent] = row
    conversations = project.query("select conversation_id from conversations")
    assert sorted(actual) == sorted(conversations)
    for key, found in actual.items():
        (name,) = key
        expected = pattern_row(turns.get(name, {}), messages.get(name, {}), lines)
        insist_on_columns(found, expected)
        comparison.note_all(found, expected, key, len(turns.get(name, {})))
    return comparison


def insist_on_columns(actual: Values, expected: Values) -> None:
    """Leave no column out."""
    assert actual.keys() - {*KEYS, "experiment_id", "fingerprint"} == expected.keys()


def table(project: Project, mart: str, width: int) -> dict[tuple[Any, ...], Values]:
    """Read a whole mart by its key, of that width, in its order."""
    key = ", ".join(KEYS[:width])
    columns = [name for (name, *_) in project.query(f"describe {mart}")]
    rows = [
        dict(zip(columns, row, strict=True))
        for row in project.query(f"select * from {mart} order by {key}")
    ]
    return {tuple(row[column] for column in KEYS[:width]): row for row in rows}


def turns_of(project: Project) -> dict[str, dict[int, Values]]:
    """Read the metrics of turns: by conversation, then turn number, in order."""
    result: dict[str, dict[int, Values]] = {}
    for (conversation_id, number), row in table(project, "turn_metrics", 2).items():
        result.setdefault(conversation_id, {})[number] = row
    return result


def rolling_rows(turns: Sequence[Values]) -> list[Values]:
    """Smooth both scores of a conversation's turns, of those that were spoken."""
    result = []
    counting = [
        turn if turn["is_spoken"] else turn | dict.fromkeys(SCORES) for turn in turns
    ]
    for place, turn in enumerate(turns):
        five, ten = (counting[max(place + 1 - n, 0) : place + 1] for n in (5, 10))
        row: Values = {
            "is_spoken": turn["is_spoken"],
            "convergence_velocity": slope(five),
        }
        for score, prefix in SCORES.items():
            last = [turn[score] for turn in five[-3:]]
            row |= {
                score: turn[score],
                f"{prefix}delta": difference(last),
                f"{prefix}trend": trend(last),
                f"{prefix}rolling_avg_5": mean(turn[score] for turn in five),
                f"{prefix}rolling_avg_10": mean(turn[score] for turn in ten),
                f"{prefix}rolling_stddev_5": spread(turn[score] for turn in five),
                f"{prefix}rolling_stddev_10": spread(turn[score] for turn in ten),
            }
        result.append(row)
    return result


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is there."""
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if present else None


def spread(values: Iterable[float | None]) -> float | None:
    """Return the standard deviation of a sample; one value has none."""
    present = [value for value in values if value is not None]
    return statistics.stdev(present) if len(present) > 1 else None


def difference(last: Sequence[float | None]) -> float | None:
    """Return the change from the last score but one to the last."""
    if len(last) < 2 or last[-1] is None or last[-2] is None:
        return None
    return float(Decimal(str(last[-1])) - Decimal(str(last[-2])))


def slope(turns: Iterable[Values]) -> float | None:
    """Return the slope of the regression line of the balanced score."""
    points = [
        (turn["turn_number"], turn["convergence_balanced"])
        for turn in turns
        if turn["convergence_balanced"] is not None
    ]
    if len(points) < 2:
        return None
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def trend(last: Sequence[float | None]) -> str | None:
    """Name where three scores go, in the decimal numbers that they were logged as."""
    scores = [Decimal(str(score)) for score in last if score is not None]
    if len(scores) < 3:
        return None
    changes = (scores[1] - scores[0], scores[2] - scores[1])
    if min(changes) > 0:
        return "increasing"
    if max(changes) < 0:
        return "decreasing"
    is_small = all(abs(change) < Decimal("0.1") for change in changes)
    return "stable" if is_small else "fluctuating"


def pattern_row(
    turns: Mapping[int, Values], messages: Messages, lines: Values
) -> Values:
    """Return the course of a conversation and the patterns in it."""
    spoken = [
        number
        for number in turns
        if all((number, agent) in messages for agent in AGENTS)
    ]
    live, balanced = (
        [turns[number][score] for number in spoken if turns[number][score] is not None]
        for score in SCORES
    )
    patterns = phases(spoken, turns, messages, lines)
    return (
        {
            "turn_count": len(turns),
            "spoken_turn_count": len(spoken),
            "final_convergence": live[-1] if live else None,
            "peak_convergence": max(live, default=None),
            "mean_convergence": mean(live),
            "final_convergence_balanced": balanced[-1] if balanced else None,
            "peak_convergence_balanced": max(balanced, default=None),
            "mean_convergence_balanced": mean(balanced),
            "convergence_velocity": slope(turns.values()),
        }
        | symbol_turns(spoken, messages)
        | loop_course(spoken, turns, messages, lines, patterns["loop"])
        | topic_shares(spoken, messages)
        | {f"{name}_turn": number for name, number in patterns.items()}
        | {
            f"has_{name}": number is not None if spoken else None
            for name, number in patterns.items()
        }
        | alignments([turns[number] for number in spoken])
    )


def phases(
    spoken: Sequence[int],
    turns: Mapping[int, Values],
    messages: Messages,
    lines: Values,
) -> dict[str, int | None]:
    """Find the patterns that need several turns in a row."""

    def total(number: int, metric: str) -> float:
        return sum(float(messages[number, agent][metric]) for agent in AGENTS)

    def values(number: int, metric: str) -> list[Any]:
        return [messages[number, agent][metric] for agent in AGENTS]

    def is_thankful(number: int) -> bool:
        shares = (
            messages[number, agent]["appreciation_statements"]
            / (messages[number, agent]["statement_count"] or 1)
            for agent in AGENTS
        )
        return statistics.fmean(shares) > float(lines["gratitude_spiral_share"])

    def is_echo(number: int) -> bool:
        a, b = (turns[number][f"mimicry_score_{way}"] for way in ("a_to_b", "b_to_a"))
        return statistics.fmean((a, b)) > float(lines["echo_chamber_mimicry"])

    def is_full_of_signs(number: int) -> bool:
        density = total(number, "symbol_share") / len(AGENTS)
        return density > float(lines["symbolic_phase_density"])

    def is_silent(number: int) -> bool:
        return all(
            (symbols or 0) > float(lines["symbol_ending_share"])
            or (
                words - directions <= int(lines["silence_words"])
                and words <= int(lines["silence_direction_words"])
            )
            for symbols, words, directions in zip(
                values(number, "symbol_line_share"),
                values(number, "word_count"),
                values(number, "direction_words"),
                strict=True,
            )
        )

    def is_of_symbols(number: int) -> bool:
        shares = [share or 0 for share in values(number, "symbol_line_share")]
        return statistics.fmean(shares) > float(lines["symbol_ending_share"])

    def has_collapsed(number: int) -> bool:
        ratios = values(number, "recent_mattr")
        returning = turns[number]["returning_phrase_share"]
        return (
            None not in ratios
            and statistics.fmean(ratios) < float(lines["vocabulary_collapse_mattr"])
            and returning is not None
            and returning < float(lines["vocabulary_collapse_loop_share"])
        )

    def is_loop(number: int) -> bool:
        return comes_again(turns[number], values, number, lines)

    return {
        name: first_phase(spoken, holds, lines[f"{name}_turns"])
        for name, holds in (
            ("loop", is_loop),
            ("gratitude_spiral", is_thankful),
            ("silence", is_silent),
            ("symbol_ending", is_of_symbols),
            ("vocabulary_collapse", has_collapsed),
            ("echo_chamber", is_echo),
            ("symbolic_phase", is_full_of_signs),
        )
    } | {
        "farewell_loop": first_farewell(spoken, total, lines),
        "compression_phase": last_short_turns(spoken, total, lines),
    }


def comes_again(
    turn: Values, values: Callable[[int, str], list[Any]], number: int, lines: Values
) -> bool:
    """Whether a turn says what was said before."""
    share, count = turn["returning_phrase_share"], turn["phrase_count"]
    if not count or share is None:
        return False
    if share == 1:
        return True
    if count < int(lines["loop_phrases"]):
        return False
    ratios = values(number, "recent_mattr")
    nearest = [
        max((value for value in pair if value is not None), default=0)
        for pair in zip(
            values(number, "similarity_to_last"),
            values(number, "similarity_to_partner"),
            strict=True,
        )
    ]
    return share > float(lines["loop_share"]) or (
        statistics.fmean(nearest) > float(lines["loop_similarity"])
        and None not in ratios
        and statistics.fmean(ratios) >= float(lines["vocabulary_collapse_mattr"])
    )


def first_farewell(
    spoken: Sequence[int], total: Callable[[int, str], float], lines: Values
) -> int | None:
    """Find a turn that says goodbye, behind which little else is said."""
    needed = int(lines["farewell_loop_turns"])
    lengths = [total(number, "word_count") for number in spoken]
    longest = [*itertools.accumulate(lengths, max)]

    def relative_length(place: int) -> float:
        return lengths[place] / longest[place] if longest[place] else 1.0

    def goodbyes(place: int) -> float:
        closing = total(spoken[place], "closing_statements")
        return closing + total(spoken[place], "ending_statements")

    def says_goodbye(place: int) -> bool:
        statements = total(spoken[place], "statement_count")
        closing = total(spoken[place], "closing_statements")
        return closing > float(lines["farewell_closing_share"]) * statements or (
            goodbyes(place) > float(lines["farewell_ending_share"]) * statements
            and relative_length(place) < float(lines["farewell_short_ratio"])
        )

    place = 0
    while place < len(spoken):
        if not says_goodbye(place):
            place += 1
            continue
        end = place
        while end < len(spoken) and (
            says_goodbye(end)
            or relative_length(end) < float(lines["farewell_silent_ratio"])
        ):
            end += 1
        said = sum(goodbyes(each) for each in range(place, end) if says_goodbye(each))
        if end - place >= needed and said >= int(lines["farewell_statements"]):
            return spoken[place]
        place = end
    return None


def last_short_turns(
    spoken: Sequence[int], total: Callable[[int, str], float], lines: Values
) -> int | None:
    """Find the turn from which on all are short."""
    lengths = [total(number, "message_length") for number in spoken]
    if not lengths:
        return None
    limit = float(lines["compression_phase_ratio"]) * statistics.fmean(lengths[:3])
    begin = len(lengths)
    while begin and lengths[begin - 1] < limit:
        begin -= 1
    is_long_enough = len(lengths) - begin >= int(lines["compression_phase_turns"])
    return spoken[begin] if is_long_enough else None


def loop_course(
    spoken: Sequence[int],
    turns: Mapping[int, Values],
    messages: Messages,
    lines: Values,
    begin: int | None,
) -> Values:
    """Tell how a loop goes on, and how many turns lie in loops."""

    def values(number: int, metric: str) -> list[Any]:
        return [messages[number, agent][metric] for agent in AGENTS]

    again = [comes_again(turns[number], values, number, lines) for number in spoken]
    needed = int(lines["loop_turns"])
    looping = 0
    for holds, run in itertools.groupby(again):
        length = len([*run])
        looping += length if holds and length >= needed else 0
    behind = [
        place
        for place, number in enumerate(spoken)
        if begin is not None and number >= begin
    ]
    distances = Counter(
        distance
        for place in behind
        if again[place]
        and (distance := turns[spoken[place]]["nearest_turn_distance"]) is not None
    )
    escapes = (
        spoken[place]
        for place in behind[1:]
        if not again[place] and place + 1 < len(spoken) and not again[place + 1]
    )
    return {
        "loop_period": min(
            distances, key=lambda each: (-distances[each], each), default=None
        ),
        "loop_escape_turn": next(escapes, None),
        "loop_share": looping / len(spoken) if spoken else None,
    }


def topic_shares(spoken: Iterable[int], messages: Messages) -> Values:
    """Tell how many statements hold words of a topic."""
    rows = [messages[number, agent] for number in spoken for agent in AGENTS]
    statements = sum(row["statement_count"] for row in rows)
    return {
        f"{topic}_share": (
            sum(row[f"{topic}_statements"] for row in rows) / statements
            if statements
            else None
        )
        for topic in ("transcendence", "building")
    }


def first_phase(
    numbers: Sequence[int], holds: Callable[[int], bool], length: int = 1
) -> int | None:
    """Return where something begins to hold for so many turns in a row."""
    for start in range(len(numbers) - length + 1):
        if all(map(holds, numbers[start : start + length])):
            return numbers[start]
    return None


def symbol_turns(spoken: Iterable[int], messages: Messages) -> Values:
    """Tell when the first agent, and when both have used a pictograph or an arrow."""
    firsts = {
        agent: next(
            (
                number
                for number in spoken
                if messages[number, agent]["pictograph_count"]
                or messages[number, agent]["arrow_count"]
            ),
            None,
        )
        for agent in AGENTS
    }
    users = [number for number in firsts.values() if number is not None]
    return {
        "symbol_onset_turn": min(users, default=None),
        "symbol_adoption_turn": max(users) if len(users) == len(AGENTS) else None,
    }


def alignments(spoken: Sequence[Values]) -> Values:
    """Compare the halves of a conversation, each with its permutation baseline."""
    middle = len(spoken) // 2
    row: Values = {"alignment_gain": None}
    beyond = []
    for name, half in (("first", spoken[:middle]), ("second", spoken[middle:])):
        alignment = mean(turn["vocabulary_overlap"] for turn in half)
        baseline = shuffled_alignment(half)
        row |= {f"{name}_half_alignment": alignment, f"{name}_half_baseline": baseline}
        if alignment is not None and baseline is not None:
            beyond.append(alignment - baseline)
    if len(beyond) == 2:
        row["alignment_gain"] = beyond[1] - beyond[0]
    return row


def shuffled_alignment(half: Sequence[Values]) -> float | None:
    """Give each message of A the answer that stands half of the half further on."""
    if len(half) < 3:
        return None
    away = len(half) // 2
    overlaps = []
    for turn, other in zip(half, (*half[away:], *half[:away]), strict=True):
        a = set(turn["agent_a_word_frequencies"])
        b = set(other["agent_b_word_frequencies"])
        overlaps.append(len(a & b) / len(a | b) if a and b else 0.0)
    return mean(overlaps)
