"""Facts without a person: what only concerns them is removed, what belongs to an account's history stays without them.

Only the months of sources that hold the person are written anew, in one commit whose predicate names no value. Names
and addresses of the person in what others wrote are replaced. So that companies stay joined as they were, what removed
facts had said of an account's own keys is kept as a fact that names nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plait import duck, identity
from plait.delta import Snapshot
from plait.derived import NOBODY, REWRITTEN, Derived, bucket_digits, bucket_sql
from plait.erasure.subject import NAMES, Subject
from plait.erasure.texts import holds_sql, replaced_sql
from plait.store import FACTS, Store, view_sql
from plait.suppression import BLANK, ONLY_OF_A_PERSON, erased_id_sql, kept_text_sql, set_secret

if TYPE_CHECKING:
    import duckdb

ID_COLUMNS = ("id", "object_id")
TEXT_COLUMNS = ("channel", "campaign", "partner", "product", "owner", "text", "detail")
SET_APART = 50_000  # rows in one batch on their way into the table
OTHERS_NAME = f"kind in ({duck.literals(NAMES)})"  # there a text is one name, and this person's may be a part of it
KINDS_SQL = duck.literals(sorted(ONLY_OF_A_PERSON))


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was done to the facts: how many were removed, stay without the person, and lost a value in a text."""

    removed: int = 0
    stripped: int = 0
    mended: int = 0


def rewrite(store: Store, subject: Subject, secret: bytes, before: Callable[[Rewritten], None]) -> None:
    """Write the facts anew without a person; done again it finds nothing to do. The caller holds the lock of erasing.

    `before` is told, before anything is written, what will be done.
    """
    with duck.connect(store.spill) as db:
        snapshot = store.snapshot()
        db.execute(view_sql("facts", snapshot, FACTS))
        set_secret(db, secret)
        done = prepare(db, store, subject)
        before(done)
        if done == Rewritten():
            return
        _anchors(db)
        months = db.execute("select source, month from hit union select source, month from anchors order by all")
        touched = months.fetchall()
        folders = tuple(f"{store.facts.path}/source={source}/month={month}/" for source, month in touched)
        files = tuple(name for name in snapshot.files if name.startswith(folders))
        db.execute(view_sql("touched", Snapshot(snapshot.root, snapshot.version, files, 0), FACTS))
        rows, told = db.sql(_rewritten_sql(subject)), {REWRITTEN: _buckets(db, snapshot.rows)}
        store.facts.replace_where(lambda: rows.to_arrow_reader(SET_APART), _predicate(touched), told)


def _buckets(db: duckdb.DuckDBPyConnection, facts: int) -> str:
    """Name the buckets of the timeline in which the facts stand that change, so that only those are made anew."""
    bucket = bucket_sql("account", "person", bucket_digits(facts))
    rows = db.execute(f"select distinct {bucket} from hit join places using (keys)").fetchall()
    return " ".join(sorted({NOBODY, *(row[0] for row in rows)}))


def _predicate(months: list[tuple[str, str]]) -> str:
    """Name the months of each source that are written anew."""
    by_source: dict[str, list[str]] = {}
    for source, month in months:
        by_source.setdefault(source, []).append(month)
    return " or ".join(
        f"(source = '{source}' and month in ({duck.literals(some)}))" for source, some in by_source.items()
    )


def prepare(db: duckdb.DuckDBPyConnection, store: Store, subject: Subject) -> Rewritten:
    """Make the table `hit` of the facts that must change, and count them; needs the view `facts`."""
    db.execute("create temp table sets (keys varchar, kept varchar)")
    if subject.sets:
        db.executemany("insert into sets values (?, ?)", list(subject.sets.items()))
    db.execute("create temp table apart (source varchar, id varchar)")
    if subject.facts:
        db.executemany("insert into apart values (?, ?)", list(subject.facts))
    _colleagues(db, store, subject)
    texts = {name: holds_sql(name, subject.values) for name in TEXT_COLUMNS}
    texts |= {name: _id_holds(name, subject.values) for name in ID_COLUMNS}
    told = " or ".join(f"coalesce({one}, false)" for one in texts.values())
    named = " or ".join(f"coalesce({holds_sql(name, _names(subject))}, false)" for name in ("text", "detail"))
    # The cheap look at all words of a fact as one text comes first: every fact is looked at, and few are hit.
    every = f"lower(concat_ws(' ', {', '.join((*ID_COLUMNS, *TEXT_COLUMNS))}))"
    apart = "(source, id) in (select (source, id) from apart)" if subject.facts else "false"
    db.execute(
        f"""
        create temp table looked as
        select * exclude (amount, currency, quantity, occurred_at),
            keys in (select keys from sets) or {apart} as concerned
        from facts
        where keys in (select keys from sets) or {apart} or {_any_of(every, subject.values)}
            or (keys in (select keys from its_accounts) and {_any_of(every, _names(subject))});
        create temp table hit as
        select source, month, id, kind, keys, recorded_at, concerned, {texts["id"]} as replaced from looked
        where concerned or {told} or (({named}) and {OTHERS_NAME} is false)
        """
    )
    return _counted(db)


