"""Events: what web pages, products and servers send as it happens, read into facts.

The protocol is Segment's (https://segment.com/docs/connections/spec/): identify, track, page, screen, group, alias. An
event keeps the keys it came with; who that is, is judged by identity and never stored in the fact.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from json import loads
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from plait.facts import CURRENCIES
from plait.sources import rules
from plait.store import SAME

Json = dict[str, Any]
KeyKind = Literal["web", "server"]  # a web key is public: what it says of identity is a claim
Clock = Literal["auto", "always", "never"]

UNFIT, NUL = re.compile("[\ud800-\udfff\0]"), rb"\u0000"
MOST_EVENTS = 2_500  # of a batch
LONGEST_ID = 255
SKEW, MOST_SKEW = timedelta(seconds=5), timedelta(days=400)
TYPES = ("identify", "track", "page", "screen", "group", "alias")
KIND_OF = {
    "identify": "person.identified", "track": "event.other", "page": "page.viewed", "screen": "screen.viewed",
    "group": "account.grouped", "alias": "identity.linked",
}  # fmt: skip
B2B = {
    "account created": "account.created", "account deleted": "workspace.deleted", "signed up": "contact.created",
    "signed in": "user.signed_in", "signed out": "user.signed_out", "invite sent": "user.invited",
    "account added user": "user.added", "account removed user": "user.removed", "trial started": "trial.started",
    "trial ended": "trial.ended",
}  # fmt: skip
# What careless code sends in the place of an id: taking it as one would join strangers.
BLOCKED = frozenset(
    ("", "null", "undefined", "nan", "0", "-1", "anonymous", "none", "test", "[object object]",
     "00000000-0000-0000-0000-000000000000")
)  # fmt: skip
NOT_CONTENT = ("messageId", "sentAt", "receivedAt", "writeKey", "_metadata", "integrations")  # of a retried event
SECRET = frozenset(("token", "password", "email", "key", "secret", "code", "access_token", "id_token", "auth"))
CONVERTED = ("lead:", "sale:", "reversal:")  # what ids of conversions begin with: a public key can take none of them
CLAIMING = "ajs_"  # parameters by which an address says who its visitor is
CLAIMED_ADDRESS = "claimed_address"
BY_MAPPING = ("default_currency", "claimed_email")  # flags that another mapping may take away
ADDRESSES = ("url", "search", "referrer", "path")
FIELDS = ("object_id", "channel", "campaign", "partner", "product", "owner", "text", "amount", "currency", "quantity")


class Envelope(msgspec.Struct, omit_defaults=True):
    """A request as the inbox keeps it: its events as they came, and what was known when they came.

    `at` is in microseconds since 1970; `type` the one that the address names; `sent_at` the sender's clock;
    `clock` whether that clock may be corrected; `write_key` a digest of the key that the request came with.
    """

    at: int
    source: str
    key: str
    events: list[msgspec.Raw]
    type: str | None = None
    sent_at: Any = None
    clock: bool = True
    write_key: str = ""
    context: Json = {}
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class TrackRule:
    """What a track call of one name is: the kind, and from which path of the event each field comes."""

    kind: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventMapping:
    """How one source's events become facts.

    `tracks` is by the event's name in lower case; `account_key` the key that groupId is; `currency` that of amounts
    without one. `clock` corrects the sender's clock: `auto` does for web keys only, whose clocks nobody keeps. `trust`
    lets a web key say that an address and a user id are one person.
    """

    source: str
    tracks: Mapping[str, TrackRule] = field(default_factory=dict)
    account_key: str = "account.product"
    currency: str | None = None
    clock: Clock = "auto"
    trust: bool = False
    most_kib: int = 32

    def rule(self, name: str) -> TrackRule:
        """Give what a track call of a name is."""
        known = self.tracks.get(name.lower())
        return known or TrackRule(B2B.get(name.lower(), KIND_OF["track"]))


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An event that is no fact: which rule it breaks, where, and what to do. `event` is its JSON, nothing is lost."""

    field: str
    value: str | None
    rule: str
    next_step: str
    event: str


class Wrong(Exception):
    """An event cannot be a fact."""

    def __init__(self, name: str, value: object, rule: str, next_step: str) -> None:
        super().__init__(rule)
        self.field, self.value, self.rule, self.next_step = name, value, rule, next_step


@dataclass(slots=True)
class Reading:
    """One event while it is read: the event, the request that brought it and what was odd about it."""

    event: Json
    envelope: Envelope
    mapping: EventMapping
    at: datetime
    flags: list[str]
    context: Json
    type: str = ""


