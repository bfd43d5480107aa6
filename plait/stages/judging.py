"""Judging stage rules that read well: every stage can be reached, the order can be kept, one stage always holds.

Conditions are looked at as signs that hold or do not; what one signal says of another (an order in the last 30 days is
one in the last 365, too) is known as well. A stage that no combination of signs leads to is unreachable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from plait.failure import Said
from plait.stages.rule import Alternative, RuleSet, Signal, Stage

Found: TypeAlias = Iterator[tuple[str, Said]]
Signs: TypeAlias = Mapping[str, bool]
Clause: TypeAlias = tuple[tuple[str, bool], ...]  # one of these at least is so


def judge(rules: RuleSet) -> Found:
    """Give all that makes rules unfit which read well, each with the place where it stands."""
    orderly = True
    for where, says in (*_cycles(rules), *_too_early(rules), *_endless(rules), *_unasked(rules)):
        orderly = False
        yield where, says
    if orderly:
        yield from _unreached(rules)


def looks_at(rules: RuleSet, stage: Stage) -> dict[str, str]:
    """Give the stages of which a stage must know when they were left, each with what asks for it."""
    asked = {way.left: f"left = {way.left!r}" for way in stage.when if way.left}
    for way in stage.when:
        for name in (*way.all, *way.none):
            left = rules.signal(name).after_leaving
            if left:
                asked.setdefault(left, f"the signal {name!r}")
    return asked


def _cycles(rules: RuleSet) -> Found:
    """Find stages that wait for each other: none of them can be decided first."""
    needs = {stage.name: tuple(looks_at(rules, stage)) for stage in rules.stages}
    told: set[frozenset[str]] = set()
    for start in needs:
        path = [start]
        while needs[path[-1]] and needs[path[-1]][0] not in path:
            path.append(needs[path[-1]][0])
        back = needs[path[-1]]
        if back and back[0] == start and frozenset(path) not in told:
            told.add(frozenset(path))
            circle = " -> ".join((*path, start))
            yield (
                f"stage {start}",
                Said(
                    "a cycle: {circle}; each needs to know when the next was left, so none can be decided first. "
                    "Take one of these conditions out.",
                    circle=circle,
                ),
            )


def _too_early(rules: RuleSet) -> Found:
    """Find stages that need to know when another was left which is asked after them."""
    places = [stage.name for stage in rules.stages]
    for place, stage in enumerate(rules.stages):
        for left, asks in looks_at(rules, stage).items():
            if places.index(left) > place:
                yield f"stage {stage.name}", Said(
                    "{asks} needs to know when {left!r} was left, which is asked after it; move [[stage]] {left} up.",
                    asks=asks, left=left,
                )  # fmt: skip


def _endless(rules: RuleSet) -> Found:
    """Find stages whose leaving is asked for although nothing says when it was."""
    for name in dict.fromkeys(left for stage in rules.stages for left in looks_at(rules, stage)):
        for number, way in enumerate(rules.stage(name).when, 1):
            if ending(rules, way) is None:
                yield (
                    f"stage {name}, when {number}",
                    Said(
                        "others ask when this stage was left, so that each of its lines needs exactly one signal under "
                        "`all` that lasts or runs, and beside it none but those that are `ever`.",
                    ),
                )


def ending(rules: RuleSet, way: Alternative) -> Signal | None:
    """Give the one signal whose end ends a way to be in a stage, None where there is no such one."""
    asked = [rules.signal(name) for name in way.all]
    ends = [signal for signal in asked if signal.sort in ("lasts", "runs") and not signal.first]
    others = [signal.sort for signal in asked if signal not in ends] + [rules.signal(name).sort for name in way.none]
    return ends[0] if len(ends) == 1 and set(others) <= {"ever"} and not way.left else None


def _unasked(rules: RuleSet) -> Found:
    """Find signals that compare themselves with one that does not decide before them."""
    alone = {way.all[0]: place for place, (_, way) in reversed([*enumerate(rules.alternatives)])
             if len(way.all) == 1 and not way.none and not way.left}  # fmt: skip
    for signal in rules.signals:
        where = f"signals.{signal.name}"
        if signal.cut_by and (rules.signal(signal.cut_by).sort != "runs" or signal.first):
            yield where, Said("cut_by = {name!r}: only a signal that runs can cut another one.", name=signal.cut_by)
        newer = signal.newer_than
        if not newer:
            continue
        other = rules.signal(newer)
        if other.sort != "lasts" or other.cut_by or other.first:
            yield where, Said("newer_than = {name!r}: only a plain signal that lasts can stand here.", name=newer)
            continue
        for place, (stage, way) in enumerate(rules.alternatives):
            if signal.name in (*way.all, *way.none) and alone.get(newer, place) >= place:
                yield f"stage {stage.name}", Said(
                    "{signal!r} is newer_than {other!r}, which must put an account into an earlier stage by itself: "
                    "add a line all = [{other!r}] to a stage above.",
                    signal=signal.name, other=newer,
                )  # fmt: skip


def _unreached(rules: RuleSet) -> Found:
    """Find lines and stages that no account can ever be in, and rules that leave an account without a stage."""
    known = [*_implied(rules)]
    passed: list[Clause] = []
    for stage in rules.stages:
        before = len(passed)
        possible = False
        for number, way in enumerate(stage.when, 1):
            where = f"stage {stage.name}, when {number}"
            asks = _literals(way)
            signs = dict(asks)
            if len(signs) < len(set(asks)) or not _can_be(signs, known):
                yield where, Said("the line {name!r} contradicts itself: it can never hold.", name=way.name)
            else:
                possible = possible or _can_be(signs, [*known, *passed[:before]])
            passed.append(tuple((name, not holds) for name, holds in asks))
        if not possible:
            yield (
                f"stage {stage.name}",
                Said(
                    "unreachable: whenever one of its lines holds, an earlier stage holds already. Move it up, or let "
                    "the earlier stage ask for more.",
                ),
            )
    if _can_be({}, [*known, *passed]):
        yield (
            f"stage {rules.stages[-1].name}",
            Said(
                "an account may be in no stage at all; let the last stage always hold: a line with only a name.",
            ),
        )


def _literals(way: Alternative) -> Clause:
    left = ((f"left {way.left}", True),) if way.left else ()
    return *((name, True) for name in way.all), *((name, False) for name in way.none), *left


def _implied(rules: RuleSet) -> Iterator[Clause]:
    """Give what signals say of each other: where one holds, so does the other."""
    for one in rules.signals:
        for other in rules.signals:
            if one is not other and _says(one, other):
                yield (one.name, False), (other.name, True)
            if one.name < other.name and one.sort == other.sort == "latest" and _takes_back(one, other):
                yield (one.name, False), (other.name, False)


def _says(one: Signal, other: Signal) -> bool:
    """Tell whether a signal cannot hold without another one."""
    if not set(one.kinds) <= set(other.kinds) or one.first:
        return False
    if other.sort == "ever":
        return one.sort != "runs" or set(one.kinds) <= set(other.kinds)
    if one.sort != other.sort or other.cut_by or other.newer_than or other.after_leaving:
        return False
    shorter = other.days is None or (one.days is not None and one.days <= other.days)
    return shorter and set(other.over) <= set(one.over) and (one.sort != "runs" or one.over == other.over)


def _takes_back(one: Signal, other: Signal) -> bool:
    return set(one.kinds) <= set(other.over) and set(other.kinds) <= set(one.over)


def _can_be(signs: Signs, clauses: list[Clause]) -> bool:
    """Tell whether signs can be as stated while every clause holds: the usual search, the shortest clause first."""
    left = []
    for clause in clauses:
        if any(signs.get(name) is holds for name, holds in clause):
            continue
        open_ = [(name, holds) for name, holds in clause if name not in signs]
        if not open_:
            return False
        left.append(open_)
    if not left:
        return True
    name, holds = min(left, key=len)[0]
    return any(_can_be({**signs, name: value}, [tuple(clause) for clause in left]) for value in (holds, not holds))
