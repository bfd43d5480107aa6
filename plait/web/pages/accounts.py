"""The accounts with their health, and the story of each: every department's facts on one line of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import cast
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait import desk, report
from plait.facts import DEPARTMENTS, KINDS
from plait.matching.who import ID
from plait.measure import Cell, Table
from plait.store import Store
from plait.timeline import UnknownAccount, find_account
from plait.web import directory, event, formats, words
from plait.web.directory import Wanted
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask
from plait.web.state import BadState, day_of

FACTS = 100  # on a page of a story
MEASURE = "account_health"
COLUMNS = (
    ("name", gettext_noop("Account"), False),
    ("stage", gettext_noop("Stage"), False),
    ("health", gettext_noop("Health"), False),
    ("owner", gettext_noop("Owner"), False),
    ("monthly", gettext_noop("Pays a month"), True),
    ("open_tickets", gettext_noop("Open tickets"), True),
    ("nps", "NPS", True),
    ("csat", "CSAT", True),
    ("last_on", gettext_noop("Last fact"), True),
    ("first_on", gettext_noop("First fact"), True),
    ("facts", gettext_noop("Facts"), True),
)
SHOWN = ("object_id", "product", "channel", "campaign", "partner", "owner")  # of a fact, beside kind, amount and text


@dataclass(frozen=True, slots=True)
class Head:
    """A heading that sorts."""

    title: str
    number: bool
    query: str
    way: str  # ascending, descending, or empty


@dataclass(frozen=True, slots=True)
class Filter:
    """Which facts of a story are shown: of these departments and kinds (empty: all), in [since, until)."""

    departments: tuple[str, ...]
    kinds: tuple[str, ...]
    since: date | None
    until: date | None
    page: int

    def holds(self, fact: Mapping[str, object]) -> bool:
        """Tell whether a fact is shown."""
        kind, day = str(fact["kind"]), cast("date", fact["occurred_on"])
        return (
            (not self.departments or KINDS[kind].owner in self.departments)
            and (not self.kinds or kind in self.kinds)
            and (self.since is None or day >= self.since)
            and (self.until is None or day < self.until)
        )


def accounts(request: HttpRequest) -> HttpResponse:
    """List the accounts that are looked for, a page of them."""
    table, wanted = _health(request), directory.read_wanted(request.GET)
    found = directory.find(directory.accounts_of(table), wanted)
    context = {
        "title": _("Accounts"), "wanted": wanted, "found": found, "leaf": found.leaf(wanted.page), "table": table,
        "page": wanted.page, "pages": found.pages, "heads": _heads(request, wanted), "stages": directory.stages(),
        "as_of": request.GET.get("as_of", ""), "healths": _healths(request, found.by_health), "ask": _ask(request),
        "total": len(found.accounts), "known": len(table.rows),
    }  # fmt: skip
    return render(request, "pages/accounts.html", context)


def accounts_csv(request: HttpRequest) -> HttpResponse:
    """Give exactly the accounts that are looked for as CSV, all pages."""
    table = _health(request)
    found = directory.find(directory.accounts_of(table), directory.read_wanted(request.GET))
    rows = (
        list(report.rounded(dict(zip(directory.CSV, directory.cells(one), strict=True))).values())
        for one in found.accounts
    )
    response = HttpResponse(report.csv_text(directory.CSV, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="accounts-{table.as_of:%Y-%m-%d}.csv"'
    return response


def account(request: HttpRequest, number: str) -> HttpResponse:
    """Tell the story of an account: its health and money, then what happened, the newest first."""
    table = _health(request)
    known = directory.keys().get(number)
    if known is None:
        return redirect("account", _became(request, number))
    one = next((one for one in directory.accounts_of(table) if one.id == number), None)
    user, chosen = user_of(request), _filter(request)
    facts = results().story(number, _as_of(request), user.scope())
    if user.outside and not facts:
        raise Http404
    shown = [fact for fact in reversed(facts) if chosen.holds(fact)]
    context = {
        "title": one.name if one else (known[0][1]), "one": one, "number": number, "keys": known,
        "facts": len(facts), "shown": len(shown), "people": len({fact["person"] for fact in facts if fact["person"]}),
        "months": _months(shown[(chosen.page - 1) * FACTS : chosen.page * FACTS]), "filter": chosen,
        "departments": _departments(facts), "kinds": _kinds(facts), "as_of": request.GET.get("as_of", ""),
        "page": chosen.page, "pages": max(1, -(-len(shown) // FACTS)), "ask": _ask(request),
        "since": request.GET.get("from", ""), "to": request.GET.get("to", ""),
    }  # fmt: skip
    return render(request, "pages/account.html", context)


def _became(request: HttpRequest, number: str) -> str:
    """Give today's id of an account whose id was this one before a merge; a partner outside is told of none."""
    if user_of(request).outside or not ID.fullmatch(number):
        raise Http404
    try:
        return find_account(Store.open(settings.HOME), number)
    except UnknownAccount as unknown:
        raise Http404 from unknown


