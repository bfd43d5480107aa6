"""Reading score rules from TOML: everything that is wrong with a file is said at once, each with the way out."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast, get_args

from plait.facts import KINDS, nearest
from plait.failure import Said, Unfit
from plait.points.rules import COLUMNS, COUNTED, MACHINES, ActRule, Group, Repeat, Rules, Trait, TraitRule, Where

MOST_POINTS, MOST_DAYS, MOST_RULES = 1000.0, 3660.0, 200
FIELD = ("column", "detail", "one_of", "contains", "at_least", "below")
KNOWN: Mapping[str, Collection[str]] = {
    "file": ("title", "fit", "engagement"),
    "fit": ("grid", "trait"),
    "trait": ("name", "kinds", "column", "detail", "rule"),
    "trait rule": ("points", "one_of", "contains", "at_least", "below"),
    "engagement": ("grid", "threshold", "leave", "top", "person_cap", "group", "rule"),
    "group": ("name", "half_life_days", "cap", "weak"),
    "rule": ("name", "group", "kinds", "points", "repeat", *FIELD),
}


class BadRules(Unfit, ValueError):
    """Score rules that nothing can be scored by; `problems` are all of them, in the order of the file."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(
            Said("these score rules will not do; problems: {n}. {all}", n=len(problems), all=" ".join(problems))
        )


def read_rules(text: str, number: int) -> Rules:
    """Read a version of the rules, or raise `BadRules` with all that is wrong."""
    try:
        stated = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRules([Said("This is no valid TOML: {error}.", error=str(error))]) from None
    reader = _Reader([])
    rules = reader.rules(stated, number)
    if reader.problems:
        raise BadRules(reader.problems)
    return rules


