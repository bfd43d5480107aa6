"""A flow drawn: steps in layers from the first to the last, lines as wide as many cases went that way.

The layout is the usual one of Sugiyama, Tagawa and Toda (1981) made small: a line to a step that usually comes earlier
runs back; every step lies below all that lead on to it; the order within a layer follows the neighbours' mean places.
Lines that pass a layer keep a place of their own in it. Everything is computed here, so that the page needs no script
and equal numbers always give an equal drawing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt

WIDTH, HEIGHT, GAP, LAYER = 196, 46, 40, 112  # of a box, and the room beside it and from layer to layer
PASS = 40  # width of the place of a line that passes a layer
MARGIN, SWEEPS = 24, 6
WIDEST = 9.0
LABEL = (66, 15)


@dataclass(frozen=True, slots=True)
class Step:
    """A box: `name` is what lines know it by, `place` how far on it usually comes, `text` and `small` stand in it."""

    name: str
    place: float
    text: str
    small: str = ""
    begins: str = ""  # how many cases begin and end here, where it is worth telling
    ends: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A way from one step to another: `weight` decides its width, `label` stands on it, `target` is what it opens."""

    one: str
    other: str
    weight: int
    label: str
    means: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A step where it is drawn: its middle."""

    step: Step
    x: float
    y: float

    @property
    def left(self) -> float:
        """The left edge."""
        return self.x - WIDTH / 2

    @property
    def top(self) -> float:
        """The upper edge."""
        return self.y - HEIGHT / 2


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line as it is drawn: its path, width, whether it runs back, and where its label stands."""

    line: Line
    path: str
    width: float
    back: bool
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Flow:
    """A drawing of so many units, to be shown one to one."""

    width: int
    height: int
    boxes: Sequence[Box]
    lines: Sequence[Drawn]


Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Taken:
    """The places that a label must not cover: the middles of boxes, and of the labels so far."""

    boxes: Sequence[Point]
    labels: list[Point] = field(default_factory=list)

    def free(self, points: Sequence[Point]) -> Point:
        """Take the first point where a label covers nothing, else the first of all."""
        found = next((point for point in points if not self._covers(point)), points[0])
        self.labels.append(found)
        return found

    def _covers(self, point: Point) -> bool:
        on_box = any(_near(point, box, (WIDTH + LABEL[0]) / 2, (HEIGHT + LABEL[1]) / 2) for box in self.boxes)
        return on_box or any(_near(point, label, *LABEL) for label in self.labels)


def _near(one: Point, other: Point, across: float, down: float) -> bool:
    return abs(one[0] - other[0]) < across and abs(one[1] - other[1]) < down


Place = tuple[str, int]  # a step, or a line that passes a layer: its name and the layer


def frequent(lines: Sequence[Line], steps: Mapping[str, Step], percent: int) -> list[Line]:
    """Give the most frequent lines that together make up `percent` of all that went any way.

    A step of theirs to which no line leads on gets the most frequent one that does, so that none floats alone.
    """
    ordered = sorted(lines, key=lambda line: (-line.weight, line.one, line.other))
    kept: list[Line] = []
    whole, so_far = sum(line.weight for line in ordered), 0
    for line in ordered:
        if kept and so_far * 100 >= whole * percent:
            break
        kept.append(line)
        so_far += line.weight
    onward, _back = _split(ordered, steps)
    waiting = sorted({name for line in kept for name in (line.one, line.other)})
    while waiting:
        name = waiting.pop()
        leading = [line for line in onward if line.other == name]
        if leading and not set(leading) & set(kept):
            if not any(leading[0].one in (line.one, line.other) for line in kept):
                waiting.append(leading[0].one)
            kept.append(leading[0])
    return kept


def drawn(steps: Mapping[str, Step], lines: Sequence[Line]) -> Flow:
    """Lay out the steps that the lines name, and draw both."""
    onward, back = _split(lines, steps)
    names = sorted({name for line in lines for name in (line.one, line.other)}, key=lambda name: steps[name].place)
    layers = _layers(names, onward)
    ways = {line: _way(line, layers) for line in onward}
    rows = _ordered(layers, ways.values())
    x = _across(rows, ways.values())
    right = max((x[place] + _wide(place) / 2 for place in x), default=0.0)
    boxes = [Box(steps[name], x[name, layers[name]], _y(layers[name])) for name in names]
    at = {box.step.name: box for box in boxes}
    taken = Taken([(box.x, box.y) for box in boxes])
    most = max((line.weight for line in lines), default=1)
    told = [_onward(line, [(x[place], _y(place[1])) for place in ways[line]], most, taken) for line in onward]
    told += [_back(line, at[line.one], at[line.other], most, taken) for line in back]
    reach = max([right, *(one.label_x + LABEL[0] / 2 for one in told)])
    return Flow(round(reach + MARGIN), round(_y(max(layers.values(), default=0)) + HEIGHT / 2 + MARGIN), boxes, told)


def _split(lines: Sequence[Line], steps: Mapping[str, Step]) -> tuple[list[Line], list[Line]]:
    """Tell the lines that lead to a later place from those that run back or round to their own step."""

    def rank(name: str) -> tuple[float, str]:
        return steps[name].place, name

    ordered = sorted(lines, key=lambda line: (-line.weight, line.one, line.other))
    onward = [line for line in ordered if rank(line.one) < rank(line.other)]
    return onward, [line for line in ordered if rank(line.one) >= rank(line.other)]


def _layers(names: Iterable[str], onward: Sequence[Line]) -> dict[str, int]:
    """Give each step the layer below all that lead to it."""
    layer = dict.fromkeys(names, 0)
    for _round in range(len(layer)):
        before = dict(layer)
        for line in onward:
            layer[line.other] = max(layer[line.other], layer[line.one] + 1)
        if layer == before:
            break
    return layer


