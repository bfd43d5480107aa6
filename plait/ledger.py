"""The kept ledger: every stay of every account in a stage, worked out once and brought up to date with new facts.

It says what the measure `stage_ledger` says, kept in the home so that the stocks of any day and the stays of an account
are there at once. New facts work out anew only the accounts that they concern, and those that a merge has moved; a
change of the rules works out all. What time alone will do is in it already: a reader looks no further than an instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake.exceptions import DeltaError

from plait import duck, identity
from plait.delta import DataFile, DurableTable, Snapshot, TornTable, locked
from plait.derived import FACTS_VERSION, MOVED, TIMELINE, Derived, refresh
from plait.facts import OFTEN
from plait.settings import read_settings
from plait.stages import RuleSet, Version, read_versions
from plait.store import FACTS, Store, view_sql

if TYPE_CHECKING:
    import duckdb

STAYS = pa.schema(
    [
        ("account", pa.string()),
        ("stage", pa.int64()),
        ("from_stage", pa.int64()),
        (
            "from_at",
            pa.timestamp("us"),
        ),  # null: the account was worked out anew in this generation, whatever came of it
        ("from_on", pa.date32()),
        ("to_at", pa.timestamp("us")),
        ("to_on", pa.date32()),
        ("why", pa.int64()),
        ("corrected", pa.int64()),
        ("generation", pa.string()),
    ]
)
ROW = ", ".join(name for name in STAYS.names if name != "generation")
READ = "account, kind, occurred_at, occurred_on, source, id, object_id, text, often"  # what the rules look at
WHOLE, MOST_GENERATIONS = "0000", 60  # additions before all is written anew
TOLD, PEOPLE, RULES, ZONE = (f"plait.ledger.{name}" for name in ("timeline", "identity", "rules", "zone"))
# The accounts of facts that came since, and of those that came with them.
NEW = "select account from timeline semi join added using (recorded_at) where account is not null"
# Of an account only the newest generation counts.
VIEW = """
create or replace view ledger as
with newest as (select account, max(generation) as generation from kept where generation > '0000' group by account)
select kept.* exclude (generation) from kept left join newest using (account)
where kept.generation = coalesce(newest.generation, '0000') and from_at is not null
"""


@dataclass(frozen=True, slots=True)
class Brought:
    """What bringing the ledger up to date did: by which rules, whether all was worked out, of how many accounts."""

    rules: Version
    whole: bool
    accounts: int
    stays: int


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay of an account in a stage; `to_on` None while it lasts, `from_stage` None at the first."""

    stage: str
    from_stage: str | None
    from_at: datetime
    from_on: date
    to_on: date | None
    why: str
    corrected: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What other rules would change at an instant: accounts by stage, and of each (before, after) how many."""

    before: Mapping[str, int]
    after: Mapping[str, int]
    moves: list[tuple[str, str, int]]

    @property
    def elsewhere(self) -> int:
        """Count the accounts that would stand elsewhere."""
        return sum(accounts for before, after, accounts in self.moves if before != after)


def bring_up(home: Path, *, everything: bool = False) -> Brought:
    """Bring the ledger up to the newest facts and the rules that hold; `everything` works all of it out anew."""
    store, derived = Store.open(home), Derived.open(home)
    refresh(store, derived)
    version = read_versions(home)[-1]
    with locked(home / "locks" / ".ledger"), duck.connect(store.spill) as db:
        kept = _open(home)
        was, stamp = kept.metadata(), _stamp(home, derived, version)
        if not everything and all(was.get(name) == value for name, value in stamp.items()):
            return Brought(version, whole=False, accounts=0, stays=0)
        generation = "" if everything else _next(kept.snapshot(), was, stamp)
        db.execute(view_sql("timeline", derived.timeline.snapshot(int(stamp[TOLD])), TIMELINE))
        if not generation or not _touched(db, store, derived, was, stamp):
            return _write(db, kept, version, WHOLE, stamp)
        db.execute(_mine_sql(version.rules))
        db.execute("create or replace view timeline as from mine")
        return _write(db, kept, version, generation, stamp)


def try_rules(home: Path, rules: RuleSet, until: datetime) -> Trial:
    """Say where accounts would have stood by other rules just before an instant; the rules that hold stay."""
    held = bring_up(home).rules.rules
    with _reading(home) as db:
        db.execute(view_sql("timeline", Derived.open(home).timeline.snapshot(), TIMELINE))
        stands = "from_at < $at and (to_at is null or to_at >= $at)"
        moves = db.execute(
            f"""
            with before as (select account, {_names(held)}[stage + 1] as stage from ledger where {stands}),
            after as (select account, {_names(rules)}[stage + 1] as stage from ({stays_sql(rules)}) where {stands})
            select before.stage, after.stage, count(*) from before join after using (account)
            group by all order by 3 desc, 1, 2
            """,
            {"at": until},
        ).fetchall()
    before = {name: sum(n for left, _, n in moves if left == name) for name in held.order}
    after = {name: sum(n for _, entered, n in moves if entered == name) for name in rules.order}
    return Trial(before, after, moves)


def stocks(home: Path, until: datetime) -> dict[str, int]:
    """Give how many accounts stood in each stage just before an instant (naive UTC); brings the ledger up first."""
    rules = bring_up(home).rules.rules
    with _reading(home) as db:
        rows = db.execute(
            "select stage, count(*) from ledger where from_at < $at and (to_at is null or to_at >= $at) group by stage",
            {"at": until},
        ).fetchall()
    counts = dict(rows)
    return {name: counts.get(code, 0) for code, name in enumerate(rules.order)}


def stays_of(home: Path, account: str, until: datetime) -> list[Stay]:
    """Give the stays of the account with this id that began before an instant, in the order of time."""
    rules = bring_up(home).rules.rules
    with _reading(home) as db:
        rows = db.execute(
            "select stage, from_stage, from_at, from_on, if(to_at < $at, to_on, null), why, corrected from ledger "
            "where account = $account and from_at < $at order by from_at",
            {"account": account, "at": until},
        ).fetchall()
    return [_stay(rules, row) for row in rows]


def _stay(rules: RuleSet, row: tuple[int, int | None, datetime, date, date | None, int, int]) -> Stay:
    stage, left, from_at, from_on, to_on, why, corrected = row
    before = None if left is None else rules.order[left]
    named = rules.alternatives[why][1].name
    return Stay(rules.order[stage], before, from_at, from_on, to_on, named, bool(corrected))


def _stamp(home: Path, derived: Derived, version: Version) -> dict[str, str]:
    """Give all that the ledger depends on: facts, timeline and identity of one moment, rules and zone."""
    with locked(home / "locks" / ".timeline"):
        return {
            FACTS_VERSION: derived.timeline.metadata().get(FACTS_VERSION, "0"),
            TOLD: str(derived.timeline.version()),
            PEOPLE: str(derived.identity.version()),
            RULES: str(version.number),
            ZONE: read_settings(home).zone,
        }


def _open(home: Path) -> DurableTable:
    return DurableTable.open(home / "ledger", STAYS, ("generation",), ("from_at",))


@contextmanager
def _reading(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the kept stays as the view `ledger`."""
    with duck.connect(Store.open(home).spill) as db:
        db.execute(view_sql("kept", _open(home).snapshot(), STAYS))
        db.execute(VIEW)
        yield db


