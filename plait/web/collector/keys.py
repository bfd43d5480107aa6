"""Write keys as the collector knows them: in memory, so that no event waits for SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plait.sources.events import digest_of_key
from plait.web.collector.looking import Looking
from plait.web.people.models import digest_of


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
        self.looking: Looking[Mapping[str, KnownKey]] = Looking("write keys", {}, lambda _: _open_keys())
        self._of: Mapping[str, KnownKey] = {}  # what `_by_text` was found in
        self._by_text: dict[str, KnownKey] = {}

    async def find(self, key: str) -> KnownKey | None:
        """Find a key; one that is not known is looked for again, but not more often than the database can bear."""
        if self._of is not self.looking.known:
            self._of, self._by_text = self.looking.known, {}
        found = self._by_text.get(key)
        if found is not None:
            return found
        digest = digest_of(key)
        if digest not in self.looking.known:
            await self.looking.again(patiently=True)  # libraries throw away what is refused
        found = self.looking.known.get(digest)
        if found is not None:
            self._by_text[key] = found
        return found


def _open_keys() -> dict[str, KnownKey]:
    from plait.web.collector.models import WriteKey

    keys = WriteKey.objects.filter(revoked_at=None).select_related("source")
    return {
        key.digest: KnownKey(
            key.source.name, key.sort, tuple(key.origins), key.source.quota, key.digest[: len(digest_of_key(""))]
        )
        for key in keys
    }
