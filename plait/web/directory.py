"""The directory of accounts: every account with its health, searched, filtered, sorted and turned page by page."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import cast

from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext, gettext_noop

from plait import desk
from plait.measure import Cell, Table
from plait.measures.health import NEUTRAL, PASSIVE, PROMOTER, SATISFIED
from plait.web import formats
from plait.web.reader import results
from plait.web.results import Kept
from plait.web.state import BadState

PAGE = 50
HEALTH = ("poor", "watch", "good", "unknown")  # worst first: what needs somebody stands on top
NUMBERS = ("monthly", "open_tickets", "nps", "csat", "facts")
DAYS = ("used_on", "first_on", "last_on")
SORTS = ("health", "name", "domain", "stage", "owner", *NUMBERS, *DAYS)
CSV = (
    "account", "name", "domain", "stage", "health", "reasons", "owner", "monthly", "currency", "open_tickets",
    "waiting_since", "nps", "csat", "used_on", "contract_ended_on", "first_on", "last_on", "facts",
)  # fmt: skip
HEALTH_MEANS = {
    "poor": gettext_noop("the contract ended, or there are two bad signs or more"),
    "watch": gettext_noop("there is one bad sign"),
    "good": gettext_noop("there is a good sign and no bad one"),
    "unknown": gettext_noop("there is no sign either way"),
}


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the directory shows it: its row of `account_health` and the keys it is known by."""

    id: str
    name: str
    domain: str
    keys: Sequence[tuple[str, str]]
    row: Mapping[str, Cell]
    folded: str = field(repr=False)  # what search looks through

    @property
    def money(self) -> str:
        """Give what it pays a month, as people write it."""
        currency = self.row["currency"]
        return formats.shown(self.row["monthly"], "money", str(currency) if currency else None)

    @property
    def because(self) -> list[str]:
        """Give the reasons of its health as sentences."""
        return reasons(self.row)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for. `sort` is a column of `SORTS`, `down` puts its largest first."""

    search: str = ""
    stage: str = ""
    health: str = ""
    owner: str = ""
    sort: str = "health"
    down: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """The accounts that were looked for, and how many of them there are in each health."""

    accounts: list[Account]
    by_health: Mapping[str, int]
    owners: list[str]

    def leaf(self, page: int) -> list[Account]:
        """Give one page of them."""
        return self.accounts[(page - 1) * PAGE : page * PAGE]

    @property
    def pages(self) -> int:
        """The number of pages, at least one."""
        return max(1, -(-len(self.accounts) // PAGE))


@cache
def _kept() -> Kept[tuple[Table, list[Account]]]:
    return Kept(4)


@cache
def _kept_keys() -> Kept[Mapping[str, list[tuple[str, str]]]]:
    return Kept(1)


def keys() -> Mapping[str, list[tuple[str, str]]]:
    """Give the keys of every account; read again only when the facts have changed."""
    stamp = desk.stamp(settings.HOME)
    found = _kept_keys().get(stamp)
    if found is None:
        found = desk.account_keys(settings.HOME)
        _kept_keys().put(stamp, found)
    return found


def stages() -> tuple[str, ...]:
    """Name the stages in which an account may stand, by the firm's rules."""
    return results().timeline().rules[-1].rules.order


def accounts_of(table: Table) -> list[Account]:
    """Give the accounts of an answer of `account_health`; made once for each answer that is kept."""
    made = _kept().get(id(table))
    if made is None or made[0] is not table:
        known = keys()
        made = table, [_account(row, known.get(str(row["account"]), ())) for row in table.records()]
        _kept().put(id(table), made)
    return made[1]


def read_wanted(query: QueryDict) -> Wanted:
    """Read from an address what somebody looks for."""
    sort = str(query.get("sort") or "health")
    page = str(query.get("page") or "1")
    return Wanted(
        search=str(query.get("q") or "").strip(),
        stage=_one_of("stage", str(query.get("stage") or ""), stages()),
        health=_one_of("health", str(query.get("health") or ""), HEALTH),
        owner=str(query.get("owner") or ""),
        sort=_one_of("sort", sort.removeprefix("-"), SORTS),
        down=sort.startswith("-"),
        page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 9 else 1,  # noqa: PLR2004
    )


