"""The timeline: every fact with the account and the person it concerns, up to a day. The only door to facts."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import reduce
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from plait import duck, identity
from plait.derived import FACTS_VERSION, TIMELINE, Derived, refresh
from plait.engine import DUCKDB, Engine, QueryFailed, Tables, open_engine
from plait.failure import Said, Unfit
from plait.measure import FLOAT_UNITS, MONEY_UNIT, TEXT_UNITS, Cell, Facts, Measure, Solution, Table, remark
from plait.points.kept import beginning, read_scoring
from plait.points.rules import Scoring
from plait.settings import Settings, read_settings
from plait.stages import Version, read_versions, shipped
from plait.store import LOADS, REJECTS, Store, view_sql

if TYPE_CHECKING:
    import ibis.expr.types as ir

SHOWN = 3  # examples beside a warning
OPEN, AS_OF, TODAY, BEGAN = "day left open: ", "as_of", "today", "began"  # how days that are left open stand in a query
EXACT = Decimal("0.0001")  # money is kept to a hundredth of a cent and rounded once, where it is shown


class UnknownAccount(Unfit, LookupError):
    """Nobody knows this account."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that a reader may see: all of them, or only the facts of these partners and no refused row."""

    partners: tuple[str, ...] | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Question:
    """A measure made into queries: the rows, and the cautions beside them (None without one).

    The days are left open: the moment, and the options that are days. What the queries depend on is in `Timeline.kind`.
    Where there is `solve`, it makes the measure's rows of what the query adds up.
    """

    measure: Measure
    sql: str
    cautions_sql: str | None
    says: tuple[tuple[str, Mapping[str, str]], ...]
    solve: Callable[[pa.Table], Solution] | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """The facts that a question reads: how many there are, and some of them, the newest first."""

    kinds: tuple[str, ...]
    count: int
    facts: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Facts and identity as they stood before an instant.

    `as_of` is the first instant not seen, naive UTC; `known_until` likewise for what had been recorded, None for all
    that is known. `version` is the version of the facts, `scope` says which rows the reader may see, `scoring` is
    what the home scores accounts by, `rules` are the versions of its stage rules.
    """

    engine: Engine
    settings: Settings
    version: int
    as_of: datetime
    known_until: datetime | None = None
    scope: Scope = EVERYTHING
    scoring: Scoring = field(default_factory=beginning)
    rules: tuple[Version, ...] = field(default_factory=lambda: (Version(0, shipped()),))

    def until(self, day: date | datetime) -> Timeline:
        """Give the same timeline with only what had happened before a day began (in the home's zone), or an instant."""
        return replace(self, as_of=self._instant(day))

    def known_at(self, day: date | datetime) -> Timeline:
        """Give the same timeline with only what had been recorded before a day began, or an instant."""
        return replace(self, known_until=self._instant(day))

    def within(self, scope: Scope) -> Timeline:
        """Give the same timeline with only the rows that a reader may see."""
        return replace(self, scope=scope)

    def reporting_in(self, currency: str | None) -> Timeline:
        """Give the same timeline with amounts converted to another currency than the firm's own; None is the firm's."""
        return self if currency is None else replace(self, settings=replace(self.settings, currency=currency))

    def facts(self) -> Facts:
        """Give the view that measures read."""
        import ibis

        return self._before(*map(ibis.literal, (self.as_of, self.settings.day(self.as_of), self._last_day())))

    def _before(self, as_of: ir.TimestampScalar, today: ir.DateScalar, began: ir.TimestampScalar) -> Facts:
        seen = self.engine.table("timeline")
        seen = seen.filter(seen.occurred_at < as_of)
        rejects, loads = self.engine.table("rejects"), self.engine.table("loads")
        loads = loads.filter(loads.recorded_at < as_of)
        if self.known_until is not None:
            seen = seen.filter(seen.recorded_at < self.known_until)
            rejects = rejects.filter(rejects.recorded_at < self.known_until)
            loads = loads.filter(loads.recorded_at < self.known_until)
        if self.scope.partners is not None:
            seen = seen.filter(seen.partner.isin(self.scope.partners))
            rejects, loads = rejects.limit(0), loads.limit(0)
        rules = [version.rules for version in self.rules]
        moment = as_of, today, began
        return Facts(seen, rejects, loads, *moment, self.settings.currency, scoring=self.scoring, rules=rules)

    def kind(self, measure: Measure, options: Mapping[str, object]) -> Hashable:
        """Give all that a question's queries depend on, which is all but the facts and the days."""
        told = tuple((name, OPEN if isinstance(value, date) else value) for name, value in sorted(options.items()))
        of_home = self.settings.currency, self.scoring.key, len(self.rules)
        return measure.name, measure.version, told, self.scope, self.known_until, *of_home

    def ask(self, measure: Measure, options: Mapping[str, object]) -> Question:
        """Make the queries that answer a measure, for any days; nothing is run yet."""
        days = {name: _open(name).cast("date") for name, value in options.items() if isinstance(value, date)}
        instants = _open(AS_OF).cast("timestamp"), _open(TODAY).cast("date"), _open(BEGAN).cast("timestamp")
        facts = self._before(*instants)
        answer = measure.answer(facts, {**options, **days})
        asked = [_asked(number, caution.where) for number, caution in enumerate(answer.cautions)]
        cautions = self.engine.sql(reduce(lambda one, other: one.union(other), asked)) if asked else None
        says = tuple((caution.says, caution.names) for caution in answer.cautions)
        return Question(measure, self.engine.sql(answer.rows), cautions, says, answer.solve)

    def answer(self, question: Question, options: Mapping[str, object]) -> Table:
        """Answer a question of this `kind` for the days that the options say."""
        began = time.perf_counter()
        measure, sql = question.measure, self.query(question.sql, options)
        try:
            told = self.engine.run_sql(sql)
            solved = question.solve(told) if question.solve else Solution(_records(told, measure))
            rows = cells(solved.rows, measure)
            warnings = [*solved.remarks, *self._warnings(question, options)]
        except (duckdb.Error, pa.ArrowInvalid) as error:
            raise QueryFailed(measure.name, sql, error) from error
        took = time.perf_counter() - began
        as_of = self.as_of.replace(tzinfo=UTC)
        return Table(measure, as_of, self.version, options, rows, sql, warnings, took, solved.estimates)

    def query(self, sql: str, options: Mapping[str, object]) -> str:
        """Write the days into a question's query."""
        days = {AS_OF: self.as_of.isoformat(" "), TODAY: self.settings.day(self.as_of).isoformat()}
        days |= {BEGAN: self._last_day().isoformat(" ")}
        days |= {name: value.isoformat() for name, value in options.items() if isinstance(value, date)}
        for name, day in days.items():
            sql = sql.replace(f"'{OPEN}{name}'", f"'{day}'")
        return sql

    def table(self, measure: Measure, **options: object) -> Table:
        """Answer a measure."""
        read = measure.read_options(options)
        return self.answer(self.ask(measure, read), read)

    def behind(self, measure: Measure, options: Mapping[str, object], *, limit: int, offset: int = 0) -> Behind:
        """Give the facts of the kinds that a measure reads, in its period where it has one."""
        seen, read = self.facts(), measure.read_options(options)
        measure.answer(seen, read)
        told = seen.of(*sorted(seen.read)) if seen.read else seen.table
        for name, day in (("since", read.get("since")), ("until", read.get("until"))):
            if isinstance(day, date):
                told = told.filter(told.occurred_on >= day if name == "since" else told.occurred_on < day)
        count = self.engine.run(told.aggregate(n=told.count())).column("n")[0].as_py()
        newest = told.order_by(told.occurred_at.desc(), told.source, told.id).limit(limit, offset=offset)
        return Behind(tuple(sorted(seen.read)), int(count), self.engine.run(newest).to_pylist())

    def _warnings(self, question: Question, options: Mapping[str, object]) -> list[Said]:
        """Say the cautions that hold, each with how many rows it holds for and the first of them, in one query."""
        if question.cautions_sql is None:
            return []
        rows = self.engine.run_once(self.query(question.cautions_sql, options)).to_pylist()
        found: dict[int, list[str]] = {}
        counts = {row["number"]: row["n"] for row in rows}
        for row in sorted(rows, key=lambda row: (row["number"], row["some"])):
            found.setdefault(row["number"], []).append(row["some"])
        said = [(*question.says[number], n, tuple(found[number])) for number, n in sorted(counts.items())]
        return [remark(says, names, n=n, some=some) for says, names, n, some in said]

    def _last_day(self) -> datetime:
        """Give the instant at which the last day that is seen began."""
        return self.settings.midnight(self.settings.day(self.as_of - timedelta(microseconds=1)))

    def _instant(self, day: date | datetime) -> datetime:
        if not isinstance(day, datetime):
            return self.settings.midnight(day)
        return day.astimezone(UTC).replace(tzinfo=None) if day.tzinfo else day


def open_timeline(
    store: Store, *, now: datetime, engine: str = DUCKDB, hold: bool = False, as_it_is: bool = False
) -> Timeline:
    """Open the timeline of a home, brought up to date with its facts; `now` is the first instant not seen.

    `hold` keeps facts of seldom kinds in memory, for whoever asks many questions. `as_it_is` does not wait for facts
    that came a moment ago: whoever stores facts brings the timeline up to date.
    """
    derived = Derived.open(store.home)
    if not (as_it_is and derived.is_made()):
        refresh(store, derived)
    snapshot = derived.timeline.snapshot()
    tables = Tables(
        {
            "timeline": (snapshot, TIMELINE),
            "rejects": (store.refused(), REJECTS),
            "loads": (store.loads.snapshot(), LOADS),
        },
        "timeline" if hold else None,
    )
    version = int(derived.timeline.metadata().get(FACTS_VERSION, 0))
    as_of = now.astimezone(UTC).replace(tzinfo=None)
    opened = open_engine(engine, tables, store.spill)
    return Timeline(
        opened,
        read_settings(store.home),
        version,
        as_of,
        scoring=read_scoring(store.home),
        rules=read_versions(store.home),
    )


def story(timeline: Timeline, store: Store, account: str) -> list[dict[str, object]]:
    """Give all facts of one account in the order of time; `account` is its id or any key of it, such as its domain."""
    return facts_of(timeline, find_account(store, account))


def facts_of(timeline: Timeline, account: str) -> list[dict[str, object]]:
    """Give all facts of the account with this id in the order of time; one bucket is read, whatever there is."""
    facts = timeline.facts().table
    buckets = ["b" + account[1 : 1 + digits] for digits in range(3)]  # of these names a home has only one
    mine = facts.filter(facts.account == account, facts.bucket.isin(buckets))
    told: list[dict[str, object]] = timeline.engine.run(mine.order_by("occurred_at", "source", "id")).to_pylist()
    return told


def account_keys(store: Store) -> dict[str, list[tuple[str, str]]]:
    """Give the keys that every account is known by, name and value, the oldest first."""
    keys: dict[str, list[tuple[str, str]]] = {}
    with duck.connect(store.spill) as db:
        db.execute(view_sql("nodes", Derived.open(store.home).nodes.snapshot(), identity.NODES))
        rows = db.execute(
            """
            select belongs_to, name, value from nodes where scope = 'account' and belongs_to is not null
            order by belongs_to, first_at, name, value
            """
        )
        for account, name, value in rows.fetchall():
            keys.setdefault(account, []).append((name, value))
    return keys


def find_account(store: Store, name: str, scope: Scope = EVERYTHING) -> str:
    """Find an account by its id, a key's value (domain, CRM id) or the name it was entered with.

    Who may not see every row is told of no other account that fits.
    """
    with duck.connect(store.spill) as db:
        db.execute(view_sql("nodes", Derived.open(store.home).nodes.snapshot(), identity.NODES))
        wanted = name.strip().lower()
        rows = db.execute(
            f"""
            select distinct belongs_to from nodes
            where scope = 'account' and belongs_to is not null
                and (belongs_to = ? or lower(value) = ? or {identity.id_sql("nodes")} = ?)  -- an id of before a merge
            order by belongs_to limit 2
            """,
            [wanted, wanted, wanted],
        ).fetchall()
        if not rows:
            rows = _accounts_named(db, store, wanted)
    if len(rows) == 1:
        return str(rows[0][0])
    if rows and scope.partners is None:
        ids = ", ".join(str(row[0]) for row in rows)
        raise UnknownAccount(Said("{name!r} is more than one account: {ids}; use an id.", name=name, ids=ids))
    raise unknown_account(name)


def unknown_account(name: str) -> UnknownAccount:
    """Say that nobody knows an account, and how one is named."""
    return UnknownAccount(
        Said("no account {name!r}; give an id, a domain, a CRM id or the exact name it was entered with.", name=name)
    )


def _accounts_named(db: duckdb.DuckDBPyConnection, store: Store, wanted: str) -> list[tuple[str]]:
    db.execute(view_sql("timeline", Derived.open(store.home).timeline.snapshot(), TIMELINE))
    named = "kind = 'account.created' and lower(text) = ? and account is not null"
    return db.execute(f"select distinct account from timeline where {named}", [wanted]).fetchall()


def _open(name: str) -> ir.StringScalar:
    """Give the place of a day in a query, until it is known which."""
    import ibis

    return ibis.literal(f"{OPEN}{name}")


def _asked(number: int, where: ir.Table) -> ir.Table:
    """Give the first rows of a caution, by their first column, and how many there are."""
    import ibis

    some = where[where.columns[0]].cast("string").fill_null("(unknown)")
    shown = where.select(number=ibis.literal(number, "int64"), some=some, n=where.count())
    return shown.order_by("some").limit(SHOWN)


def _records(answer: pa.Table, measure: Measure) -> list[tuple[object, ...]]:
    """Give the rows of an engine's answer, which has the columns that the measure declares."""
    if list(answer.column_names) != list(measure.columns):
        raise TypeError(f"{measure.name} declares {list(measure.columns)} but gives {answer.column_names}.")
    return list(zip(*(column.to_pylist() for column in answer.columns), strict=True))


def cells(rows: Sequence[tuple[object, ...]], measure: Measure) -> list[tuple[Cell, ...]]:
    """Read rows by the units that the measure declares."""
    units = list(measure.columns.values())
    return [tuple(_cell(value, unit) for value, unit in zip(row, units, strict=True)) for row in rows]


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
