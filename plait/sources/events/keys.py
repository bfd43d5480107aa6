"""Whom an event concerns: the keys that its sender may speak for."""

from __future__ import annotations

import msgspec

from plait.sources import rules
from plait.sources.events.envelope import Json, Reading, Wrong

LONGEST_ID = 255
# What careless code sends in the place of an id: taking it as one would join strangers.
BLOCKED = frozenset(
    ("", "null", "undefined", "nan", "0", "-1", "anonymous", "none", "test", "[object object]",
     "00000000-0000-0000-0000-000000000000")
)  # fmt: skip
CLAIMING = "ajs_"  # parameters by which an address says who its visitor is
CLAIMED_ADDRESS, CLAIMED_EMAIL = "claimed_address", "claimed_email"
_encode = msgspec.json.Encoder().encode


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


def keys_of(reading: Reading) -> dict[str, str]:
    """Give the keys that a fact keeps: those that its sender may speak for."""
    event, context = reading.event, reading.context
    if all(event.get(name) in (None, "") for name in ("userId", "anonymousId")):
        raise Wrong("userId", None, rules.NO_ID, rules.GIVE_ID)
    traits = traits_of(reading)
    found = {
        "user_id": identifier(event.get("userId")),
        "email": _email(traits.get("email")),
        "anonymous_id": identifier(event.get("anonymousId")),
        reading.mapping.account_key: _group(reading, traits),
    }
    if reading.type == "alias":
        # A former name joins only a visitor's history: two people who are both known are not made one by a call.
        found["anonymous_id"] = _previous(event)
    if claims_identity(context, event):
        reading.flags.append(CLAIMED_ADDRESS)
        return {name: value for name, value in found.items() if value and name == reading.mapping.account_key}
    if reading.envelope.key == "web" and not reading.mapping.trust and found["user_id"] and found["email"]:
        reading.flags.append(CLAIMED_EMAIL)  # anybody can send it: it joins no two people
        found["email"] = None
    return {name: value for name, value in found.items() if value}


def traits_of(reading: Reading) -> Json:
    """Give what is said of the person or company, wherever a library puts it."""
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


def claims_identity(context: Json, event: Json) -> bool:
    """Tell whether the page's address says who its visitor is: anybody can mail such a link."""
    for holder in (context.get("page"), event.get("properties")):
        if isinstance(holder, dict):
            for name in ("url", "search"):
                address = holder.get(name)
                if isinstance(address, str) and CLAIMING in address:
                    return True
    return False
