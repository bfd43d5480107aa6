"""Events read one by one: each is a fact, or quarantined with its reason."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from json import loads
from typing import Any

import msgspec

from plait.sources import rules
from plait.sources.events.addresses import clean
from plait.sources.events.clock import moment_of
from plait.sources.events.columns import DEFAULT_CURRENCY, columns_of
from plait.sources.events.envelope import (
    FIELDS,
    TYPES,
    Envelope,
    EventMapping,
    Json,
    Quarantined,
    Reading,
    Row,
    Wrong,
    digest_of_key,
)  # fmt: skip
from plait.sources.events.keys import CLAIMED_ADDRESS, CLAIMED_EMAIL, LONGEST_ID, keys_of
from plait.store import SAME

UNFIT, NUL = re.compile("[\ud800-\udfff\0]"), rb"\u0000"
MOST_EVENTS = 2_500  # of a batch
NOT_CONTENT = ("messageId", "sentAt", "receivedAt", "writeKey", "_metadata", "integrations")  # of a retried event
CONVERTED = ("lead:", "sale:", "reversal:")  # what ids of conversions begin with: a public key can take none of them
BY_MAPPING = (DEFAULT_CURRENCY, CLAIMED_EMAIL)  # flags that another mapping may take away
_decode, _encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode


def read_events(envelope: Envelope, mapping: EventMapping) -> Iterator[Row | Quarantined]:
    """Read a request's events in their order: each is a fact's row (the columns of a staged fact) or quarantined."""
    at = datetime.fromtimestamp(envelope.at / 1e6, UTC).replace(tzinfo=None)
    for place, raw in enumerate(envelope.events):
        event: object = None
        try:
            event, flags = _parsed(bytes(raw))
            _check_place(place, raw, mapping)
            yield _fact(Reading(_object(event), envelope, mapping, at, flags, _context(event, envelope)))
        except Wrong as wrong:
            value = None if wrong.value is None else str(wrong.value)[:500]
            yield Quarantined(wrong.field, value, wrong.rule, wrong.next_step, _kept(event, raw))
        except Exception:  # an error of ours must not hold up what others have sent
            logging.getLogger(__name__).exception("an event could not be read")
            yield Quarantined("", None, rules.UNREADABLE, rules.TELL_US, _kept(event, raw))


def reread(fact: Mapping[str, Any], mapping: EventMapping) -> Row | None:
    """Read a stored fact's event again, by a mapping that may have changed; None where it is no live event.

    What it was known by stays: its id, its instants, what makes it the same, and that its address was not believed.
    """
    stored = _decode(fact["detail"].encode())
    if SAME not in stored or "event" not in stored:
        return None
    context = _decode(stored["context"].encode()) if "context" in stored else {}
    at = int(fact["recorded_at"].replace(tzinfo=UTC).timestamp() * 1e6)
    raw = msgspec.Raw(stored["event"].encode())
    (read,) = read_events(Envelope(at, fact["source"], stored["key"], [raw], stored["type"], context=context), mapping)
    if isinstance(read, Quarantined):
        return None
    flags = stored.get("flags", "").split()
    keys = _decode(read["keys"].encode())
    if CLAIMED_ADDRESS in flags:
        keys = {name: value for name, value in keys.items() if name == mapping.account_key}
    detail = _decode(read["detail"].encode()) | {SAME: stored[SAME]}
    told = [*flags, *detail.get("flags", "").split()]
    told = [flag for flag in dict.fromkeys(told) if flag not in BY_MAPPING or flag in detail.get("flags", "").split()]
    detail |= {"flags": " ".join(told)} if told else {}
    kept = {name: fact[name] for name in ("id", "occurred_at", "recorded_at")}
    return read | kept | {"keys": _sorted(keys).decode(), "detail": _sorted(detail).decode()}


def _kept(event: object, raw: msgspec.Raw) -> str:
    return _encode(clean(event)).decode() if isinstance(event, dict) else bytes(raw).decode("utf-8", "replace")


def _object(event: object) -> Json:
    if not isinstance(event, dict):
        raise Wrong("", None, rules.NOT_AN_OBJECT, rules.SEND_OBJECT)
    return event


def _parsed(raw: bytes) -> tuple[object, list[str]]:
    """Parse an event; bytes that are not UTF-8 and numbers beyond all bounds are mended."""
    if NUL not in raw:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return _decode(raw), []
    return mended(loads(raw.decode("utf-8", "replace"))), ["repaired"]


def mended(value: object) -> object:
    """Mend what honest senders send and others cannot hold: infinite numbers, lone surrogates, the sign zero."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if value.isascii() else UNFIT.sub("\ufffd", value)
    if isinstance(value, list):
        return [mended(one) for one in value]
    if isinstance(value, dict):
        return {str(mended(name)): mended(one) for name, one in value.items()}
    return value


