"""Conversions: leads and sales as a company's own server tells them, what of them was undone, read into facts.

The natural key is the event and its id outside (an order's number): the same told again changes nothing. Amounts are
exact; a number with thousands separators, or more decimal places than are kept, is refused and never guessed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from plait.facts import CURRENCIES
from plait.sources.events import FIELDS, Envelope, EventMapping, Row, identifier
from plait.store import MONEY, SAME

KEY = "conversion"  # what an envelope of conversions says in the place of its key's kind: no sender can
EVENTS = {"lead": "lead.created", "sale": "order.placed"}
UNDONE = {"lead": "lead.disqualified", "sale": "payment.refunded"}
AHEAD, OLDEST = timedelta(minutes=10), timedelta(days=400)
LONGEST, LONGEST_CODE, MOST_CODES, MOST_LINES = 200, 40, 20, 500
AMOUNT = re.compile(rf"\d{{1,{MONEY.precision - MONEY.scale}}}(\.\d{{1,{MONEY.scale}}})?")
ASKED = ("event", "external_id", "event_time", "currency", "net", "click_id", "codes", "customer", "lines", "test")
OF_LINE, OF_CUSTOMER = ("sku", "category", "qty", "net"), ("user_id", "email", "account")
OF_REVERSAL = ("event", "key", "net", "currency", "reason")
Json = Mapping[str, Any]


class BadConversion(ValueError):
    """A conversion that cannot be taken: a code for programs, a sentence for people, and the field that is wrong."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code, self.field = code, field


class Conversion(msgspec.Struct, omit_defaults=True):
    """A conversion, or its reversal, as the inbox keeps it; `at` is its time in microseconds since 1970."""

    id: str
    kind: str
    object_id: str
    at: int
    same: str = ""
    amount: str | None = None
    currency: str | None = None
    partner: str | None = None
    text: str | None = None
    keys: dict[str, str] = {}
    detail: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Told:
    """What a request said: the conversion, the promo codes it names, and whether it is only a test."""

    conversion: Conversion
    codes: tuple[str, ...] = ()
    test: bool = False


_decode = msgspec.json.Decoder(Conversion).decode
_parse = msgspec.json.Decoder(float_hook=Decimal).decode


def normalised(code: str) -> str:
    """Write a promo code one way, however it was typed: NFKC, upper case, without blanks."""
    upper = "".join(unicodedata.normalize("NFKC", code).upper().split())
    return unicodedata.normalize("NFKC", upper)  # upper case takes some Greek letters apart


def read_conversions(envelope: Envelope, mapping: EventMapping) -> Iterator[Row]:
    """Read conversions into facts' rows; the account is known by the key that the source's mapping names."""
    recorded_at = datetime.fromtimestamp(envelope.at / 1e6, UTC).replace(tzinfo=None)
    for raw in envelope.events:
        told = _decode(raw)
        keys = {mapping.account_key if name == "account" else name: value for name, value in told.keys.items()}
        yield {
            **dict.fromkeys(FIELDS),
            "id": told.id, "source": envelope.source, "kind": told.kind, "object_id": told.object_id,
            "occurred_at": datetime.fromtimestamp(told.at / 1e6, UTC).replace(tzinfo=None),
            "recorded_at": recorded_at, "keys": json.dumps(keys, sort_keys=True, ensure_ascii=False),
            "amount": Decimal(told.amount) if told.amount else None, "currency": told.currency,
            "partner": told.partner, "text": told.text,
            "detail": json.dumps({**told.detail, SAME: told.same}, sort_keys=True, ensure_ascii=False),
        }  # fmt: skip