Row = dict[str, Any]
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
    return _encode(_clean(event)).decode() if isinstance(event, dict) else bytes(raw).decode("utf-8", "replace")


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
    keys = _keys(reading)
    columns = _columns(reading)
    occurred_at = _occurred_at(reading)
    content = _content(event, reading.type)
    id_ = _id(reading, content)
    _clean(event)
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


def identifier(value: object) -> str | None:
    """Read an id as people mean it: numbers as their digits, what stands for nothing as None."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, dict | list):
        value = _encode(value).decode()
    text = str(value).strip()
    return None if text.lower() in BLOCKED or len(text) > LONGEST_ID else text


def _keys(reading: Reading) -> dict[str, str]:
    """Give the keys that a fact keeps: those that its sender may speak for."""
    event, context = reading.event, reading.context
    if all(event.get(name) in (None, "") for name in ("userId", "anonymousId")):
        raise Wrong("userId", None, rules.NO_ID, rules.GIVE_ID)
    traits = _traits(reading)
    found = {
        "user_id": identifier(event.get("userId")),
        "email": _email(traits.get("email")),
        "anonymous_id": identifier(event.get("anonymousId")),
        reading.mapping.account_key: _group(reading, traits),
    }
    if reading.type == "alias":
        # A former name joins only a visitor's history: two people who are both known are not made one by a call.
        found["anonymous_id"] = _previous(event)
    if _claims_identity(context, event):
        reading.flags.append(CLAIMED_ADDRESS)
        return {name: value for name, value in found.items() if value and name == reading.mapping.account_key}
    if reading.envelope.key == "web" and not reading.mapping.trust and found["user_id"] and found["email"]:
        reading.flags.append("claimed_email")  # anybody can send it: it joins no two people
        found["email"] = None
    return {name: value for name, value in found.items() if value}


def _traits(reading: Reading) -> Json:
    traits: Json = {}
    for told in (reading.context.get("traits"), reading.event.get("traits")):
        if isinstance(told, dict):
            traits |= told
    return traits


def _email(value: object) -> str | None:
    text = value.strip().lower() if isinstance(value, str) else ""
    return text if "@" in text and len(text) <= LONGEST_ID else None


def _group(reading: Reading, traits: Json) -> str | None:
    """Give the company: of a group call, of the call's context, or of the person's traits."""
    event, company = reading.event, traits.get("company")
    if reading.type == "group":
        group = event.get("groupId")
        if group in (None, ""):
            raise Wrong("groupId", None, rules.NO_GROUP_ID, rules.GIVE_GROUP_ID)
        return identifier(group)
    found = identifier(reading.context.get("groupId"))
    return found or (identifier(company.get("id")) if isinstance(company, dict) else None)


def _previous(event: Json) -> str | None:
    previous = event.get("previousId")
    if previous in (None, ""):
        raise Wrong("previousId", None, rules.NO_PREVIOUS_ID, rules.GIVE_PREVIOUS_ID)
    return identifier(previous)


def _claims_identity(context: Json, event: Json) -> bool:
    """Tell whether the page's address says who its visitor is: anybody can mail such a link."""
    for holder in (context.get("page"), event.get("properties")):
        if isinstance(holder, dict):
            for name in ("url", "search"):
                address = holder.get(name)
                if isinstance(address, str) and CLAIMING in address:
                    return True
    return False


def _columns(reading: Reading) -> Row:
    """Give the fields of the fact that its type and its mapping name."""
    event, properties = reading.event, _properties(reading.event)
    columns: Row = {"kind": KIND_OF[reading.type], **_campaign(reading.context)}
    if reading.type == "track":
        name = event.get("event")
        if not isinstance(name, str) or not name.strip():
            raise Wrong("event", name, rules.NO_EVENT_NAME, rules.NAME_EVENT)
        rule = reading.mapping.rule(name.strip())
        columns |= {"kind": rule.kind, "text": _called(reading, rule.kind, name.strip()), **_money(reading, properties)}
        columns |= {target: _at(event, path) for target, path in rule.fields.items()}
    elif reading.type in ("page", "screen"):
        columns["text"] = _title(reading, properties)
    elif reading.type in ("identify", "group"):
        traits = _traits(reading)
        columns["text"] = _text(traits.get("name")) or _text(traits.get("firstName"), traits.get("lastName"))
    return _fitted(columns)


def _called(reading: Reading, kind: str, name: str) -> str | None:
    """Give a track call's text, which is its name; of a company that was entered it is the company's.

    What a company is called is not for every visitor to say, who all have the web key.
    """
    if kind != "account.created":
        return name
    if reading.envelope.key == "web" and not reading.mapping.trust:
        return None
    properties = _properties(reading.event)
    return _text(properties.get("account_name")) or _text(properties.get("name"))


def _properties(event: Json) -> Json:
    told = event.get("properties")
    return told if isinstance(told, dict) else {}


