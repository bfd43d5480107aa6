"""Results: answers kept until the facts change, so that a page asked for again costs next to nothing.

An answer is known by everything that it depends on: the measure and its version, the options, the moment, the facts'
version, the reporting currency and the rows that the reader may see. Language and theme are no part of it: what is kept
are tables, not pages. One reader's answer never reaches another who may see other rows: the scope is in the key.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Generic, TypeVar

from django.conf import settings

from plait import desk
from plait.measure import UNAGREED, Definition, Measure, Table, known_measure
from plait.register import read_register
from plait.settings import read_settings
from plait.timeline import EVERYTHING, Behind, Question, Scope, Timeline

AT_ONCE = 2  # queries; each may use all cores and a part of the memory
KEPT_QUESTIONS, KEPT_ROWS = 2_000, 200_000  # most answers have some dozen rows; of these some tens of megabytes
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Ask:
    """All that decides a number, less the facts: measure, options, moment, currency and the reader's rows.

    `as_of` None is the home's own day; `currency` None the home's own currency. `definition` is what the firm has
    agreed on: it gave the options that nobody named.
    """

    measure: str
    options: tuple[tuple[str, object], ...]
    as_of: date | None = None
    currency: str | None = None
    scope: Scope = EVERYTHING
    definition: Definition = UNAGREED

    @classmethod
    def of(
        cls,
        measure: str,
        options: Mapping[str, object],
        *,
        as_of: date | None = None,
        currency: str | None = None,
        scope: Scope,
        definition: Definition | int | None = None,
    ) -> Ask:
        """Check the options and put them in order, so that one question has one key.

        `definition` is the one to answer by, or its number; without it the one that held at the moment asked for.
        """
        known = known_measure(measure)
        held = definition if isinstance(definition, Definition) else _held(known, as_of, definition)
        read = known.read_options(options, held.options)
        return cls(measure, tuple(sorted(read.items())), as_of, currency, scope, held.asked(read))

    def told(self) -> dict[str, object]:
        """Give the options that differ from what is agreed, or by default."""
        unnamed = known_measure(self.measure).read_options({}, self.definition.options)
        return {name: value for name, value in self.options if value != unnamed[name]}

    def other_definition(self) -> int | None:
        """Give the number of its definition where that is not the one that held at its moment."""
        held = _held(known_measure(self.measure), self.as_of, None)
        return self.definition.number if self.definition.number != held.number else None


def _held(measure: Measure, as_of: date | None, number: int | None) -> Definition:
    """Give the definition that held at a moment; the home's days are looked up only where one was ever proposed."""
    register = read_register(settings.HOME)
    before = read_settings(settings.HOME).midnight(as_of) if as_of and register.of(measure.name) else None
    return register.in_force(measure, before, number)


