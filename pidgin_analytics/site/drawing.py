"""Pictures of what leads to what: boxes in layers, from left to right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

GAP = 14
BETWEEN = 52
MARGIN = 12
SWEEPS = 24
# How much of its distance from the middle a box keeps, so that parts do not drift away.
PULL = 0.92


@dataclass
class Box:
    """A box, and where it is put."""

    key: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    layer: int = 0
    # Only a bend of a line.
    is_bend: bool = False

    @property
    def middle(self) -> float:
        """Height of the middle."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Line:
    """A line from the right side of a box to the left side of another."""

    start: str
    end: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """Boxes and lines that were put in place."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    lines: tuple[Line, ...]


def layered(boxes: Iterable[Box], edges: Iterable[tuple[str, str]]) -> Drawing:
    """Put boxes into layers, so that each line runs to the right.

    Args:
        boxes: With their sizes. They are put in place.
        edges: From key to key, without a circle.
    """
    placed = {box.key: box for box in boxes}
    edges = [edge for edge in edges if edge[0] in placed and edge[1] in placed]
    _set_layers(placed, edges)
    chains = {edge: _chain(edge, placed) for edge in edges}
    layers: dict[int, list[Box]] = defaultdict(list)
    for box in placed.values():
        layers[box.layer].append(box)
    near: dict[str, list[Box]] = defaultdict(list)
    for chain in chains.values():
        for one, other in pairwise(chain):
            near[one.key].append(other)
            near[other.key].append(one)
    _set_heights(layers, near)
    left: float = MARGIN
    for number in sorted(layers):
        widest = max(box.width for box in layers[number])
        for box in layers[number]:
            box.x = left
            if box.is_bend:
                box.width = widest
        left += widest + BETWEEN
    shown = {key: box for key, box in placed.items() if not box.is_bend}
    top = min((box.y for box in placed.values()), default=0.0) - MARGIN
    for box in placed.values():
        box.y -= top
    lines = tuple(
        Line(start, end, _path(chain)) for (start, end), chain in chains.items()
    )
    height = max((box.y + box.height for box in placed.values()), default=0.0) + MARGIN
    return Drawing(left - BETWEEN + MARGIN, height, shown, lines)


def _set_layers(placed: Mapping[str, Box], edges: Iterable[tuple[str, str]]) -> None:
    """Put each box right of all that lead to it, and what begins close to its use."""
    before: dict[str, list[str]] = defaultdict(list)
    after: dict[str, list[str]] = defaultdict(list)
    for start, end in edges:
        before[end].append(start)
        after[start].append(end)
    known: dict[str, int] = {}

    def layer(key: str) -> int:
        if key not in known:
            known[key] = 1 + max((layer(one) for one in before[key]), default=-1)
        return known[key]

    for key, box in placed.items():
        box.layer = layer(key)
    for key, box in placed.items():
        if not before[key] and after[key]:
            box.layer = min(placed[one].layer for one in after[key]) - 1


def _chain(edge: tuple[str, str], placed: dict[str, Box]) -> list[Box]:
    """Return the boxes of a line, with a bend in each layer between them."""
    start, end = placed[edge[0]], placed[edge[1]]
    bends = []
    for number in range(start.layer + 1, end.layer):
        # Lines from one box run together.
        key = f"{start.key} at {number}"
        if key not in placed:
            placed[key] = Box(key, 0, 2, layer=number, is_bend=True)
        bends.append(placed[key])
    return [start, *bends, end]


def _set_heights(
    layers: Mapping[int, list[Box]], near: Mapping[str, list[Box]]
) -> None:
    """Order the boxes of each layer by those that they are joined with."""
    for boxes in layers.values():
        boxes.sort(key=lambda box: box.key)
        _stack(boxes)
    for sweep in range(SWEEPS):
        for number in sorted(layers, reverse=bool(sweep % 2)):
            boxes = layers[number]
            wanted = {
                box.key: PULL
                * sum(other.middle for other in near[box.key])
                / max(len(near[box.key]), 1)
                for box in boxes
            }
            boxes.sort(key=lambda box: (wanted[box.key], box.key))
            _stack(boxes, wanted)


def _stack(boxes: list[Box], wanted: Mapping[str, float] | None = None) -> None:
    """Put boxes below each other, each as near as can be to where it is wanted."""
    edge = float("-inf") if wanted else 0.0
    for box in boxes:
        ideal = wanted[box.key] - box.height / 2 if wanted else edge
        box.y = max(edge, ideal)
        edge = box.y + box.height + (GAP / 2 if box.is_bend else GAP)
    # What was pushed down as a whole goes back up by the mean.
    middle = sum(wanted.values()) / len(wanted) if wanted else 0.0
    shift = sum(box.middle for box in boxes) / len(boxes) - middle
    for box in boxes:
        box.y -= shift


def _path(chain: list[Box]) -> str:
    """Write the path of a line through its bends, in curves."""
    x, y = chain[0].x + chain[0].width, chain[0].middle
    steps = [f"M{x:.1f} {y:.1f}"]
    for box in chain[1:]:
        middle = (x + box.x) / 2
        steps.append(
            f"C{middle:.1f} {y:.1f} {middle:.1f} {box.middle:.1f} {box.x:.1f}"
            f" {box.middle:.1f}"
        )
        x, y = box.x, box.middle
        if box.is_bend:
            x += box.width
            steps.append(f"H{x:.1f}")
    return "".join(steps)