def _campaign(context: Json) -> Row:
    told = context.get("campaign")
    if not isinstance(told, dict):
        return {}
    return {"channel": _text(told.get("medium") or told.get("source")), "campaign": _text(told.get("name"))}


def _title(reading: Reading, properties: Json) -> str | None:
    page, name = reading.context.get("page"), _text(reading.event.get("name")) or _text(properties.get("name"))
    if reading.type == "screen" and name:  # a library in a browser puts its page's address beside each screen too
        return name
    for holder in (properties, page if isinstance(page, dict) else {}):
        path = holder.get("path")
        if isinstance(path, str) and path:
            return _without_secrets(path)
    return name


def _money(reading: Reading, properties: Json) -> Row:
    """Give the amount that a track call states, with its currency or the source's."""
    amount = _number(properties.get("revenue"))
    if amount is None:
        return {}
    currency = properties.get("currency")
    if not isinstance(currency, str) or currency.upper() not in CURRENCIES:
        reading.flags.append("default_currency")
        currency = reading.mapping.currency
    return {"amount": amount, "currency": currency.upper()} if currency else {}


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**10 else None


def _at(event: Json, path: str) -> object:
    """Give what lies at a path such as `properties.plan`."""
    found: object = event
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _fitted(columns: Row) -> Row:
    """Give columns the types of a fact's fields."""
    for name, value in columns.items():
        if name in ("amount", "quantity"):
            columns[name] = _number(value)
        elif name != "kind":
            columns[name] = _text(value)
    return columns


def _text(*values: object) -> str | None:
    told = [str(value).strip() for value in values if isinstance(value, str | int | float) and str(value).strip()]
    return " ".join(told)[:500] or None


def _occurred_at(reading: Reading) -> datetime:
    """Give when it happened, in naive UTC: by the sender's clock, corrected where nobody keeps that clock."""
    at, event, flags = reading.at, reading.event, reading.flags
    told = event.get("originalTimestamp")
    told = event.get("timestamp") if told in (None, "") else told
    if told in (None, ""):
        return at
    said = _instant(told, flags)
    if said is None:
        flags.append("bad_time")
        return at
    corrected = said + _skew(reading)
    if corrected > at + SKEW:
        flags.append("future")
    return min(corrected, at)


def _skew(reading: Reading) -> timedelta:
    """Give by how much the sender's clock is wrong; nothing where that is not known or not to be mended."""
    mapping, envelope = reading.mapping, reading.envelope
    corrects = mapping.clock == "always" or (mapping.clock == "auto" and envelope.key == "web")
    sent = reading.event.get("sentAt") or envelope.sent_at
    sent_at = _instant(sent, []) if corrects and envelope.clock and sent else None
    if sent_at is None:
        return timedelta(0)
    skew = reading.at - sent_at
    return skew if SKEW < abs(skew) <= MOST_SKEW else timedelta(0)


def _instant(told: object, flags: list[str]) -> datetime | None:
    """Read an instant: ISO 8601, or seconds or milliseconds since 1970; without a zone it is UTC."""
    try:
        if isinstance(told, str) and not told.strip().isdigit():
            said = datetime.fromisoformat(told.strip())
            if said.tzinfo is None:
                flags.append("no_zone")
                return said
            return said.astimezone(UTC).replace(tzinfo=None)
        number = float(told)  # type: ignore[arg-type]
        flags.append("epoch_time")
        return datetime.fromtimestamp(number / 1000 if abs(number) > 1e11 else number, UTC).replace(tzinfo=None)  # noqa: PLR2004
    except (ValueError, TypeError, OverflowError, OSError):
        return None


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


def _clean(event: Json) -> Json:
    """Take secrets out of page addresses, and the address of the sender, in place."""
    event.pop("writeKey", None)
    context = event.get("context")
    holders = [event.get("properties")]
    if isinstance(context, dict):
        context.pop("ip", None)
        holders.append(context.get("page"))
    for holder in holders:
        if isinstance(holder, dict):
            for name in ADDRESSES:
                address = holder.get(name)
                if isinstance(address, str) and "?" in address:
                    holder[name] = _without_secrets(address)
    return event


def _without_secrets(address: str) -> str:
    """Give an address without the parameters that hold secrets or say who somebody is."""
    try:
        parts = urlsplit(address)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return address.partition("?")[0]
    kept = [pair for pair in pairs if pair[0].lower() not in SECRET and not pair[0].startswith(CLAIMING)]
    return address if len(kept) == len(pairs) else urlunsplit(parts._replace(query=urlencode(kept)))


def digest_of_key(key: str) -> str:
    """Give what is kept of a write key beside the events that it brought."""
    return sha256(key.encode()).hexdigest()[:16]
