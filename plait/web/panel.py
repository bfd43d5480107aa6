"""Panels: the parts of a page that asks one question in several ways.

What is answered already stands in the page; every other panel fetches itself, as the blocks of a board do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.http import HttpRequest, QueryDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from plait import desk
from plait.measure import MONEY_UNIT, Cell, Option, Table, known_measure
from plait.timeline import EVERYTHING
from plait.web import formats, words
from plait.web.blocks import Grid, Shown, cell_text, is_number
from plait.web.people.models import User
from plait.web.reader import ask_of, results, state_of, user_of
from plait.web.results import Ask
from plait.web.state import RESERVED, BadState, day_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks of a page: the options in its address, the days [since, until) and who asks."""

    user: User
    given: Mapping[str, str]
    shared: Mapping[str, str]  # moment and currency
    since: date | None = None
    until: date | None = None

    def ask(self, measure: str, **own: object) -> Ask:
        """Ask a measure with those of the page's options that it has; `own` are the panel's."""
        known = known_measure(measure).options
        days = {"since": self.since, "until": self.until}
        told = {name: day.isoformat() for name, day in days.items() if day and name in known}
        told |= {name: text for name, text in self.given.items() if name in known}
        return ask_of(self.user, measure, {**told, **{name: str(value) for name, value in own.items()}, **self.shared})


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page: how wide it is (of 12), what it asks, and how its template is filled when that is answered.

    `waits` is true where something else than an answer must be made first, which takes its time.
    """

    name: str
    template: str
    asks: Sequence[Ask]
    load: Callable[[], Mapping[str, object]]
    span: int = 12
    waits: bool = False

    @property
    def known(self) -> bool:
        """Tell whether it can be drawn at once."""
        return not self.waits and all(results().peek(ask) is not None for ask in self.asks)

    def drawn(self) -> SafeString:
        """Draw it."""
        return render_to_string(self.template, {"panel": self, **self.load()})


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a page's form: what it may be as (value in the address, text), and what it is when nobody says."""

    name: str
    kind: str  # choice, yes or number
    choices: Sequence[tuple[str, str]]
    value: str
    default: str


@dataclass(frozen=True, slots=True)
class Between:
    """A column that shows two columns of a table as an interval."""

    low: str
    high: str
    title: str


def read_wanted(request: HttpRequest, *measures: str) -> Wanted:
    """Read from an address what somebody asks; a name that none of the measures has is refused as the first says it."""
    desk.measures()
    query = request.GET
    given = {name: str(text) for name, text in query.items() if name not in (*RESERVED, "whole") and text != ""}
    known = {option for name in measures for option in known_measure(name).options}
    known_measure(measures[0]).read_options({name: text for name, text in given.items() if name not in known})
    shared = {name: str(query[name]) for name in ("as_of", "currency") if query.get(name)}
    return Wanted(user_of(request), given, shared, *_period(request))


def _period(request: HttpRequest) -> tuple[date | None, date | None]:
    """Read the days [since, until); without any named it is all time."""
    query = request.GET
    if query.get("from") or query.get("to"):
        since = day_of("from", str(query["from"])) if query.get("from") else None
        until = day_of("to", str(query["to"])) + timedelta(days=1) if query.get("to") else None
        if since and until and since >= until:
            raise BadState(gettext("The period ends before it begins; choose a later last day."))
        return since, until
    if query.get("period"):
        state = state_of(request)
        return state.since, state.until
    return None, None


def panels_of(panels: Sequence[Panel], query: QueryDict) -> list[tuple[Panel, SafeString | None]]:
    """Draw the panels that can be drawn at once, or all where the whole page is asked for, as for printing."""
    whole = "whole" in query
    return [(panel, panel.drawn() if whole or panel.known else None) for panel in panels]


def fields_of(query: QueryDict, measure: str, names: Sequence[str], texts: Mapping[str, str]) -> list[Field]:
    """Give fields for some options of a measure; `texts` names choices that do not read well by themselves."""
    options = known_measure(measure).options
    unnamed = dict(Ask.of(measure, {}, scope=EVERYTHING).options)  # as the firm has agreed
    return [_field(options[name], unnamed[name], str(query.get(name, "")), texts) for name in names]


def _field(option: Option, unnamed: object, value: str, texts: Mapping[str, str]) -> Field:
    default = "" if unnamed is None else str(unnamed)
    if option.type is bool:
        default = "yes" if unnamed else "no"
        choices = [("yes", gettext("yes")), ("no", gettext("no"))]
        return Field(option.name, "yes", choices, value or default, default)
    told = [(name, gettext(texts[name]) if name in texts else words.label(name)) for name in option.choices]
    return Field(option.name, "choice" if told else "number", told, value or (default if told else ""), default)


def changed(query: QueryDict, **changes: str) -> str:
    """Give the query of the same address with some of it changed; what is empty is left out."""
    told = query.copy()
    for name, value in changes.items():
        told.pop(name, None)
        if value:
            told[name] = value
    return str(told.urlencode())


def grid_between(table: Table, columns: Sequence[str | Between], *, first: str = "") -> Grid:
    """Lay out a table for a page with its intervals as one column each; `first` names the first column anew."""
    heads = []
    for column in columns:
        if isinstance(column, Between):
            heads.append((column.title, "", True))
        else:
            unit = table.columns[column]
            heads.append((words.label(column), words.label(unit), is_number(unit)))
    if first:
        heads[0] = (words.label(first), *heads[0][1:])
    rows = [[_shown(table, row, column, place) for column in columns] for place, row in enumerate(table.records())]
    return Grid(heads, rows)


def _shown(table: Table, row: Mapping[str, Cell], column: str | Between, place: int) -> Shown:
    currency = str(row["currency"]) if row.get("currency") else None
    if isinstance(column, Between):
        text = between(row[column.low], row[column.high], table.columns[column.low], currency)
        return Shown(text, column.low, number=True, row=place)
    unit = table.columns[column]
    return Shown(cell_text(row[column], unit, currency), column, is_number(unit), place)


def between(low: Cell, high: Cell, unit: str, currency: str | None) -> str:
    """Give an interval as people read it; money to whole units, which is more than the limits know."""
    if low is None or high is None:
        return formats.UNKNOWN
    return gettext("%(low)s to %(high)s") % {"low": _limit(low, unit, currency), "high": _limit(high, unit, currency)}


def _limit(cell: Cell, unit: str, currency: str | None) -> str:
    if unit == MONEY_UNIT:
        return formats.whole_money(Decimal(str(cell)), currency)
    return formats.shown(cell, unit, currency, compact=True)
