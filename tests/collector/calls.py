"""What senders send: calls with the facts that they must become, calls that count, batches."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from .served import Json

COUNTED_FROM = datetime(2026, 11, 20, 12)  # noqa: DTZ001 - as facts have it: UTC
ALLOWED = {200, 400, 401, 403, 404, 405, 408, 413, 429, 503}

ANN = {"userId": "u1", "anonymousId": "a1"}
BOTH = {"user_id": "u1", "anonymous_id": "a1"}
TRAITS = {"email": "Ann@Firm.example", "name": "Ann Lee", "plan": "pro", "company": {"id": "c1"}}
# Each call with what its fact must be; the minutes past ten tell them apart.
CALLS: dict[str, tuple[Json, Json]] = {
    "track of a visitor": (
        {"type": "track", "anonymousId": "a1", "event": "Viewed Pricing", "properties": {"from": "mail"}},
        {"kind": "event.other", "keys": {"anonymous_id": "a1"}, "text": "Viewed Pricing"},
    ),
    "identify": (
        {"type": "identify", **ANN, "traits": TRAITS},
        {
            "kind": "person.identified",
            "keys": {**BOTH, "email": "ann@firm.example", "account.product": "c1"},
            "text": "Ann Lee",
        },
    ),
    "track with a kind of its own": (
        {"type": "track", **ANN, "event": "Signed Up", "properties": {"plan": "pro", "seats": 3}},
        {"kind": "contact.created", "keys": BOTH, "text": None},
    ),
    "track with money": (
        {
            "type": "track",
            **ANN,
            "event": "Commande payée 한국어 🙂",
            "properties": {"revenue": 19.9, "currency": "EUR"},
            "context": {"groupId": "c1", "campaign": {"name": "spring", "medium": "mail"}},
        },
        {
            "kind": "event.other",
            "keys": {**BOTH, "account.product": "c1"},
            "text": "Commande payée 한국어 🙂",
            "amount": Decimal("19.9"),
            "currency": "EUR",
            "campaign": "spring",
            "channel": "mail",
        },
    ),
    "page": (
        {"type": "page", **ANN, "category": "Docs", "name": "Pricing", "properties": {"path": "/pricing"}},
        {"kind": "page.viewed", "keys": BOTH, "text": "/pricing"},
    ),
    "screen": (
        {"type": "screen", **ANN, "category": "App", "name": "Home", "properties": {"dark": True}},
        {"kind": "screen.viewed", "keys": BOTH, "text": "Home"},
    ),
    "group": (
        {"type": "group", **ANN, "groupId": "c1", "traits": {"name": "Firm", "seats": 12}},
        {"kind": "account.grouped", "keys": {**BOTH, "account.product": "c1"}, "text": "Firm"},
    ),
    "alias": (
        {"type": "alias", "userId": "u1", "previousId": "a0"},
        {"kind": "identity.linked", "keys": {"user_id": "u1", "anonymous_id": "a0"}, "text": None},
    ),
}


def calls() -> list[Json]:
    """Give the calls, a minute apart."""
    return [
        {**call, "timestamp": f"2026-11-20T10:{minute:02}:00.000+00:00"}
        for minute, (call, _) in enumerate(CALLS.values())
    ]


def counted(number: int) -> list[Json]:
    """Give calls that count, a second apart, so that a lost one, a double one or a shifted one shows."""
    call = {"type": "track", "userId": "u1", "event": "Counted"}
    return [
        {**call, "properties": {"n": n}, "timestamp": f"{(COUNTED_FROM + timedelta(seconds=n)).isoformat()}+00:00"}
        for n in range(number)
    ]


def counts(rows: list[Json]) -> list[int]:
    """Give what calls that count have stored."""
    return sorted(row["event"]["properties"]["n"] for row in rows)


def track(name: str = "Clicked", **told: Any) -> Json:  # noqa: ANN401 - whatever an event may hold
    """Give a track call of somebody who is known."""
    return {"type": "track", "userId": "u1", "event": name, **told}


def batch(*events: object, **told: object) -> Json:
    """Give a batch of events, with what else it says."""
    return {"batch": list(events), **told}


def is_understood(status: int, body: bytes, *, head: bool = False) -> bool:
    """Tell whether the official libraries understand an answer."""
    if status not in ALLOWED:
        return False
    if status == 200 or head:
        return True
    told = json.loads(body)
    return bool(told["code"] and told["message"]) and {type(told["code"]), type(told["message"])} == {str}