def _way(line: Line, layers: Mapping[str, int]) -> list[Place]:
    """Give the places of a line: its two steps, and between them one in each layer that it passes."""
    first, last = layers[line.one], layers[line.other]
    passing = [(f"{line.one}\n{line.other}", layer) for layer in range(first + 1, last)]
    return [(line.one, first), *passing, (line.other, last)]


def _ordered(layers: Mapping[str, int], ways: Iterable[Sequence[Place]]) -> list[list[Place]]:
    """Order each layer by the mean place of the neighbours, down and up a few times."""
    ways = list(ways)
    places = dict.fromkeys([*((name, layer) for name, layer in layers.items()), *(p for way in ways for p in way)])
    rows: list[list[Place]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for place in places:
        rows[place[1]].append(place)
    above, below = _neighbours(ways)
    for sweep in range(SWEEPS):
        known, through = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        rank = {place: number for row in rows for number, place in enumerate(row)}
        for row in through:
            row.sort(key=lambda place: (_mean([rank[one] for one in known[place]], rank[place]), rank[place]))
            rank |= {place: number for number, place in enumerate(row)}
    return rows


def _neighbours(ways: Iterable[Sequence[Place]]) -> tuple[dict[Place, list[Place]], dict[Place, list[Place]]]:
    above: dict[Place, list[Place]] = defaultdict(list)
    below: dict[Place, list[Place]] = defaultdict(list)
    for way in ways:
        for one, other in pairwise(way):
            above[other].append(one)
            below[one].append(other)
    return above, below


def _across(rows: Sequence[Sequence[Place]], ways: Iterable[Sequence[Place]]) -> dict[Place, float]:
    """Give each place its x: near its neighbours, in the order of its layer, with room between."""
    above, below = _neighbours(ways)
    x: dict[Place, float] = {}
    for row in rows:
        _pack(row, dict.fromkeys(row, 0.0), x)
    for sweep in range(SWEEPS):
        known, through = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        for row in through:
            _pack(row, {place: _mean([x[one] for one in known[place]], x[place]) for place in row}, x)
    least = min((x[place] - _wide(place) / 2 for place in x), default=0.0)
    return {place: at - least + MARGIN for place, at in x.items()}


def _pack(row: Sequence[Place], wanted: Mapping[Place, float], x: dict[Place, float]) -> None:
    """Put a layer's places where they are wanted, pushed apart to the right, then the whole back to the middle."""
    least = float("-inf")
    for place in row:
        x[place] = max(wanted[place], least + _wide(place) / 2)
        least = x[place] + _wide(place) / 2 + GAP
    shift = _mean([wanted[place] - x[place] for place in row], 0.0)
    for place in row:
        x[place] += shift


def _wide(place: Place) -> float:
    return PASS if "\n" in place[0] else WIDTH


def _y(layer: int) -> float:
    return MARGIN + HEIGHT / 2 + layer * LAYER


def _mean(numbers: Sequence[float], default: float) -> float:
    return sum(numbers) / len(numbers) if numbers else default


def _onward(line: Line, points: Sequence[Point], most: int, taken: Taken) -> Drawn:
    """Draw a line downward through its places."""
    (x, y), *rest = points
    y += HEIGHT / 2
    path, pieces = f"M{x:.1f} {y:.1f}", []
    for number, (to_x, middle) in enumerate(rest, 1):
        to_y = middle - HEIGHT / 2 - 5 if number == len(rest) else middle  # the arrow's head needs room
        half = (y + to_y) / 2
        path += f" C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"
        pieces.append(((x, y), (x, half), (to_x, half), (to_x, to_y)))
        x, y = to_x, to_y
    middle_piece = pieces[(len(pieces) - 1) // 2]
    label = taken.free([_on(middle_piece, t) for t in (0.5, 0.35, 0.65, 0.22, 0.8)])
    return Drawn(line, path, _width(line, most), back=False, label_x=label[0], label_y=label[1])


def _back(line: Line, one: Box, other: Box, most: int, taken: Taken) -> Drawn:
    """Draw a line that runs back, or round to its own step, along the right."""
    if one.step.name == other.step.name:
        x, y = one.x + WIDTH / 2, one.y
        path = f"M{x:.1f} {y - 11:.1f} C{x + 44:.1f} {y - 26:.1f} {x + 44:.1f} {y + 26:.1f} {x + 5:.1f} {y + 11:.1f}"
        label = taken.free([(x + 62, y), (x + 62, y - 18), (x + 62, y + 18)])
        return Drawn(line, path, _width(line, most), back=True, label_x=label[0], label_y=label[1])
    x, y, to_x, to_y = one.x + WIDTH / 2, one.y + 9, other.x + WIDTH / 2 + 5, other.y - 9
    bend = max(x, to_x) + 40 + 14 * abs(one.y - other.y) / LAYER
    path = f"M{x:.1f} {y:.1f} C{bend:.1f} {y:.1f} {bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    piece = ((x, y), (bend, y), (bend, to_y), (to_x, to_y))
    label = taken.free([_on(piece, t) for t in (0.5, 0.38, 0.62, 0.28, 0.72, 0.2, 0.8)])
    return Drawn(line, path, _width(line, most), back=True, label_x=label[0], label_y=label[1])


def _width(line: Line, most: int) -> float:
    return round(max(1.2, WIDEST * sqrt(line.weight / most)), 1)


def _on(piece: tuple[Point, Point, Point, Point], t: float) -> Point:
    """Give the point of a Bézier curve at t."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    return (
        sum(weight * point[0] for weight, point in zip(weights, piece, strict=True)),
        sum(weight * point[1] for weight, point in zip(weights, piece, strict=True)),
    )