def find(accounts: Sequence[Account], wanted: Wanted) -> Found:
    """Find the accounts that hold every word, in the stage, health and hands that are asked for, in order."""
    words = fold(wanted.search).split()
    rows = [
        one
        for one in accounts
        if all(word in one.folded for word in words)
        and (not wanted.stage or one.row["stage"] == wanted.stage)
        and (not wanted.owner or one.row["owner"] == wanted.owner)
    ]
    counts = Counter(str(one.row["health"]) for one in rows)
    shown = [one for one in rows if not wanted.health or one.row["health"] == wanted.health]
    owners = sorted({str(one.row["owner"]) for one in accounts if one.row["owner"]}, key=fold)
    return Found(_sorted(shown, wanted), {name: counts[name] for name in HEALTH}, owners)


def cells(account: Account) -> list[Cell]:
    """Give an account's cells as the columns `CSV` name them."""
    row = {**account.row, "domain": account.domain or None}
    row["reasons"] = "; ".join(account.because) or None
    return [row[name] for name in CSV]


def reasons(row: Mapping[str, Cell]) -> list[str]:
    """Say the signs of an account's health as sentences, with the numbers they rest on."""
    return [said for sign in str(row["reasons"] or "").split() for said in _SAYS[sign](row)]


def fold(text: str) -> str:
    """Give a text as search compares it: without accents, in one case."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return unicodedata.normalize("NFC", plain).casefold()


def _account(row: Mapping[str, Cell], known: Sequence[tuple[str, str]]) -> Account:
    number = str(row["account"])
    domain = next((value for name, value in known if name == "domain"), "")
    own = next((value for name, value in known if name != "domain"), "")
    name = str(row["name"] or domain or own or number)
    return Account(number, name, domain, known, row, fold(" ".join([name, number, *(value for _, value in known)])))


def _sorted(accounts: list[Account], wanted: Wanted) -> list[Account]:
    """Sort by one column; what is unknown stands last whichever way; equals stand by pay, then name."""
    by_name = sorted(
        accounts, key=lambda one: (-(cast("Decimal | None", one.row["monthly"]) or 0), fold(one.name), one.id)
    )
    key = _key(wanted.sort)
    known = [one for one in by_name if key(one) is not None]
    unknown = [one for one in by_name if key(one) is None]
    return sorted(known, key=key, reverse=wanted.down) + unknown  # type: ignore[arg-type]


def _key(sort: str) -> Callable[[Account], object]:
    if sort == "name":
        return lambda one: fold(one.name)
    if sort == "domain":
        return lambda one: one.domain or None
    if sort in ("health", "stage"):
        order = HEALTH if sort == "health" else stages()
        return lambda one: order.index(str(one.row[sort]))
    if sort == "owner":
        return lambda one: fold(str(one.row["owner"])) if one.row["owner"] else None
    return lambda one: one.row[sort]


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value and value not in allowed:
        said = gettext("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        raise BadState(said % {"name": name, "value": value, "allowed": ", ".join(allowed)})
    return value


def _waiting(row: Mapping[str, Cell]) -> list[str]:
    told = {"n": row["open_tickets"], "day": formats.day(row["waiting_since"])}
    return [gettext("%(n)s open tickets, the oldest since %(day)s") % told]


def _answers(row: Mapping[str, Cell], *, happy: bool) -> list[str]:
    said = []
    for name, label, low, high in (("nps", "NPS", PASSIVE, PROMOTER), ("csat", "CSAT", NEUTRAL, SATISFIED)):
        points = row[name]
        if isinstance(points, float) and (points >= high if happy else points < low):
            said.append(gettext("last %(survey)s answer %(points)s") % {"survey": label, "points": f"{points:g}"})
    return said


def _on(text: str, name: str) -> Callable[[Mapping[str, Cell]], list[str]]:
    return lambda row: [gettext(text) % {"day": formats.day(cast("date", row[name]))}]


_SAYS: Mapping[str, Callable[[Mapping[str, Cell]], list[str]]] = {
    "ticket_waiting": _waiting,
    "dissatisfied": lambda row: _answers(row, happy=False),
    "satisfied": lambda row: _answers(row, happy=True),
    "use_stopped": _on(gettext_noop("no use of the product since %(day)s"), "used_on"),
    "in_use": _on(gettext_noop("used the product on %(day)s"), "used_on"),
    "contract_ended": _on(gettext_noop("the contract ended on %(day)s"), "contract_ended_on"),
}
