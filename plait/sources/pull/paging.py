"""Paging: the requests of a reading, one after the other, with what a page before or a connection says filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from plait.sources.pull.asking import Answer, Json, Request
from plait.sources.pull.description import HOLE, ITEMS, Paging, Texts
from plait.sources.pull.rows import at, text_of


@dataclass(frozen=True, slots=True)
class Part:
    """How far a resource is read: the next request (None: to the end), the newest record, when the reading began."""

    request: Request | None
    newest: str | None
    count: int
    began: str

    def told(self) -> str:
        """Give it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Part:
        """Read what `told` has told."""
        told = json.loads(text)
        pairs = tuple((name, value) for name, value in told["request"].pop("query"))
        del told["request"]["form"]
        return cls(Request(query=pairs, **told.pop("request")), **told)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with the holes that only a page fills."""

    method: str
    path: str
    query: Texts
    body: Json

    def filled(self, values: Mapping[str, str]) -> Asked:
        """Fill the holes whose values are known by now; those of a page stay."""
        return Asked(self.method, str(_fill(self.path, values)), _fill(self.query, values), _fill(self.body, values))

    def request(self, last_id: str) -> Request:
        """Give the request of the first page."""
        values = {"last_id": last_id}
        query = _fill(self.query, values)
        pairs = [
            (name, one) for name, value in query.items() for one in (value if isinstance(value, list) else [value])
        ]
        return Request(str(_fill(self.path, values)), tuple(pairs), self.method, _fill(self.body, values))


def next_request(
    asked: Asked, request: Request, paging: Paging, answer: Answer, records: list[Json], count: int
) -> Request | None:
    """Give the request of the next page, None where there is none."""
    over = paging.done and at(answer.value, paging.done) is True
    if paging.style == "none" or over or (paging.more and at(answer.value, paging.more) is not True):
        return None
    if paging.style == "link":
        return Request(answer.next_link, ()) if answer.next_link else None
    if paging.style == "next_url":
        url = text_of(at(answer.value, paging.take))
        return Request(url, ()) if url else None
    full = bool(records) and len(records) >= paging.size
    if paging.style == "offset":
        return _sent(request, paging.send, str(count)) if full else None
    if paging.style == "last_id":
        if not records or not (paging.more or full):
            return None
        last = text_of(at(records[-1], paging.take))
        return _sent(request, paging.send, last) if paging.send else asked.request(last)
    token = text_of(at(answer.value, paging.take))
    return _sent(request, paging.send or "cursor", token) if token else None


def _sent(request: Request, name: str, value: str) -> Request:
    """Put a parameter into a request in the place of an earlier value."""
    if request.body is not None:
        return replace(request, body={**request.body, name: value})
    return replace(request, query=(*(pair for pair in request.query if pair[0] != name), (name, value)))


def _fill(value: Json, values: Mapping[str, str]) -> Json:
    """Fill the holes that have a value, in a text or in all texts of a table or list."""
    if isinstance(value, str):
        return HOLE.sub(lambda hole: values.get(hole.group(1), hole.group(0)), value)
    if isinstance(value, Mapping):
        return {name: _fill(one, values) for name, one in value.items()}
    return [one for item in value for one in _items(item, values)] if isinstance(value, list | tuple) else value


def _items(item: Json, values: Mapping[str, str]) -> list[Json]:
    """Fill an item of a list; one that is nothing but a hole gives as many as its value names, with commas between."""
    hole = HOLE.fullmatch(item) if isinstance(item, str) else None
    if hole is None or hole.group(1) not in values or item == ITEMS:
        return [_fill(item, values)]
    return [text for text in values[hole.group(1)].split(",") if text]


def with_items(value: Json, items: list[dict[str, str]]) -> Json:
    """Put a list in the place that is left for it in a body."""
    if value == ITEMS:
        return items
    return {name: with_items(one, items) for name, one in value.items()} if isinstance(value, dict) else value
