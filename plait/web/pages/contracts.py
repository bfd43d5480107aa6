"""Contracts: what each source promises, who stands for it, how its loads kept to it, and how its exports changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait import desk, report
from plait.facts import SOURCE_NAME
from plait.intake import RefusedGroup
from plait.sources.contract import BadContract, read_contract
from plait.sources.contract import home as kept
from plait.sources.contract.home import NoContract, Unfounded, Version
from plait.sources.contract.scorecard import CSV, Card, DriftLine, Line, card_of, cards
from plait.sources.contract.verdict import FRESHNESS, ROWS, TOTAL, VOLUME
from plait.sources.file import is_data
from plait.web import formats, words
from plait.web.people.models import User, record
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import user_of

LARGEST = 500_000  # bytes of a contract
MOST_SAID = 2  # findings that stand in one cell
MOST_LOADS = 500  # looked at for sources that have no contract


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule of a contract as the page shows it: in words, with links to the rows that it refused."""

    line: Line
    rule: str
    found: str
    rows: Sequence[RefusedGroup]


@dataclass(frozen=True, slots=True)
class Group:
    """Rules about one thing, under a heading."""

    title: str
    rules: Sequence[Shown]

    @property
    def numbered(self) -> list[tuple[str, Shown]]:
        """Its rules, each with its heading."""
        return [(self.title, one) for one in self.rules]

    @property
    def broken(self) -> int:
        """Count the rules that the last load broke."""
        return sum(1 for one in self.rules if one.line.kept is False)


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody brought, and what is wrong with it."""

    why: str = ""
    problems: Sequence[str] = ()


def contracts(request: HttpRequest) -> HttpResponse:
    """Show the scorecard of every source; who may approve data brings a contract or a new version of one."""
    user = _colleague(request)
    if request.method != "POST":
        return _page(request, user, Given())
    permit(user, "data.approve")
    file, why = request.FILES.get("file"), str(request.POST.get("why", "")).strip()
    if file is None:
        return _page(request, user, Given(why, [_("Choose the file of a contract.")]), HTTPStatus.BAD_REQUEST)
    text = file.read(LARGEST + 1).decode("utf-8-sig", "replace")
    try:
        version = _adopt(user, text, why, str(file.name))
    except BadContract as bad:
        return _page(request, user, Given(why, [words.said(one) for one in bad.problems]), HTTPStatus.BAD_REQUEST)
    except Unfounded as refused:
        return _page(request, user, Given(why, [words.failure(refused)]), HTTPStatus.BAD_REQUEST)
    told = {"n": version.number, "source": version.contract.source}
    messages.success(request, _("Version %(n)s of the contract of %(source)s holds from now on.") % told)
    return redirect("contract", source=version.contract.source)


def contract(request: HttpRequest, source: str) -> HttpResponse:
    """Show the contract of a source, rule by rule, its drift and its versions."""
    user = _colleague(request, source)
    card, versions = card_of(settings.HOME, source, now=_now()), kept.read_versions(settings.HOME, source)
    if not versions and not card.drifts and source not in _loaded():
        raise Http404
    context = {
        "title": source, "card": card, "versions": versions[::-1], "groups": (groups := _groups(card)),
        "broken": [(group.title, one) for group in groups for one in group.rules if one.line.kept is False],
        "drifts": [(one, _said(one)) for one in card.drifts], "works": may(user, "data.work").allowed,
        "owned": _(words.label(card.version.contract.department.department)) if card.version else "",
    }  # fmt: skip
    return render(request, "pages/contract.html", context)


@require_POST
def accept(request: HttpRequest, source: str) -> HttpResponse:
    """Accept what is open of a source's drift: its exports are expected so from now on."""
    user = _colleague(request, source)
    permit(user, "data.work")
    try:
        with transaction.atomic():
            taken = kept.accept(settings.HOME, source, by=user.name, on=_now().date())
            told = [str(change.words(formats.day(one.on))) for one in taken for change in one.changes]
            record(user, "contracts.drift", source, after={"accepted": told})
    except NoContract as nothing:
        messages.error(request, words.failure(nothing))
        return redirect("contracts")
    messages.success(request, _("Accepted. Load the export again: it is expected so from now on."))
    return redirect("contract", source=source)


