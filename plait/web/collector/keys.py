"""Write keys as the collector knows them: in memory, read again every few seconds, so that no event waits for SQL."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import DatabaseError, connections

from plait.sources.events import digest_of_key
from plait.web.people.models import digest_of

LOOK_EVERY = 2.0  # seconds between two looks at the database: how long a revoked key may still work
LOOK_AGAIN = 0.5  # seconds until an unknown key may cause another look: a new one works at once


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that works: its source, who holds it, from where it may come and how many events a second it may bring."""

    source: str
    sort: str
    origins: tuple[str, ...]
    quota: int
    digest: str  # what is kept beside the events


class Keys:
    """The keys that work."""

    def __init__(self) -> None:
        self._known: Mapping[str, KnownKey] = {}
        self._by_text: dict[str, KnownKey] = {}
        self._looked_at = 0.0
        self._over = threading.Event()

    def start(self) -> None:
        """Read the keys, and go on to do so; never called on an event loop, which must not wait for SQL."""
        self.look()
        threading.Thread(target=self._keep_looking, name="write keys", daemon=True).start()

    def stop(self) -> None:
        """Read the keys no more."""
        self._over.set()

    async def find(self, key: str) -> KnownKey | None:
        """Find a key; one that is not known is looked for again, but not more often than the database can bear."""
        found = self._by_text.get(key)
        if found is not None:
            return found
        digest = digest_of(key)
        if digest not in self._known and time.monotonic() - self._looked_at > LOOK_AGAIN:
            await asyncio.get_running_loop().run_in_executor(None, self.look)
        found = self._known.get(digest)
        if found is not None:
            self._by_text[key] = found
        return found

    def _keep_looking(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            self.look()

    def look(self) -> None:
        """Read the keys once."""
        self._looked_at = time.monotonic()
        try:
            self._known = _open_keys()
            self._by_text = {}
        except DatabaseError as error:  # the keys of a moment ago go on to work
            logging.getLogger(__name__).warning("write keys could not be read: %s", error)
        finally:
            connections.close_all()


def _open_keys() -> dict[str, KnownKey]:
    from plait.web.collector.models import WriteKey

    keys = WriteKey.objects.filter(revoked_at=None).select_related("source")
    return {
        key.digest: KnownKey(
            key.source.name, key.sort, tuple(key.origins), key.source.quota, key.digest[: len(digest_of_key(""))]
        )
        for key in keys
    }
