"""What an event says: the fields of a fact that its type and its mapping name."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from plait.facts import CURRENCIES
from plait.sources import rules
from plait.sources.events.addresses import without_secrets
from plait.sources.events.envelope import KIND_OF, Json, Reading, Row, Wrong
from plait.sources.events.keys import traits_of

DEFAULT_CURRENCY = "default_currency"


def columns_of(reading: Reading) -> Row:
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
        columns["text"] = _person(traits_of(reading))
    return _fitted(columns)


def _called(reading: Reading, kind: str, name: str) -> str | None:
    """Give a track call's text, which is its name; of a company or a person that was entered it is theirs.

    What a company is called is not for every visitor to say, who all have the web key. A person who signs up says it
    in the traits, or in the properties in two parts; a `name` there may be that of anything.
    """
    if kind == "contact.created":
        return _person(traits_of(reading)) or _person(_properties(reading.event) | {"name": None})
    if kind != "account.created":
        return name
    if reading.envelope.key == "web" and not reading.mapping.trust:
        return None
    properties = _properties(reading.event)
    return _text(properties.get("account_name")) or _text(properties.get("name"))


def _person(told: Json) -> str | None:
    """Give a person's name as libraries write it: whole, or in two parts."""
    first, last = (told.get(f"{part}Name") or told.get(f"{part}_name") for part in ("first", "last"))
    return _text(told.get("name")) or _text(first, last)


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
            return without_secrets(path)
    return name


def _money(reading: Reading, properties: Json) -> Row:
    """Give the amount that a track call states, with its currency or the source's."""
    amount = _number(properties.get("revenue"))
    if amount is None:
        return {}
    currency = properties.get("currency")
    if not isinstance(currency, str) or currency.upper() not in CURRENCIES:
        reading.flags.append(DEFAULT_CURRENCY)
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