class _Reader:
    """Reads and collects what is wrong; a part that cannot be read is left out and told."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    def rules(self, stated: Mapping[str, Any], number: int) -> Rules:
        self.names("file", "", stated)
        fit, engagement = self.part(stated, "fit"), self.part(stated, "engagement")
        self.names("fit", "", fit)
        self.names("engagement", "", engagement)
        groups = tuple(self.group(one) for one in self.tables(engagement, "group"))
        self.apart("group", [group.name for group in groups])
        acts = tuple(self.act(one, {group.name: group for group in groups}) for one in self.tables(engagement, "rule"))
        self.apart("rule", [act.name for act in acts])
        traits = tuple(trait for one in self.tables(fit, "trait") if (trait := self.trait(one)))
        self.apart("trait", [trait.name for trait in traits])
        if not acts or not groups:
            self.wrong(Said("There is no engagement rule; state at least one [[engagement.rule]] and its group."))
        if len(acts) > MOST_RULES:
            self.wrong(Said("There are {n} rules; {most} are allowed.", n=len(acts), most=MOST_RULES))
        self.unreachable(acts)
        threshold = self.number(engagement, "threshold", "engagement", 0.001, MOST_POINTS, None)
        return Rules(
            number,
            str(stated.get("title", "")).strip() or f"{number}",
            traits,
            self.grid(fit, "fit"),
            groups,
            acts,
            self.grid(engagement, "engagement"),
            threshold,
            self.number(engagement, "leave", "engagement", 0.01, 1.0, 0.8),
            int(self.number(engagement, "top", "engagement", 1, 100, 3)),
            self.number(engagement, "person_cap", "engagement", 0.01, 100.0, 0.5),
        )

    def trait(self, stated: Mapping[str, Any]) -> Trait | None:
        name = self.name(stated, "fit.trait")
        self.names("trait", name, stated)
        field = {key: stated[key] for key in ("column", "detail") if key in stated}
        rules = [self.trait_rule(one, name, field) for one in self.tables(stated, "rule")]
        if not rules:
            self.wrong(Said("Trait {name!r} has no rule; add a [[fit.trait.rule]] with points.", name=name))
            return None
        for place, rule in enumerate(rules[:-1], 1):
            if not _bounded(rule.where):
                says = "Trait {name!r}: its rule {place} always holds, the ones after it never count; put it last."
                self.wrong(Said(says, name=name, place=place))
        return Trait(name, self.kinds(stated, name, tuple(KINDS)), tuple(rules))

    def trait_rule(self, stated: Mapping[str, Any], name: str, field: Mapping[str, Any]) -> TraitRule:
        self.names("trait rule", name, stated)
        points = self.number(stated, "points", name, -MOST_POINTS, MOST_POINTS, None)
        return TraitRule(points, self.where({**stated, **field}, name))

    def group(self, stated: Mapping[str, Any]) -> Group:
        name = self.name(stated, "engagement.group")
        self.names("group", name, stated)
        return Group(
            name,
            self.number(stated, "half_life_days", name, 0.01, MOST_DAYS, None),
            self.number(stated, "cap", name, 0, 100 * MOST_POINTS, None),
            stated.get("weak") is True,
        )

    def act(self, stated: Mapping[str, Any], groups: Mapping[str, Group]) -> ActRule:
        name = self.name(stated, "engagement.rule")
        self.names("rule", name, stated)
        group, repeat = str(stated.get("group", "")), str(stated.get("repeat", "day"))
        if group not in groups:
            says = "Rule {name!r} is in group {group!r}, which is not stated; {hint}stated are: {known}."
            known = ", ".join(groups) or Said("none")
            self.wrong(Said(says, name=name, group=group, hint=nearest(group, list(groups)), known=known))
        if repeat not in get_args(Repeat):
            says = "Rule {name!r}: repeat cannot be {repeat!r}; allowed are each, day and once."
            self.wrong(Said(says, name=name, repeat=repeat))
        kinds = self.kinds(stated, name, COUNTED)
        points = self.number(stated, "points", name, -MOST_POINTS, MOST_POINTS, None)
        weak = group in groups and groups[group].weak
        if set(kinds) & set(MACHINES) and not weak:
            says = "Rule {name!r} counts {kind}, which machines do too; put it in a group with weak = true."
            self.wrong(Said(says, name=name, kind=", ".join(sorted(set(kinds) & set(MACHINES)))))
        if weak and points < 0:
            self.wrong(Said("Rule {name!r}: a weak group takes no negative points; use another group.", name=name))
        return ActRule(name, group, kinds, points, cast("Repeat", repeat), self.where(stated, name))

    def where(self, stated: Mapping[str, Any], name: str) -> Where:
        column, detail = str(stated.get("column", "")), str(stated.get("detail", ""))
        if column and detail:
            self.wrong(Said("{name!r} looks at a column and a detail; choose one of them.", name=name))
        if column and column not in COLUMNS:
            says = "{name!r}: {column!r} is no column of facts; {hint}allowed are {known}."
            hint = nearest(column, list(COLUMNS))
            self.wrong(Said(says, name=name, column=column, hint=hint, known=", ".join(COLUMNS)))
        bounds = [self.number(stated, key, name, -1e15, 1e15, None) if key in stated else None for key in FIELD[4:]]
        found = Where(column, detail, self.words(stated, "one_of", name), self.words(stated, "contains", name), *bounds)
        if _bounded(found) and not found.field:
            says = "{name!r} compares a value but names no field; add column = or detail =."
            self.wrong(Said(says, name=name))
        if bounds[0] is not None and bounds[1] is not None and bounds[0] >= bounds[1]:
            says = "{name!r}: at_least {low:g} is not below {high:g}; no value fits."
            self.wrong(Said(says, name=name, low=bounds[0], high=bounds[1]))
        return found

    def unreachable(self, acts: tuple[ActRule, ...]) -> None:
        """Tell rules that no fact reaches, since an earlier one takes all facts of their kinds."""
        taken: dict[str, str] = {}
        for act in acts:
            if act.kinds and all(kind in taken for kind in act.kinds):
                says = "Rule {name!r} never counts: {first!r} before it takes all facts of {kind}; put it earlier."
                self.wrong(Said(says, name=act.name, first=taken[act.kinds[0]], kind=act.kinds[0]))
            if not _bounded(act.where) and not act.where.field:
                taken |= dict.fromkeys((kind for kind in act.kinds if kind not in taken), act.name)

    def kinds(self, stated: Mapping[str, Any], name: str, allowed: Collection[str]) -> tuple[str, ...]:
        kinds = self.words(stated, "kinds", name)
        if not kinds:
            self.wrong(Said("{name!r} names no kinds of facts; add kinds = [...].", name=name))
        for kind in kinds:
            if kind not in KINDS:
                says = "{name!r}: no kind {kind!r}; {hint}docs/kinds.md lists all {n}."
                self.wrong(Said(says, name=name, kind=kind, hint=nearest(kind, KINDS), n=len(KINDS)))
            elif kind not in allowed:
                says = "{name!r}: {kind} is our own act, not the customer's; it is no sign of engagement: take it out."
                self.wrong(Said(says, name=name, kind=kind))
        return tuple(kind for kind in kinds if kind in allowed)

    def grid(self, stated: Mapping[str, Any], name: str) -> tuple[float, float, float]:
        given = stated.get("grid")
        numbers = [float(one) for one in given if _is_number(one)] if isinstance(given, list) else []
        if len(numbers) != 3 or not numbers[0] > numbers[1] > numbers[2]:  # noqa: PLR2004 - four letters, three limits
            says = "{name}: grid must be three falling numbers such as [40, 20, 8]; it is {given}."
            self.wrong(Said(says, name=name, given=repr(given)))
            return 3.0, 2.0, 1.0
        return numbers[0], numbers[1], numbers[2]

    def number(
        self, stated: Mapping[str, Any], key: str, name: str, least: float, most: float, default: float | None
    ) -> float:  # fmt: skip
        given = stated.get(key, default)
        if not _is_number(given) or not least <= float(cast("float", given)) <= most:
            says = "{name!r}: {key} must be a number from {least:g} to {most:g}; it is {given}."
            self.wrong(Said(says, name=name, key=key, least=least, most=most, given=repr(given)))
            return max(least, min(1.0, most))
        return float(cast("float", given))

    def words(self, stated: Mapping[str, Any], key: str, name: str) -> tuple[str, ...]:
        given = stated.get(key, [])
        if not isinstance(given, list) or not all(isinstance(one, str) and one.strip() for one in given):
            says = "{name!r}: {key} must be a list of texts; it is {given}."
            self.wrong(Said(says, name=name, key=key, given=repr(given)))
            return ()
        return tuple(one.strip() if key == "kinds" else one.strip().lower() for one in given)

    def part(self, stated: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        given = stated.get(key)
        if not isinstance(given, dict):
            self.wrong(Said("The part [{key}] is missing; see `plait scores rules` for a whole file.", key=key))
            return {}
        return given

    def tables(self, stated: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
        given = stated.get(key, [])
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            self.wrong(Said("{key} must be written as [[...{key}]] tables.", key=key))
            return
        yield from given

    def name(self, stated: Mapping[str, Any], what: str) -> str:
        name = str(stated.get("name", "")).strip()
        if not name:
            self.wrong(Said("A {what} has no name; every point is told by the name of its rule.", what=what))
        return name

    def names(self, part: str, name: str, stated: Mapping[str, Any]) -> None:
        for key in stated:
            if key not in KNOWN[part]:
                says = "{where}: {key!r} means nothing here; {hint}allowed are {known}."
                where, known = name or part, list(KNOWN[part])
                self.wrong(Said(says, where=where, key=key, hint=nearest(key, known), known=", ".join(known)))

    def apart(self, what: str, names: list[str]) -> None:
        for name in dict.fromkeys(name for name in names if name and names.count(name) > 1):
            says = "{n} {what}s are named {name!r}; give each a name of its own."
            self.wrong(Said(says, n=names.count(name), what=what, name=name))

    def wrong(self, says: str) -> None:
        self.problems.append(says)


def _bounded(where: Where) -> bool:
    return bool(where.one_of or where.contains or where.at_least is not None or where.below is not None)


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and given == given  # noqa: PLR0124 - NaN
