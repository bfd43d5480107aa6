"""What of an account's facts must be carried along so that stage rules can be asked at any instant."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import ibis
import ibis.expr.types as ir

from plait.stages import RuleSet, Signal
from plait.stages.judging import ending

BITS = 62  # of a column of counts
SHAPE = {"mark": "string", "word": "string", "correction": "int64"}


@dataclass(frozen=True, slots=True)
class Digits:
    """Where the count of a signal stands among those that are packed into one number: `counts // weight % size`."""

    column: str
    weight: int
    size: int

    def on(self, counts: ir.Table) -> ir.BooleanValue:
        """Tell whether the count is not nothing."""
        return counts[self.column] % (self.weight * self.size) >= self.weight


@dataclass(frozen=True, slots=True)
class Plan:
    """What of the facts must be carried along for a rule set.

    `sorts` are the signals that any fact of their kinds may begin, `digits` the places of counts, `marks` the names of
    instants of which the last is kept, `pairs` the kinds of which the later side counts, with a signal and whether it
    is the pair's second side in `sides`.
    """

    rules: RuleSet
    sorts: dict[str, Signal]
    digits: dict[str, Digits]
    marks: tuple[str, ...]
    pairs: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    sides: dict[str, tuple[int, bool]]

    @classmethod
    def of(cls, rules: RuleSet) -> Plan:
        """Plan for a rule set."""
        sorts = {
            one.name: one for one in rules.signals if one.sort == "ever" or (one.sort == "lasts" and not one.cut_by)
        }
        pairs: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        sides = {}
        for signal in rules.signals:
            if signal.sort == "latest":
                turned = (signal.over, signal.kinds) in pairs
                pair = (signal.over, signal.kinds) if turned else (signal.kinds, signal.over)
                if pair not in pairs:
                    pairs.append(pair)
                sides[signal.name] = pairs.index(pair), turned
        return cls(rules, sorts, _digits(rules, sorts), _marks(rules), tuple(pairs), sides)

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the columns of counts."""
        return tuple(dict.fromkeys(place.column for place in self.digits.values()))

    @property
    def shape(self) -> dict[str, str]:
        """Give the columns that every moment has beside account, at and on, with their types."""
        sides = {f"side{number}": "int8" for number in range(len(self.pairs))}
        return {**dict.fromkeys(self.columns, "int64"), **SHAPE, **sides}

    def moment(self, rows: ir.Table, at: ir.Value, on: ir.Value, **given: object) -> ir.Table:
        """Give rows the shape that all moments share."""
        marks: dict[str, ir.Value] = {name: ibis.null(kind) for name, kind in self.shape.items()}
        for name, mark in given.items():
            value = mark if isinstance(mark, ir.Value) else ibis.literal(mark)
            marks[name] = value.cast(self.shape[name])
        return rows.select("account", at=at, on=on, **marks)

    def change(self, signal: str, by: int) -> dict[str, object]:
        """Give the change of a signal's count."""
        return {self.digits[signal].column: by * self.digits[signal].weight}


def _digits(rules: RuleSet, sorts: dict[str, Signal]) -> dict[str, Digits]:
    """Give each count its place. Spells of one signal do not overlap; that of the first fact may overlap one."""
    wanted = {name: 2 if signal.first else 1 for name, signal in sorts.items()}
    wanted |= {signal.name: 28 for signal in rules.signals if signal.sort == "runs"}
    used: dict[str, int] = {}
    found = {}
    for name, bits in wanted.items():
        column = next(f"count{n}" for n in count() if used.get(f"count{n}", 0) + bits <= BITS)
        found[name] = Digits(column, 2 ** used.get(column, 0), 2**bits)
        used[column] = used.get(column, 0) + bits
    return found


def _marks(rules: RuleSet) -> tuple[str, ...]:
    """Name the instants that rules look back to: the ends of what keeps a stage, and what signals are set against."""
    left = {one for _, way in rules.alternatives if (one := way.left)}
    left |= {one for signal in rules.signals if (one := signal.after_leaving)}
    ends = [ending(rules, way) for name in left for way in rules.stage(name).when]
    kept = {end.name for end in ends if end} | {signal.name for signal in rules.signals if signal.cut_by}
    kept |= {one for signal in rules.signals for one in (signal.cut_by, signal.newer_than) if one}
    return tuple(signal.name for signal in rules.signals if signal.name in kept)
