"""What is made from the facts and can be made again: identity, and the timeline with every fact resolved.

The resolved facts lie in buckets of whole accounts, and in each bucket apart by how often their kind is written: most
questions are about the few deals, leads and payments, and do not read the many visits. New facts are added to their
buckets; only a bucket in which a known fact now concerns somebody else is written anew, or one that has become many
small files. What people decide about identity moves known facts in the same way. All of it can be built again from the
facts and the decisions, with the same result.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from plait import duck, identity
from plait.delta import DataFile, DurableTable, Snapshot, locked, mark_of
from plait.facts import OFTEN
from plait.settings import Settings, read_settings
from plait.stewardship import DECIDED, read_decisions
from plait.store import FACTS, Store, view_sql

TIMELINE = pa.schema(
    [
        ("account", pa.string()),
        ("person", pa.string()),
        ("occurred_on", pa.date32()),
        *[field for field in FACTS if field.name not in ("month", "keys")],
        ("bucket", pa.string()),
        ("often", pa.string()),  # y for the kinds of `OFTEN`, n for all others
    ]
)
PARTITIONS, STATISTICS = ("bucket", "often"), ("occurred_at", "recorded_at", "kind")
FACTS_A_BUCKET = 1_000_000
MOST_FILES = 40  # of a bucket
NOBODY = "nobody"  # the bucket of facts that concern no known customer
FACTS_VERSION, SETTINGS = "plait.facts_version", "plait.settings"  # what a timeline was built from
REWRITTEN = "plait.rewritten"  # in a commit of facts: it changed known facts, all of them in these buckets
MOVED, MOST_MOVED = "plait.moved", 2_000  # the accounts to or from which known facts moved; without it they are many


@dataclass(frozen=True, slots=True)
class Derived:
    """The tables that are made from the facts and can be made again."""

    timeline: DurableTable
    identity: DurableTable
    nodes: DurableTable

    @classmethod
    def open(cls, home: Path) -> Derived:
        """Open the derived tables of a home."""
        return cls(
            _open_made(home, "timeline", TIMELINE, PARTITIONS, STATISTICS),
            _open_made(home, "identity", identity.IDENTITY),
            _open_made(home, "nodes", identity.NODES, (), ("scope", "name")),
        )

    def is_made(self) -> bool:
        """Tell whether the timeline was ever made from facts."""
        return FACTS_VERSION in self.timeline.metadata()

    def clean(self, *, keep_hours: int | None = None) -> None:
        """Delete the files that no kept version names; `keep_hours` shortens how long one is kept."""
        for table in (self.timeline, self.identity, self.nodes):
            table.clean(keep_hours=keep_hours)


def _open_made(
    home: Path, name: str, schema: pa.Schema, partitions: tuple[str, ...] = (), statistics: tuple[str, ...] = ()
) -> DurableTable:
    """Open a table that is made from the facts; one that an older plait has laid out otherwise is taken away."""
    path = home / name
    with locked(home / "locks" / ".layout"):
        table = DurableTable.open(path, schema, partitions, statistics)
        if table.columns() == set(schema.names):
            return table
        mark_of(path).unlink(missing_ok=True)
        shutil.rmtree(path)
        return DurableTable.open(path, schema, partitions, statistics)


def refresh(store: Store, derived: Derived, *, everything: bool = False) -> bool:
    """Bring the derived tables up to the newest facts and decisions; tell whether there was anything to do.

    `everything` builds them anew, whatever they say they were made from.
    """
    settings = read_settings(store.home)
    with locked(store.home / "locks" / ".timeline"):
        snapshot, was = store.snapshot(), derived.timeline.metadata()
        decisions = read_decisions(store.home)
        stamp = {FACTS_VERSION: str(snapshot.version), SETTINGS: settings.zone, DECIDED: decisions.stamp}
        if not everything and all(was.get(name, "") == value for name, value in stamp.items()):
            return False
        if not snapshot.rows and FACTS_VERSION not in was and not everything:
            return False
        with duck.connect(store.spill) as db:
            db.execute(view_sql("facts", snapshot, FACTS))
            identity.build(db, decisions)
            if everything or was.get(SETTINGS) != settings.zone:
                changed = None
            else:
                changed = _changed_buckets(db, store, derived, was, snapshot)
            if changed is None:
                db.execute("create or replace temp view added as from facts limit 0")
            derived.identity.replace(db.sql("select * from identity").to_arrow_reader(50_000), stamp)
            derived.nodes.replace(db.sql("select * from nodes").to_arrow_reader(50_000), stamp)
            _write(db, derived.timeline, settings, changed, stamp if changed is None else stamp | _moved(db))
        return True


def _changed_buckets(
    db: duckdb.DuckDBPyConnection, store: Store, derived: Derived, was: Mapping[str, str], now: Snapshot
) -> list[str] | None:
    """Name the buckets to write anew and make the view `added` of the new facts; None when it must be all of them."""
    before = derived.timeline.snapshot()
    digits = bucket_digits(now.rows)
    if not before.rows or bucket_digits(before.rows) != digits:
        return None
    since = int(was.get(FACTS_VERSION, 0))
    added = store.facts.added_between(since, now.version, besides=REWRITTEN)
    if added is None:
        return None
    commits = store.facts.metadata_between(since, now.version)
    if commits is None:
        return None
    rewritten = {bucket for about in commits for bucket in about.get(REWRITTEN, "").split()}
    told = derived.identity.metadata()
    if any(told.get(name, "") != was.get(name, "") for name in (FACTS_VERSION, DECIDED)):
        return None  # killed between the two: what moved is lost
    db.execute(view_sql("added", Snapshot(now.root, now.version, added, 0), FACTS))
    db.execute(view_sql("identity_before", derived.identity.snapshot(), identity.IDENTITY))
    columns = ", ".join(identity.IDENTITY.names)
    db.execute(
        f"""
        create or replace temp table moved as
        with told as (select {columns} from identity semi join identity_before using (keys))
        (select * from told except select {columns} from identity_before)
        union all (select {columns} from identity_before except select * from told)
        """
    )
    if rewritten:  # sets of keys that lost a person are new
        db.execute(f"insert into moved select {columns} from identity anti join identity_before using (keys)")
    rows = db.execute(f"select distinct {bucket_sql('account', 'person', digits)} from moved").fetchall()
    return sorted({row[0] for row in rows} | rewritten | _scattered(before))


def _moved(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Name the accounts to or from which known facts moved, for whoever keeps something of each account."""
    rows = db.execute(
        """
        select distinct account from (
            select account from moved where account is not null
            group by keys, account, from_at, until_at having count(*) = 1  -- else only its person is another
        ) limit ?
        """,
        [MOST_MOVED + 1],
    ).fetchall()
    return {MOVED: " ".join(sorted(row[0] for row in rows))} if len(rows) <= MOST_MOVED else {}


