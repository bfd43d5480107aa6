"""The desk: what people do with plait, one function each. Command line, pages and jobs call only these."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from plait import duck, identity, intake, register, suppression, timeline
from plait.delta import locked, mark_of
from plait.derived import Derived, refresh
from plait.engine import DUCKDB
from plait.facts import CURRENCIES, nearest
from plait.failure import Said, Unfit
from plait.measure import Measure, Table, known_measure, registry
from plait.measures import load_measures
from plait.points import kept as scoring
from plait.points.kept import FOLDER as SCORES
from plait.settings import FILE, BadSettings, Settings, read_settings, write_settings
from plait.stages import Version, keep_version, read_versions
from plait.stages.versions import FOLDER as STAGES
from plait.stewardship import read_decisions
from plait.store import FACTS, ID_CONFLICT, REJECTS, Loaded, Part, SourceCount, Store, view_sql

if TYPE_CHECKING:
    import duckdb

    from plait.facts import Fact
    from plait.points.rules import Kept
    from plait.sources.contract.judge import Judge, Terms
    from plait.sources.mapping import Control
    from plait.sources.mapping import Mapping as SourceMapping
    from plait.sources.staging import StagedFile, Staging

Progress = Callable[[str, int, int], None]


class NothingToLoad(Unfit, ValueError):
    """No file of the folder is one that the mapping reads."""

    def __init__(self, folder: Path, mapping: SourceMapping) -> None:
        if any(file.columns for file in mapping.files):
            super().__init__(
                Said(
                    "no file of {folder} is an export that plait knows by its columns; `plait map {path}` proposes a "
                    "mapping for it, --mapping names one that you have.",
                    folder=str(folder),
                    path=shlex.quote(str(folder)),
                )
            )
            return
        patterns = ", ".join(pattern for file in mapping.files for pattern in file.patterns)
        super().__init__(
            Said(
                "nothing in {folder} fits the patterns of {mapping}; it reads: {patterns}.",
                folder=str(folder),
                mapping=mapping.name,
                patterns=patterns,
            )
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused row, as people are shown it."""

    file: str
    line: int | None
    field: str
    value: str | None
    rule: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A control total: what the exporting system says, what the store holds, and whether they agree."""

    source: str
    kind: str
    before: datetime | None
    says: str
    holds: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did. For each file `rows = accepted + refused`; `refused` shows the first of the refused rows.

    `took` is in seconds, with identity and timeline; `recognised` says of each file as what its columns told it.
    `contract` says what the load broke of its contracts, `drift` how the exports changed since the last load.
    """

    files: list[Loaded]
    not_read: list[str]
    refused: list[Refused]
    controls: list[Checked]
    version: int
    took: float
    recognised: Mapping[str, str]
    contract: list[Said]
    drift: list[Said]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a load would do: counts, the first refused rows and the first facts of each file."""

    files: list[Loaded]
    not_read: list[str]
    refused: list[Refused]
    facts: list[dict[str, object]]
    recognised: Mapping[str, str]
    contract: list[Said]
    drift: list[Said]


@dataclass(frozen=True, slots=True)
class Info:
    """What a home holds."""

    home: Path
    facts: int
    refused: int
    version: int
    sources: list[SourceCount]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Story:
    """All that happened with one account, in the order of time, and why its keys are one account."""

    account: str
    names: list[tuple[str, str]]
    facts: list[dict[str, object]]
    joins: list[identity.Join]


def set_up(home: Path, settings: Settings) -> None:
    """Write a home's settings; a home that holds facts keeps its own, and others are refused."""
    if settings.currency is not None and settings.currency not in CURRENCIES:
        hint = nearest(settings.currency, CURRENCIES)
        raise BadSettings(f"{settings.currency!r} is no currency; {hint}use a code of ISO 4217 such as EUR.")
    store = Store.open(home)
    has = read_settings(home)
    if (has.zone, has.currency) != (settings.zone, settings.currency) and store.snapshot().rows:
        raise BadSettings(
            f"{home} has zone {has.zone} and currency {has.currency or 'none'} already; "
            f"to change them edit {FILE} there and run `plait store rebuild`."
        )
    if has != settings or not (home / FILE).exists():
        write_settings(home, settings)


