"""Cracks: the accounts that fell through, what is at stake, and the two acts that bring them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext
from django.views.decorators.http import require_POST

from plait import desk, report
from plait.facts import STAGES as CYCLE
from plait.measure import Cell
from plait.web import charge, formats, words
from plait.web.charge import Accounts, BadCharge
from plait.web.directory import fold
from plait.web.handoffs import clock
from plait.web.handoffs.colleagues import names_of
from plait.web.panel import changed
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask
from plait.web.state import BadState, day_of

MEASURE, PAGE = "cracks", 50
CRACKS = {
    "no_owner": gettext_noop("nobody is in charge"),
    "no_next_step": gettext_noop("sales works on it and nothing is planned"),
    "stalled": gettext_noop("in its stage for longer than three of four others were"),
    "lost_in_handoff": gettext_noop("a hand-off is past due or ended without an answer"),
}
NONE = "-"  # the choice of accounts without an owner
CSV = ("account", "name", "stage", "crack", "since", "days", "usual_days", "owner", "value", "currency", "value_is")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for; `least` is in the currency of each value."""

    crack: str = ""
    stage: str = ""
    owner: str = ""
    least: Decimal | None = None
    page: int = 1


def page(request: HttpRequest) -> HttpResponse:
    """List the accounts that fell through, what is most at stake first, a page of them."""
    user = user_of(request)
    ask, wanted = _ask(request), _wanted(request.GET)
    table = answer(ask)
    records = table.records()
    without_crack = [row for row in records if _holds(row, wanted, but="crack")]
    rows = _sorted([row for row in without_crack if _holds(row, wanted)])
    leaf = rows[(wanted.page - 1) * PAGE : wanted.page * PAGE]
    called = names_of(str(row["owner"]) for row in records if row["owner"])
    context = {
        "title": _("Fell through"), "ask": ask, "wanted": wanted, "cards": _cards(request, without_crack),
        "rows": [_shown(row, called) for row in leaf], "total": len(rows), "page": wanted.page,
        "accounts": len({row["account"] for row in rows}), "pages": max(1, -(-len(rows) // PAGE)),
        "stages": [name for name in (*CYCLE, "former_customer", "dormant", "disqualified")
                   if any(row["stage"] == name for row in records)],
        "owners": sorted(((str(name), called.get(str(name), str(name))) for name in
                          {row["owner"] for row in records if row["owner"]}), key=lambda one: fold(one[1])),
        "none": NONE, "known": bool(records), "remarks": [words.said(text) for text in table.warnings],
        "may_work": may(user, "lifecycle.work").allowed, "colleagues": charge.colleagues(), "today": clock.today(),
        "query": request.GET.urlencode(), "day": results().local_day(table.as_of), "days": request.GET.get("days", ""),
        "as_of": request.GET.get("as_of", ""),
    }  # fmt: skip
    return render(request, "pages/cracks.html", context)


def csv(request: HttpRequest) -> HttpResponse:
    """Give exactly the accounts that are looked for as CSV, all pages."""
    table, wanted = answer(_ask(request)), _wanted(request.GET)
    rows = _sorted([row for row in table.records() if _holds(row, wanted)])
    told = ([report.rounded(dict(row))[name] for name in CSV] for row in rows)
    response = HttpResponse(report.csv_text(CSV, told), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="cracks-{table.as_of:%Y-%m-%d}.csv"'
    return response


@require_POST
def assign(request: HttpRequest) -> HttpResponse:
    """Put a colleague in charge of the chosen accounts."""

    def act(accounts: Accounts) -> str:
        given = request.POST
        to = charge.assign(user_of(request), accounts, to=given.get("to", ""), note=given.get("note", ""))
        said = ngettext("%(name)s is in charge of %(n)s account.", "%(name)s is in charge of %(n)s accounts.",
                        len(accounts.names))  # fmt: skip
        return said % {"name": to, "n": len(accounts.names)}

    return _acted(request, act)


@require_POST
def plan(request: HttpRequest) -> HttpResponse:
    """Plan the next step with the chosen accounts."""

    def act(accounts: Accounts) -> str:
        given = request.POST
        due = day_of("due", given["due"]) if given.get("due") else None
        due = charge.plan(
            user_of(request), accounts, step=given.get("step", ""), due=due, note=given.get("step_note", "")
        )
        said = ngettext("A step with %(n)s account is planned until %(day)s.",
                        "A step with %(n)s accounts is planned until %(day)s.", len(accounts.names))  # fmt: skip
        return said % {"n": len(accounts.names), "day": formats.day(due)}

    return _acted(request, act)


def _acted(request: HttpRequest, act: Callable[[Accounts], str]) -> HttpResponse:
    """Carry out an act on the chosen accounts and go back to the list; what will not do is said there."""
    permit(user_of(request), "lifecycle.work")
    permit(user_of(request), "customers.see")
    names = {str(row["account"]): str(row["name"] or row["account"]) for row in answer(_ask(request)).records()}
    chosen = list(dict.fromkeys(request.POST.getlist("account")))
    try:
        said = act(Accounts({number: names.get(number, number) for number in chosen}))
        messages.success(request, said)
    except (BadCharge, BadState) as refused:
        messages.error(request, words.failure(refused))
    query = QueryDict(request.POST.get("query", "")).urlencode()
    return redirect(reverse("cracks") + (f"?{query}" if query else ""))


def _ask(request: HttpRequest) -> Ask:
    permit(user_of(request), "lifecycle.see")
    permit(user_of(request), "customers.see")
    desk.measures()
    as_of = day_of("as_of", str(request.GET["as_of"])) if request.GET.get("as_of") else None
    options = {"days": str(request.GET["days"])} if request.GET.get("days") else {}
    return Ask.of(MEASURE, options, as_of=as_of, scope=user_of(request).scope())


def _wanted(query: QueryDict) -> Wanted:
    crack, number = str(query.get("crack") or ""), str(query.get("page") or "1")
    if crack and crack not in CRACKS:
        said = _("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        raise BadState(said % {"name": "crack", "value": crack, "allowed": ", ".join(CRACKS)})
    return Wanted(
        crack, str(query.get("stage") or ""), str(query.get("owner") or ""), _least(str(query.get("least") or "")),
        max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 9 else 1,  # noqa: PLR2004
    )  # fmt: skip


def _least(text: str) -> Decimal | None:
    """Read the least value at stake."""
    if not text.strip():
        return None
    try:
        read = Decimal(text.strip())
    except InvalidOperation:
        read = Decimal("nan")
    if not read.is_finite() or read < 0:
        said = _("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        raise BadState(said % {"name": "least", "value": text, "allowed": _("an amount such as 1000")})
    return read


def _holds(row: Mapping[str, Cell], wanted: Wanted, but: str = "") -> bool:
    owner = NONE if row["owner"] is None else row["owner"]
    value = cast("Decimal | None", row["value"])
    return (
        (but == "crack" or not wanted.crack or row["crack"] == wanted.crack)
        and (not wanted.stage or row["stage"] == wanted.stage)
        and (not wanted.owner or owner == wanted.owner)
        and (wanted.least is None or (value is not None and value >= wanted.least))
    )


def _sorted(rows: Sequence[Mapping[str, Cell]]) -> list[Mapping[str, Cell]]:
    """Give what is most at stake first, then what is open for longest; what is unknown stands last."""
    return sorted(rows, key=lambda row: (
        -(cast("Decimal | None", row["value"]) or Decimal(-1)), -(cast("float | None", row["days"]) or 0.0),
        str(row["account"]), str(row["crack"]),
    ))  # fmt: skip


def _cards(request: HttpRequest, rows: Sequence[Mapping[str, Cell]]) -> list[dict[str, object]]:
    """Give each crack with its accounts and what is at stake, as a filter that can be switched on and off."""
    here, counts = request.GET.get("crack", ""), Counter(str(row["crack"]) for row in rows)
    return [
        {"name": name, "count": counts[name], "means": _(means), "here": name == here,
         "value": _at_stake([row for row in rows if row["crack"] == name]),
         "query": changed(request.GET, crack="" if name == here else name, page="")}
        for name, means in CRACKS.items()
    ]  # fmt: skip


def _at_stake(rows: Sequence[Mapping[str, Cell]]) -> str:
    """Add up what is at stake: open deals apart from what contracts pay a month, each currency by itself."""
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        if isinstance(row["value"], Decimal):
            key = str(row["value_is"]), str(row["currency"])
            sums[key] = sums.get(key, Decimal(0)) + row["value"]
    said = [
        _("%(money)s in open deals") % {"money": formats.money(sums[key], key[1], compact=True)}
        if key[0] == "open deals"
        else _("%(money)s a month") % {"money": formats.money(sums[key], key[1], compact=True)}
        for key in sorted(sums, reverse=True)
    ]
    return " · ".join(said) or _("no value is known")


def _shown(row: Mapping[str, Cell], called: Mapping[str, str]) -> dict[str, object]:
    currency = str(row["currency"]) if row["currency"] else None
    owner = str(row["owner"]) if row["owner"] else ""
    days, usual = (None if row[name] is None else round(float(str(row[name]))) for name in ("days", "usual_days"))
    return {
        "number": row["account"], "name": row["name"] or row["account"], "stage": row["stage"], "crack": row["crack"],
        "since": cast("date | None", row["since"]), "days": days, "usual": usual, "owner": called.get(owner, owner),
        "value": formats.shown(row["value"], "money", currency),
        "value_is": words.value(row["value_is"]) if row["value_is"] else "",
    }  # fmt: skip


RAIL = Rail("lifecycle.see", "cracks", gettext_noop("Fell through"), "f", place=7)
URLS = [
    path("cracks/", page, name="cracks"),
    path("cracks/csv/", csv, name="cracks_csv"),
    path("cracks/assign/", assign, name="cracks_assign"),
    path("cracks/plan/", plan, name="cracks_plan"),
]