def conversion(body: bytes, *, now: datetime) -> Told:
    """Read a lead or a sale from a request's body, or raise `BadConversion` with the field that is wrong."""
    told = _object(body, ASKED)
    event = _event(told)
    number = _text(told, "external_id", needed=True)
    at = _instant(told, now)
    lines = _lines(told)
    amount, currency = _money(told, lines, needed=event == "sale")
    codes, keys, click = _codes(told), _keys(told), _text(told, "click_id")
    test = told.get("test", False)
    if not isinstance(test, bool):
        raise BadConversion("invalid_value", "test", "test is true or false.")
    detail = {"type": event, "click_id": click, "codes": " ".join(codes), "lines": json.dumps(lines) if lines else ""}
    made = Conversion(
        f"{event}:{number}", EVENTS[event], number, _micro(min(at, now)), amount=amount, currency=currency, keys=keys,
        detail={name: text for name, text in detail.items() if text},
    )  # fmt: skip
    return Told(_signed(made, at), codes, test)


def reversal(number: str, body: bytes, *, now: datetime) -> Conversion:
    """Read what undoes a lead or a sale, wholly or in part; `key` tells one reversal of it from another."""
    told = _object(body, OF_REVERSAL)
    event, key, reason = _event(told), _text(told, "key", needed=True), _text(told, "reason", needed=True)
    amount, currency = _money(told, [], needed=event == "sale")
    if amount is not None and not Decimal(amount):
        raise BadConversion("invalid_amount", "net", "net is the amount that goes back; it is more than 0.")
    if event == "lead":  # nothing was paid for it: it is closed
        amount = currency = None
    if not number or not _fits(number):
        raise BadConversion(
            "missing_field", "external_id", "The address names the order: /v1/conversions/<id>/reversals."
        )
    place = number.replace("%", "%25").replace(":", "%3A")  # a colon also stands before the key
    made = Conversion(
        f"reversal:{event}:{place}:{key}", UNDONE[event], number, _micro(now), amount=amount, currency=currency,
        text=reason, detail={"type": "reversal", "key": key},
    )  # fmt: skip
    return _signed(made)