def zone_of(home: Path, mapping: Path | None) -> str:
    """Give the zone of a home's days: its own, or for a new home the mapping's, when all its files are of one zone."""
    if (home / FILE).exists() or mapping is None:
        return read_settings(home).zone
    from plait.sources.mapping import read_mapping

    zones = {file.timezone for file in read_mapping(mapping).files} - {"home"}
    (one,) = zones if len(zones) == 1 else {None}
    return one or Settings().zone


def load(
    home: Path,
    folder: Path,
    mapping: Path | None,
    *,
    now: datetime,
    progress: Progress | None = None,
    accepts: str = "",
) -> LoadReport:
    """Load a folder, or one file, by a mapping; all of it or, when anything about the files is wrong, nothing.

    Without a mapping what is loaded are the exports that plait knows by their columns.

    `now` is when we came to know; facts dated after it are refused. Loading the same files again adds nothing.
    `accepts` names who accepts that an export has changed where it matters; else such a load asks, storing nothing.
    """
    from plait.sources.contract.judge import Terms

    began = perf_counter()
    store, zone = Store.open(home), zone_of(home, mapping)
    terms = Terms(now, accepts)
    with _staged(home, folder, mapping, terms, progress) as (staging, parts, judge):
        judge.judge(store)
        if not (home / FILE).exists():
            write_settings(home, Settings(zone))
        files = store.append(parts, recorded_at=now)
        judge.keep({file.source for file in staging.files})
        refused = _first_refused(store, parts)
    refresh(store, Derived.open(home))
    controls = [_check(store, control) for control in staging.controls]
    kept = [
        intake.ControlCheck(now, staging.mapping, c.source, c.kind, c.before, c.says, c.holds, c.agrees)
        for c in controls
    ]
    intake.keep_controls(home, kept)
    version = store.snapshot().version
    took = perf_counter() - began
    told = judge.broken(), judge.changed()
    return LoadReport(files, staging.not_read, refused, controls, version, took, staging.recognised, *told)


def refreshed(home: Path) -> bool:
    """Bring the timeline of a home up to its newest facts; tells whether there was anything to do."""
    return refresh(Store.open(home), Derived.open(home))


def add(home: Path, facts: Iterable[Fact], *, name: str, now: datetime) -> list[Loaded]:
    """Add facts made in Python; `name` tells where they came from. The same rules hold as for files."""
    from plait.sources.records import stage_facts

    store = Store.open(home)
    with locked(home / "locks" / ".staging"):
        parts = stage_facts(facts, name=name, work=home / "staging", recorded_at=now)
        loaded = store.append(parts, recorded_at=now)
        _remove(parts)
    refresh(store, Derived.open(home))
    return loaded


def try_out(
    home: Path, folder: Path, mapping: Path | None, *, now: datetime, progress: Progress | None = None
) -> Trial:
    """Read a folder as `load` would, storing nothing."""
    from plait.sources.contract.judge import Terms

    tried = _staged(home, folder, mapping, Terms(now, trial=True), progress)
    with tried as (staging, parts, judge), duck.connect(home / "spill") as db:
        judge.judge(Store.open(home))
        files = [Loaded(p.source, p.file, p.rows, p.accepted, p.refused_rows, p.without_fact, 0, 0) for p in parts]
        erased = suppression.read(home)
        refused = f"read_parquet({duck.text_list(str(part.refused) for part in parts)})"
        rows = db.execute(
            f"select file, line, field, value, rule, next_step from {suppression.blank(db, erased, refused)} "
            "order by all limit 20"
        )
        shown = [Refused(*row) for row in rows.fetchall()]
        facts = [fact for part in parts for fact in _first_facts(db, part, erased)]
        return Trial(files, staging.not_read, shown, facts, staging.recognised, judge.broken(), judge.changed())


def measures() -> Mapping[str, Measure]:
    """Give all measures by name."""
    load_measures()
    return registry


def show(
    home: Path,
    name: str,
    options: Mapping[str, object] | None = None,
    *,
    now: datetime,
    as_of: date | datetime | None = None,
    engine: str = DUCKDB,
    definition: int | None = None,
) -> Table:
    """Answer a measure from what had happened before `as_of` began (a day in the home's zone, or an instant).

    Without `as_of` it is what the home's settings name, else all that is known at the end of today. The answer is by
    the definition that the firm had signed by then, or by the one with the number `definition`.
    """
    load_measures()
    measure = known_measure(name)
    measure.read_options(options or {})  # a misspelt option is told before any file is opened
    return _answer(home, _open(home, now, as_of, engine), measure, options or {}, definition)


