"""Values in texts: found and taken out where they stand for themselves, and left where they are a part of another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from plait import duck

FILES = r"(?:csv|tsv|txt|json|jsonl|ndjson|parquet|xlsx?|zip|gz|pdf|eml|html?)(?:$|[^a-z0-9])"  # a file of that name
GONE = "[erased]"  # what stands in a text where a value stood


def pattern(value: str) -> str:
    """Give the expression that finds a value that is no part of another: `jane@a.com`, and not `mary.jane@a.com`."""
    quoted = "".join(f"\\{sign}" if sign.isascii() and not sign.isalnum() else sign for sign in value)
    before = r"\\[nrtbf]|%[0-9a-f]{2}"  # what a line's end and an encoded sign look like
    if "@" in value or "%40" in value:
        return rf"(^|[^a-z0-9._%+\-]|{before}){quoted}($|[^a-z0-9_.\-]|\.(?:$|[^a-z0-9]|{FILES}))"
    return rf"(^|[^a-z0-9]|{before}){quoted}($|[^a-z0-9])"


def replaced_sql(column: str, values: Sequence[str]) -> str:
    """Give a text of an engine with values taken out."""
    for value in values:
        for _ in range(2):  # neighbours share the sign between them
            column = f"regexp_replace({column}, {duck.literal(pattern(value))}, '\\1{GONE}\\2', 'gi')"
    return column


def holds_sql(column: str, values: Sequence[str]) -> str:
    """Give whether a text of an engine holds one of these values (in lower case); the cheap look first."""
    each = (
        f"(contains(lower({column}), {duck.literal(value)}) "
        f"and regexp_matches({column}, {duck.literal(pattern(value))}, 'i'))"
        for value in values
    )
    return f"({' or '.join(each)})" if values else "false"


def replaced(text: str, values: Sequence[str]) -> str:
    """Give a text with values (in lower case) taken out."""
    for value in values:
        if value in text.lower():
            for _ in range(2):
                text = _compiled(value).sub(rf"\1{GONE}\2", text)
    return text


def replaced_in(told: object, values: Sequence[str]) -> object:
    """Give what JSON keeps with values taken out of all its texts."""
    if isinstance(told, str):
        return replaced(told, values)
    if isinstance(told, Mapping):
        return {replaced(str(name), values): replaced_in(one, values) for name, one in told.items()}
    return [replaced_in(one, values) for one in told] if isinstance(told, list) else told


@lru_cache(1_000)
def _compiled(value: str) -> re.Pattern[str]:
    return re.compile(pattern(value), re.IGNORECASE)