def _check_place(place: int, raw: msgspec.Raw, mapping: EventMapping) -> None:
    if place >= MOST_EVENTS:
        raise Wrong("", None, rules.BATCH_OVERFLOW.format(most=MOST_EVENTS), rules.SPLIT_BATCH)
    if len(memoryview(raw)) > mapping.most_kib * 1024:
        rule = rules.EVENT_TOO_LARGE.format(most=mapping.most_kib)
        raise Wrong("", f"{len(memoryview(raw)) // 1024} KiB", rule, rules.SHORTEN_EVENT)


def _context(event: object, envelope: Envelope) -> Json:
    own = event.get("context") if isinstance(event, dict) else None
    if not isinstance(own, dict):
        return envelope.context
    return {**envelope.context, **own} if envelope.context else own


def _fact(reading: Reading) -> Row:
    """Read one event."""
    event, envelope = reading.event, reading.envelope
    reading.type = _type(event, envelope)
    own_key = event.get("writeKey")
    if own_key and envelope.write_key and digest_of_key(str(own_key)) != envelope.write_key:
        raise Wrong("writeKey", None, rules.KEY_MISMATCH, rules.ONE_KEY)
    keys, columns, occurred_at = keys_of(reading), columns_of(reading), moment_of(reading)
    content = _content(event, reading.type)
    id_ = _id(reading, content)
    clean(event)
    if envelope.repaired:
        reading.flags.append("repaired")
    detail = {"type": reading.type, SAME: sha256(content).hexdigest()[:16], "event": _encode(event).decode()}
    detail["key"] = envelope.key
    if envelope.context:
        detail["context"] = _encode(envelope.context).decode()
    if reading.flags:
        detail["flags"] = " ".join(dict.fromkeys(reading.flags))
    return {
        **dict.fromkeys(FIELDS),
        **columns,
        "id": id_,
        "source": envelope.source,
        "occurred_at": occurred_at,
        "recorded_at": reading.at,
        "keys": _sorted(keys).decode(),
        "detail": _sorted(detail).decode(),
    }


def _type(event: Json, envelope: Envelope) -> str:
    said, stated = event.get("type"), envelope.type
    kind = str(said or stated or "").lower()
    if kind == "merge":
        raise Wrong("type", kind, rules.UNSUPPORTED_TYPE, rules.ALIAS_INSTEAD)
    if kind not in TYPES:
        raise Wrong("type", said, rules.UNKNOWN_TYPE, rules.TYPES.format(allowed=", ".join(TYPES)))
    if stated and kind != stated:
        raise Wrong("type", said, rules.TYPE_MISMATCH, rules.ONE_TYPE)
    return kind


def _content(event: Json, type_: str) -> bytes:
    """Give an event's content: what is the same each time that it is sent."""
    told = {name: value for name, value in event.items() if name not in NOT_CONTENT}
    told["type"] = type_
    return _sorted(told)


def _id(reading: Reading, content: bytes) -> str:
    """Give the id by which an event is known for ever: its own, or one made from its content."""
    own = reading.event.get("messageId")
    if isinstance(own, str | int) and str(own).strip() and len(str(own)) <= LONGEST_ID:
        told = str(own).strip()
        return f"e-{told}" if reading.envelope.key == "web" and told.startswith(CONVERTED) else told
    if reading.event.get("timestamp") or reading.event.get("originalTimestamp"):
        return "d-" + sha256(reading.envelope.source.encode() + b"\n" + content).hexdigest()[:32]
    reading.flags.append("no_dedupe")  # two honest clicks must not become one
    return "r-" + secrets.token_hex(16)