def _colleagues(db: duckdb.DuckDBPyConnection, store: Store, subject: Subject) -> None:
    """Make the table `its_accounts`: the sets of keys of the person's accounts, in whose facts others may name them."""
    db.execute(view_sql("places", Derived.open(store.home).identity.snapshot(), identity.IDENTITY))
    accounts = f"select unnest({duck.text_list(subject.accounts)}::varchar[])"
    db.execute(
        f"create temp table its_accounts as select distinct keys, account from places where account in ({accounts})"
    )


def _names(subject: Subject) -> list[str]:
    return [name.lower() for name in subject.names]


def _counted(db: duckdb.DuckDBPyConnection) -> Rewritten:
    (row,) = db.execute(
        f"""
        select count(*) filter (concerned and kind in ({KINDS_SQL})),
            count(*) filter (concerned and kind not in ({KINDS_SQL})), count(*) filter (not concerned)
        from hit
        """
    ).fetchall()
    return Rewritten(*row)


def _anchors(db: duckdb.DuckDBPyConnection) -> None:
    """Make the table `anchors`: for each set of account keys of removed facts one fact that keeps them joined.

    Of an account of which nothing else is left there is none.
    """
    columns = ", ".join(f"null::{_sql_type(name)} as {name}" for name in ("amount", "quantity"))
    texts = ("object_id", "currency", "channel", "campaign", "partner", "product", "owner", "text")
    nulls = ", ".join(f"null::varchar as {name}" for name in texts)
    anchor = erased_id_sql("'anchor' || kept")
    db.execute(
        f"""
        create temp table anchors as
        with removed as (
            select sets.kept, keys, recorded_at from hit join sets using (keys)
            where concerned and kind in ({KINDS_SQL}) and sets.kept <> '{{}}'
        ),
        others as (
            select distinct account from facts join its_accounts using (keys)
            where keys not in (select keys from sets) or kind not in ({KINDS_SQL})
        ),
        firsts as (
            select kept, min(recorded_at) as recorded_at from removed
            join its_accounts using (keys) semi join others using (account) group by kept
        )
        select {anchor} as id, 'desk' as source, strftime(recorded_at, '%Y-%m') as month, 'identity.linked' as kind,
            recorded_at as occurred_at, recorded_at, kept as keys, {columns}, {nulls}, '{BLANK}' as detail
        from firsts where {anchor} not in (select id from facts where source = 'desk')
        """
    )


def _sql_type(name: str) -> str:
    kind = FACTS.field(name).type
    return f"decimal({kind.precision}, {kind.scale})"


def _rewritten_sql(subject: Subject) -> str:
    """Give the query of the touched months without the person, and of what stands in for their facts."""
    cells = {name: _mended(name, subject) for name in TEXT_COLUMNS}
    cells |= {"keys": "coalesce(sets.kept, if(hit.concerned, '{}', touched.keys))"}
    cells |= {"id": f"if(hit.replaced, {erased_id_sql('touched.source || chr(31) || touched.id')}, touched.id)"}
    object_hit = _id_holds("touched.object_id", subject.values)
    cells["object_id"] = f"if({object_hit}, {erased_id_sql('touched.object_id')}, touched.object_id)"
    columns = ", ".join(f"{cells.get(name, f'touched.{name}')} as {name}" for name in FACTS.names)
    plain = ", ".join(FACTS.names)
    return f"""
        select {plain} from touched anti join hit using (source, id)
        union all
        select {columns} from touched join hit using (source, month, id) left join sets on sets.keys = touched.keys
        where not (hit.concerned and touched.kind in ({KINDS_SQL}))
        union all
        select {plain} from anchors
    """


def _mended(name: str, subject: Subject) -> str:
    """Give what becomes of a text of a fact that must change: nothing of the person's own, others' less the values."""
    values = replaced_sql(f"touched.{name}", subject.values)
    others = f"if(touched.{OTHERS_NAME}, {values}, {replaced_sql(values, _names(subject))})"
    if name == "text":
        return f"if(hit.concerned, {kept_text_sql('touched.kind', others)}, {others})"
    if name == "detail":  # the mark says that an export which tells it as it was is no other fact
        return f"if(hit.concerned, '{BLANK}', json_merge_patch({others}, '{BLANK}')::varchar)"
    return others


def _any_of(text: str, values: list[str]) -> str:
    """Give whether a text in lower case has any of these values anywhere in it."""
    return f"({' or '.join(f'contains({text}, {duck.literal(value)})' for value in values) or 'false'})"


def _id_holds(column: str, values: list[str]) -> str:
    """Give whether an id holds one of these values, wherever: ids are put together in all ways."""
    each = (f"contains(lower({column}), {duck.literal(value)})" for value in values)
    return f"coalesce({' or '.join(each)}, false)" if values else "false"
