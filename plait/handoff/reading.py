"""Reading a policy from TOML: what is written becomes the terms of a policy, or a list of all that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import TypeGuard
from zoneinfo import ZoneInfo

from plait.facts import DEPARTMENTS, KINDS, nearest
from plait.failure import Said
from plait.handoff.terms import (
    MODES,
    NURTURE,
    TAKEN_BACK,
    TARGETS,
    WITHDRAWN,
    BadPolicy,
    HandOffType,
    ModeRow,
    Problem,
    Reason,
    Route,
    Terms,
)
from plait.working_time import WEEK, BadCalendar, Calendar, Period

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST = 200_000
MINUTES, ATTEMPTS, DAYS, VOLUME = (1, 100_000), (1, 50), (0, 3_660), (1, 1_000_000)
TYPE = (
    "title", "sender", "receiver", "starts", "required", "answer_minutes", "touch_minutes", "attempts", "attempt_days",
    "escalate", "fallback", "tells", "owes",
)  # fmt: skip


@lru_cache(maxsize=64)
def read_terms(text: str, zone: str) -> Terms:
    """Read a policy; `zone` is that of calendars which name none. Raises `BadPolicy` with all that is wrong."""
    if len(text) > LONGEST:
        raise BadPolicy([Problem("file", Said("more than {most} letters; a policy is short.", most=LONGEST))])
    try:
        stated = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        says = Said("no valid TOML: {error}. Correct the line that it names.", error=str(error))
        raise BadPolicy([Problem("file", says)]) from error
    reading = Reading(zone)
    terms = reading.terms(stated)
    if reading.problems:
        raise BadPolicy(reading.problems)
    return terms


@dataclass(slots=True)
class Reading:
    """The problems found so far, while a file is read from top to bottom."""

    zone: str
    problems: list[Problem] = field(default_factory=list)

    def terms(self, stated: Mapping[str, object]) -> Terms:
        """Read a whole file."""
        self._known(stated, ("facts", "types", "reasons", "calendars", "modes", "routes"), "file")
        facts = self._table(stated.get("facts"), "facts")
        self._known(facts, ("since",), "facts")
        since = self._instant(facts["since"], "facts.since") if "since" in facts else None
        types = {name: self._type(name, told) for name, told in self._named(stated, "types")}
        reasons = {code: self._reason(code, told) for code, told in self._named(stated, "reasons")}
        reasons.setdefault(TAKEN_BACK, Reason(TAKEN_BACK, TAKEN_BACK, WITHDRAWN))
        calendars = self._calendars(self._named(stated, "calendars"))
        if not types:
            self._say("types", "there is no type of hand-off; write at least one, such as [types.lead].")
        self._clocks(types.values(), calendars)
        modes = tuple(self._mode(told, n) for n, told in enumerate(self._rows(stated, "modes"), 1))
        self._apart(modes)
        routes = tuple(self._route(told, n, list(types)) for n, told in enumerate(self._rows(stated, "routes"), 1))
        return Terms(since=since, types=types, reasons=reasons, calendars={d: c for d, c in calendars.items() if c},
                     modes=modes, routes=routes)  # fmt: skip

    # ------------------------------------------------------------------------------------------------- the parts

    def _type(self, name: str, told: Mapping[str, object]) -> HandOffType:
        where = f"types.{name}"
        self._known(told, TYPE, where)
        sender, receiver = (self._department(told.get(side), f"{where}.{side}") for side in ("sender", "receiver"))
        if sender and sender == receiver:
            self._say(where, "{department} hands over to itself; name two departments.", department=sender)
        owes = self._table(told.get("owes"), f"{where}.owes")
        self._known(owes, ("volume", "completeness", "acceptance"), f"{where}.owes")
        return HandOffType(
            name=name,
            title=self._text(told.get("title", name), f"{where}.title"),
            sender=sender,
            receiver=receiver,
            starts=self._kinds(told.get("starts", []), f"{where}.starts"),
            required=self._fields(told.get("required", []), f"{where}.required"),
            answer_minutes=self._number(told.get("answer_minutes"), f"{where}.answer_minutes", MINUTES),
            touch_minutes=self._number(told.get("touch_minutes"), f"{where}.touch_minutes", MINUTES),
            attempts=self._number(told.get("attempts", 1), f"{where}.attempts", ATTEMPTS),
            attempt_days=self._number(told.get("attempt_days", 14), f"{where}.attempt_days", DAYS),
            escalate=self._shares(told.get("escalate", [50, 80, 100]), f"{where}.escalate"),
            fallback=self._text(told.get("fallback", "-"), f"{where}.fallback") if told.get("fallback") else "",
            tells=self._tells(told.get("tells"), f"{where}.tells"),
            volume=self._number(owes["volume"], f"{where}.owes.volume", VOLUME) if "volume" in owes else None,
            completeness=self._share(owes.get("completeness"), f"{where}.owes.completeness"),
            acceptance=self._share(owes.get("acceptance"), f"{where}.owes.acceptance"),
        )

    def _reason(self, code: str, told: Mapping[str, object]) -> Reason:
        where = f"reasons.{code}"
        self._known(told, ("title", "target", "delay_days"), where)
        target = self._one_of(told.get("target"), TARGETS, f"{where}.target")
        if target and (target == WITHDRAWN) != (code == TAKEN_BACK):
            self._say(where, "only the reason {code!r} has the target {target!r}, and no other.", code=TAKEN_BACK,
                      target=WITHDRAWN)  # fmt: skip
        delay = self._number(told["delay_days"], f"{where}.delay_days", DAYS) if "delay_days" in told else None
        if target == NURTURE and delay is None:
            self._say(where, "it sends accounts back to nurture and does not say for how long; add delay_days.")
        if target and target != NURTURE and delay is not None:
            self._say(where, "only accounts sent back to nurture wake again; take delay_days out.")
        return Reason(code, self._text(told.get("title", code), f"{where}.title"), target, delay)

    def _calendars(self, stated: Iterable[tuple[str, Mapping[str, object]]]) -> dict[str, Calendar | None]:
        """Give the calendar of each department; None where it has one that is wrong, which was said already."""
        found: dict[str, Calendar | None] = {}
        named: dict[str, str] = {}
        for name, told in stated:
            calendar = self._calendar(told, f"calendars.{name}")
            for given in self._texts(told.get("of"), f"calendars.{name}.of"):
                department = self._department(given, f"calendars.{name}.of")
                if department in named:
                    self._say(f"calendars.{name}", "{department} has two calendars, {one} and {other}; keep one.",
                              department=department, one=named[department], other=name)  # fmt: skip
                elif department:
                    found[department], named[department] = calendar, name
        return found

    def _calendar(self, told: Mapping[str, object], where: str) -> Calendar | None:
        self._known(told, ("of", "zone", "weekdays", *WEEK, "holidays", "days"), where)
        usual = self._periods(told.get("weekdays", []), f"{where}.weekdays")
        week = tuple(
            self._periods(told[name], f"{where}.{name}") if name in told else usual if name in WEEK[:5] else ()
            for name in WEEK
        )
        days: dict[date, tuple[Period, ...]] = {}
        for day in self._list(told.get("holidays", []), f"{where}.holidays"):
            days |= dict.fromkeys(self._days(day, f"{where}.holidays"), ())
        for text, periods in self._table(told.get("days"), f"{where}.days").items():
            for found in self._days(text, f"{where}.days"):
                if found in days:
                    self._say(where, "{day} is a holiday and has other hours too; keep one.", day=str(found))
                days[found] = self._periods(periods, f"{where}.days.{text}")
        try:
            return Calendar(self._text(told.get("zone", self.zone), f"{where}.zone"), week, days)
        except BadCalendar as error:
            self._say(where, "{problem}", problem=error.args[0])
            return None

    def _clocks(self, types: Iterable[HandOffType], calendars: Mapping[str, object]) -> None:
        """Refuse a clock without calendar."""
        for one in types:
            if one.receiver and one.receiver not in calendars:
                self._say(
                    f"types.{one.name}",
                    "{department} owes an answer within {minutes} working minutes and has no calendar, so no clock can "
                    "run; add {department!r} to `of` of one under [calendars].",
                    department=one.receiver, minutes=one.answer_minutes,
                )  # fmt: skip

    def _mode(self, told: Mapping[str, object], number: int) -> ModeRow:
        where = f"modes {number}"
        self._known(told, ("between", "mode", "since"), where)
        pair = [self._department(name, f"{where}.between") for name in self._texts(told.get("between"), where)]
        if len(set(pair)) != 2:  # noqa: PLR2004 - a pair
            self._say(where, 'between names a pair; write two departments, such as ["marketing", "sales"].')
        since = self._instant(told.get("since"), f"{where}.since")
        return ModeRow(frozenset(pair), self._one_of(told.get("mode"), MODES, f"{where}.mode"), since)

    def _apart(self, modes: Sequence[ModeRow]) -> None:
        """Refuse two modes of one pair that begin at one instant."""
        seen: set[tuple[frozenset[str], datetime]] = set()
        for number, row in enumerate(modes, 1):
            if (row.departments, row.since) in seen:
                self._say(f"modes {number}", "{pair} have two modes since {since}; keep one.",
                          pair=", ".join(sorted(row.departments)), since=f"{row.since:%Y-%m-%d %H:%M} UTC")  # fmt: skip
            seen.add((row.departments, row.since))

    def _route(self, told: Mapping[str, object], number: int, types: Sequence[str]) -> Route:
        where = f"routes {number}"
        self._known(told, ("name", "types", "where", "at_least", "to"), where)
        to = self._texts(told.get("to"), f"{where}.to")
        if not to:
            self._say(where, "it leads to nobody; write at least one colleague's address in `to`.")
        least = told.get("at_least")
        if least is not None and not (_is_number(least) and least >= 0):
            self._say(where, "at_least is {given!r}; write an amount of 0 or more.", given=least)
            least = None
        conditions = self._table(told.get("where"), f"{where}.where")
        return Route(
            name=self._text(told.get("name"), f"{where}.name"),
            types=tuple(
                self._one_of(name, types, f"{where}.types") for name in self._texts(told.get("types", []), where)
            ),
            where={name: self._texts(texts, f"{where}.where.{name}") for name, texts in conditions.items()},
            at_least=Decimal(str(least)) if least is not None else None,
            to=to,
        )

    def _tells(self, told: object, where: str) -> dict[str, str]:
        """Read which answer is which fact of the account's stage."""
        table = self._table(told, where)
        self._known(table, ("accepted", *TARGETS), where)
        kinds = {answer: kind for answer, given in table.items() for kind in self._kinds([given], f"{where}.{answer}")}
        for answer, kind in kinds.items():
            if KINDS[kind].needs or kind.startswith("handoff."):
                self._say(f"{where}.{answer}", "a fact {kind!r} needs more than a hand-off knows; use one such as "
                          "'lead.sal' or 'lead.recycled'.", kind=kind)  # fmt: skip
        return kinds

    # ------------------------------------------------------------------------------------------------- the values

    def _say(self, where: str, says: str, **values: object) -> None:
        self.problems.append(Problem(where, Said(says, **values)))

    def _known(self, told: Mapping[str, object], names: Sequence[str], where: str) -> None:
        for name in told:
            if name not in names:
                self._say(where, "{name!r} is not known here; {hint}allowed: {known}.", name=name,
                          hint=nearest(name, list(names)), known=", ".join(names))  # fmt: skip

    def _table(self, told: object, where: str) -> Mapping[str, object]:
        if told is not None and not isinstance(told, dict):
            self._say(where, "{given!r} is no table; write [{name}] and its lines below it.", given=told, name=where)
        return told if isinstance(told, dict) else {}

    def _named(self, stated: Mapping[str, object], part: str) -> list[tuple[str, Mapping[str, object]]]:
        named = self._table(stated.get(part), part)
        for name in named:
            if not NAME.fullmatch(name):
                self._say(f"{part}.{name}", "a name has lower case letters, digits and underscores, a letter first.")
        return [(name, self._table(told, f"{part}.{name}")) for name, told in named.items()]

    def _rows(self, stated: Mapping[str, object], part: str) -> list[Mapping[str, object]]:
        return [self._table(one, part) for one in self._list(stated.get(part, []), part)]

    def _list(self, told: object, where: str) -> list[object]:
        if isinstance(told, list):
            return told
        self._say(where, "{given!r} is no list; write [ ] around it.", given=told)
        return []

    def _text(self, told: object, where: str) -> str:
        if isinstance(told, str) and told.strip():
            return told.strip()
        self._say(where, "{given!r} is no text; write one in quotation marks.", given=told)
        return ""

    def _texts(self, told: object, where: str) -> tuple[str, ...]:
        return tuple(text for one in self._list(told, where) if (text := self._text(one, where)))

    def _fields(self, told: object, where: str) -> tuple[str, ...]:
        names = self._texts(told, where)
        for name in names:
            if not NAME.fullmatch(name):
                self._say(where, "{name!r} is no field of the card; use lower case letters, digits and underscores.",
                          name=name)  # fmt: skip
            if names.count(name) > 1:
                self._say(where, "{name!r} stands there twice; keep one.", name=name)
        return tuple(dict.fromkeys(names))

    def _number(self, told: object, where: str, between: tuple[int, int]) -> int:
        least, most = between
        if isinstance(told, int) and not isinstance(told, bool) and least <= told <= most:
            return told
        self._say(where, "{given!r} is not allowed; write a whole number from {least} to {most}.", given=told,
                  least=least, most=most)  # fmt: skip
        return least

    def _share(self, told: object, where: str) -> float | None:
        if told is None:
            return None
        if _is_number(told) and 0 <= told <= 1:
            return float(told)
        self._say(where, "{given!r} is no share; write a number from 0 to 1, such as 0.75.", given=told)
        return None

    def _shares(self, told: object, where: str) -> tuple[int, ...]:
        shares = tuple(self._number(one, where, (1, 100)) for one in self._list(told, where))
        if any(one >= after for one, after in pairwise(shares)):
            self._say(where, "the percents {given} are out of order; write each once, the smallest first.",
                      given=", ".join(str(one) for one in shares))  # fmt: skip
        return shares

    def _one_of(self, told: object, names: Sequence[str], where: str) -> str:
        if isinstance(told, str) and told in names:
            return told
        self._say(where, "{given!r} is not known; {hint}allowed: {known}.", given=told,
                  hint=nearest(str(told), list(names)), known=", ".join(names))  # fmt: skip
        return ""

    def _department(self, told: object, where: str) -> str:
        return self._one_of(told, DEPARTMENTS, where)

    def _kinds(self, told: object, where: str) -> tuple[str, ...]:
        names = self._texts(told, where)
        for name in names:
            if name not in KINDS:
                self._say(where, "no kind of fact {name!r}; {hint}see `plait kinds`.", name=name,
                          hint=nearest(name, list(KINDS)))  # fmt: skip
        return tuple(name for name in names if name in KINDS)

    def _periods(self, told: object, where: str) -> tuple[Period, ...]:
        found: list[Period] = []
        for text in self._texts(told, where):
            try:
                found.append(Period.read(text))
            except BadCalendar as error:
                self._say(where, "{problem}", problem=error.args[0])
        return tuple(found)

    def _days(self, told: object, where: str) -> list[date]:
        try:
            return [told if type(told) is date else date.fromisoformat(str(told))]
        except ValueError:
            self._say(where, "{given!r} is no day; write one such as 2026-12-25.", given=str(told))
            return []

    def _instant(self, told: object, where: str) -> datetime:
        """Read an instant with its zone, or a day, which begins at midnight in the home's zone."""
        with suppress(OverflowError):  # the first and the last day there are have no midnight everywhere
            if isinstance(told, datetime) and told.tzinfo is not None:
                return told.astimezone(UTC)
            if type(told) is date:
                return datetime.combine(told, clock(), ZoneInfo(self.zone)).astimezone(UTC)
        self._say(where, "{given!r} is no instant; write a day such as 2026-11-01, or 2026-11-01T09:00:00Z.",
                  given=str(told))  # fmt: skip
        return datetime(1970, 1, 2, tzinfo=UTC)


def _is_number(told: object) -> TypeGuard[int | Decimal]:
    """Tell whether something is a number to reckon with: TOML knows truth, infinity and "not a number" too."""
    return isinstance(told, int | Decimal) and not isinstance(told, bool) and Decimal(told).is_finite()