def query(
    home: Path,
    name: str,
    options: Mapping[str, object] | None = None,
    *,
    now: datetime,
    as_of: date | datetime | None = None,
    engine: str = DUCKDB,
    definition: int | None = None,
) -> str:
    """Give the query that answers a measure, without running it."""
    load_measures()
    measure = known_measure(name)
    measure.read_options(options or {})
    opened = _open(home, now, as_of, engine)
    agreed = register.read_register(home).in_force(measure, opened.as_of, definition).options
    read = measure.read_options(options or {}, agreed)
    return opened.query(opened.ask(measure, read).sql, read)


def board(
    home: Path, names: Mapping[str, Mapping[str, object]], *, now: datetime, as_of: date | None = None
) -> list[Table]:
    """Answer several measures from one opened timeline."""
    load_measures()
    seen = _open(home, now, as_of)
    return [_answer(home, seen, known_measure(name), options) for name, options in names.items()]


def story(
    home: Path,
    account: str,
    *,
    now: datetime,
    as_of: date | datetime | None = None,
    scope: timeline.Scope = timeline.EVERYTHING,
) -> Story:
    """Tell all that happened with one account; `account` is an id, a domain, a CRM id or its name.

    Who may see only some partners' facts is told only those; an account without any is unknown to them, as are names.
    """
    store = Store.open(home)
    found = timeline.find_account(store, account, scope)
    facts = timeline.story(_open(home, now, as_of).within(scope), store, found)
    if scope.partners is not None:
        if not facts:
            raise timeline.unknown_account(account)
        return Story(found, [], facts, [])
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        db.execute(view_sql("nodes", Derived.open(home).nodes.snapshot(), identity.NODES))
        names = db.execute("select name, value from nodes where belongs_to = ? order by first_at, name, value", [found])
        return Story(found, names.fetchall(), facts, identity.joins_of(db, found, read_decisions(home)))


def loads(home: Path, *, limit: int, offset: int = 0) -> tuple[list[intake.FileLoad], int]:
    """Give the files that were loaded, the newest first, and how many there are."""
    return intake.loads(Store.open(home), limit=limit, offset=offset)


def refused_groups(home: Path) -> list[intake.RefusedGroup]:
    """Count the refused rows by source and rule."""
    return intake.refused_groups(Store.open(home))


def refused_rows(
    home: Path, wanted: Mapping[str, str], *, limit: int | None = None, offset: int = 0
) -> intake.RefusedPage:
    """Give the refused rows of a source, rule or file, whichever `wanted` names."""
    return intake.refused_rows(Store.open(home), wanted, limit=limit, offset=offset)


def controls(home: Path) -> list[intake.ControlCheck]:
    """Give each control total as the last load that had it checked it."""
    return intake.controls(home)


def forget_staged(home: Path) -> None:
    """Remove what a cancelled load has staged; a load that runs meanwhile is waited for."""
    with locked(home / "locks" / ".staging"):
        for left in (home / "staging").glob("*"):
            left.unlink(missing_ok=True)


def account_keys(home: Path) -> Mapping[str, list[tuple[str, str]]]:
    """Give the keys that every account is known by: domains and the ids of systems."""
    return timeline.account_keys(Store.open(home))


def account_facts(opened: timeline.Timeline, account: str) -> list[dict[str, object]]:
    """Give all facts of the account with this id from an opened timeline, in the order of time."""
    return timeline.facts_of(opened, account)


def account_joins(home: Path, account: str) -> list[identity.Join]:
    """Tell why the keys of the account with this id are one account; reads every fact, so ask it apart."""
    store = Store.open(home)
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        db.execute(view_sql("nodes", Derived.open(home).nodes.snapshot(), identity.NODES))
        return identity.joins_of(db, account, read_decisions(home))


def info(home: Path) -> Info:
    """Count what a home holds."""
    store = Store.open(home)
    sources = store.count()
    facts, refused = sum(source.facts for source in sources), sum(source.refused for source in sources)
    return Info(store.home, facts, refused, store.snapshot().version, sources, read_settings(home))


