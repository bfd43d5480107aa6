"""By what an event is known: its id, and its content, which is the same each time that it is sent."""

from __future__ import annotations

import secrets
from hashlib import sha256

import msgspec

from plait.sources.events.envelope import Envelope, Json, Reading
from plait.sources.events.keys import LONGEST_ID

NOT_CONTENT = ("messageId", "sentAt", "receivedAt", "writeKey", "_metadata", "integrations")  # of a retried event
CONVERTED = ("lead:", "sale:", "reversal:")  # what ids of conversions begin with: a public key can take none of them
_sorted = msgspec.json.Encoder(order="sorted").encode


def said_type(event: Json, envelope: Envelope) -> str:
    """Give the type of call that an event says it is, else the one that its address names."""
    return str(event.get("type") or envelope.type or "").lower()


def content_of(event: Json, type_: str) -> bytes:
    """Give an event's content: what is the same each time that it is sent."""
    told = {name: value for name, value in event.items() if name not in NOT_CONTENT}
    told["type"] = type_
    return _sorted(told)


def same_of(content: bytes) -> str:
    """Give what a fact keeps of an event's content, to tell a repeat from another event of the same id."""
    return sha256(content).hexdigest()[:16]


def id_of(reading: Reading, content: bytes) -> str:
    """Give the id by which an event is known for ever: its own, or one made from its content."""
    own = reading.event.get("messageId")
    if isinstance(own, str | int) and str(own).strip() and len(str(own)) <= LONGEST_ID:
        told = str(own).strip()
        return f"e-{told}" if reading.envelope.key == "web" and told.startswith(CONVERTED) else told
    if reading.event.get("timestamp") or reading.event.get("originalTimestamp"):
        return "d-" + sha256(reading.envelope.source.encode() + b"\n" + content).hexdigest()[:32]
    reading.flags.append("no_dedupe")  # two honest clicks must not become one
    return "r-" + secrets.token_hex(16)
