"""Storage: files that others lay into a folder or an S3-compatible storage, fetched when they are new or changed.

Nothing is deleted or moved there. What was read is remembered by name, size and mark of change; a file that is still
being written is left for the next time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from plait.failure import Said, Unfit
from plait.sources.pull.address import check_where_it_leads, checked
from plait.sources.pull.asking import NoAnswer, without
from plait.sources.pull.rest import Pulled, Tell

SETTLED = 30.0  # seconds without a change after which a file of a folder counts as whole
UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart", ".swp")
MOST_FILES = 10_000  # in one run
MOST_BYTES = 50 << 30


class BadStorage(Unfit, ValueError):
    """A folder or a storage that cannot be watched."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A folder, or a bucket with a prefix, as a connection reaches it; without an endpoint it is Amazon's S3."""

    path: str
    bucket: bool = False
    endpoint: str = ""
    region: str = ""
    key: str = ""
    secret: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Lying:
    """A file as it lies there: its name below what is watched, its size, and what changes when it does."""

    name: str
    place: str
    size: int
    mark: str
    changed_at: datetime | None

    @property
    def stamp(self) -> str:
        """What is remembered of a file that was read."""
        return f"{self.size} {self.mark}"


def test(storage: Storage) -> list[str]:
    """Look into the storage once; gives what is there, in a sentence."""
    with _opened(storage) as fs:
        found = _lying(fs, storage)
    names = ", ".join(one.name for one in found[:5]) or Said("none yet")
    return [Said("It can be read; files there: {n} ({names}).", n=len(found), names=names)]


def pull(
    storage: Storage, seen: Mapping[str, str], folder: Path, *, now: datetime, tell: Tell = lambda _what, _n: None
) -> Pulled:
    """Fetch the files that are new or changed since `seen`; gives what will have been seen once they are loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, fetched, left = {}, dict(seen), False
    with _opened(storage) as fs:
        wanted = [one for one in _lying(fs, storage) if seen.get(one.name) != one.stamp and _settled(one, now)]
        size, left = 0, len(wanted) > MOST_FILES
        for number, one in enumerate(wanted[:MOST_FILES], 1):
            size += one.size
            if size > MOST_BYTES and number > 1:
                left = True
                break
            tell(one.name, number)
            target = folder / one.name
            if _fetch(fs, one, target):
                rows[one.name], fetched[one.name] = one.size, one.stamp
            else:
                target.unlink(missing_ok=True)
    return Pulled(rows, fetched, of={name: [name] for name in rows}, unfinished=left)


def _settled(one: Lying, now: datetime) -> bool:
    if one.name.lower().endswith(UNFINISHED) or PurePosixPath(one.name).name.startswith((".", "~$")):
        return False
    return one.changed_at is None or (now - one.changed_at).total_seconds() >= SETTLED


def _fetch(fs: Any, one: Lying, target: Path) -> bool:  # noqa: ANN401 - fsspec has no types
    """Copy a file; tells whether it stayed as it was meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with fs.open(one.place, "rb") as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
    again = _described(fs.info(one.place), one.name)
    return again.stamp == one.stamp and target.stat().st_size == one.size


def _lying(fs: Any, storage: Storage) -> list[Lying]:  # noqa: ANN401 - fsspec has no types
    base = storage.path.rstrip("/") or "/"
    fs.invalidate_cache()
    found = fs.find(base, detail=True)
    if not found and not fs.exists(base):
        raise BadStorage(Said("{path} is not there.", path=storage.path))
    lying = [
        _described(info, _below(place, base))
        for place, info in sorted(found.items())
        if _safe(_below(place, base)) and not info.get("islink")  # a link could lead anywhere
    ]
    return [one for one in lying if one.size]


def _below(place: str, base: str) -> str:
    return place[len(base) :].lstrip("/") if place.startswith(base) else PurePosixPath(place).name


def _safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not any(part in ("..", "/") or part.startswith(".") for part in parts) and "\0" not in name


def _described(info: Mapping[str, Any], name: str) -> Lying:
    etag = str(info.get("ETag") or "").strip('"')
    changed = info.get("mtime")  # of a folder; a bucket's files are whole when they are seen
    at = datetime.fromtimestamp(changed, UTC) if isinstance(changed, int | float) else None
    return Lying(name, str(info["name"]), int(info["size"] or 0), etag or str(changed), None if etag else at)


@contextmanager
def _opened(storage: Storage) -> Iterator[Any]:
    """Open a storage for reading."""
    import fsspec

    if not storage.bucket:
        if not Path(storage.path).is_dir():
            raise BadStorage(Said("{path} is no folder.", path=storage.path))
        yield fsspec.filesystem("file")
        return
    endpoint = checked(storage.endpoint, local=storage.local) if storage.endpoint else None
    if endpoint and not storage.local:
        check_where_it_leads(urlsplit(endpoint).hostname or "")
    try:
        fs = fsspec.filesystem(
            "s3", key=storage.key, secret=storage.secret, endpoint_url=endpoint, skip_instance_cache=True,
            client_kwargs={"region_name": storage.region} if storage.region else {},
            config_kwargs={"connect_timeout": 15, "read_timeout": 60, "retries": {"max_attempts": 5}},
        )  # fmt: skip
    except ImportError as error:
        says = "S3-compatible storage is read by the extra `pull`; install it with: pip install 'plait[pull]'"
        raise BadStorage(Said(says)) from error
    try:
        yield fs
    except Unfit:
        raise
    except Exception as error:  # noqa: BLE001 - the library raises whatever its own libraries do
        said = without(str(error), [storage.secret, storage.key])[:300]
        raise NoAnswer(Said("the storage says: {said}", said=said)) from None
