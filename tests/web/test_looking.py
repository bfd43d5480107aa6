"""Keys and links in memory: what was made before somebody asks is known to the answer, and the database is spared."""

from __future__ import annotations

import asyncio

from plait.web.collector.looking import Looking


def test_what_is_new_is_known_at_once_whoever_asked_before_for_what_is_not_there() -> None:
    made, reads = {"first"}, []

    def read(_: frozenset[str]) -> frozenset[str]:
        reads.append(len(made))
        return frozenset(made)

    looking = Looking("keys", frozenset[str](), read)

    async def ask() -> None:
        await looking.again(patiently=True)
        made.add("second")
        await looking.again()
        assert "second" not in looking.known
        await looking.again(patiently=True)
        assert "second" in looking.known
        await asyncio.gather(*(looking.again(patiently=True) for _ in range(50)))

    asyncio.run(ask())
    assert len(reads) == 3, "fifty who ask at once cause one look"
