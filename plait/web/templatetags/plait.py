"""Tags and filters of the desk's templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from plait.web import formats, words
from plait.web.results import Ask
from plait.web.state import State

register = template.Library()
CODE = re.compile("`([^`]+)`")


@register.filter
def label(name: object) -> str:
    """Give a name of the registry or the vocabulary in the reader's language."""
    return words.label(name)


@register.filter
def rule(text: str) -> str:
    """Give the rule that a row was refused by, or its next step, in the reader's language."""
    return words.rule(text)


@register.filter
def day(value: date) -> str:
    """Give a day as people write it."""
    return formats.day(value)


@register.filter
def instant(value: datetime) -> str:
    """Give an instant as people write it."""
    return formats.instant(value)


@register.filter
def seconds(value: float) -> str:
    """Give a duration in seconds as people write it."""
    return formats.seconds(value)


@register.filter
def count(value: int) -> str:
    """Give a count as people write it."""
    return formats.shown(value, "rows")


@register.filter
def coded(text: str) -> SafeString:
    """Show what stands between backticks as code."""
    return mark_safe(CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S308 - escaped just before


@register.filter
def get(mapping: Mapping[str, object], name: str) -> object:
    """Give a value of a mapping, None when it has none of that name."""
    return mapping.get(name)


@register.simple_tag
def asked(ask: Ask, **more: object) -> str:
    """Give the address's query that asks a question."""
    return query_of(ask, **more)


@register.simple_tag
def drawer(ask: Ask, column: str = "") -> str:
    """Give the address of the drawer that says where a number comes from."""
    return f"{reverse('drawer', args=[ask.measure])}?{query_of(ask, column=column)}"


@register.inclusion_tag("parts/agreed.html")
def agreed(ask: Ask, column: str = "") -> dict[str, object]:
    """Mark a number whose definition two departments have not signed; nothing where they have."""
    return {"ask": ask, "column": column, "held": ask.definition}


@register.simple_tag
def with_state(state: State, **changes: object) -> str:
    """Give the query of a page's state, with some of it changed."""
    return state.query(**changes)


@register.simple_tag(takes_context=True)
def turned(context: template.Context, page: int, by: int) -> str:
    """Give the query of the same address, some pages on."""
    query = context["request"].GET.copy()
    query["page"] = str(page + by)
    return str(query.urlencode())


@register.filter
def spoken(value: object) -> str:
    """Give an option's value in the reader's language; days and names of the data stay as they are."""
    if isinstance(value, date):
        return formats.day(value)
    if isinstance(value, tuple):
        return ", ".join(words.label(one) for one in value)
    return words.label(value) if isinstance(value, str) else str(value)


@register.filter
def listed(value: object) -> str:
    """Give an option's value as an address says it."""
    if value is None:
        return "none"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def query_of(ask: Ask, **more: object) -> str:
    """Give the query of the address that asks a question."""
    told = {name: "none" if value is None else _text(value) for name, value in ask.told().items()}
    told |= {"as_of": _text(ask.as_of), "currency": ask.currency or "", "definition": _text(ask.other_definition())}
    told |= {name: _text(value) for name, value in more.items()}
    return urlencode({name: text for name, text in told.items() if text != ""})


def _text(value: object) -> str:
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