def compact(home: Path, *, keep_hours: int | None = None) -> int:
    """Join the small files of a home, delete those that nothing names; gives the newest version of its facts.

    `keep_hours` shortens how long files of the timeline are kept for those who still read an older version of it.
    """
    store, derived = Store.open(home), Derived.open(home)
    version = store.compact()
    refresh(store, derived)
    derived.clean(keep_hours=keep_hours)
    return version


def verify(home: Path) -> list[str]:
    """Check a home: files, counts, uniqueness, and that the timeline holds every fact once; gives the faults found."""
    store = Store.open(home)
    derived = Derived.open(home)
    refresh(store, derived)
    facts, resolved = store.snapshot().rows, derived.timeline.snapshot().rows
    faults = store.verify()
    if facts != resolved:
        faults.append(f"timeline: {resolved} facts instead of {facts}; run `plait store rebuild`")
    return faults


def adopt_rules(home: Path, text: str, *, by: str, why: str, now: datetime) -> Version:
    """Make stage rules hold from now on and tell it as a fact; rules that are unfit or change nothing are refused."""
    version = keep_version(home, text, by=by, why=why, now=now.astimezone(UTC).replace(tzinfo=None))
    tell_adoptions(home, now=now)
    return version


def tell_adoptions(home: Path, *, now: datetime) -> None:
    """Tell every adoption of stage rules as a fact; what was told before is not told twice."""
    add(home, _adoptions(home, now), name="lifecycle", now=now)


def _adoptions(home: Path, now: datetime) -> Iterator[Fact]:
    """Give the fact of every version of the stage rules."""
    from plait.facts import Fact

    looks = read_settings(home)
    for version in read_versions(home)[1:]:
        assert version.adopted_at is not None  # noqa: S101 - only the rules of plait itself were never adopted
        yield Fact(
            source="desk",
            id=f"stage-rules-{version.number}",
            kind="lifecycle.changed",
            occurred_at=looks.present(version.adopted_at.replace(tzinfo=UTC)).replace(tzinfo=UTC),
            recorded_at=now,
            owner=version.by,
            text=f"stage rules, version {version.number}: {version.why}",
        )


def adopt_scores(home: Path, text: str, *, by: str, why: str, now: datetime) -> Kept:
    """Put score rules in force and tell it as a fact; rules that are unfit or change nothing are refused."""
    kept = scoring.adopt(home, text, by=by, why=why, at=now)
    add(home, scoring.told(home, read_settings(home), now), name="scores", now=now)
    return kept


def rebuild(home: Path) -> int:
    """Build identity and timeline anew from the facts; gives how many facts they hold."""
    store = Store.open(home)
    derived = Derived.open(home)
    refresh(store, derived, everything=True)
    return derived.timeline.snapshot().rows


def open_home(home: Path, *, now: datetime) -> timeline.Timeline:
    """Open the timeline of a home for many questions, as it was last brought up to date."""
    load_measures()
    opened = timeline.open_timeline(Store.open(home), now=now, hold=True, as_it_is=True)
    return opened.until(opened.settings.newest(now))


def stamp(home: Path) -> tuple[int, ...]:
    """Give what changes when the timeline, the refused rows, settings or the register change; cheap for a request."""
    told = (mark_of(home / "timeline"), mark_of(home / "rejects"), home / FILE, home / register.FILE)
    kept = (home / SCORES, home / STAGES)  # folders: another version is another file
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in (*told, *kept))


def _answer(
    home: Path, seen: timeline.Timeline, measure: Measure, options: Mapping[str, object], number: int | None = None
) -> Table:
    """Answer a measure by the definition in force, and say which one that was."""
    definition = register.read_register(home).in_force(measure, seen.as_of, number)
    read = measure.read_options(options, definition.options)
    return replace(seen.table(measure, **read), definition=definition.asked(read))


def _open(home: Path, now: datetime, as_of: date | datetime | None, engine: str = DUCKDB) -> timeline.Timeline:
    opened = timeline.open_timeline(Store.open(home), now=now, engine=engine)
    return opened.until(as_of or opened.settings.newest(now))


