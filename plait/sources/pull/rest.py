"""REST: reads any described system, page by page, into tables. What is new since last time, or all of it.

The cursors of a run are given, not kept: whoever loads the tables keeps them once that is done, so a run that is killed
in between is read again and adds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from plait.failure import Said
from plait.sources.pull.address import base_address, check_where_it_leads, filled, settings_of
from plait.sources.pull.asking import Answer, Asker, Json, Pace, Request, Unexpected
from plait.sources.pull.description import (
    Batch,
    Cursor,
    Paging,
    Resource,
    System,
    Table,
)
from plait.sources.pull.login import Kept, Session
from plait.sources.pull.paging import Asked, Part, next_request, with_items
from plait.sources.pull.rows import at, instant, rows_of, text_of
from plait.sources.pull.written import Tables

Cursors = Mapping[str, str]
Tell = Callable[[str, int], None]
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MIDDLE = " …"  # after the name of a resource: where to go on within it; alone: when a reading of several runs began
FILE = "file "  # before the name of a file: what it was
LONGEST_RUN = 2400.0  # seconds, then what is read is loaded and the next run goes on: a job has an hour
LONGEST_LIST = 1_000_000  # records of one list within a record
ZERO = "1970-01-01T00:00:00+00:00"


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a run has read: the rows of each file, the requests it took, and the cursors to keep once it is loaded.

    `of` names for each file the cursors that it stands for: one that nobody could load must not move them.
    """

    rows: Mapping[str, int]
    cursors: Mapping[str, str]
    requests: int = 0
    of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unfinished: bool = False  # the next run goes on in the middle
    same: bool = False  # every file is as it was in the run before

    def loaded(self, before: Mapping[str, str], not_read: Sequence[str]) -> dict[str, str]:
        """Give the cursors to keep: those of files that were not read stay where they were."""
        stay = {cursor for file in not_read for cursor in self.of.get(file, ())}
        kept = {name: value for name, value in self.cursors.items() if name not in stay}
        return kept | {name: before[name] for name in stay if name in before}


@dataclass(frozen=True, slots=True)
class Reached:
    """A system as a connection reaches it: its description, settings, way to log in, secrets."""

    system: System
    settings: Mapping[str, str]
    login: str
    secrets: Mapping[str, str]
    local: bool = False
    keep: Kept = lambda _name, _secret: None


def test(reached: Reached, *, pace: Pace) -> list[str]:
    """Ask once whether the system can be reached and lets us in; gives what works, in sentences."""
    asker, values = _asker(reached, pace)
    try:
        asker.ask(Request(filled(reached.system.test, values)))
    finally:
        asker.close()
    return [
        Said("{host} answers.", host=asker.host),
        Said("It accepts the secret."),
        Said("This would be read: {names}.", names=", ".join(one.title for one in reached.system.resource)),
    ]


