"""The state of a page: what its address says about period, comparison, moment and currency.

The address is all there is: a copied link shows the same to anybody with the right, and the back button works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from django.utils.translation import gettext, gettext_noop

from plait.facts import CURRENCIES, nearest
from plait.web import formats, words

WEEK = 7
WEEKS = {"4w": 4, "13w": 13, "26w": 26, "52w": 52}  # whole weeks: two of them hold the same weekdays
CALENDAR = ("month", "quarter", "year")
PERIODS: Mapping[str, str] = {
    "4w": gettext_noop("4 weeks"),
    "13w": gettext_noop("13 weeks"),
    "26w": gettext_noop("26 weeks"),
    "52w": gettext_noop("52 weeks"),
    "month": gettext_noop("This month"),
    "quarter": gettext_noop("This quarter"),
    "year": gettext_noop("This year"),
}
COMPARISONS: Mapping[str, str] = {
    "previous": gettext_noop("Previous period"),
    "year": gettext_noop("Same period last year"),
    "none": gettext_noop("No comparison"),
}
RESERVED = frozenset(
    {"period", "from", "to", "compare", "match", "as_of", "currency", "page", "column", "format", "definition"}
)
DEFAULT_PERIOD, DEFAULT_COMPARISON = "13w", "previous"


class BadState(ValueError):
    """An address that says something about the page that it cannot show."""


@dataclass(frozen=True, slots=True)
class State:
    """What a page shows. The period is [since, until); `end` is the first day that nobody has seen yet.

    `match` compares the same weekdays: a shift is a number of whole weeks.
    """

    end: date
    since: date
    until: date
    period: str = DEFAULT_PERIOD
    compare: str = DEFAULT_COMPARISON
    match: bool = True
    as_of: date | None = None
    currency: str | None = None

    @property
    def last(self) -> date:
        """The last day of the period."""
        return self.until - timedelta(days=1)

    @property
    def words(self) -> str:
        """The period in the reader's language, and what it is compared with."""
        said, earlier = formats.period(self.since, self.until), self.earlier()
        return said if earlier is None else gettext("%(period)s, compared with %(earlier)s") % {
            "period": said, "earlier": formats.period(*earlier)
        }  # fmt: skip

    def earlier(self) -> tuple[date, date] | None:
        """Give the period to compare with, None where there is none to be."""
        if self.compare == "none":
            return None
        length = (self.until - self.since).days
        if self.compare == "year":
            if not self.match:
                return _year_before(self.since), _year_before(self.until)
            shift = 52 * WEEK * max(1, -(-length // (52 * WEEK)))
        elif self.period in CALENDAR and not self.match:
            since = _period_before(self.since, self.period)
            return since, min(since + timedelta(days=length), self.since)
        else:
            shift = -(-length // WEEK) * WEEK if self.match else length
        return self.since - timedelta(days=shift), self.until - timedelta(days=shift)

    def moment_before(self) -> date | None:
        """Give the moment to compare a stock with: the end of the period to compare with."""
        earlier = self.earlier()
        return earlier[1] if earlier else None

    def query(self, **changes: object) -> str:
        """Give the address's query, with some of it changed; what is the default is left out."""
        told: dict[str, object] = {
            "period": self.period if self.period not in (DEFAULT_PERIOD, "custom") else None,
            "from": self.since if self.period == "custom" else None,
            "to": self.until - timedelta(days=1) if self.period == "custom" else None,
            "compare": self.compare if self.compare != DEFAULT_COMPARISON else None,
            "match": None if self.match else "no",
            "as_of": self.as_of,
            "currency": self.currency,
        }
        told |= changes
        return urlencode({name: value for name, value in told.items() if value not in (None, "")})


def read_state(query: Mapping[str, str], end: date, *, as_of: date | None) -> State:
    """Read a page's state from its address; `end` is the first day not seen at `as_of` (None: the newest)."""
    compare = _one_of("compare", query.get("compare") or DEFAULT_COMPARISON, COMPARISONS)
    currency = query.get("currency") or None
    if currency is not None and currency not in CURRENCIES:
        raise BadState(
            gettext("%(value)r is no currency; %(hint)suse a code of ISO 4217 such as EUR.")
            % {"value": currency, "hint": words.said(nearest(currency, CURRENCIES))}
        )
    since, until = end - timedelta(weeks=13), end
    state = State(end, since, until, compare=compare, match=query.get("match") != "no", as_of=as_of, currency=currency)
    if query.get("from") or query.get("to"):
        since = day_of("from", query.get("from") or "")
        until = day_of("to", query["to"]) + timedelta(days=1) if query.get("to") else end
        if since >= until:
            raise BadState(gettext("The period ends before it begins; choose a later last day."))
        return replace(state, period="custom", since=since, until=until)
    period = _one_of("period", query.get("period") or DEFAULT_PERIOD, PERIODS)
    return replace(state, period=period, since=_since(period, end))


def day_of(name: str, text: str) -> date:
    """Read a day of an address."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not date(1970, 1, 2) <= day < date(9000, 1, 1):
        raise BadState(
            gettext("%(name)s cannot be %(value)r; write a day such as 2026-01-31.") % {"name": name, "value": text}
        )
    return day


def _one_of(name: str, value: str, allowed: Mapping[str, str]) -> str:
    if value not in allowed:
        raise BadState(
            gettext("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
            % {"name": name, "value": value, "allowed": ", ".join(allowed)}
        )
    return value


def _since(period: str, end: date) -> date:
    """Give the first day of a period that ends before `end`."""
    if period in WEEKS:
        return end - timedelta(weeks=WEEKS[period])
    last = end - timedelta(days=1)
    month = {"month": last.month, "quarter": (last.month - 1) // 3 * 3 + 1, "year": 1}[period]
    return last.replace(month=month, day=1)


def _period_before(since: date, period: str) -> date:
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    number = since.year * 12 + since.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _year_before(day: date) -> date:
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)