def _object(body: bytes, allowed: tuple[str, ...]) -> Json:
    try:
        told = _parse(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise BadConversion("invalid_json", "", "The body is not JSON.") from None
    return _known(told, allowed, "")


def _known(told: object, allowed: tuple[str, ...], place: str) -> Json:
    """Give an object whose fields are all known: a misspelt one would be money lost in silence."""
    if not isinstance(told, dict):
        raise BadConversion("invalid_value", place, f"{place or 'The body'} is not a JSON object.")
    for name in told:
        if name not in allowed:
            where = (f"{place}.{name}" if place else name)[:LONGEST]
            raise BadConversion("unknown_field", where, f"There is no field {where}; allowed: {', '.join(allowed)}.")
    return told


def _event(told: Json) -> str:
    event = told.get("event")
    if not isinstance(event, str) or event not in EVENTS:
        raise BadConversion("invalid_value", "event", f"event is one of: {', '.join(EVENTS)}.")
    return event


def _text(told: Json, name: str, *, place: str = "", needed: bool = False) -> str:
    """Read a text; whole numbers are read as their digits, as ids often are."""
    value, where = told.get(name), place + name
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        if needed:
            raise BadConversion("missing_field", where, f"{where} is missing.")
        return ""
    if not isinstance(value, str) or not value.strip() or not _fits(value):
        raise BadConversion("invalid_value", where, f"{where} is a text of at most {LONGEST} bytes.")
    return value.strip()


def _fits(text: str) -> bool:
    return text.isprintable() and len(text.encode()) <= LONGEST


def _instant(told: Json, now: datetime) -> datetime:
    value = told.get("event_time")
    if value is None:
        raise BadConversion("missing_field", "event_time", "event_time is missing: say when it happened.")
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadConversion("invalid_time", "event_time", "event_time is written as 2026-01-31T10:20:30Z.") from None
    if at.tzinfo is None:
        raise BadConversion("invalid_time", "event_time", "event_time has no zone; end it with Z or +01:00.")
    try:
        ahead = at - now
    except OverflowError:
        ahead = -OLDEST * 2
    if ahead > AHEAD:
        raise BadConversion("invalid_time", "event_time", "event_time is more than 10 minutes ahead.")
    if -ahead > OLDEST:
        raise BadConversion("invalid_time", "event_time", f"event_time is more than {OLDEST.days} days ago.")
    return at.astimezone(UTC)


def _money(told: Json, lines: list[dict[str, str]], *, needed: bool) -> tuple[str | None, str | None]:
    """Give the exact amount, that of the lines where none is stated, and its currency."""
    net = _amount(told, "net") if told.get("net") is not None else None
    if lines:
        total = sum((Decimal(line["net"]) for line in lines), Decimal(0))
        if net is not None and net != total:
            raise BadConversion("amounts_differ", "net", f"net is {net}, its lines are {total} together.")
        net = total
    if net is None and needed:
        raise BadConversion("missing_field", "net", "net is missing: say the amount.")
    currency = _text(told, "currency").upper()
    if currency and currency not in CURRENCIES:
        raise BadConversion("invalid_value", "currency", "currency is a code of ISO 4217 such as EUR.")
    if net is not None and not currency:
        raise BadConversion("missing_field", "currency", "currency is missing: say that of the amount.")
    if net is not None and not AMOUNT.fullmatch(f"{net:f}"):
        raise BadConversion("invalid_amount", "net", "net is larger than any amount that can be kept.")
    return (None, None) if net is None else (f"{net:f}", currency)


def _amount(told: Json, name: str, *, place: str = "") -> Decimal:
    value, where = told.get(name), place + name
    text = (
        f"{value:f}" if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < LONGEST else value
    )
    text = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    if not isinstance(text, str) or not AMOUNT.fullmatch(text) or not text.isascii():
        raise BadConversion(
            "invalid_amount", where,
            f"{where} is an amount such as 1234.50: no sign, no thousands separator, at most {MONEY.scale} decimals.",
        )  # fmt: skip
    return Decimal(text)


def _lines(told: Json) -> list[dict[str, str]]:
    """Read the lines of an order; each says its own amount."""
    given = told.get("lines")
    if given is None:
        return []
    if not isinstance(given, list) or not 0 < len(given) <= MOST_LINES:
        raise BadConversion("invalid_value", "lines", f"lines is a list of 1 to {MOST_LINES} objects.")
    lines = []
    for number, line in enumerate(given):
        place = f"lines[{number}]"
        known = _known(line, OF_LINE, place)
        told_ = {name: _text(known, name, place=f"{place}.") for name in ("sku", "category")}
        if known.get("qty") is not None:
            told_["qty"] = f"{_amount(known, 'qty', place=f'{place}.'):f}"
        told_["net"] = f"{_amount(known, 'net', place=f'{place}.'):f}"
        lines.append({name: text for name, text in told_.items() if text})
    return lines


def _codes(told: Json) -> tuple[str, ...]:
    given = told.get("codes")
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > MOST_CODES or not all(isinstance(one, str) for one in given):
        raise BadConversion("invalid_value", "codes", f"codes is a list of at most {MOST_CODES} texts.")
    codes = tuple(dict.fromkeys(filter(None, map(normalised, given))))
    if any(len(code) > LONGEST_CODE or not code.isprintable() for code in codes):
        raise BadConversion("invalid_value", "codes", f"A code has at most {LONGEST_CODE} signs.")
    return codes


def _keys(told: Json) -> dict[str, str]:
    """Give the keys of the customer; what stands for nobody would join strangers and is refused."""
    if told.get("customer") is None:
        return {}
    customer = _known(told["customer"], OF_CUSTOMER, "customer")
    keys = {}
    for name in OF_CUSTOMER:
        text = _text(customer, name, place="customer.")
        if not text:
            continue
        if identifier(text) is None or (name == "email" and "@" not in text):
            raise BadConversion(
                "invalid_value", f"customer.{name}", f"customer.{name} stands for nobody; leave it out."
            )
        keys[name] = text.lower() if name == "email" else text
    return keys


def _signed(made: Conversion, at: datetime | None = None) -> Conversion:
    """Add what is the same each time that a conversion is told, however its JSON is laid out."""
    amount = str(Decimal(made.amount).normalize()) if made.amount else ""
    content = [made.id, at and at.isoformat(), amount, made.currency, made.text, made.keys, made.detail]
    made.same = sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:16]
    return made


def _micro(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
