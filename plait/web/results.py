"""Results: answers kept until the facts change, so that a page asked for again costs next to nothing.

An answer is known by everything that it depends on: the measure and its version, the options, the moment, the facts'
version, the reporting currency and the rows that the reader may see. Language and theme are no part of it: what is kept
are tables, not pages. One reader's answer never reaches another who may see other rows: the scope is in the key.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Generic, TypeVar

from plait import desk
from plait.measure import Table, known_measure
from plait.timeline import Behind, Question, Scope, Timeline

EVERYTHING = Scope()
KEPT = 2_000  # answers; one has some dozen rows
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Ask:
    """All that decides a number, less the facts: measure, options, moment, currency and the reader's rows.

    `as_of` None is the home's own day; `currency` None the home's own currency.
    """

    measure: str
    options: tuple[tuple[str, object], ...]
    as_of: date | None = None
    currency: str | None = None
    scope: Scope = EVERYTHING

    @classmethod
    def of(
        cls,
        measure: str,
        options: Mapping[str, object],
        *,
        as_of: date | None = None,
        currency: str | None = None,
        scope: Scope,
    ) -> Ask:
        """Check the options and put them in order, so that one question has one key."""
        read = known_measure(measure).read_options(options)
        return cls(measure, tuple(sorted(read.items())), as_of, currency, scope)

    def told(self) -> dict[str, object]:
        """Give the options that differ from their defaults."""
        defaults = known_measure(self.measure).options
        return {name: value for name, value in self.options if value != defaults[name].default}


class Kept(Generic[V]):
    """The entries used last, up to a number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._entries: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """Give an entry, if it is still kept."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Keep an entry; the one that was not used for longest makes room."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self.most:
                self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)


class Results:
    """The answers of one home. One engine over one version of the facts, one query at a time; safe for threads."""

    def __init__(self, home: Path, clock: Callable[[], datetime]) -> None:
        self.home, self.clock = home, clock
        self.hits = self.misses = 0
        self._engine = threading.RLock()
        self._pinned: tuple[Hashable, Timeline] | None = None
        self._questions: Kept[Question] = Kept(KEPT)
        self._tables: Kept[Table] = Kept(KEPT)

    def timeline(self) -> Timeline:
        """Give the timeline over the newest facts; opened anew only when they, or the settings, have changed."""
        stamp, pinned = desk.stamp(self.home), self._pinned
        if pinned is None or pinned[0] != stamp:
            with self._engine:
                if self._pinned is None or self._pinned[0] != stamp:
                    self._pinned = stamp, desk.open_home(self.home, now=self.clock())
                pinned = self._pinned
        return pinned[1]

    def moment(self, ask: Ask) -> datetime:
        """Give the first instant that a question does not see, in naive UTC."""
        settings = self.timeline().settings
        return settings.midnight(ask.as_of) if ask.as_of else settings.newest(self.clock())

    def peek(self, ask: Ask) -> Table | None:
        """Give an answer that is kept, without looking for it."""
        return self._tables.get(self._key(ask))

    def table(self, ask: Ask) -> Table:
        """Answer a question; who asks the same at the same time waits for the one answer."""
        key = self._key(ask)
        table = self._tables.get(key)
        if table is None:
            with self._engine:
                table = self._tables.get(key)
                if table is None:
                    self.misses += 1
                    table = self._answer(ask)
                    self._tables.put(self._key(ask), table)
                    return table
        self.hits += 1
        return table

    def behind(self, ask: Ask, *, limit: int, offset: int = 0) -> Behind:
        """Give the facts that a question reads, the newest first."""
        with self._engine:
            return self._seen(ask).behind(known_measure(ask.measure), dict(ask.options), limit=limit, offset=offset)

    def _seen(self, ask: Ask) -> Timeline:
        return self.timeline().until(self.moment(ask)).within(ask.scope).reporting_in(ask.currency)

    def _answer(self, ask: Ask) -> Table:
        seen = self._seen(ask)
        asked = (ask, known_measure(ask.measure).version, seen.as_of, seen.settings)
        question = self._questions.get(asked)
        if question is None:
            question = seen.ask(known_measure(ask.measure), **dict(ask.options))
            self._questions.put(asked, question)  # the facts may change, the query stays
        return seen.answer(question)

    def _key(self, ask: Ask) -> Hashable:
        seen = self.timeline()
        return ask, known_measure(ask.measure).version, seen.version, seen.settings, self.moment(ask)
