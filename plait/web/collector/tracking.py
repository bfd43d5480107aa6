"""Tracked links and promo codes as people look after them; each change is written down in the audit log."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from plait.facts import SOURCE_NAME
from plait.failure import Said, Unfit
from plait.sources.conversions import LONGEST_CODE, normalised
from plait.web.collector.models import LiveSource, PromoCode, TrackedLink
from plait.web.collector.targets import checked, host_name
from plait.web.people.models import User, record

SOURCE = "links"  # whose facts clicks are, where no other is named
SIGNS, LENGTH = "0123456789abcdefghjkmnpqrstvwxyz", 7  # of a code that nobody chose: without those that look alike
CODE, PARAMETER = re.compile(r"[a-z0-9-]{3,40}"), re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
LONGEST, MOST_HOSTS = 100, 20
YEARS = (2000, 2999)


class BadLink(Unfit, ValueError):
    """A tracked link or a promo code that cannot be made or found so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A link as somebody wants it; without a code it is given one."""

    target: str
    partner: str
    campaign: str = ""
    channel: str = ""
    code: str = ""
    source: str = SOURCE
    parameter: str = "click_id"
    hosts: Sequence[str] = ()
    fallback: str = ""


def add_link(wanted: Wanted, *, actor: User | None = None) -> TrackedLink:
    """Make a link; it works at once."""
    made = TrackedLink(
        target=checked(wanted.target), partner=_name(wanted.partner, needed=True),
        campaign=_name(wanted.campaign), channel=_name(wanted.channel),
        parameter=_parameter(wanted.parameter), hosts=_hosts(wanted.hosts),
        fallback=checked(wanted.fallback) if wanted.fallback.strip() else "",
    )  # fmt: skip
    if re.search(rf"[?&]{re.escape(made.parameter)}=", made.target):
        raise BadLink(
            Said("the target names {name} already; take it out, or choose another name.", name=made.parameter)
        )
    if not SOURCE_NAME.fullmatch(wanted.source):
        raise BadLink(Said("{name!r} is no name of a source.", name=wanted.source))
    with transaction.atomic():
        told = {"target": made.target, "partner": made.partner, "campaign": made.campaign, "channel": made.channel}
        made.code = _code(wanted.code)
        record(actor, "link.added", made.code, after=told)
        made.source = LiveSource.objects.get_or_create(name=wanted.source)[0]
        made.save(force_insert=True)
    return made


def end_link(link: TrackedLink, *, actor: User | None = None) -> TrackedLink:
    """End a link; within seconds it leads to its fallback, or nowhere. Its code is never given again."""
    now = timezone.now()
    with transaction.atomic():
        if TrackedLink.objects.filter(pk=link.pk, ended_at=None).update(ended_at=now, changed_at=now):
            record(actor, "link.ended", link.code, before={"target": link.target, "partner": link.partner})
    link.refresh_from_db()
    return link


def link_of(code: str) -> TrackedLink:
    """Find a link by its code."""
    found = TrackedLink.objects.filter(code=code.strip().lower()).first()
    if found is None:
        raise BadLink(Said("there is no link {code!r}; `plait link list` shows them.", code=code))
    return found


def add_code(
    text: str, *, partner: str, first: date, last: date, zone: ZoneInfo, actor: User | None = None
) -> PromoCode:
    """Give a promo code to a partner, from a day until another, both included; at one time it is one partner's."""
    code = normalised(text)
    if not 0 < len(code) <= LONGEST_CODE or not code.isprintable():
        raise BadLink(Said("a code has 1 to {most} signs, blanks apart.", most=LONGEST_CODE))
    if last < first:
        raise BadLink(Said("{last} is before {first}; name the first day, then the last.", first=first, last=last))
    if first.year < YEARS[0] or last.year > YEARS[1]:
        raise BadLink(Said("days of a code lie between {first} and {last}.", first=YEARS[0], last=YEARS[1]))
    begin, end = _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
    made = PromoCode(code=code, partner=_name(partner, needed=True), valid_from=begin, valid_to=end)
    with transaction.atomic():
        told = {"partner": made.partner, "valid_from": first.isoformat(), "valid_to": last.isoformat()}
        record(actor, "code.added", code, after=told)  # first: it lets others wait, so that none overlaps unseen
        other = PromoCode.objects.filter(code=code, valid_from__lt=end, valid_to__gt=begin).first()
        if other is not None:
            raise BadLink(
                Said(
                    "{code} is {partner}'s from {first} to {last}; name other days.", code=code, partner=other.partner,
                    first=other.valid_from.astimezone(zone).date(), last=last_day(other, zone),
                )
            )  # fmt: skip
        made.save(force_insert=True)
    return made


def code_of(text: str) -> PromoCode:
    """Find the promo code of these signs that is valid now, or that will be first."""
    open_ones = PromoCode.objects.filter(code=normalised(text), valid_to__gt=timezone.now())
    found = open_ones.order_by("valid_from").first()
    if found is None:
        raise BadLink(Said("no code {code!r} is valid; `plait code list` shows them.", code=text))
    return found


def end_code(code: PromoCode, *, actor: User | None = None) -> None:
    """End a promo code now; orders until now are still its partner's. One that has not begun is never valid."""
    now = timezone.now()
    end = max(now, code.valid_from + timedelta(microseconds=1))
    with transaction.atomic():
        if PromoCode.objects.filter(pk=code.pk, valid_to__gt=end).update(valid_to=end, changed_at=now):
            record(actor, "code.ended", code.code, before={"partner": code.partner})


def last_day(code: PromoCode, zone: ZoneInfo) -> date:
    """Give the last day on which a code is valid, at least for a while."""
    return (code.valid_to - timedelta(microseconds=1)).astimezone(zone).date()


def _code(text: str) -> str:
    """Give the code of a new link: the one that was chosen, or one that nobody can guess a partner from."""
    code = text.strip().lower()
    if not code:
        code = "".join(secrets.choice(SIGNS) for _ in range(LENGTH))
        return _code("") if TrackedLink.objects.filter(code=code).exists() else code
    if not CODE.fullmatch(code):
        raise BadLink(Said("{code!r} is no code; use 3 to 40 lower case letters, digits and hyphens.", code=text))
    if TrackedLink.objects.filter(code=code).exists():
        raise BadLink(Said("the code {code!r} is taken, and none is given twice; choose another.", code=code))
    return code


def _name(text: str, *, needed: bool = False) -> str:
    name = text.strip()
    if needed and not name:
        raise BadLink(Said("name the partner whose it is."))
    if len(name) > LONGEST or not name.isprintable():
        raise BadLink(Said("a partner, campaign or channel has at most {most} signs.", most=LONGEST))
    return name


def _parameter(text: str) -> str:
    if not PARAMETER.fullmatch(text.strip()) or text.strip().startswith("utm_"):
        raise BadLink(Said("{name!r} is no name of a parameter; write one such as click_id.", name=text))
    return text.strip()


def _hosts(texts: Sequence[str]) -> list[str]:
    """Read the hosts to which an address in the link itself may lead."""
    if len(texts) > MOST_HOSTS:
        raise BadLink(Said("a link has at most {most} hosts.", most=MOST_HOSTS))
    try:
        return list(dict.fromkeys(host_name(text) for text in texts))
    except ValueError as error:
        raise BadLink(Said("{host!r} is no name of a host; write shop.company.example.", host=str(error))) from error


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
