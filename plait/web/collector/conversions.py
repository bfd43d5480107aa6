"""Conversions as a company's own server tells them: leads, sales, and what of them was undone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from plait.sources.conversions import KEY, BadConversion, Told, conversion, reversal
from plait.sources.events import Envelope
from plait.web.collector.answers import Refused
from plait.web.collector.looking import Looking

PATH = "/v1/conversions"
REVERSALS = "/reversals"
OVERLAP = timedelta(minutes=10)  # a change may become visible this long after its time


@dataclass(frozen=True, slots=True)
class Validity:
    """Whose a promo code is, from `since` until before `until`."""

    code: str
    partner: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Codes:
    """The promo codes as they are known; `newest` is when the last of them was changed."""

    by_number: Mapping[int, Validity]
    by_code: Mapping[str, tuple[Validity, ...]]
    newest: datetime | None = None

    def partner(self, codes: tuple[str, ...], at: datetime) -> str | None:
        """Give the partner that codes name at an instant; None where they name none, or more than one."""
        partners = {one.partner for code in codes for one in self.by_code.get(code, ()) if one.since <= at < one.until}
        return partners.pop() if len(partners) == 1 else None


def new_looking() -> Looking[Codes]:
    """Give what keeps the promo codes in memory."""
    return Looking("promo codes", Codes({}, {}), _read)


def _read(known: Codes) -> Codes:
    from plait.web.collector.models import PromoCode

    codes = PromoCode.objects.order_by("changed_at")
    if known.newest is not None:
        codes = codes.filter(changed_at__gt=known.newest - OVERLAP)
    found = list(codes)
    if not found:
        return known
    fresh = {one.pk: Validity(one.code, one.partner, one.valid_from, one.valid_to) for one in found}
    if fresh.items() <= known.by_number.items():
        return known
    by_number = {**known.by_number, **fresh}
    by_code: dict[str, list[Validity]] = {}
    for one in by_number.values():
        by_code.setdefault(one.code, []).append(one)
    return Codes(by_number, {code: tuple(of_code) for code, of_code in by_code.items()}, found[-1].changed_at)


def owns(path: str) -> bool:
    """Tell whether a path is that of conversions, or of what undoes one."""
    return path == PATH or (path.startswith(f"{PATH}/") and path.endswith(REVERSALS))


def bearer(headers: Mapping[bytes, bytes]) -> str:
    """Give the write key of a bearer authorization."""
    given = headers.get(b"authorization", b"")
    return given[7:].decode("latin-1").strip() if given[:7].lower() == b"bearer " else ""


async def line_of(path: str, body: bytes, source: str, codes: Looking[Codes], now: datetime) -> bytes | None:
    """Give a conversion as the inbox keeps it; None of one that was only a test."""
    try:
        told = _told(path, body, now)
    except BadConversion as wrong:
        raise Refused(422, wrong.code, str(wrong), field=wrong.field) from wrong
    made = told.conversion
    if told.codes:
        if any(code not in codes.known.by_code for code in told.codes):
            await codes.again()  # one that was made a moment ago names its partner too
        made.partner = codes.known.partner(told.codes, datetime.fromtimestamp(made.at / 1e6, now.tzinfo))
    if told.test:
        return None
    event = msgspec.Raw(msgspec.json.encode(made))
    return msgspec.json.encode(Envelope(time.time_ns() // 1000, source, KEY, [event]))


def _told(path: str, body: bytes, now: datetime) -> Told:
    if path == PATH:
        return conversion(body, now=now)
    return Told(reversal(path.removeprefix(f"{PATH}/").removesuffix(REVERSALS), body, now=now))