def contract_file(request: HttpRequest, source: str, number: int) -> HttpResponse:
    """Give the file of a version."""
    _colleague(request, source)
    versions = kept.read_versions(settings.HOME, source)
    if not 1 <= number <= len(versions):
        raise Http404
    response = HttpResponse(versions[number - 1].contract.text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{source}-{number}.odcs.yaml"'
    return response


def contracts_csv(request: HttpRequest) -> HttpResponse:
    """Give every rule of every contract with how it was kept, as CSV."""
    _colleague(request)
    rows = [row for card in cards(settings.HOME, now=_now(), others=_loaded()) for row in card.rows()]
    response = HttpResponse(report.csv_text(CSV, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="contracts.csv"'
    return response


def open_drifts(user: User) -> int:
    """Count the sources whose exports have changed and wait for somebody."""
    if user.outside or not may(user, "data.work").allowed:
        return 0
    drifts = (kept.read_drifts(settings.HOME, source) for source in kept.sources(settings.HOME))
    return sum(1 for found in drifts if any(one.state == "open" for one in found))


def _colleague(request: HttpRequest, source: str = "") -> User:
    """Give who may see whole files: nobody from outside; what is no name of a source is not found."""
    user = user_of(request)
    permit(user, "data.see")
    if user.outside or (source and not SOURCE_NAME.fullmatch(source)):
        raise Http404
    return user


def _adopt(user: User, text: str, why: str, name: str) -> Version:
    """Make a contract hold; the entry in the audit log is written with it or neither is."""
    found = read_contract(text, name)
    with transaction.atomic():
        before = len(kept.read_versions(settings.HOME, found.source))
        record(
            user, "contracts.adopted", found.source,
            before={"version": before}, after={"version": before + 1, "why": why},
        )  # fmt: skip
        return kept.adopt(settings.HOME, text, by=user.name, why=why, now=_now())


def _page(request: HttpRequest, user: User, given: Given, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    found = cards(settings.HOME, now=_now(), others=_loaded())
    context = {
        "title": _("Contracts"), "cards": [_summed(card) for card in found if card.version],
        "bare": [card for card in found if card.version is None], "given": given,
        "open": [(card, [_said(one) for one in card.open]) for card in found if card.open],
        "approves": may(user, "data.approve").allowed, "works": may(user, "data.work").allowed,
    }  # fmt: skip
    return render(request, "pages/contracts.html", context, status=status)


def _summed(card: Card) -> dict[str, object]:
    """Give a scorecard as a line of the overview."""
    fresh = [line for line in card.lines if line.verdict.of == FRESHNESS and line.kept is not None]
    volume = [line for line in card.lines if line.verdict.of == VOLUME and line.kept is not None]
    totals = [line for line in card.lines if line.verdict.of == TOTAL and line.kept is not None]
    return {
        "card": card, "fresh": _together(fresh), "volume": _together(volume), "totals": _together(totals),
        "share": _percent(card.share()), "share_90": _percent(card.share(days=True)),
        "department": words.label(card.version.contract.department.department) if card.version else "",
    }  # fmt: skip


def _together(lines: Sequence[Line]) -> tuple[bool, str] | None:
    """Give several rules as one: whether all are kept, and what was found."""
    if not lines:
        return None
    broken = [line for line in lines if not line.kept]
    found = dict.fromkeys(words.said(line.found) for line in broken or lines)
    return not broken, ", ".join(found) if len(found) <= MOST_SAID else ""


def _percent(share: float | None) -> str:
    return "–" if share is None else formats.shown(share, "share")


def _groups(card: Card) -> list[Group]:
    """Give the rules under the heading of their file, those of the whole source first."""
    groups = desk.refused_groups(settings.HOME) if any(line.verdict.refusal for line in card.lines) else []
    mine = [group for group in groups if group.source == card.source]
    found: dict[str, list[Shown]] = {}
    for line in card.lines:
        rule, said = words.said(line.rule), words.said(line.found)
        found.setdefault(line.verdict.shape, []).append(Shown(line, rule, said, _refused(line, mine)))
    return [Group(shape or _("All files"), rules) for shape, rules in found.items()]


def _refused(line: Line, groups: Sequence[RefusedGroup]) -> list[RefusedGroup]:
    """Give the refused rows of a rule: those that break it alone, and those that break others, too."""
    text = line.verdict.refusal
    if line.verdict.of != ROWS or not text:
        return []
    return [group for group in groups if group.rule == text or group.rule.startswith(f"{text} (and ")]


def _said(one: DriftLine) -> str:
    return words.said(one.change.words(formats.day(one.on)))


def _loaded() -> set[str]:
    """Name the sources that files were loaded of."""
    loads, _count = desk.loads(settings.HOME, limit=MOST_LOADS)
    return {one.source for one in loads if not one.live and is_data(one.file)}


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read


RAIL = Rail("data.see", "contracts", gettext_noop("Contracts"), "", place=33, count=open_drifts, within="data")
URLS = [
    path("data/contracts/", contracts, name="contracts"),
    path("data/contracts.csv", contracts_csv, name="contracts_csv"),
    path("data/contracts/<slug:source>/", contract, name="contract"),
    path("data/contracts/<slug:source>/drift/", accept, name="contract_drift"),
    path("data/contracts/<slug:source>/<int:number>.odcs.yaml", contract_file, name="contract_file"),
]
