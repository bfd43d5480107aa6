"""Records as they are compared: every field written in one way, and the keys by which pairs are found.

A pair is compared when it shares one of many keys. Of each key the largest blocks are left out, so that its pairs stay
a few for each record: what thousands share tells nobody apart, and the others find what it would have found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plait import duck
from plait.failure import Said
from plait.matching import normal
from plait.matching.fields import COMPANY, Layout, UnknownColumns

if TYPE_CHECKING:
    import duckdb

LARGEST_BLOCK = 400  # records
PAIRS_A_RECORD, PAIRS_AT_LEAST = 3, 500_000  # of all keys together; the finest are served first
MOST_OF_A_KEY = 0.3
CLEAN: Mapping[str, str] = {
    "given": "person", "family": "person", "company": "company", "email": "email", "domain": "domain",
    "phone": "phone", "born": "born", "number": "number", "street": "street", "house": "house",
    "postcode": "postcode", "city": "plain", "region": "plain",
}  # fmt: skip
# Keys of people and of companies: the fields that each needs, and how it is made of them. The finest stand first.
PEOPLE = (
    ("email", "email"),
    ("phone", "phone"),
    ("number", "number"),
    ("given family", "least(given, family) || ' ' || greatest(given, family)"),
    ("email", "nullif(regexp_replace(split_part(email, '@', 1), '[^\\p{L}]', '', 'g'), '')"),
    ("born family", "born || left(family, 2)"),
    ("born given", "born || left(given, 2)"),
    ("family born", "family || left(born, 4)"),
    ("given born", "given || left(born, 4)"),
    ("family postcode", "family || ' ' || postcode"),
    ("given postcode", "given || ' ' || postcode"),
    ("family company", "family || ' ' || company"),
    ("given company", "given || ' ' || company"),
    ("street house", "street || ' ' || house"),
    ("street given", "street || ' ' || left(given, 1)"),
    ("given family", "left(given, 4) || ' ' || left(family, 4)"),
    ("given city", "given || ' ' || city"),
    ("family city", "family || ' ' || city"),
    ("house postcode", "house || ' ' || postcode"),
    ("born", "born"),
    ("family", "family"),
    ("given", "given"),
    ("born city", "left(born, 4) || ' ' || city"),
    ("family", "left(family, 4)"),
    ("postcode", "postcode"),
    ("company", "company"),
)
COMPANIES = (
    ("domain", "domain"),
    ("phone", "phone"),
    ("number", "number"),
    ("name", "name"),
    ("name", "array_to_string(list_sort(string_split(name, ' ')), ' ')"),
    ("street house", "street || ' ' || house"),
    ("name postcode", "split_part(name, ' ', 1) || ' ' || postcode"),
    ("name city", "split_part(name, ' ', 1) || ' ' || city"),
    ("house postcode", "house || ' ' || postcode"),
    ("name", "left(name, 10)"),
    ("name house", "split_part(name, ' ', 1) || ' ' || house"),
    ("house", "house"),
    ("street", "street"),
    ("name", "split_part(name, ' ', 1)"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """How many pairs a key brings, and how many records lie in blocks that were too large for it."""

    column: str
    made_of: str
    pairs: int
    left_out: int


def clean_sql(layout: Layout, source: str, row: str) -> str:
    """Give the query that writes the fields of a list of texts in one way; `row` names its rows."""
    named = {sort: duck.identifier(column) for sort, column in layout.columns.items()}
    fields = {sort: _cleaned(sort, column, layout.scope) for sort, column in named.items()}
    if "name" in fields and layout.scope != COMPANY:
        fields = _split_name(fields, named["name"])
    if "street" in fields and "house" not in fields:
        fields["house"] = normal.house(named["street"])
    if layout.scope == COMPANY and "email" in fields:
        mailed = f"split_part({fields.pop('email')}, '@', 2)"
        fields.setdefault("domain", f"nullif({mailed}, '')")
    columns = ", ".join(f"{sql} as {sort}" for sort, sql in fields.items())
    return f"select {row} as unique_id, {columns} from {source}"


def _cleaned(sort: str, column: str, scope: str) -> str:
    kind = ("company" if scope == COMPANY else "person") if sort == "name" else CLEAN[sort]
    return str(getattr(normal, kind)(column))


def _split_name(fields: dict[str, str], column: str) -> dict[str, str]:
    """Read given and family name from a whole name: `Jane van Dyk` or `van Dyk, Jane`."""
    whole = fields.pop("name")
    before, after = (normal.person(f"split_part({column}, ',', {part})") for part in (1, 2))
    first, rest = f"split_part({whole}, ' ', 1)", f"nullif(regexp_extract({whole}, '^\\S+ (.*)$', 1), '')"
    korean = f"regexp_matches({whole}, '^[가-힣]{{2,4}}$')"  # the family's name is one syllable and stands first
    given = f"case when contains({column}, ',') then {after} when {korean} then substr({whole}, 2) else {first} end"
    family = f"case when contains({column}, ',') then {before} when {korean} then left({whole}, 1) else {rest} end"
    if "given" in fields or "family" in fields:
        return fields
    return {"given": given, "family": family, **fields}


def make_records(db: duckdb.DuckDBPyConnection, layout: Layout, source: str, row: str) -> tuple[list[str], list[Block]]:
    """Make the table `records` of a list: its fields, and a column for each key; gives the fields and the keys.

    Needs the relation `source`, all of whose columns are texts. A field that nobody fills in is left out.
    """
    db.execute(f"create or replace temp table cleaned as {clean_sql(layout, source, row)}")
    names = [name for (name, *_) in db.execute("describe cleaned").fetchall() if name != "unique_id"]
    counts = db.execute(f"select {', '.join(f'count({name})' for name in names)}, count(*) from cleaned").fetchall()[0]
    fields = [name for name, filled in zip(names, counts, strict=False) if filled]
    if not fields:
        raise UnknownColumns(Said("nothing is filled in of what could be compared: {fields}.", fields=", ".join(names)))
    if "email" in fields and layout.scope != COMPANY:
        fields = _read_addresses(db, fields)
    keys = COMPANIES if layout.scope == COMPANY else PEOPLE
    usable = [(needs, sql) for needs, sql in keys if set(needs.split()) <= set(fields)]
    # Of a key only its hash is kept: eight bytes for each of a million records and twenty keys.
    told = ", ".join(
        f"case when ({sql}) is not null then hash({sql}) end as block_{number}"
        for number, (_, sql) in enumerate(usable)
    )
    columns = ", ".join(filter(None, ("unique_id", ", ".join(fields), told)))
    db.execute(f"create or replace temp table records as select {columns} from cleaned")
    db.execute("drop table cleaned")
    left = all_pairs = max(PAIRS_AT_LEAST, counts[-1] * PAIRS_A_RECORD)
    blocks = []
    for number, (needs, _) in enumerate(usable):
        block = _cap(db, f"block_{number}", needs, min(left, int(all_pairs * MOST_OF_A_KEY)))
        left -= block.pairs
        blocks.append(block)
    return fields, [block for block in blocks if block.pairs]


def _read_addresses(db: duckdb.DuckDBPyConnection, fields: list[str]) -> list[str]:
    """Read names from addresses such as jane.doe@, where nobody told them, and keep as `handle` what is no name."""
    before = "split_part(email, '@', 1)"
    names = "'^(\\p{L}{2,})[._-](\\p{L}{2,})[0-9]*$'"
    if {"given", "family"} <= set(fields):
        db.execute(
            f"""
            update cleaned set given = regexp_extract({before}, {names}, 1),
                family = regexp_extract({before}, {names}, 2)
            where given is null and family is null and regexp_matches({before}, {names})
            """
        )
    if "company" not in fields:
        return fields
    firsts = [f"split_part({name}, ' ', 1)" for name in ("given", "family") if name in fields]
    # Müller is mueller in addresses, and muller once written in one way.
    inside = [f"coalesce(contains({_shortened(before)}, {_shortened(first)}), false)" for first in firsts]
    db.execute("alter table cleaned add column handle varchar")
    db.execute(f"update cleaned set handle = {before} where not ({' or '.join(inside) or 'false'})")
    return [*fields, "handle"]


def _shortened(text: str) -> str:
    return f"replace(replace(replace({text}, 'ae', 'a'), 'oe', 'o'), 'ue', 'u')"


def _cap(db: duckdb.DuckDBPyConnection, column: str, made_of: str, most: int) -> Block:
    """Leave out the largest blocks of a key, until its pairs are few enough."""
    sizes = db.execute(
        f"""
        with sizes as (select count(*) as size from records where {column} is not null group by {column}),
        counted as (select size, count(*) as blocks from sizes where size > 1 group by size)
        select size, blocks, sum(blocks * size * (size - 1) // 2) over (order by size) as pairs
        from counted order by size
        """
    ).fetchall()
    kept = [(size, pairs) for size, _, pairs in sizes if size <= LARGEST_BLOCK and pairs <= most]
    largest, pairs = kept[-1] if kept else (0, 0)
    left_out = sum(size * blocks for size, blocks, _ in sizes if size > largest)
    if left_out:
        db.execute(
            f"""
            update records set {column} = null where {column} in (
                select {column} from records group by {column} having count(*) > {max(largest, 1)}
            )
            """
        )
    return Block(column, made_of, int(pairs), left_out)


def key_columns(blocks: Iterable[Block]) -> list[str]:
    """Name the columns of the keys that bring a pair."""
    return [block.column for block in blocks]
