"""Own values: which of the firm's measures stands beside a published figure, with its interval and its n."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import cast

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.measure import Cell, Table
from plait.measures.failure_churn import FAILED
from plait.stats.rates import wilson
from plait.web import formats

ENOUGH = 30  # cases from which a share is shown as a number
LAST_YEAR = "last full year"


@dataclass(frozen=True, slots=True)
class Own:
    """A measure's cell beside a figure: the row that `where` picks and the column.

    `low` and `high` are the columns of its interval; where there are none and `events` of `n` are counted, it is
    Wilson's. `n` is the column that says how many it rests on. `because` says why there is no interval.
    """

    measure: str
    column: str
    options: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    low: str = ""
    high: str = ""
    events: str = ""
    n: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """An own value as a card shows it; `few` says that n is too small for the number alone."""

    text: str
    interval: str
    n: str
    few: bool
    note: str = ""


OWN: Mapping[str, Own] = {
    "svc_fail_churn_max": Own(
        "failure_churn", "churn_rate", where={"group": FAILED}, low="low", high="high", n="cases"
    ),
    **dict.fromkeys(("rev_existing_avg", "rev_existing_top"), Own(
        "existing_revenue_share", "existing_share", {"by": "year"}, where={"cohort": LAST_YEAR},
        because=gettext_noop("a sum over all sales of the last full year, not a sample"),
    )),
    "satisfied_customers_avg": Own(
        "satisfaction", "satisfied", {"by": "all"}, where={"survey": "csat"}, low="score_low", high="score_high",
        n="answers",
    ),
    **dict.fromkeys(("sec_mql_rejection_low", "sec_mql_rejection_high"), Own(
        "handoffs", "rejected", {"by": "pair"}, where={"sender": "marketing", "receiver": "sales"}, events="rejected",
        n="answered",
    )),
}  # fmt: skip


def value_of(own: Own, table: Table, today: date) -> Value | None:
    """Read an own value from an answer; None where the measure has no number."""
    row = _row(own, table, today)
    if row is None:
        return None
    n = _counted(row, own.n)
    if own.events:
        return _share(_counted(row, own.events), n)
    cell = row[own.column]
    if cell is None:
        return None
    unit = table.columns[own.column]
    interval = ""
    if own.low:
        low, high = (formats.shown(row[name], "share") for name in (own.low, own.high))
        interval = _("%(low)s to %(high)s") % {"low": low, "high": high}
    return Value(formats.shown(cell, unit), interval, "" if n is None else formats.shown(n, "cases"),
                 few=n is not None and n < ENOUGH, note=_(own.because) if own.because else "")  # fmt: skip


def _share(events: int | None, n: int | None) -> Value | None:
    """Give a share of counted cases with Wilson's interval."""
    found = wilson(events or 0, n or 0)
    if found is None or n is None:
        return None
    low, high = formats.shown(found.low, "share"), formats.shown(found.high, "share")
    between = _("%(low)s to %(high)s") % {"low": low, "high": high}
    return Value(formats.shown(found.value, "share"), between, formats.shown(n, "cases"), few=n < ENOUGH)


def _row(own: Own, table: Table, today: date) -> Mapping[str, Cell] | None:
    wanted = {name: str(today.year - 1) if text == LAST_YEAR else text for name, text in own.where.items()}
    rows = [row for row in table.records() if all(str(row[name]) == text for name, text in wanted.items())]
    return rows[0] if len(rows) == 1 else None


def _counted(row: Mapping[str, Cell], column: str) -> int | None:
    if not column:
        return None
    if column == "answered":  # of hand-offs: those that the receiver answered
        accepted, rejected, withdrawn = (cast("int", row[name] or 0) for name in ("accepted", "rejected", "withdrawn"))
        return accepted + rejected - withdrawn
    cell = row[column]
    return None if cell is None else int(cast("int", cell))
