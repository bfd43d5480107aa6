"""Reading: the roles of a file's columns as the values, keys and conditions of a mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plait.facts import KINDS
from plait.failure import Said
from plait.sources.form import ROW, Column, Condition, FactMapping, Lookup, Template, Value
from plait.sources.proposal.links import words_of
from plait.sources.proposal.model import Answers, ColumnDraft, FileDraft
from plait.sources.proposal.sort import NUMBER, SIGNS, WHOLE, YES_NO
from plait.sources.proposal.vocabulary import concepts, is_outcome, meaning, tokens
from plait.store import SAME

Facts = list[tuple[FactMapping, str]]
Conditions = tuple[Condition, ...]
Keys = tuple[tuple[str, Value], ...]
Fields = Mapping[str, Value | None]

FIVE = 5  # stars at most; what goes beyond is asked as NPS is, from 0 to 10


def kinds_of(kind: Value) -> list[str]:
    """Give the kinds that a value can be."""
    return [code for _, code in kind.map] or [str(part) for part in kind.template if isinstance(part, str)]


def column(name: str) -> Template:
    """Give the template that is one column."""
    return (Column(name),)


def said(*parts: str | Column) -> Value:
    """Give a value of constant texts and columns."""
    return Value(tuple(parts))


@dataclass(slots=True)
class Reading:
    """Reads the roles of one file as values of a mapping.

    `files` are all of the proposal, by name; `day` is that of rows which have none.
    """

    draft: FileDraft
    files: Mapping[str, FileDraft]
    source: str
    answers: Answers
    row_id: Template
    day: str

    # -- what is in the columns

    def name(self, role: str) -> str | None:
        """Give the column that has a role."""
        found = self.draft.of(role)
        return found.profile.name if found else None

    def value(self, role: str) -> Value | None:
        """Give the value of the column that has a role."""
        name = self.name(role)
        return Value(column(name)) if name is not None else None

    def time(self, *roles: str) -> Value | None:
        """Give the first of these times that there is, as its column writes it."""
        found = next((c for role in roles if (c := self.draft.of(role))), None)
        if found is None:
            return None
        return Value(column(found.profile.name), formats=self.formats(found))

    def time_or(self, role: str, other: str) -> Value | None:
        """Give a time, and where it is empty another, if both are written in the same way."""
        one, two = self.draft.of(role), self.draft.of(other)
        if one is None or two is None or one.profile.sort.formats != two.profile.sort.formats:
            return self.time(role, other)
        return Value(column(one.profile.name), formats=self.formats(one), otherwise=column(two.profile.name))

    def channel(self) -> Value | None:
        """Give the channel, in lower case where all are written in capitals."""
        found = self.draft.of("channel")
        if found is None:
            return None
        choices = found.profile.choices
        loud = bool(choices) and all(v.replace("_", "").isalpha() and v.isupper() for v in choices)
        return Value(column(found.profile.name), map=tuple((v, v.lower()) for v in choices) if loud else ())

    def formats(self, found: ColumnDraft) -> tuple[str, ...]:
        """Give the formats of a time, as people said or as its values are."""
        given = self.answers.get(f"format:{self.draft.profile.name}:{found.profile.name}")
        return (given,) if given else found.profile.sort.formats

    def amount(self, role: str = "amount") -> Value | None:
        """Give the amount, in the unit and with the decimal mark that its values have, without the tax it holds."""
        found = self.draft.of(role)
        if found is None:
            return None
        file, sort = self.draft.profile.name, found.profile.sort
        mark = self.answers.get(f"decimal:{file}:{found.profile.name}") or sort.decimal
        unit = self.answers.get(f"unit:{file}") or unit_of(self.draft)
        less: tuple[Template, ...] = ()
        tax = self.draft.of("tax")
        if tax is not None and "total" in words_of(found.profile.name):
            less = (self.let("the_tax", Value(column(tax.profile.name), otherwise=("0",))),)
        return Value(
            column(found.profile.name), unit=unit, decimal=mark if mark != "." else None, less=less, signs=sort.signs
        )

    def row(self, suffix: str, of: str | None = None) -> Value:
        """Give the id of a fact: unique in the source."""
        parts = (f"{of or self.draft.shape}:", *self.row_id, *((f":{suffix}",) if suffix else ()))
        return Value(parts)

    def person_name(self) -> Value | None:
        """Give the name of a person, whole or of its parts."""
        first, last = self.name("first_name"), self.name("last_name")
        whole = self.draft.of("name")
        if whole is not None and (whole.profile.filled or not (first and last)):
            if whole.profile.filled == self.draft.profile.rows or not (first and last):
                return self.value("name")
            return Value(column(whole.profile.name), otherwise=(Column(first), " ", Column(last)))
        if first and last:
            return Value((Column(first), " ", Column(last)), otherwise=column(last))
        only = first or last
        return Value(column(only)) if only else None

    def let(self, name: str, value: Value) -> Template:
        """Put a value beside the columns, under a name that no column has, and give it as a column."""
        while name in self.draft.columns or self.draft.lets.get(name, value) != value:
            name += "_"
        self.draft.lets[name] = value
        return column(name)

    def number(self) -> Value | None:
        """Give the number by which people know a row, beside its id."""
        return self.value("number")

    # -- conditions

    def kept(self) -> Conditions:
        """Give the condition that a row was not deleted."""
        conditions = [
            Condition(found.profile.name, yes(found), negated=True)
            for found in self.draft.columns.values()
            if found.role == "deleted"
        ]
        for name, found in self.draft.columns.items():
            snapshot = name.startswith("_") and name.endswith("_active") and self.draft.entity != "history"
            if snapshot and found.profile.sort.name == YES_NO:
                conditions.append(Condition(name, no(found), negated=True))  # an older state of the row
        if (live := self.draft.of("live")) is not None:
            wrong = (
                no(live)
                if "test" not in meaning(live.profile.name) and "live" in live.profile.name.lower()
                else yes(live)
            )
            conditions.append(Condition(live.profile.name, wrong, negated=True))
        status = self.draft.of("status")
        gone = [v for v in status.profile.choices if is_outcome(v, "deleted")] if status else []
        if gone and status:
            conditions.append(Condition(status.profile.name, tuple(gone), negated=True))
        return tuple(conditions)

    def where(self, meant: str) -> Conditions | None:
        """Give the condition that the status says an outcome; None where it never does."""
        status = self.draft.of("status")
        values = [v for v in status.profile.choices if is_outcome(v, meant)] if status else []
        return (Condition(status.profile.name, tuple(values)),) if values and status else None

    def present(self, role: str) -> Conditions:
        """Give the condition that the column of a role is filled in."""
        name = self.name(role)
        return (Condition(name, present=True),) if name else ()

    def outcome(self, meant: str) -> Conditions | None:
        """Give the condition that a deal was won, or lost: by its own columns, or by the list of its stages."""
        given = self.answers.get(f"{meant}:{self.draft.profile.name}", "")
        status = self.draft.of("status")
        if given and status:
            return (Condition(status.profile.name, tuple(v.strip() for v in given.split(";") if v.strip())),)
        won, closed = self.draft.of("won"), self.draft.of("is_closed")
        by_words = self.where(meant)
        if won is not None and not (by_words and won.profile.filled < self.draft.profile.rows):
            if meant == "won":
                return (Condition(won.profile.name, yes(won)),)
            return (
                (Condition(closed.profile.name, yes(closed)), Condition(won.profile.name, yes(won), negated=True))
                if closed
                else None
            )
        return by_words or self.by_stage(meant)

    def by_stage(self, meant: str) -> Conditions | None:
        """Look up in the list of stages whether one is won, or closed otherwise."""
        status = self.draft.of("status")
        target = self.files.get(status.link.file) if status and status.link else None
        if target is None or status is None or status.link is None:
            return None
        flags = {what: flag(target, what) for what in ("won", "closed")}
        if flags["won"] is None:
            return None
        names: dict[str, str] = {}
        for what, found in flags.items():
            if found is not None:
                told = Value(column(status.profile.name), lookup=lookup(target, status.link.key, found.profile.name))
                names[what] = str(getattr(self.let(f"the_{what}", told)[0], "name", ""))
        won = yes(flags["won"])
        if meant == "won":
            return (Condition(names["won"], won),)
        closed = flags["closed"]
        ended = (Condition(names["closed"], yes(closed)),) if closed else ()
        return (*ended, Condition(names["won"], won, negated=True)) if closed else None

    # -- facts

    @staticmethod
    def needs(kind: Value) -> list[str]:
        """Give the fields that facts of these kinds cannot do without; the currency may be that of the file."""
        every = [need for name in kinds_of(kind) for need in KINDS[name].needs if need != "currency"]
        return list(dict.fromkeys(every))

    def fact(
        self, kind: str | Value, id_: Value, when: Value | None, says: str, keys: Keys, fields: Fields, *,
        conditions: Conditions = (), detail: Fields | None = None,
    ) -> Facts:  # fmt: skip
        """Give a fact from the values that there are."""
        at = when or said(self.day)
        kinds = kind if isinstance(kind, Value) else said(kind)
        known = {name: value for name, value in fields.items() if value is not None}
        if "amount" in known and (currency := self.value("currency")):
            known["currency"] = currency
        lacking = [need for need in self.needs(kinds) if need not in known]
        if lacking:
            self.draft.notes.append(
                Said("it gives no {kind}: no column has the {names}", kind=kinds_of(kinds)[0], names=", ".join(lacking))
            )
            return []
        told = {**(detail or {}), SAME: self.value("id")}
        details = tuple(sorted((name, value) for name, value in told.items() if value is not None))
        made = FactMapping(
            {"kind": kinds, "id": id_, "occurred_at": at, **known}, keys, details,
            (*self.kept(), *conditions),
        )  # fmt: skip
        return [(made, says)]


def lookup(other: FileDraft, key: str, value: str) -> Lookup:
    """Give the lookup in another file: by its shape, or by its name where it is told by that."""
    if other.profile.told_by:
        return Lookup("", key, value, shape=other.shape, first=True)
    return Lookup(other.profile.name, key, value, first=True)


def yes(found: ColumnDraft) -> tuple[str, ...]:
    """Give the values by which a column says yes, in all ways to write them."""
    return _ways([v for v in found.profile.choices if is_outcome(v, "yes")] or ["true"])


def no(found: ColumnDraft) -> tuple[str, ...]:
    """Give the values by which a column says no."""
    return _ways([v for v in found.profile.choices if is_outcome(v, "no")] or ["false"])


def _ways(values: Sequence[str]) -> tuple[str, ...]:
    every = [way for v in values for way in (v, *((v.lower(), v.upper(), v.capitalize()) if v.isalpha() else ()))]
    return tuple(dict.fromkeys(every))


def flag(draft: FileDraft, *means: str) -> ColumnDraft | None:
    """Give a column of yes and no that means one of these."""
    for wanted in means:
        for found in draft.columns.values():
            words = words_of(found.profile.name)
            telling = [w for w in words if "is" not in concepts(w)]
            if found.profile.sort.name == YES_NO and any(wanted in concepts(w) or w == wanted for w in telling):
                return found
    return None


def unit_of(draft: FileDraft) -> str:
    """Tell the unit of a file's amounts: millionths and cents by name, cents where all are whole and codes are low."""
    amount, currency = draft.of("amount"), draft.of("currency")
    if amount is None:
        return "major"
    words = set(tokens(amount.profile.name))
    if words & {"micros", "micro", "millionths"}:
        return "micro"
    if words & {"cents", "cent", "minor", "pence"}:
        return "minor"
    return "minor" if maybe_minor(amount, currency) else "major"


def maybe_minor(amount: ColumnDraft, currency: ColumnDraft | None) -> bool:
    """Tell whether amounts are likely in cents: whole numbers throughout, with codes as programs write them."""
    whole = amount.profile.sort.name == WHOLE and amount.profile.filled > 0
    return whole and currency is not None and currency.profile.sort.lower


def currency_of(drafts: Sequence[FileDraft]) -> str | None:
    """Give the currency that the signs beside amounts say, if they are of one."""
    signs = {
        SIGNS.get(sign, sign) for draft in drafts for c in draft.columns.values() if c.role == "amount"
        for sign in (c.profile.sort.signs if c.profile.sort.name == NUMBER else ())
    }  # fmt: skip
    return signs.pop() if len(signs) == 1 else None


WHOLE_ROW: Template = (ROW,)