@contextmanager
def _staged(
    home: Path, folder: Path, mapping: Path | None, terms: Terms, progress: Progress | None
) -> Iterator[tuple[Staging, list[Part], Judge]]:
    """Stage a folder for the time of a load; what a killed load has staged is found again by the next."""
    from plait.sources.contract.judge import Judge
    from plait.sources.known import known_exports
    from plait.sources.mapping import read_mapping
    from plait.sources.staging import stage

    looks = read_settings(home)
    stated = (read_mapping(mapping) if mapping else known_exports()).at_home(looks.zone, looks.currency)
    with locked(home / "locks" / ".staging"):
        judge = Judge(home, terms)
        staging = stage(folder, stated, work=home / "staging", recorded_at=terms.now, progress=progress, judge=judge)
        if not staging.files:
            raise NothingToLoad(folder, stated)
        parts = _parts(home, staging.files)
        yield staging, parts, judge
        _remove(parts)


def _parts(home: Path, files: list[StagedFile]) -> list[Part]:
    """Name what was staged; a file with rows refused as future is another one as soon as some of them have happened."""
    from plait.sources.staging import FUTURE

    refused = duck.text_list(str(file.refused) for file in files)
    with duck.connect(home / "spill") as db:
        rows = db.execute(
            f"select file, count(*) from read_parquet({refused}) where starts_with(rule, ?) group by file", [FUTURE]
        ).fetchall()
    waiting: dict[str, int] = dict(rows)
    return [
        Part(
            f.source, f.file, f"{f.facts.name.split('.')[0]}-{waiting.get(f.file, 0)}", f.facts, f.refused,
            f.rows, f.accepted, f.refused_rows, f.without_fact,
        )
        for f in files
    ]  # fmt: skip


def _remove(parts: list[Part]) -> None:
    for part in parts:
        part.facts.unlink(missing_ok=True)
        part.refused.unlink(missing_ok=True)
        for beside in part.facts.parent.glob(f"{part.facts.name.split('.')[0]}.*"):
            beside.unlink(missing_ok=True)


def _first_facts(db: duckdb.DuckDBPyConnection, part: Part, erased: suppression.Suppression) -> list[dict[str, object]]:
    columns = "kind, id, occurred_at, keys, object_id, amount, currency, channel, owner, text"
    told = suppression.spare(db, erased, f"read_parquet({duck.literal(str(part.facts))})", any_stored=False)
    sql = f"select {columns} from {told} order by line, kind limit 2"
    facts: list[dict[str, object]] = db.execute(sql).to_arrow_table().to_pylist()
    return facts


def _first_refused(store: Store, parts: list[Part], most: int = 20) -> list[Refused]:
    """Give the first refused rows of these files: what breaks a rule, and ids that stand for something else already."""
    facts, refused = (
        duck.text_list(map(str, paths)) for paths in zip(*((p.facts, p.refused) for p in parts), strict=True)
    )
    columns = "file, line, field, value, rule, next_step"
    with duck.connect(store.spill) as db:
        db.execute(view_sql("rejects", store.refused(), REJECTS))
        rows = db.execute(
            f"""
            with blank as (select * from rejects where row = '{suppression.BLANK}')
            select {columns} from read_parquet({refused}) anti join blank using (source, file, line)
            union
            select {columns} from blank semi join (
                select source, file, line from read_parquet({refused})
                union select source, file, line from read_parquet({facts})
            ) using (source, file, line)
            union
            select {columns} from rejects semi join (select source, file, line, id as value from read_parquet({facts}))
                using (source, file, line, value) where rule = '{ID_CONFLICT}'
            order by file, line, field limit {most}
            """
        ).fetchall()
    return [Refused(*row) for row in rows]


def _check(store: Store, control: Control) -> Checked:
    """Hold a control total against everything stored of its source."""
    until = control.before.replace(tzinfo=None) if control.before else None
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        count, amount = db.execute(
            """
            select count(*), coalesce(sum(amount) filter (currency = $currency), 0) from facts
            where source = $source and kind = $kind and (occurred_at < $until or $until is null)
            """,
            {"source": control.source, "kind": control.kind, "until": until, "currency": control.currency},
        ).fetchall()[0]
    agrees = control.facts in (None, count) and control.amount in (None, amount)
    says = _total(control.facts, control.amount, control.currency)
    holds = _total(count, None if control.amount is None else amount, control.currency)
    return Checked(control.source, control.kind, control.before, says, holds, agrees)


def _total(facts: int | None, amount: Decimal | None, currency: str | None) -> str:
    said = [f"{facts:,} facts"] if facts is not None else []
    if amount is not None:
        said.append(f"{amount:,.2f} {currency}")
    return ", ".join(said)