def pull(
    reached: Reached, cursors: Cursors, folder: Path, *, now: datetime, pace: Pace, tell: Tell = lambda _what, _n: None
) -> Pulled:
    """Read what is new since `cursors` (all of it, where there are none) into files of a folder.

    `tell` hears the name of what is being read and how many records came; it may raise to end the run.
    """
    asker, values = _asker(reached, pace)
    tables = Tables(folder)
    try:
        run = _Run(asker, tables, values, tell, first=cursors.get(MIDDLE) or now.isoformat())
        for resource in reached.system.resource:
            if not run.stopped:
                run.read(resource, cursors.get(resource.name), cursors.get(resource.name + MIDDLE))
        left = {name: value for name, value in cursors.items() if name not in run.over | {MIDDLE}}
        if run.stopped:
            left[MIDDLE] = run.first
        before = {name.removeprefix(FILE): value for name, value in cursors.items() if name.startswith(FILE)}
        done = tables.finish(before, now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"))
        told = {f"{FILE}{name}": file.told for name, file in done.items()}
        return Pulled(
            {name: file.rows for name, file in done.items()}, {**left, **run.cursors, **told}, asker.requests,
            _cursors_of(reached.system), run.stopped, all(file.same for file in done.values()),
        )  # fmt: skip
    finally:
        tables.close()
        asker.close()


def _cursors_of(system: System) -> dict[str, list[str]]:
    """Name for each file the resources whose records it holds."""
    found: dict[str, list[str]] = {}
    for resource in system.resource:
        for table in (*resource.table, *(one for batch in resource.batch for one in batch.table)):
            found.setdefault(f"{table.name}.jsonl", []).extend([resource.name, resource.name + MIDDLE])
    for file, names in found.items():
        names.append(f"{FILE}{file}")
    return found


def _asker(reached: Reached, pace: Pace) -> tuple[Asker, dict[str, str]]:
    system = reached.system
    values = settings_of(system, reached.settings)
    base = base_address(system, values, local=reached.local)
    if not reached.local:
        check_where_it_leads(urlsplit(base).hostname or "")
    asker = Asker(base, retry=system.retry, per_second=system.per_second, pace=pace, local=reached.local)
    session = Session(asker, system.login_of(reached.login), reached.secrets, values, reached.keep)
    asker.headers = lambda: {**system.headers, **session.headers()}
    return asker, values


class _Run:
    """One reading of a system: its tables and the cursors that it has come to."""

    def __init__(self, asker: Asker, tables: Tables, values: Mapping[str, str], tell: Tell, *, first: str) -> None:
        self.asker, self.tables, self.values, self.tell = asker, tables, values, tell
        self.first = first  # when this reading began: runs before, where one was not enough
        self.cursors: dict[str, str] = {}
        self.over: set[str] = set()  # cursors that hold no longer
        self.stopped, self.began = False, asker.pace.elapsed()
        self.asked: set[tuple[str, str]] = set()  # what batches have asked for already
        self.rest: tuple[str, str, list[Json]] = ("", "", [])  # the list fetched last: several tables are made of it

    def read(self, resource: Resource, cursor: str | None, middle: str | None = None) -> None:
        """Read one resource, or the rest of it; its cursor moves to the newest record, never past the first beginning.

        Where the time of a run is over in the middle, what was read can be loaded, and where to go on is remembered.
        """
        if resource.only_changes and cursor is None:
            self.cursors[resource.name] = self.first
            return
        self.tell(resource.title, 0)
        self.asker.per_minute = resource.per_minute
        part = Part.of(middle) if middle else Part(None, cursor, 0, self.first)
        try:
            part = self._parts(resource, cursor, part)
        except Unexpected:
            if part.request is None:
                raise
            part = self._parts(resource, cursor, Part(None, cursor, 0, self.first))  # its page is forgotten
        self.over.add(resource.name + MIDDLE)
        if part.request is not None:
            self.stopped = True
            self.cursors[resource.name + MIDDLE] = part.told()
            return
        newest = part.newest
        if newest is None and resource.cursor is not None and resource.cursor.write != "opaque":
            newest = part.began  # an empty system: what comes later is new
        if newest is not None:
            self.cursors[resource.name] = newest

    def _parts(self, resource: Resource, cursor: str | None, part: Part) -> Part:
        """Read page after page; gives where it ended, with the next request where time was over."""
        asked, paging = self._request(resource, cursor)
        count, newest = part.count, part.newest
        for answer, records, following in self._pages(asked, paging, resource.records, part):
            newest = self._newest(resource.cursor, answer, records, newest, part.began)
            wanted = [at(record, resource.unwrap) for record in records]
            for record in wanted:
                self._write(resource, record)
            for batch in resource.batch:
                self._ask_about(resource, batch, wanted)
            count += len(records)
            self.tell(resource.title, count)
            if following is not None and self.asker.pace.elapsed() - self.began > LONGEST_RUN:
                return Part(following, newest, count, part.began)
        return Part(None, newest, count, part.began)

    def _request(self, resource: Resource, cursor: str | None) -> tuple[Asked, Paging]:
        asked = Asked(resource.method, resource.path, resource.query, resource.body)
        paging = resource.paging
        written = "" if resource.cursor is None else _since(resource.cursor, cursor)
        if resource.changes is not None and cursor is not None:
            c = resource.changes
            asked = Asked(
                c.method or asked.method, c.path or asked.path, {**asked.query, **c.query}, c.body or asked.body
            )
            paging = c.paging or paging
        return asked.filled({**self.values, "cursor": written}), paging

    def _pages(
        self, asked: Asked, paging: Paging, where: str, part: Part | None = None
    ) -> Iterator[tuple[Answer, list[Json], Request | None]]:
        """Give answer after answer with its records and the next request, until it was the last."""
        count = part.count if part else 0
        request: Request | None = (part and part.request) or asked.request("0")
        while request is not None:
            answer = self.asker.ask(request)
            records = at(answer.value, where)
            if not isinstance(records, list):
                says = "{host} answers {path} without a list at {where!r}; its description does not fit."
                raise Unexpected(Said(says, host=self.asker.host, path=request.path.split("?")[0], where=where))
            count += len(records)
            after = next_request(asked, request, paging, answer, records, count)
            if after == request:
                says = "{host} gives the same page again and again; nothing was kept."
                raise Unexpected(Said(says, host=self.asker.host))
            yield answer, records, after
            request = after

    def _newest(
        self, cursor: Cursor | None, answer: Answer, records: list[Json], newest: str | None, began: str
    ) -> str | None:
        if cursor is None:
            return None
        if cursor.write == "opaque":
            return text_of(at(answer.value, cursor.field)) or newest
        for record in records:
            found = instant(at(record, cursor.field), epoch=cursor.write != "iso")
            if found is not None:
                told = min(found, datetime.fromisoformat(began)).isoformat()
                newest = told if newest is None else max(newest, told, key=datetime.fromisoformat)
        return newest

    def _write(self, resource: Resource, record: Json) -> None:
        for table in resource.table:
            self._add(record, table, resource.newest)

    def _add(self, record: Json, table: Table, newest: str) -> None:
        for row in rows_of(self._whole(record, table), table):
            self.tables.add(table.name, row, key=table.key, newest=newest)

    def _whole(self, record: Json, table: Table) -> Json:
        """Fetch the rest of a list that an answer has cut off."""
        rest = table.more
        if rest is None or not at(record, rest.flag):
            return record
        known = {**self.values, "id": text_of(at(record, rest.id))}
        if self.rest[:2] == (known["id"], rest.path):
            return _with(record, table.each, self.rest[2])
        asked = Asked("GET", rest.path, rest.query, None).filled(known)
        items: list[Json] = []
        for _answer, page, _following in self._pages(asked, rest.paging, rest.records):
            items += page
            if len(items) > LONGEST_LIST:
                raise Unexpected(Said("{host} gives a list without end.", host=self.asker.host))
        self.rest = known["id"], rest.path, items
        return _with(record, table.each, items)

    def _ask_about(self, resource: Resource, batch: Batch, records: list[Json]) -> None:
        """Ask for more about the records of a page."""
        wanted = self._named(batch, records) if batch.ids else records
        for start in range(0, len(wanted), batch.size):
            some = wanted[start : start + batch.size]
            ids = batch.join.join(some) if batch.ids else ""
            asked = Asked(batch.method, batch.path, batch.query, batch.body).filled({**self.values, "ids": ids})
            items = [{name: text_of(at(one, path)) for name, path in batch.item.items()} for one in some]
            answer = self.asker.ask(replace(asked.request(""), body=with_items(asked.body, items)))
            self._refuse_errors(batch, at(answer.value, batch.errors))
            found = at(answer.value, batch.records)
            for record in found if isinstance(found, list) else []:
                for table in batch.table:
                    self._add(record, table, resource.newest)

    def _named(self, batch: Batch, records: list[Json]) -> list[Json]:
        """Give the ids that records name of others which this run has not read and not asked for."""
        named = dict.fromkeys(text_of(at(record, batch.ids)) for record in records)
        fresh = [
            one
            for one in named
            if ID.fullmatch(one) and one.startswith(batch.starts) and (batch.name, one) not in self.asked
            and not self.tables.holds(batch.table[0].name, one)
        ]  # fmt: skip
        self.asked.update((batch.name, one) for one in fresh)
        return list(fresh)

    def _refuse_errors(self, batch: Batch, errors: Json) -> None:
        """End the run where a part of a batch could not be told: half of it would pass for all."""
        for error in errors if isinstance(errors, list) else []:
            if text_of(at(error, "subCategory")) not in batch.harmless:
                said = text_of(at(error, "message"))[:300] or batch.path
                raise Unexpected(Said("{host} could not tell all: {said}", host=self.asker.host, said=said))


def _since(cursor: Cursor, value: str | None) -> str:
    """Write where to begin; what has no cursor yet begins with the first record there is."""
    if cursor.write == "opaque":
        return value or ""
    since = datetime.fromisoformat(value or ZERO).astimezone(UTC)
    since = max(datetime.fromisoformat(ZERO), since - timedelta(seconds=cursor.overlap))
    if cursor.write == "iso":
        return since.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(int(since.timestamp() * (1000 if cursor.write == "epoch_ms" else 1)))


def _with(record: Json, path: str, items: list[Json]) -> Json:
    """Give a record with another list at a path."""
    name, _, rest = path.partition(".")
    return {**record, name: _with(record.get(name) or {}, rest, items) if rest else items}
