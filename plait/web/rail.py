"""The rail: what a page says of itself so that it can be reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.web.people.models import User

WORK = 10


@dataclass(frozen=True, slots=True)
class Rail:
    """A page's entry: the right it needs, the name of its address, its title, and the letter that follows g.

    The places below `WORK` are those of pages on which people work through what waits; they stand first. `count` tells
    how much of the page waits for somebody. A page `within` another (its address)
    is no entry of the rail but a tab beside it.
    """

    right: str
    address: str
    title: str
    key: str
    place: int
    count: Callable[[User], int] | None = None
    within: str = ""
