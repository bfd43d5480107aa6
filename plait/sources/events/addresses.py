"""What is not kept of an event: secrets in page addresses, and where its sender stood."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from plait.sources.events.envelope import Json
from plait.sources.events.keys import CLAIMING

SECRET = frozenset(("token", "password", "email", "key", "secret", "code", "access_token", "id_token", "auth"))
ADDRESSES = ("url", "search", "referrer", "path")
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


def clean(event: Json) -> Json:
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
                    holder[name] = without_secrets(address)
    return event


def cleaned(context: Json) -> Json:
    """Give what a request says around its events without secrets and its sender's address; the given stays as it is."""
    return clean({"context": _decode(_encode(context))})["context"] if context else context


def without_secrets(address: str) -> str:
    """Give an address without the parameters that hold secrets or say who somebody is."""
    try:
        parts = urlsplit(address)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return address.partition("?")[0]
    kept = [pair for pair in pairs if pair[0].lower() not in SECRET and not pair[0].startswith(CLAIMING)]
    return address if len(kept) == len(pairs) else urlunsplit(parts._replace(query=urlencode(kept)))
