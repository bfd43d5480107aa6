"""What is kept of a live event that is no fact, so that it can be read again: the event, and what was known beside it.

Without the address of its sender, and without secrets: what is taken out is what no fact keeps either.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from plait.sources.events.addresses import clean
from plait.sources.events.envelope import Envelope, Json, Reading, Row
from plait.sources.events.ids import content_of, id_of, said_type, same_of
from plait.sources.events.keys import CLAIMED_ADDRESS, claims_identity
from plait.store import SAME

# With the blank after the colon no event begins, as it is written shortly: nobody can send what reads like this.
BEGINS = '{"received_at": '
FIRST_ONLY = ("repaired", CLAIMED_ADDRESS)  # flags that only the first reading can tell: what they saw is taken out


class Kept(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An event with what its request said beside it; `id`, `same` and `flags` are what only the first reading can tell.

    The names are those of `Envelope`; `type` is the type of call that the address names, where it names one.
    """

    received_at: datetime
    key: str
    type: str | None = None
    sent_at: Any = None
    clock: bool = True
    id: str = ""
    same: str = ""
    flags: str = ""
    context: Json = {}
    event: msgspec.Raw

    def text(self) -> str:
        """Write it as people and `kept_in` read it."""
        return msgspec.json.format(_encode(self), indent=0).decode()

    def envelope(self, source: str) -> Envelope:
        """Give the request again, with this event alone."""
        at = (self.received_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return Envelope(at, source, self.key, [self.event], self.type, self.sent_at, self.clock, context=self.context)


_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
_kept = msgspec.json.Decoder(Kept).decode


def kept(event: object, reading: Reading) -> str:
    """Give the row of an event that is no fact; of one that cannot be parsed its text stands there."""
    envelope, id_, same, flags = reading.envelope, "", "", list[str]()
    if isinstance(event, dict):
        id_, same = _known_by(reading)
        flags = [*reading.flags, *["repaired"] * envelope.repaired]
        flags += [CLAIMED_ADDRESS] * claims_identity(reading.context, event)
        clean(event)
    elif isinstance(event, msgspec.Raw):
        event = bytes(event).decode("utf-8", "replace")
    told = Kept(
        received_at=reading.at.replace(tzinfo=UTC), key=envelope.key, type=envelope.type, sent_at=envelope.sent_at,
        clock=envelope.clock, id=id_, same=same, flags=_first_only(flags), context=reading.around,
        event=msgspec.Raw(_encode(event)),
    )  # fmt: skip
    return told.text()


def kept_fact(row: Row, envelope: Envelope) -> str | None:
    """Give the row of an event that breaks a rule of facts; None of what is no event, such as a click."""
    detail = _decode(row["detail"])
    if SAME not in detail or "event" not in detail:
        return None
    told = Kept(
        received_at=row["recorded_at"].replace(tzinfo=UTC), key=detail["key"], type=detail["type"],
        sent_at=envelope.sent_at, clock=envelope.clock, id=row["id"], same=detail[SAME],
        flags=_first_only(detail.get("flags", "").split()), context=_decode(detail.get("context", "{}")),
        event=msgspec.Raw(detail["event"].encode()),
    )  # fmt: skip
    return told.text()


def kept_in(row: str) -> Kept | None:
    """Read the row of a refused event; None where it does not hold what it takes to read the event again."""
    if row.startswith(BEGINS):
        with suppress(msgspec.MsgspecError):
            return _kept(row.encode())
    return None


def _known_by(reading: Reading) -> tuple[str, str]:
    """Give the id of an event and what tells its content; empty where its content cannot be told."""
    with suppress(Exception):  # an error of ours must not hold up what others have sent
        content = content_of(reading.event, said_type(reading.event, reading.envelope))
        return id_of(reading, content), same_of(content)
    return "", ""


def _first_only(flags: list[str]) -> str:
    return " ".join(dict.fromkeys(flag for flag in flags if flag in FIRST_ONLY))
