"""Reading stage rules from TOML: what is written becomes a rule set, or a list of everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

from plait.facts import DEPARTMENTS, KINDS, nearest
from plait.failure import Said, Unfit
from plait.stages import judging
from plait.stages.rule import Alternative, Owner, RuleSet, Signal, SignalSort, Stage

SHIPPED = Path(__file__).parent / "shipped.toml"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_DAYS, MOST_STAGES, MOST_SIGNALS, LONGEST = 3_660, 40, 60, 200_000
MOST_RUNS = 8  # signals that count open things: each needs room in a number
SORTS: Mapping[str, tuple[SignalSort, frozenset[str], frozenset[str]]] = {  # what each must and may state
    "lasts": ("lasts", frozenset({"kinds", "days"}), frozenset({"but_not", "first", "cut_by"})),
    "latest": ("latest", frozenset({"kinds", "over"}), frozenset({"but_not", "days", "newer_than", "after_leaving"})),
    "runs": ("runs", frozenset({"begins", "ends"}), frozenset()),
    "ever": ("ever", frozenset({"kinds"}), frozenset({"but_not"})),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a rule set: where, what, and what to do next."""

    where: str
    says: Said

    def __str__(self) -> str:
        return f"{self.where}: {self.says}"


class BadRules(Unfit, ValueError):
    """Stage rules that cannot be used; `problems` says everything that is wrong with them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(
            Said(
                "these stage rules will not do; nothing was changed. Problems: {n}\n{listed}",
                n=len(problems),
                listed=listed,
            )
        )


@cache
def shipped() -> RuleSet:
    """Give the rules that plait comes with."""
    return read_rules(SHIPPED.read_text("utf-8"))


@cache
def read_rules(text: str) -> RuleSet:
    """Read rules; raises `BadRules` with all that is wrong, not only the first."""
    if len(text) > LONGEST:
        raise BadRules([Problem("file", Said("more than {most} letters; stage rules are short.", most=LONGEST))])
    try:
        stated = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        says = Said("no valid TOML: {error}. Correct the line that it names.", error=str(error))
        raise BadRules([Problem("file", says)]) from error
    reading = Reading()
    rules = reading.rules(stated, text)
    if not reading.problems:  # what is written wrongly would be judged wrongly
        reading.problems += [Problem(where, says) for where, says in judging.judge(rules)]
    if reading.problems:
        raise BadRules(reading.problems)
    return rules


@dataclass(slots=True)
class Reading:
    """The problems found so far, while a file is read from top to bottom."""

    problems: list[Problem] = field(default_factory=list)

    def rules(self, stated: Mapping[str, object], text: str) -> RuleSet:
        """Read a whole file."""
        self._known(stated, ("cycle", "signals", "stage"), "file")
        cycle = self._table(stated.get("cycle"), "cycle")
        self._known(cycle, ("lead", "ring", "outside"), "cycle")
        told = self._table(stated.get("signals"), "signals")
        names = list(told)
        signals = tuple(self._signal(name, self._table(one, f"signals.{name}"), names) for name, one in told.items())
        tables = self._tables(stated.get("stage"), "stage")
        listed = [str(one.get("name")) for one in tables]
        stages = tuple(self._stage(one, names, listed) for one in tables)
        ring, outside = (self._texts(cycle.get(name, []), f"cycle.{name}") for name in ("ring", "outside"))
        self._places(ring, outside, [stage.name for stage in stages])
        for signal in signals:
            self._named(signal.after_leaving, listed, f"signals.{signal.name}", "stage")
        self._sizes(signals, stages)
        return RuleSet(self._lead(cycle), ring, outside, signals, stages, text)

    def _say(self, where: str, says: str, **values: object) -> None:
        self.problems.append(Problem(where, Said(says, **values)))

    def _lead(self, cycle: Mapping[str, object]) -> str:
        lead = cycle.get("lead")
        if isinstance(lead, list) and len(lead) > 1:
            self._say("cycle", "{n} leads; one person or role leads the cycle: keep one.", n=len(lead))
        elif not isinstance(lead, str) or not lead.strip():
            self._say("cycle", 'nobody leads the cycle; write one person or role, such as lead = "Mara Lind".')
        else:
            return lead.strip()
        return ""

    def _places(self, ring: Sequence[str], outside: Sequence[str], names: Sequence[str]) -> None:
        """See that each stage stands once in the ring or once outside, and that these name stages only."""
        if not ring:
            self._say("cycle", "the ring is empty; list its stages in the direction of the cycle.")
        if not names:
            self._say("stage", "there is no stage; write at least one [[stage]].")
        places = [*ring, *outside]
        for name in dict.fromkeys(one for one in places if places.count(one) > 1):
            self._say("cycle", "{name!r} stands more than once in ring and outside; keep one.", name=name)
        for name in dict.fromkeys(one for one in places if one not in names):
            self._say("cycle", "no stage {name!r}; {hint}define it or take it out.", name=name,
                      hint=nearest(name, list(names)))  # fmt: skip
        for name in dict.fromkeys(names):
            if name not in places:
                self._say(f"stage {name}", "it stands neither in ring nor outside; add it to one of them in [cycle].")
            if list(names).count(name) > 1:
                self._say(f"stage {name}", "two stages have this name; give one of them another.")

    def _sizes(self, signals: Sequence[Signal], stages: Sequence[Stage]) -> None:
        """Refuse what no query could carry."""
        runs = sum(signal.sort == "runs" for signal in signals)
        for what, count, most in (
            (Said("signals"), len(signals), MOST_SIGNALS),
            (Said("stages"), len(stages), MOST_STAGES),
            (Said("signals that run"), runs, MOST_RUNS),
        ):
            if count > most:
                self._say("file", "{n} {what}; up to {most} are allowed.", n=count, what=what, most=most)

    def _signal(self, name: str, told: Mapping[str, object], names: Sequence[str]) -> Signal:
        where, sort = f"signals.{name}", str(told.get("is"))
        self._name(name, where)
        if sort not in SORTS:
            self._say(where, "is = {given!r} is no sort of signal; {hint}allowed: {known}.", given=told.get("is"),
                      hint=nearest(sort, list(SORTS)), known=", ".join(SORTS))  # fmt: skip
            return Signal(name, name, "ever", ())
        read, must, may = SORTS[sort]
        self._known(told, ("title", "is", *sorted(must | may)), where)
        for lacking in sorted(must - set(told)):
            self._say(where, "a signal that is {sort!r} needs {what}.", sort=sort, what=lacking)
        kinds = self._kinds(told, "begins" if sort == "runs" else "kinds", where)
        taken = set(self._kinds(told, "but_not", where))
        signal = Signal(
            name=name,
            title=str(told.get("title") or name),
            sort=read,
            kinds=tuple(kind for kind in kinds if kind not in taken),
            over=self._kinds(told, "ends" if sort == "runs" else "over", where),
            days=self._days(told, where),
            first=told.get("first") is True,
            cut_by=self._text(told, "cut_by", where),
            newer_than=self._text(told, "newer_than", where),
            after_leaving=self._text(told, "after_leaving", where),
        )
        if (must & set(told)) >= {"kinds"} and kinds and not signal.kinds:
            self._say(where, "but_not takes all its kinds away; leave some.")
        for both in sorted(set(signal.kinds) & set(signal.over)):
            self._say(where, "{kind} stands on both sides; a fact cannot begin and end the same thing.", kind=both)
        for other in (signal.cut_by, signal.newer_than):
            self._named(other, names, where, "signal")
        return signal

    def _stage(self, told: Mapping[str, object], signals: Sequence[str], stages: Sequence[str]) -> Stage:
        name = str(told.get("name") or "")
        where = f"stage {name or '?'}"
        self._known(told, ("name", "title", "owners", "when"), where)
        self._name(name, where)
        owners = tuple(self._owner(one, where) for one in self._tables(told.get("owners", []), f"{where}, owners"))
        self._owners(owners, where)
        ways = self._tables(told.get("when", []), f"{where}, when")
        if not ways:
            self._say(where, "it says not when an account is in it; write at least one line under when.")
        when = tuple(self._way(number, one, where, signals, stages) for number, one in enumerate(ways, 1))
        return Stage(name, str(told.get("title") or name), owners, when)

    def _way(
        self, number: int, told: Mapping[str, object], where: str, signals: Sequence[str], stages: Sequence[str]
    ) -> Alternative:
        place = f"{where}, when {number}"
        self._known(told, ("name", "all", "none", "left"), place)
        if not isinstance(told.get("name"), str) or not str(told["name"]).strip():
            self._say(place, "it has no name; say in some words why an account is in the stage.")
        both = [self._texts(told.get(side, []), f"{place}, {side}") for side in ("all", "none")]
        for name in dict.fromkeys((*both[0], *both[1])):
            self._named(name, signals, place, "signal")
        left = self._text(told, "left", place)
        self._named(left, stages, place, "stage")
        return Alternative(str(told.get("name") or ""), both[0], both[1], left)

    def _owner(self, told: Mapping[str, object], where: str) -> Owner:
        self._known(told, ("department", "person", "since", "until"), f"{where}, owners")
        department = str(told.get("department") or "")
        if department not in DEPARTMENTS:
            self._say(f"{where}, owners", "{given!r} is no department; {hint}allowed: {known}.", given=department,
                      hint=nearest(department, list(DEPARTMENTS)), known=", ".join(DEPARTMENTS))  # fmt: skip
        days = [self._day(told, name, f"{where}, owners") for name in ("since", "until")]
        return Owner(department, self._text(told, "person", f"{where}, owners"), *days)

    def _owners(self, owners: Sequence[Owner], where: str) -> None:
        """See that exactly one answers for a stage on every day."""
        if not owners:
            self._say(where, "nobody answers for it; name one owner, a department and if you like a person.")
            return
        if owners[0].since is not None:
            self._say(where, "nobody owns it before {day}; leave out `since` of the first owner.", day=owners[0].since)
        for before, after in pairwise(owners):
            ends, begins = before.until or after.since, after.since
            if begins is None or (before.since is not None and begins <= before.since):
                self._say(where, "{one} and {other} own it at one time; give the later one a later `since`.",
                          one=before.called, other=after.called)  # fmt: skip
            elif ends is not None and ends > begins:
                self._say(where, "{one} and {other} own it at one time, from {begins} to {ends}; end the first before.",
                          one=before.called, other=after.called, begins=begins, ends=ends)  # fmt: skip
            elif ends is not None and ends < begins:
                self._say(where, "nobody owns it from {ends} to {begins}; let one owner follow the other.",
                          ends=ends, begins=begins)  # fmt: skip
        if owners[-1].until is not None:
            self._say(where, "nobody owns it from {day} on; leave out `until` of the last owner.", day=owners[-1].until)

    def _kinds(self, told: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
        """Read a list of kinds: names, "deal.*" for all that begin so, "@capture" for all of a part."""
        found: dict[str, None] = {}
        for name in self._texts(told.get(key, []), f"{where}, {key}"):
            if name.startswith("@"):
                meant = [kind.name for kind in KINDS.values() if kind.stage == name[1:]]
            elif name.endswith(".*"):
                meant = [kind for kind in KINDS if kind.startswith(name[:-1])]
            else:
                meant = [name] if name in KINDS else []
            if not meant:
                known = [*KINDS, *(f"@{part}" for part in dict.fromkeys(kind.stage for kind in KINDS.values()))]
                self._say(where, "no kind {name!r}; {hint}docs/kinds.md lists all.", name=name,
                          hint=nearest(name, known))  # fmt: skip
            found |= dict.fromkeys(meant)
        if key in told and not found and not told[key]:
            self._say(where, "{key} is empty; name at least one kind.", key=key)
        return tuple(found)

    def _days(self, told: Mapping[str, object], where: str) -> int | None:
        days = told.get("days")
        if days is None:
            return None
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
            self._say(where, "days = {given!r}; write a whole number from 1 to {most}.", given=days, most=MOST_DAYS)
            return 1
        return days

    def _day(self, told: Mapping[str, object], key: str, where: str) -> date | None:
        day = told.get(key)
        if day is None or (isinstance(day, date) and not isinstance(day, datetime)):
            return day
        self._say(
            where, "{key} = {given!r} is no day; write one without quotes, such as 2026-01-31.", key=key, given=day
        )
        return None

    def _name(self, name: str, where: str) -> None:
        if not NAME.fullmatch(name):
            self._say(
                where, "{name!r} is no name; use up to 40 small letters, digits and _, a letter first.", name=name
            )

    def _named(self, name: str | None, known: Sequence[str], where: str, what: str) -> None:
        if name is not None and name not in known:
            says = "no signal {name!r}; {hint}define it, or name another." if what == "signal" else \
                "no stage {name!r}; {hint}define it, or name another."  # fmt: skip
            self._say(where, says, name=name, hint=nearest(name, list(known)))

    def _known(self, told: Mapping[str, object], known: Iterable[str], where: str) -> None:
        names = list(known)
        for name in told:
            if name not in names:
                self._say(where, "{name!r} means nothing here; {hint}allowed: {known}.", name=name,
                          hint=nearest(name, names), known=", ".join(names))  # fmt: skip

    def _text(self, told: Mapping[str, object], key: str, where: str) -> str | None:
        value = told.get(key)
        if value is None or (isinstance(value, str) and value.strip()):
            return value.strip() if isinstance(value, str) else None
        self._say(where, "{key} = {given!r}; write a text in quotes, or leave it out.", key=key, given=value)
        return None

    def _texts(self, value: object, where: str) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        self._say(where, "a list of names in quotes stands here, such as [{example}].", example='"alive"')
        return ()

    def _table(self, value: object, where: str) -> Mapping[str, object]:
        if isinstance(value, dict):
            return value
        self._say(where, "it is missing, or no table; see the rules that plait comes with.")
        return {}

    def _tables(self, value: object, where: str) -> list[Mapping[str, object]]:
        if isinstance(value, list) and all(isinstance(one, dict) for one in value):
            return value
        if value is not None:
            self._say(where, "a list of tables stands here; see the rules that plait comes with.")
        return []
