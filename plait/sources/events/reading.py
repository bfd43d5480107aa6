"""Events read one by one: each is a fact, or quarantined with its reason."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from json import loads
from typing import Any

import msgspec

from plait.sources import rules
from plait.sources.events.addresses import clean, cleaned
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
from plait.sources.events.ids import content_of, id_of, said_type, same_of
from plait.sources.events.kept import kept, kept_in
from plait.sources.events.keys import CLAIMED_ADDRESS, CLAIMED_EMAIL, keys_of
from plait.store import SAME

UNFIT, NUL = re.compile("[\ud800-\udfff\0]"), rb"\u0000"
MOST_EVENTS = 2_500  # of a batch
BY_MAPPING = (DEFAULT_CURRENCY, CLAIMED_EMAIL)  # flags that another mapping may take away
_decode, _encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode


def read_events(envelope: Envelope, mapping: EventMapping) -> Iterator[Row | Quarantined]:
    """Read a request's events in their order: each is a fact's row (the columns of a staged fact) or quarantined."""
    at = datetime.fromtimestamp(envelope.at / 1e6, UTC).replace(tzinfo=None)
    around = cleaned(envelope.context)
    for place, raw in enumerate(envelope.events):
        event: object = raw
        reading = Reading({}, envelope, mapping, at, [], envelope.context, around)
        try:
            event, reading.flags = _parsed(bytes(raw))
            if isinstance(event, dict):
                reading.event, reading.context = event, _context(event, envelope)
            _check_key(reading)
            _check_place(place, raw, mapping)
            _check_object(event)
            yield _fact(reading)
        except Wrong as wrong:
            value = None if wrong.value is None else str(wrong.value)[:500]
            yield Quarantined(wrong.field, value, wrong.rule, wrong.next_step, kept(event, reading))
        except Exception:  # an error of ours must not hold up what others have sent
            logging.getLogger(__name__).exception("an event could not be read")
            yield Quarantined("", None, rules.UNREADABLE, rules.TELL_US, kept(event, reading))


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
    instants = {name: fact[name] for name in ("id", "occurred_at", "recorded_at")}
    return _as_known(read, mapping, stored[SAME], stored.get("flags", "").split()) | instants


def read_again(refused: str, source: str, mapping: EventMapping) -> Row | Quarantined | None:
    """Read a refused event's row again, by a mapping that may have changed; None where it does not hold what it takes.

    It is known by the id that it came with, so that it is stored once, however often it is read and sent again.
    """
    told = kept_in(refused)
    if told is None:
        return None
    (read,) = read_events(told.envelope(source), mapping)
    if isinstance(read, Quarantined):
        return read
    made_up = read["id"].startswith("r-")
    known = told.id or ("r-" + sha256(refused.encode()).hexdigest()[:32] if made_up else read["id"])
    return _as_known(read, mapping, told.same, told.flags.split()) | {"id": known}


def _as_known(read: Row, mapping: EventMapping, same: str, flags: list[str]) -> Row:
    """Give a row that was read again with what only its first reading could tell: `same` and its flags."""
    keys, detail = _decode(read["keys"].encode()), _decode(read["detail"].encode())
    if CLAIMED_ADDRESS in flags:
        keys = {name: value for name, value in keys.items() if name == mapping.account_key}
    detail |= {SAME: same} if same else {}
    told = [*flags, *detail.get("flags", "").split()]
    told = [flag for flag in dict.fromkeys(told) if flag not in BY_MAPPING or flag in detail.get("flags", "").split()]
    detail |= {"flags": " ".join(told)} if told else {}
    return read | {"keys": _sorted(keys).decode(), "detail": _sorted(detail).decode()}


def _check_object(event: object) -> None:
    if not isinstance(event, dict):
        raise Wrong("", None, rules.NOT_AN_OBJECT, rules.SEND_OBJECT)


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


def _check_key(reading: Reading) -> None:
    """Refuse what was sent with another source's key, before all else: that key is not kept to be looked at again."""
    own, known = reading.event.get("writeKey"), reading.envelope.write_key
    if own and known and digest_of_key(str(own)) != known:
        raise Wrong("writeKey", None, rules.KEY_MISMATCH, rules.ONE_KEY)


def _context(event: Json, envelope: Envelope) -> Json:
    own = event.get("context")
    if not isinstance(own, dict):
        return envelope.context
    return {**envelope.context, **own} if envelope.context else own


def _fact(reading: Reading) -> Row:
    """Read one event."""
    event, envelope = reading.event, reading.envelope
    reading.type = _type(event, envelope)
    keys, columns, occurred_at = keys_of(reading), columns_of(reading), moment_of(reading)
    content = content_of(event, reading.type)
    id_ = id_of(reading, content)
    clean(event)
    if envelope.repaired:
        reading.flags.append("repaired")
    detail = {"type": reading.type, SAME: same_of(content), "event": _encode(event).decode()}
    detail["key"] = envelope.key
    if reading.around:
        detail["context"] = _encode(reading.around).decode()
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
    said, stated, kind = event.get("type"), envelope.type, said_type(event, envelope)
    if kind == "merge":
        raise Wrong("type", kind, rules.UNSUPPORTED_TYPE, rules.ALIAS_INSTEAD)
    if kind not in TYPES:
        raise Wrong("type", said, rules.UNKNOWN_TYPE, rules.TYPES.format(allowed=", ".join(TYPES)))
    if stated and kind != stated:
        raise Wrong("type", said, rules.TYPE_MISMATCH, rules.ONE_TYPE)
    return kind
