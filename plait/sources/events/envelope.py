"""What an event is read from: the request that brought it, and the mapping of its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

import msgspec

Json = dict[str, Any]
Row = dict[str, Any]  # the columns of a staged fact
Clock = Literal["auto", "always", "never"]

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
    """An event that is no fact: which rule it breaks, where, and what to do.

    `event` is its JSON with what it takes to read it again (`plait.sources.events.kept`): nothing is lost.
    """

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
    """One event while it is read: the event, the request that brought it and what was odd about it.

    `context` is the event's own with the request's; `around` the request's as it is kept.
    """

    event: Json
    envelope: Envelope
    mapping: EventMapping
    at: datetime
    flags: list[str]
    context: Json
    around: Json
    type: str = ""


def digest_of_key(key: str) -> str:
    """Give what is kept of a write key beside the events that it brought."""
    return sha256(key.encode()).hexdigest()[:16]
