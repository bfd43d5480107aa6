"""The rail: what a page says of itself so that it can be reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.web.people.models import User


@dataclass(frozen=True, slots=True)
class Rail:
    """A page's entry: the right it needs, the name of its address, its title, and the letter that follows g.

    `count` tells how much of the page waits for somebody, where a page is one that people look through to the end.
    """

    right: str
    address: str
    title: str
    key: str
    place: int
    count: Callable[[User], int] | None = None
