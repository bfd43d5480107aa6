"""Partners' links: the tracked links that partners spread, who followed them, and the promo codes they have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from http import HTTPStatus
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait import live
from plait.failure import Said, Unfit
from plait.settings import read_settings
from plait.sources.clicks import Clicked
from plait.web import words
from plait.web.collector import tracking
from plait.web.collector.models import PromoCode, TrackedLink
from plait.web.collector.tracking import BadLink, Wanted
from plait.web.people.models import User
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import user_of

DAYS = 30  # over which clicks are counted
MOST = 500  # links and codes that are shown
NONE = Clicked(0, 0, 0)


@dataclass(frozen=True, slots=True)
class ShownLink:
    """A link as the page shows it: its whole address, and how often it was followed lately."""

    link: TrackedLink
    address: str
    clicks: Clicked


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A promo code as the page shows it, with its first and last day, and whether it can still be ended."""

    code: PromoCode
    first: date
    last: date
    open: bool


def links(request: HttpRequest) -> HttpResponse:
    """List the links and codes that the reader may see; make a link."""
    if request.method != "POST":
        permit(user_of(request), "partners.see")
        return _page(request)
    user = _colleague(request)
    try:
        made = tracking.add_link(_wanted(request), actor=user)
    except Unfit as refused:
        return _page(request, link_problem=words.failure(refused))
    messages.success(request, _("The link works from now on: %(path)s") % {"path": f"/r/{made.code}"})
    return redirect("partner_links")


@require_POST
def end_link(request: HttpRequest, code: str) -> HttpResponse:
    """End a link."""
    user = _colleague(request)
    tracking.end_link(get_object_or_404(TrackedLink, code=code), actor=user)
    messages.success(request, _("The link has ended."))
    return redirect("partner_links")


@require_POST
def add_code(request: HttpRequest) -> HttpResponse:
    """Give a promo code to a partner."""
    user = _colleague(request)
    try:
        tracking.add_code(
            _given(request, "text"), partner=_given(request, "owner"), first=_day(request, "first"),
            last=_day(request, "last"), zone=_zone(), actor=user,
        )  # fmt: skip
    except BadLink as refused:
        return _page(request, code_problem=words.failure(refused))
    messages.success(request, _("The code is given."))
    return redirect("partner_links")


@require_POST
def end_code(request: HttpRequest, number: int) -> HttpResponse:
    """End a promo code."""
    user = _colleague(request)
    tracking.end_code(get_object_or_404(PromoCode, pk=number), actor=user)
    messages.success(request, _("The code has ended."))
    return redirect("partner_links")


def _colleague(request: HttpRequest) -> User:
    """Give who may change links; nobody from outside."""
    user = user_of(request)
    permit(user, "partners.work")
    if user.outside:
        raise Http404
    return user


def _page(request: HttpRequest, **problems: str) -> HttpResponse:
    """Show the page; a partner from outside sees the own links and codes only."""
    user, now = user_of(request), timezone.now()
    partners = user.scope().partners
    mine = {} if partners is None else {"partner__in": partners}
    counts = live.clicks(settings.HOME, since=now - timedelta(days=DAYS), partners=partners)
    held = TrackedLink.objects.filter(**mine)
    context = {
        "title": _("Partner links"), "days": DAYS, "given": request.POST, "more": max(0, held.count() - MOST),
        "links": [
            ShownLink(one, request.build_absolute_uri(f"/r/{one.code}"), counts.get(one.code, NONE))
            for one in held[:MOST]
        ],
        "codes": [_shown(one, now) for one in PromoCode.objects.filter(**mine).order_by("-valid_to", "code")[:MOST]],
        "changes": may(user, "partners.work").allowed and not user.outside,
    }  # fmt: skip
    status = HTTPStatus.BAD_REQUEST if problems else HTTPStatus.OK
    return render(request, "pages/links.html", context | problems, status=status)


def _shown(code: PromoCode, now: datetime) -> ShownCode:
    zone = _zone()
    return ShownCode(code, code.valid_from.astimezone(zone).date(), tracking.last_day(code, zone), code.valid_to > now)


def _wanted(request: HttpRequest) -> Wanted:
    return Wanted(
        _given(request, "target"), _given(request, "partner"), _given(request, "campaign"), _given(request, "channel"),
        _given(request, "code"), parameter=_given(request, "parameter") or "click_id",
        hosts=_given(request, "hosts").replace(",", " ").split(), fallback=_given(request, "fallback"),
    )  # fmt: skip


def _given(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).strip()


def _day(request: HttpRequest, name: str) -> date:
    text = _given(request, name)
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadLink(Said("{text!r} is no day; write it as 2026-01-31.", text=text)) from error


def _zone() -> ZoneInfo:
    return ZoneInfo(read_settings(settings.HOME).zone)


RAIL = Rail("partners.see", "partner_links", gettext_noop("Partner links"), "k", place=25)
URLS = [
    path("partners/links/", links, name="partner_links"),
    path("partners/links/<slug:code>/end/", end_link, name="partner_link_end"),
    path("partners/codes/", add_code, name="partner_codes"),
    path("partners/codes/<int:number>/end/", end_code, name="partner_code_end"),
]