class Kept(Generic[V]):
    """The entries used last, up to a weight; unless told otherwise each weighs 1."""

    def __init__(self, most: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self.most, self.weigh, self.weight = most, weigh, 0
        self._entries: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """Give an entry, if it is still kept."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Keep an entry; those that were not used for longest make room."""
        with self._lock:
            if key in self._entries:
                self.weight -= self.weigh(self._entries.pop(key))
            self._entries[key] = value
            self.weight += self.weigh(value)
            while self.weight > self.most:
                self.weight -= self.weigh(self._entries.popitem(last=False)[1])

    def __len__(self) -> int:
        return len(self._entries)


class Results:
    """The answers of one home. One engine over one version of the facts, few queries at a time; safe for threads."""

    def __init__(self, home: Path, clock: Callable[[], datetime]) -> None:
        self.home, self.clock = home, clock
        self.hits = self.misses = 0
        self._opening, self._making = threading.RLock(), threading.Lock()
        self._running = threading.BoundedSemaphore(AT_ONCE)
        self._turns: dict[Hashable, tuple[threading.Lock, int]] = {}
        self._counting = threading.Lock()
        self._pinned: tuple[Hashable, Timeline] | None = None
        self._questions: Kept[Question] = Kept(KEPT_QUESTIONS)
        self._tables: Kept[Table] = Kept(KEPT_ROWS, lambda table: len(table.rows) + 1)

    def timeline(self) -> Timeline:
        """Give the timeline over the newest facts; opened anew only when they, or the settings, have changed."""
        return self._newest()[1]

    def peek(self, ask: Ask) -> Table | None:
        """Give an answer that is kept, without looking for it."""
        return self._tables.get(self._seen(ask)[0])

    def local_day(self, at: datetime) -> date:
        """Give the day of an instant in the home's zone."""
        return self.timeline().settings.day(at.astimezone(UTC).replace(tzinfo=None))

    def key(self, ask: Ask) -> Hashable:
        """Give all that an answer depends on: with the language, all that anything made of it depends on."""
        return self._seen(ask)[0]

    def table(self, ask: Ask) -> Table:
        """Answer a question; who asks the same at the same time waits for the one answer."""
        table = self.peek(ask)
        if table is None:
            key, seen = self._seen(ask)
            with self._turn(key):
                table = self._tables.get(key)
                if table is None:
                    table = self._answer(ask, seen)
                    self._tables.put(key, table)
                    self._count(hit=False)
                    return table
        self._count(hit=True)
        return table

    def behind(self, ask: Ask, *, limit: int, offset: int = 0) -> Behind:
        """Give the facts that a question reads, the newest first."""
        seen = self._seen(ask)[1]
        with self._making, self._running:
            return seen.behind(known_measure(ask.measure), dict(ask.options), limit=limit, offset=offset)

    def _newest(self) -> tuple[Hashable, Timeline]:
        pinned = self._pinned
        if pinned is None or pinned[0] != desk.stamp(self.home):
            with self._opening:
                stamp, pinned = desk.stamp(self.home), self._pinned
                if pinned is None or pinned[0] != stamp:
                    pinned = self._pinned = stamp, desk.open_home(self.home, now=self.clock())
        return pinned

    def story(self, account: str, as_of: date | None, scope: Scope) -> list[dict[str, object]]:
        """Give the facts of an account that a reader may see, before a day began or all, in the order of time."""
        opened = self.timeline()
        with self._making, self._running:
            until = opened.settings.midnight(as_of) if as_of else opened.settings.newest(self.clock())
            return desk.account_facts(opened.until(until).within(scope), account)

    def _seen(self, ask: Ask) -> tuple[Hashable, Timeline]:
        """Give what a question sees, and the key of its answer: both of one moment, whatever is loaded meanwhile."""
        stamp, newest = self._newest()
        moment = newest.settings.midnight(ask.as_of) if ask.as_of else newest.settings.newest(self.clock())
        seen = newest.until(moment).within(ask.scope).reporting_in(ask.currency)
        return (ask, known_measure(ask.measure).version, stamp, seen.as_of, seen.settings), seen

    def _answer(self, ask: Ask, seen: Timeline) -> Table:
        measure = known_measure(ask.measure)
        options = measure.read_options(dict(ask.options))  # in the order of the definition
        kind = seen.kind(measure, options)
        question = self._questions.get(kind)
        if question is None:
            with self._making:  # apart: who asks what was made before does not wait for it
                question = seen.ask(measure, options)
            self._questions.put(kind, question)  # facts and days may change, the query stays
        with self._running:
            return replace(seen.answer(question, options), definition=ask.definition)

    @contextmanager
    def _turn(self, key: Hashable) -> Iterator[None]:
        """Let one at a time answer a question; the others who ask the same find its answer then."""
        with self._counting:
            lock, waiting = self._turns.get(key, (threading.Lock(), 0))
            self._turns[key] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._counting:
                waiting = self._turns[key][1] - 1
                if waiting:
                    self._turns[key] = lock, waiting
                else:
                    del self._turns[key]

    def _count(self, *, hit: bool) -> None:
        with self._counting:
            self.hits += hit
            self.misses += not hit
