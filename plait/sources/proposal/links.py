"""Keys between files: a column whose values are the ids of another file, told by the values and by the names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import PurePosixPath

import duckdb

from plait.sources.proposal.model import Link
from plait.sources.proposal.profile import ColumnProfile, FileProfile
from plait.sources.proposal.sort import ENUM, OPAQUE, TEXT, TIME, WHOLE, YES_NO
from plait.sources.proposal.vocabulary import concepts, meaning, tokens

KEYS = (WHOLE, OPAQUE, TEXT, ENUM)
ENOUGH = 0.5  # share of the values that must be found, where the names say nothing
LEAST_SAID = 3  # characters of a value that cannot be in two lists by chance
MOST = 5_000  # different values of a column that are looked for
PEOPLE = frozenset(("owner", "user", "person", "requester", "customer"))
NAMED = PEOPLE | {
    "company", "deal", "lead", "ticket", "order", "invoice", "payment", "refund", "subscription", "campaign", "product",
    "adset", "ad", "form", "channel",
}  # fmt: skip


@cache
def words_of(name: str) -> tuple[str, ...]:
    """Give the words of a column's name that say something; those of sync tools do not."""
    words = (token for token in tokens(name) if "fill" not in concepts(token))
    return tuple(word for word in words if word not in ("property", "properties"))


@cache
def stem_tokens(name: str) -> tuple[str, ...]:
    """Give the words of a file's name that say what it holds."""
    stem = PurePosixPath(name.removesuffix(".gz")).stem
    words = (token for token in tokens(stem) if "fill" not in concepts(token) and not token.isdigit())
    return tuple(word for word in words if word not in ("export", "report"))


def key_columns(file: FileProfile) -> list[ColumnProfile]:
    """Give the columns that tell the rows of a file apart and that others may point at: ids, then names."""
    if file.rows < 1 or is_join(file):
        return []
    own = {form for word in stem_tokens(file.name) for form in (word, word.removesuffix("s"))}
    telling = [c for c in file.columns if c.sort.name in KEYS and c.wide <= 80 and _tells(c, file)]  # noqa: PLR2004 - no text
    unique = [c for c in telling if c.unique]
    ids = [c for c in telling if "id" in meaning(c.name)]
    mine = [c for c in ids if all("id" in concepts(w) or {w, w.removesuffix("s")} & own for w in words_of(c.name))]
    if not mine and not any(len(words_of(c.name)) == 1 for c in ids):
        mine = [c for c in ids if c == file.columns[0] and c.unique]
    names = [c for c in unique if c not in ids and _names_it(c.name, own)]
    return [*sorted(mine, key=lambda c: len(words_of(c.name)))[:2], *names[:1]]


def _tells(column: ColumnProfile, file: FileProfile) -> bool:
    """Tell whether a column may tell rows apart: of snapshots, one thing has several."""
    return column.unique or (column.filled == file.rows and column.distinct >= file.rows * ENOUGH)


def _names_it(name: str, own: set[str]) -> bool:
    words = words_of(name)
    return bool(words) and all(
        {word, word.removesuffix("s")} & own or concepts(word) & {"name"} or concepts(word) & NAMED for word in words
    )


def is_join(file: FileProfile) -> bool:
    """Tell whether a file only says which belongs to which: its name is that of two others, whose ids it has."""
    stems = [word for word in stem_tokens(file.name) if concepts(word) & (NAMED | {"meeting", "task"})]
    ids = [set(words_of(c.name)) for c in file.columns if "id" in meaning(c.name)]
    telling = [
        c for c in file.columns
        if c.filled and not c.name.startswith("_") and not meaning(c.name) & {"id", "type", "list", "deleted"}
        and c.sort.name not in (TIME, YES_NO)
    ]  # fmt: skip
    return len(stems) > 1 and not telling and sum(any(word in names for names in ids) for word in set(stems)) > 1


