"""How well onsets that a detector names agree with those that are known."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.detectors.dialogues import Dialogue, Onsets

PATTERNS = (
    "loop",
    "farewell_loop",
    "gratitude_spiral",
    "silence",
    "symbol_ending",
    "compression_phase",
    "vocabulary_collapse",
)
# So many turns away still counts as found.
NEAR = 2

Found = Mapping[str, Onsets]


@dataclass(frozen=True)
class Agreement:
    """How two judges agree on whether a pattern shows, and since when."""

    kappa: float
    errors: tuple[int, ...]

    @property
    def median_error(self) -> float | None:
        """How many turns they are apart where both see the pattern."""
        return statistics.median(map(abs, self.errors)) if self.errors else None


def kappa(judgements: Sequence[tuple[bool, bool]]) -> float:
    """Cohen's kappa: agreement beyond chance; 1 where both always say the same."""
    count = len(judgements)
    agreed = sum(a == b for a, b in judgements) / count
    a, b = (sum(judge) / count for judge in zip(*judgements, strict=True))
    by_chance = a * b + (1 - a) * (1 - b)
    return 1.0 if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


def agreement(
    dialogues: Sequence[Dialogue], found: Found, pattern: str, reading: int
) -> Agreement:
    """Compare a detector with one of the readings."""
    onsets = [
        (found[dialogue.name][pattern], dialogue.readings[reading][pattern])
        for dialogue in dialogues
    ]
    return Agreement(
        kappa([(a is not None, b is not None) for a, b in onsets]),
        tuple(a - b for a, b in onsets if a is not None and b is not None),
    )


def mean_kappa(dialogues: Sequence[Dialogue], found: Found, pattern: str) -> float:
    """Compare a detector with all readings."""
    readings = range(len(dialogues[0].readings))
    return statistics.fmean(
        agreement(dialogues, found, pattern, reading).kappa for reading in readings
    )


def hits(dialogues: Iterable[Dialogue], found: Found, pattern: str) -> list[bool]:
    """Tell of each dialogue whether its pattern was found near where it begins."""
    return [
        onset is not None and abs(onset - begin) <= NEAR
        for dialogue in dialogues
        if (begin := dialogue.readings[0][pattern]) is not None
        for onset in [found[dialogue.name][pattern]]
    ]


def alarms(dialogues: Iterable[Dialogue], found: Found, pattern: str) -> list[bool]:
    """Tell of each dialogue whether the pattern was found at all."""
    return [found[dialogue.name][pattern] is not None for dialogue in dialogues]


def interval(successes: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate."""
    z = statistics.NormalDist().inv_cdf(0.975)
    share = successes / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    total = 1 + z * z / count
    return max((middle - spread) / total, 0.0), min((middle + spread) / total, 1.0)


def rate(outcomes: Sequence[bool]) -> str:
    """Write a rate with its interval."""
    if not outcomes:
        return ""
    low, high = interval(sum(outcomes), len(outcomes))
    share = sum(outcomes) / len(outcomes)
    return f"{share:.0%} ({low:.0%} to {high:.0%})"


def grouped(
    dialogues: Iterable[Dialogue], key: Callable[[Dialogue], str]
) -> dict[str, list[Dialogue]]:
    """Put dialogues together that have a key in common."""
    groups: dict[str, list[Dialogue]] = {}
    for dialogue in dialogues:
        groups.setdefault(key(dialogue), []).append(dialogue)
    return groups


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