def _next(kept: Snapshot, was: Mapping[str, str], stamp: Mapping[str, str]) -> str:
    """Name the generation that new facts make, empty where all must be worked out anew."""
    same = all(was.get(name) == stamp[name] for name in (RULES, ZONE))
    used = {Path(name).parent.name.partition("=")[2] for name in kept.files}
    return f"{len(used):04}" if same and used and len(used) <= MOST_GENERATIONS else ""


def _touched(
    db: duckdb.DuckDBPyConnection, store: Store, derived: Derived, was: Mapping[str, str], stamp: Mapping[str, str]
) -> bool:
    """Make the table `touched` of the accounts with new facts or moved ones; False where that cannot be told now.

    Where no bucket of the timeline was written anew nobody was moved, and the files that were added name them all.
    """
    added = derived.timeline.added_between(int(was[TOLD]), int(stamp[TOLD]))
    if added is not None:
        db.execute(view_sql("added", Snapshot(derived.timeline.path, 0, added, 0), TIMELINE))
        db.execute("create temp table touched as select distinct account from added where account is not null")
        return True
    added = store.facts.added_between(int(was[FACTS_VERSION]), int(stamp[FACTS_VERSION]))
    if added is None:
        return False
    db.execute(view_sql("added", Snapshot(store.facts.path, 0, added, 0), FACTS))
    moved = _moved(derived, was, stamp)
    if moved is not None:
        db.execute(f"create temp table touched as select unnest({duck.text_list(moved)}) as account union {NEW}")
        return True
    try:
        before = derived.identity.snapshot(int(was[PEOPLE]))
    except (TornTable, DeltaError):  # it was cleaned away
        return False
    db.execute(view_sql("before", before, identity.IDENTITY))
    db.execute(view_sql("after", derived.identity.snapshot(int(stamp[PEOPLE])), identity.IDENTITY))
    db.execute(
        f"""
        create temp table touched as
        with one as (select keys, account, from_at, until_at from before),
        other as (select keys, account, from_at, until_at from after),
        moved as ((from one except from other) union all (from other except from one))
        select account from moved where account is not null
        union {NEW}
        """
    )
    return True