def find_links(files: Sequence[FileProfile], engine: duckdb.DuckDBPyConnection) -> dict[str, list[Link]]:
    """Give for each file the links of its columns, the best for each column."""
    keys = [(file, column) for file in files for column in key_columns(file)]
    values = _Values(engine)
    found: dict[str, list[Link]] = {}
    for file in files:
        for column in file.columns:
            if not column.filled or column.sort.name not in KEYS or column.wide > 80:  # noqa: PLR2004 - no text
                continue
            likely = [link for other, key in keys if (link := _link(file, column, other, key, values))]
            if likely:
                found.setdefault(file.name, []).append(max(likely, key=lambda x: (x.share + x.likeness, x.share)))
    return found


def _link(
    file: FileProfile, column: ColumnProfile, other: FileProfile, key: ColumnProfile, values: _Values
) -> Link | None:
    if other.name == file.name or _is_own_id(column):
        return None
    like = likeness(column.name, other, key.name)
    same_shape = {c.name for c in file.columns} == {c.name for c in other.columns}
    if same_shape or (column.sort.name != key.sort.name and not like):
        return None
    ours, theirs = values.of(file, column), values.of(other, key)
    share = len(ours & theirs) / len(ours) if ours else 0.0
    short = all(len(value) < LEAST_SAID or (value.isdigit() and len(value) < 5) for value in ours)  # noqa: PLR2004
    by_values = share >= ENOUGH and not short and (like > 0 or (share >= 0.8 and len(ours) > 2))  # noqa: PLR2004
    if by_values or like >= 0.7 or (like >= 0.5 and share >= ENOUGH):  # noqa: PLR2004 - the names say it, or both do
        return Link(column.name, other.name, key.name, share, like)
    return None


def _is_own_id(column: ColumnProfile) -> bool:
    return column.unique and words_of(column.name) in (("id",), ("guid",), ("uuid",))


def likeness(column: str, other: FileProfile, key: str) -> float:
    """Tell how much a column's name says that it points at a file: `company_id` at `companies.csv`."""
    words = words_of(column)
    named = [w for w in words if "id" not in concepts(w) and "name" not in concepts(w)]
    theirs = stem_tokens(other.name)
    if not named or not theirs:
        return 0.0
    by_id = any("id" in concepts(w) for w in words)
    if by_id and "id" not in meaning(key):
        return 0.0  # an id is no name
    if _same(named[-len(theirs) :], theirs):
        return 1.0 if by_id else 0.65
    key_words = words_of(key)
    if len(key_words) > 1 and words == key_words:
        return 0.95
    if _same(named[-1:], theirs[-1:]):
        return 0.7 if by_id else 0.5
    meant, head = concepts(named[-1]), concepts(theirs[-1])
    if by_id and len(theirs) == 1 and "user" in head and meant & {"owner", "requester", "customer"}:
        return 0.7  # a list of users holds everybody
    return 0.5 if meant & PEOPLE and head & PEOPLE else 0.0


def _same(some: Sequence[str], others: Sequence[str]) -> bool:
    return len(some) == len(others) and all(
        a.removesuffix("s") == b.removesuffix("s") or bool(concepts(a) & concepts(b) & NAMED)
        for a, b in zip(some, others, strict=True)
    )


class _Values:
    """The different values of columns, read once each."""

    def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
        self.engine = engine
        self.read: dict[tuple[str, str], frozenset[str]] = {}

    def of(self, file: FileProfile, column: ColumnProfile) -> frozenset[str]:
        """Give up to `MOST` values of a column; of one that tells rows apart all, as others are looked up in it."""
        at = (file.table, column.name)
        if at not in self.read:
            number = next(n for n, one in enumerate(file.columns) if one.name == column.name)
            limit = "" if column.unique else f"limit {MOST}"
            rows = self.engine.execute(
                f"select distinct trim(x{number}) from {file.table} where x{number} is not null {limit}"
            ).fetchall()
            self.read[at] = frozenset(row[0] for row in rows)
        return self.read[at]
