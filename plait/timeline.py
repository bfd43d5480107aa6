"""The timeline: every fact with the account and the person it concerns, up to a day. The only door to facts.

The resolved facts are kept in the home as a derived Delta table, in buckets of whole accounts, each sorted by account,
person and time. A load rewrites only the buckets of the accounts that it changed; the whole can be built again from the
facts by one command, with the same result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake.exceptions import DeltaError

from plait import duck, identity
from plait.delta import DurableTable, Snapshot, TornTable, locked
from plait.engine import DUCKDB, Engine, QueryFailed, Tables, open_engine
from plait.measure import FLOAT_UNITS, MONEY_UNIT, TEXT_UNITS, Caution, Cell, Facts, Measure, Table
from plait.settings import Settings, read_settings
from plait.store import FACTS, REJECTS, Store, view_sql

TIMELINE = pa.schema(
    [
        ("account", pa.string()),
        ("person", pa.string()),
        ("occurred_on", pa.date32()),
        *[field for field in FACTS if field.name != "month"],
        ("bucket", pa.string()),
    ]
)
FACTS_A_BUCKET = 1_000_000
SHOWN = 3  # examples beside a warning
EXACT = Decimal("0.0001")  # money is kept to a hundredth of a cent and rounded once, where it is shown
FACTS_VERSION, SETTINGS = "plait.facts_version", "plait.settings"  # what a timeline was built from


class UnknownAccount(LookupError):
    """Nobody knows this account."""


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
            DurableTable.open(home / "timeline", TIMELINE, ("bucket",), ("occurred_at", "recorded_at", "kind")),
            DurableTable.open(home / "identity", identity.IDENTITY),
            DurableTable.open(home / "nodes", identity.NODES, (), ("scope", "name")),
        )

    def clean(self) -> None:
        """Delete the files that no kept version names."""
        for table in (self.timeline, self.identity, self.nodes):
            table.clean()


@dataclass(frozen=True, slots=True)
class Timeline:
    """Facts and identity as they stood before an instant.

    `as_of` is the first instant not seen, naive UTC; `known_until` likewise for what had been recorded, None for all
    that is known. `version` is the version of the facts.
    """

    engine: Engine
    settings: Settings
    version: int
    as_of: datetime
    known_until: datetime | None = None

    def until(self, day: date | datetime) -> Timeline:
        """Give the same timeline with only what had happened before a day began (in the home's zone), or an instant."""
        return replace(self, as_of=self._instant(day))

    def known_at(self, day: date | datetime) -> Timeline:
        """Give the same timeline with only what had been recorded before a day began, or an instant."""
        return replace(self, known_until=self._instant(day))

    def facts(self) -> Facts:
        """Give the view that measures read."""
        seen = self.engine.table("timeline")
        seen = seen.filter(seen.occurred_at < self.as_of)
        rejects = self.engine.table("rejects")
        if self.known_until is not None:
            seen = seen.filter(seen.recorded_at < self.known_until)
            rejects = rejects.filter(rejects.recorded_at < self.known_until)
        return Facts(seen, rejects, self.as_of, self.settings.day(self.as_of), self.settings.currency)

    def table(self, measure: Measure, **options: object) -> Table:
        """Answer a measure."""
        began = time.perf_counter()
        read = measure.read_options(options)
        answer = measure.answer(self.facts(), read)
        sql = self.engine.sql(answer.rows)
        try:
            rows = _rows(self.engine.run_sql(sql), measure)
            warnings = [says for caution in answer.cautions if (says := self._caution(caution))]
        except (duckdb.Error, pa.ArrowInvalid) as error:
            raise QueryFailed(measure.name, sql, error) from error
        took = time.perf_counter() - began
        return Table(measure, self.as_of.replace(tzinfo=UTC), self.version, read, rows, sql, warnings, took)

    def _caution(self, caution: Caution) -> str | None:
        """Say a caution when it holds, with how many rows it holds for and the first three of them."""
        name = caution.where.columns[0]
        shown = caution.where.select(some=caution.where[name].cast("string"), n=caution.where.count())
        rows = self.engine.run(shown.order_by("some").limit(SHOWN)).to_pylist()
        if not rows:
            return None
        count = rows[0]["n"]
        some = ", ".join(str(row["some"]) for row in rows) + (" and others" if count > SHOWN else "")
        return caution.says.format(n=count, some=some)

    def _instant(self, day: date | datetime) -> datetime:
        if not isinstance(day, datetime):
            return self.settings.midnight(day)
        return day.astimezone(UTC).replace(tzinfo=None) if day.tzinfo else day


def open_timeline(store: Store, *, now: datetime, engine: str = DUCKDB) -> Timeline:
    """Open the timeline of a home, brought up to date with its facts; `now` is the first instant not seen."""
    derived = Derived.open(store.home)
    refresh(store, derived)
    snapshot = derived.timeline.snapshot()
    tables = Tables({"timeline": (snapshot, TIMELINE), "rejects": (store.refused(), REJECTS)})
    version = int(derived.timeline.metadata().get(FACTS_VERSION, 0))
    as_of = now.astimezone(UTC).replace(tzinfo=None)
    return Timeline(open_engine(engine, tables, store.spill), read_settings(store.home), version, as_of)


def refresh(store: Store, derived: Derived, *, everything: bool = False) -> bool:
    """Bring the derived tables up to the newest facts; tell whether there was anything to do.

    `everything` builds them anew, whatever they say they were made from.
    """
    settings = read_settings(store.home)
    with locked(store.home / "locks" / ".timeline"):
        snapshot, was = store.snapshot(), derived.timeline.metadata()
        stamp = {FACTS_VERSION: str(snapshot.version), SETTINGS: settings.zone}
        if not everything and all(was.get(name) == value for name, value in stamp.items()):
            return False
        if not snapshot.rows and FACTS_VERSION not in was and not everything:
            return False
        with duck.connect(store.spill) as db:
            db.execute(view_sql("facts", snapshot, FACTS))
            identity.build(db)
            if everything or was.get(SETTINGS) != settings.zone:
                changed = None
            else:
                changed = _changed_buckets(db, store, derived, int(was.get(FACTS_VERSION, 0)))
            derived.identity.replace(db.sql("select * from identity").to_arrow_table(), None, stamp)
            derived.nodes.replace(db.sql("select * from nodes").to_arrow_table(), None, stamp)
            _write(db, derived.timeline, settings.zone, changed, stamp)
        return True


def story(timeline: Timeline, store: Store, account: str) -> list[dict[str, object]]:
    """Give all facts of one account in the order of time; `account` is its id or any key of it, such as its domain."""
    found = find_account(store, account)
    facts = timeline.facts().table
    mine = facts.filter(
        facts.account == found, facts.bucket == "b" + found[1 : 1 + _bucket_digits(store.snapshot().rows)]
    )
    told: list[dict[str, object]] = timeline.engine.run(mine.order_by("occurred_at", "source", "id")).to_pylist()
    return told


def find_account(store: Store, name: str) -> str:
    """Find an account by its id, a key's value (domain, CRM id) or the name it was entered with."""
    with duck.connect(store.spill) as db:
        db.execute(view_sql("nodes", Derived.open(store.home).nodes.snapshot(), identity.NODES))
        wanted = name.strip().lower()
        rows = db.execute(
            """
            select distinct belongs_to from nodes
            where scope = 'account' and (belongs_to = ? or lower(value) = ?) and belongs_to is not null
            order by belongs_to limit 2
            """,
            [wanted, wanted],
        ).fetchall()
        if not rows:
            rows = _accounts_named(db, store, wanted)
    if len(rows) == 1:
        return str(rows[0][0])
    if rows:
        raise UnknownAccount(f"{name!r} is more than one account: {', '.join(str(row[0]) for row in rows)}; use an id.")
    raise UnknownAccount(f"no account {name!r}; give an id, a domain, a CRM id or the exact name it was entered with.")


def _accounts_named(db: duckdb.DuckDBPyConnection, store: Store, wanted: str) -> list[tuple[str]]:
    db.execute(view_sql("timeline", Derived.open(store.home).timeline.snapshot(), TIMELINE))
    named = "kind = 'account.created' and lower(text) = ? and account is not null"
    return db.execute(f"select distinct account from timeline where {named}", [wanted]).fetchall()


def _changed_buckets(
    db: duckdb.DuckDBPyConnection, store: Store, derived: Derived, was_version: int
) -> list[str] | None:
    """Name the buckets that new facts or changed identities touch; None when it must be all of them."""
    now, before = store.snapshot(), derived.timeline.snapshot()
    digits = _bucket_digits(now.rows)
    if not digits or not before.rows or _bucket_digits(before.rows) != digits:
        return None
    try:
        was = store.snapshot(was_version)
    except (DeltaError, TornTable):  # the log no longer reaches back so far
        return None
    if set(was.files) - set(now.files):  # compacted: new files hold old facts
        return None
    if derived.identity.metadata().get(FACTS_VERSION) != str(was_version):  # killed between the two: what moved is lost
        return None
    added = Snapshot(now.root, now.version, tuple(set(now.files) - set(was.files)), 0)
    db.execute(view_sql("added", added, FACTS))
    db.execute(view_sql("identity_before", derived.identity.snapshot(), identity.IDENTITY))
    rows = db.execute(
        f"""
        with moved as (
            select old.account as old_account, old.person as old_person, identity.account, identity.person
            from identity_before as old join identity using (keys)
            where old.account is distinct from identity.account or old.person is distinct from identity.person
        )
        select {_bucket_sql("account", "person", digits)} from added left join identity using (keys)
        union select {_bucket_sql("account", "person", digits)} from moved
        union select {_bucket_sql("old_account", "old_person", digits)} from moved
        """
    ).fetchall()
    return sorted(row[0] for row in rows)


def _write(
    db: duckdb.DuckDBPyConnection, table: DurableTable, zone: str, buckets: list[str] | None, stamp: Mapping[str, str]
) -> None:
    """Write the facts of these buckets (of all, when None), resolved and sorted."""
    (facts,) = db.execute("select count(*) from facts").fetchall()[0]
    copied = ", ".join(f"facts.{name}" for name in FACTS.names if name != "month")
    resolved = f"""
        select identity.account, identity.person,
            timezone({duck.literal(zone)}, timezone('UTC', facts.occurred_at))::date as occurred_on, {copied},
            {_bucket_sql("identity.account", "identity.person", _bucket_digits(facts))} as bucket
        from facts left join identity using (keys)
    """
    among = "true" if buckets is None else f"list_contains({duck.text_list(buckets)}, bucket)"
    rows = db.sql(
        f"select * from ({resolved}) where {among} order by bucket, account, person, occurred_at, source, id"
    ).to_arrow_reader(100_000)
    where = None if buckets is None else f"bucket in ({duck.literals(buckets)})" if buckets else "false"
    table.replace(rows, where, stamp)


def _bucket_digits(facts: int) -> int:
    """Give how many hex digits of an account's id name its bucket: 1, 16 or 256 buckets."""
    return 0 if facts <= FACTS_A_BUCKET else 1 if facts <= 32 * FACTS_A_BUCKET else 2


def _bucket_sql(account: str, person: str, digits: int) -> str:
    """Name the bucket of a fact: the first digits of its account's id, else of its person's, else one for nobody's."""
    return f"coalesce('b' || substr(coalesce({account}, {person}), 2, {digits}), 'nobody')"


def _rows(answer: pa.Table, measure: Measure) -> list[tuple[Cell, ...]]:
    """Read an engine's answer by the units that the measure declares."""
    if list(answer.column_names) != list(measure.columns):
        raise TypeError(f"{measure.name} declares {list(measure.columns)} but gives {answer.column_names}.")
    columns = [
        [_cell(value, unit) for value in answer.column(name).to_pylist()] for name, unit in measure.columns.items()
    ]
    return list(zip(*columns, strict=True))


def _cell(value: object, unit: str) -> Cell:
    """Read one value by its unit; whatever number type an engine chose becomes the one that the unit means."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return None
    if unit in TEXT_UNITS:
        return str(value)
    if unit == MONEY_UNIT:
        return Decimal(str(value)).quantize(EXACT, ROUND_HALF_UP)
    if unit in FLOAT_UNITS:
        return float(value)  # type: ignore[arg-type]
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    return int(value)  # type: ignore[call-overload, no-any-return]
