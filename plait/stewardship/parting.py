"""Who is one where people have said who is not: keys are joined edge by edge, and never over such a line.

Only the few components that a decision divides come here. What people joined is joined first, then what facts join, the
oldest first, and last what matching joined: a line that a person drew holds whatever comes later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Divided:
    """Nodes that are joined as long as no line lies between them.

    A line is a number and a side, 0 or 1: nodes on both sides of one line are never in one component. `soft` lines are
    those that only keep matching, and people's merges, from joining: a fact goes over them.
    """

    hard: Mapping[int, set[tuple[int, int]]]
    soft: Mapping[int, set[tuple[int, int]]]
    parent: dict[int, int] = field(default_factory=dict)
    sides: dict[int, tuple[set[tuple[int, int]], set[tuple[int, int]]]] = field(default_factory=dict)

    def root(self, node: int) -> int:
        """Give the node that stands for a node's component."""
        self.parent.setdefault(node, node)
        while self.parent[node] != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def join(self, one: int, other: int, *, by_fact: bool) -> bool:
        """Join two nodes unless a line lies between their components; tell whether they are one now."""
        first, second = self.root(one), self.root(other)
        if first == second:
            return True
        left, right = self._sides(first), self._sides(second)
        if _meet(left[0], right[0]) or (not by_fact and _meet(left[1], right[1])):
            return False
        self.parent[second] = first
        self.sides[first] = (left[0] | right[0], left[1] | right[1])
        return True

    def _sides(self, root: int) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
        return self.sides.get(root) or (self.hard.get(root, set()), self.soft.get(root, set()))


def _meet(one: set[tuple[int, int]], other: set[tuple[int, int]]) -> bool:
    few, many = sorted((one, other), key=len)
    return any((line, 1 - side) in many for line, side in few)


def divide(
    divided: Divided,
    *,
    by_people: Iterable[tuple[int, int]],
    by_facts: Iterable[Sequence[int]],
    by_matching: Iterable[tuple[int, int]],
) -> None:
    """Join nodes in the order that counts; each of `by_facts` is the keys of one set, the strongest first."""
    for one, other in by_people:
        divided.join(one, other, by_fact=False)
    for keys in by_facts:
        leaders = [keys[0]]  # of the sides on which the set's keys lie; a key without a side goes with the strongest
        for other in keys[1:]:
            if not any(divided.join(leader, other, by_fact=True) for leader in leaders):
                leaders.append(other)
    for one, other in by_matching:
        divided.join(one, other, by_fact=False)
