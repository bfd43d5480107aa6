"""What the database holds, in memory: read again every few seconds by a thread, so that no request waits for SQL."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from django.db import DatabaseError, connections

LOOK_EVERY = 2.0  # seconds between two looks at the database: how long what was ended may still work
LOOK_AGAIN = 0.1  # seconds until what is not known may cause another look: what is new works at once
Known = TypeVar("Known")


class Looking(Generic[Known]):
    """Something of the database as it is `known`; `read` is given what was known and gives what is now."""

    def __init__(self, name: str, nothing: Known, read: Callable[[Known], Known]) -> None:
        self.known = nothing
        self._name, self._read = name, read
        self._looked_at = 0.0
        self._turn = asyncio.Lock()

    async def again(self, *, patiently: bool = False) -> None:
        """Look for what is not known, but not more often than the database can bear.

        Who asks `patiently` waits until that may be, and knows then all that was made before; others go on at once.
        """
        asked = time.monotonic()
        if not patiently and asked - self._looked_at <= LOOK_AGAIN:
            return
        async with self._turn:
            if self._looked_at < asked:
                await asyncio.sleep(self._looked_at + LOOK_AGAIN - time.monotonic())
                await asyncio.get_running_loop().run_in_executor(None, look, [self])

    def look(self) -> None:
        """Read it once."""
        self._looked_at = time.monotonic()
        try:
            self.known = self._read(self.known)
        except DatabaseError as error:  # what was known a moment ago goes on to hold
            logging.getLogger(__name__).warning("%s could not be read: %s", self._name, error)


class Lookout:
    """The thread that looks at several things again and again."""

    def __init__(self, *lookings: Looking[Any]) -> None:
        self._lookings = lookings
        self._over = threading.Event()

    def start(self) -> None:
        """Look, and go on to do so; never called on an event loop, which must not wait for SQL."""
        look(self._lookings)
        threading.Thread(target=self._keep_looking, name="lookout", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def _keep_looking(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            look(self._lookings)


def look(lookings: Iterable[Looking[Any]]) -> None:
    """Read several things over one connection."""
    try:
        for one in lookings:
            one.look()
    finally:
        connections.close_all()
