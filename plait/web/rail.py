"""The rail: what a page says of itself so that it can be reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rail:
    """A page's entry: the right it needs, the name of its address, its title, and the letter that follows g."""

    right: str
    address: str
    title: str
    key: str
    place: int