def _scattered(snapshot: Snapshot) -> set[str]:
    """Name the buckets that have become many small files."""
    folders = Counter(_partition_of(Path(name))["bucket"] for name in snapshot.files)
    return {bucket for bucket, files in folders.items() if files > MOST_FILES}


def _write(
    db: duckdb.DuckDBPyConnection,
    table: DurableTable,
    settings: Settings,
    buckets: list[str] | None,
    stamp: Mapping[str, str],
) -> None:
    """Write the facts of these buckets (of all, when None), resolved, and to all others those that are new.

    The engine writes the files with all cores and the table adopts them: fetched as a stream they would pass one core.
    """
    count, first, last = db.execute("select count(*), min(occurred_at), max(occurred_at) from facts").fetchall()[0]
    copied = ", ".join(f"facts.{field.name}" for field in TIMELINE if field.name in FACTS.names)
    db.execute(
        f"""
        create or replace temp table places as
        select *, {bucket_sql("account", "person", bucket_digits(count))} as bucket from identity
        """
    )
    # The epochs are few and in a join of their own: an inequality beside the one on keys would cost every fact.
    resolved = f"""
        select coalesce(epochs.account, places.account) as account, coalesce(epochs.person, places.person) as person,
            {_local_day_sql(settings, first, last)} as occurred_on, {copied},
            coalesce(epochs.bucket, places.bucket, '{NOBODY}') as bucket,
            if(kind in ({duck.literals(sorted(OFTEN))}), 'y', 'n') as often
        from {{facts}} as facts
        left join (from places where from_at is null) as places using (keys)
        left join (from places where from_at is not null) as epochs
            on epochs.keys = facts.keys and occurred_at >= epochs.from_at and occurred_at < epochs.until_at
    """
    among = "true" if buckets is None else f"list_contains({duck.text_list(buckets)}, bucket)"
    written = db.execute(
        f"""
        copy (
            select * from ({resolved.format(facts="facts")}) where {among}
            union all select * from ({resolved.format(facts="added")}) where not {among}
        ) to {duck.literal(str(table.path))} (format parquet,
            compression snappy, partition_by (bucket, often), append true, filename_pattern 'part-{{uuid}}',
            return_stats true)
        """
    ).fetchall()
    files = [DataFile(Path(name), _partition_of(Path(name)), rows, size) for name, rows, size, *_ in written]
    table.adopt(files, None if buckets is None else ("bucket", buckets), stamp)


def _partition_of(file: Path) -> dict[str, str]:
    """Read the partition of a file from the names of its folders."""
    return {folder.name.partition("=")[0]: folder.name.partition("=")[2] for folder in list(file.parents)[:2]}


def _local_day_sql(settings: Settings, first: datetime | None, last: datetime | None) -> str:
    """Give the local day of `occurred_at`: a few comparisons, a tenth of what the engine's own zone tables cost."""
    if first is None or last is None:
        return "occurred_at::date"
    (_, seconds), *changes = settings.offsets(first, last)
    cases = "".join(f" when occurred_at >= timestamp '{at}' then {shift}" for at, shift in reversed(changes))
    shift = f"case{cases} else {seconds} end" if cases else str(seconds)
    return f"(occurred_at + to_seconds({shift}))::date"


def bucket_digits(facts: int) -> int:
    """Give how many hex digits of an account's id name its bucket: 1, 16 or 256 buckets."""
    return 0 if facts <= FACTS_A_BUCKET else 1 if facts <= 32 * FACTS_A_BUCKET else 2


def bucket_sql(account: str, person: str, digits: int) -> str:
    """Name the bucket of a fact: the first digits of its account's id, else of its person's, else one for nobody's."""
    return f"coalesce('b' || substr(coalesce({account}, {person}), 2, {digits}), '{NOBODY}')"