def joins(request: HttpRequest, number: str) -> HttpResponse:
    """Say why the keys of an account are one account; fetched by the story when somebody opens that part."""
    permit(user_of(request), "customers.see")
    if user_of(request).outside or directory.keys().get(number) is None:
        raise Http404
    found = desk.account_joins(settings.HOME, number)
    return render(request, "parts/account_joins.html", {"joins": found})


def _as_of(request: HttpRequest) -> date | None:
    return day_of("as_of", str(request.GET["as_of"])) if request.GET.get("as_of") else None


def _ask(request: HttpRequest) -> Ask:
    desk.measures()
    return Ask.of(MEASURE, {}, as_of=_as_of(request), scope=user_of(request).scope())


def _health(request: HttpRequest) -> Table:
    permit(user_of(request), "customers.see")
    return answer(_ask(request))


def _heads(request: HttpRequest, wanted: Wanted) -> list[Head]:
    heads = []
    for name, title, number in COLUMNS:
        here = wanted.sort == name
        down = not wanted.down if here else number  # the largest number, the first letter
        way = ("descending" if wanted.down else "ascending") if here else ""
        heads.append(Head(_(title), number, _changed(request, sort=f"{'-' if down else ''}{name}", page=""), way))
    return heads


def _healths(request: HttpRequest, counts: Mapping[str, int]) -> list[dict[str, object]]:
    """Give the healths with their counts, each as a filter that can be switched on and off."""
    here = request.GET.get("health", "")
    return [
        {
            "name": name, "count": count, "means": _(directory.HEALTH_MEANS[name]), "here": name == here,
            "query": _changed(request, health="" if name == here else name, page=""),
        }
        for name, count in counts.items()
    ]  # fmt: skip


def _changed(request: HttpRequest, **changes: str) -> str:
    """Give the query of the same address with some of it changed; what is empty is left out."""
    query = request.GET.copy()
    for name, value in changes.items():
        if value:
            query[name] = value
        else:
            query.pop(name, None)
    return str(query.urlencode())


def _filter(request: HttpRequest) -> Filter:
    page = str(request.GET.get("page") or "1")
    until = day_of("to", str(request.GET["to"])) + timedelta(days=1) if request.GET.get("to") else None
    return Filter(
        _several(request, "department", DEPARTMENTS),
        _several(request, "kind", tuple(KINDS)),
        day_of("from", str(request.GET["from"])) if request.GET.get("from") else None,
        until,
        max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 9 else 1,  # noqa: PLR2004
    )


def _several(request: HttpRequest, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
    given = tuple(str(value) for value in request.GET.getlist(name) if value)
    wrong = next((value for value in given if value not in allowed), None)
    if wrong is not None:
        said = _("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        raise BadState(said % {"name": name, "value": wrong, "allowed": ", ".join(allowed)})
    return given


def _departments(facts: Sequence[Mapping[str, object]]) -> list[tuple[str, int]]:
    counts = Counter(KINDS[str(fact["kind"])].owner for fact in facts)
    return [(name, counts[name]) for name in DEPARTMENTS if counts[name]]


def _kinds(facts: Sequence[Mapping[str, object]]) -> list[tuple[str, int]]:
    return sorted(Counter(str(fact["kind"]) for fact in facts).items(), key=lambda kind: (-kind[1], kind[0]))


def _months(facts: Sequence[Mapping[str, object]]) -> list[tuple[str, list[tuple[date, list[dict[str, object]]]]]]:
    """Group facts, the newest first, by month and by day."""
    zone = ZoneInfo(results().timeline().settings.zone)

    def day(fact: Mapping[str, object]) -> date:
        return cast("date", fact["occurred_on"])

    return [
        (formats.month(first), [(one, [_told(fact, zone) for fact in told]) for one, told in groupby(month, key=day)])
        for first, month in groupby(facts, key=lambda fact: day(fact).replace(day=1))
    ]


def _told(fact: Mapping[str, object], zone: ZoneInfo) -> dict[str, object]:
    """Give a fact as the line of time shows it."""
    kind = KINDS[str(fact["kind"])]
    currency = str(fact["currency"]) if fact["currency"] else None
    amount, quantity = cast("Cell", fact["amount"]), fact["quantity"]
    at = cast("datetime", fact["occurred_at"]).replace(tzinfo=UTC).astimezone(zone)
    counted = f"{float(quantity):g} {words.label(kind.quantity or 'quantity').lower()}" if quantity is not None else ""  # type: ignore[arg-type]
    return {
        "kind": kind.name, "department": kind.owner, "at": at, "clock": f"{at:%H:%M}", "text": fact["text"] or "",
        "amount": formats.shown(amount, "money", currency) if amount is not None else "", "counted": counted,
        "details": [(name, fact[name]) for name in SHOWN if fact[name]], "event": event.shown(fact["detail"]),
        "person": fact["person"], "source": fact["source"], "id": fact["id"],
    }  # fmt: skip


RAIL = Rail("customers.see", "accounts", gettext_noop("Accounts"), "a", place=10)
URLS = [
    path("accounts/", accounts, name="accounts"),
    path("accounts/csv/", accounts_csv, name="accounts_csv"),
    path("accounts/<slug:number>/", account, name="account"),
    path("accounts/<slug:number>/joins/", joins, name="account_joins"),
]