def _moved(derived: Derived, was: Mapping[str, str], stamp: Mapping[str, str]) -> list[str] | None:
    """Name the accounts to or from which known facts moved, as the timeline's commits tell; None where one does not."""
    told = derived.timeline.metadata_between(int(was[TOLD]), int(stamp[TOLD]))
    if told is None or not all(MOVED in about for about in told):
        return None
    return sorted({account for about in told for account in about[MOVED].split()})


def _mine_sql(rules: RuleSet) -> str:
    """Give the query for the facts of touched accounts. Of kinds written by the million it reads only what counts them.

    Ids are most of a fact's bytes, and only the steps of leads, deals and contracts are put in order by them.
    """
    step_by_step = [signal for signal in rules.signals if signal.sort in ("latest", "runs") or signal.cut_by]
    needed = any({*signal.kinds, *signal.over} & OFTEN for signal in step_by_step)
    names = {name.strip() for name in READ.split(",")}
    read = names if needed else names - {"source", "id", "object_id", "text"}
    return f"""
        create temp table mine as
        select {READ} from timeline semi join touched using (account) where often = 'n'
        union all by name
        select {", ".join(sorted(read))} from timeline semi join touched using (account) where often = 'y'
    """


def _write(
    db: duckdb.DuckDBPyConnection, kept: DurableTable, version: Version, generation: str, stamp: Mapping[str, str]
) -> Brought:
    """Work out the stays of the view `timeline` and add them as a generation, or put them in the place of all."""
    whole = generation == WHOLE
    marks = "" if whole else f" union all by name select account, '{generation}' as generation from touched"
    written = db.execute(
        f"""
        copy (select {ROW}, '{generation}' as generation from ({stays_sql(version.rules)}){marks})
        to {duck.literal(str(kept.path))} (format parquet, compression zstd, partition_by (generation), append true,
            filename_pattern 'part-{{uuid}}', return_stats true)
        """
    ).fetchall()
    files = [DataFile(Path(name), {"generation": generation}, rows, size) for name, rows, size, *_ in written]
    kept.adopt(files, None if whole else ("generation", []), stamp)
    stays = sum(file.rows for file in files)
    if whole:
        (accounts,) = db.execute(f"select count(distinct account) from read_parquet({_paths(files)})").fetchall()[0]
        return Brought(version, whole=True, accounts=accounts, stays=stays)
    (accounts,) = db.execute("select count(*) from touched").fetchall()[0]
    return Brought(version, whole=False, accounts=accounts, stays=stays - accounts)


def _names(rules: RuleSet) -> str:
    return duck.text_list(rules.order)


def _paths(files: list[DataFile]) -> str:
    return duck.text_list(str(file.path) for file in files)


@cache
def stays_sql(rules: RuleSet) -> str:
    """Give the query of the ledger over a view `timeline`, with all that time alone will ever do."""
    import ibis

    from plait.measure import Facts
    from plait.measures._stages import ledger

    sorts = {"account": "string", "occurred_at": "timestamp", "occurred_on": "date"}
    columns = {name.strip(): sorts.get(name.strip(), "string") for name in READ.split(",")}
    table = ibis.table(columns, name="timeline")
    ever = ibis.literal(datetime(9000, 1, 1))  # noqa: DTZ001 - measures see naive UTC
    facts = Facts(table, table, table, ever, ever.date(), ever, rules=[rules])
    return str(ibis.to_sql(ledger(facts), dialect="duckdb"))
