"""Stories: a few facts written as lines of text, and many facts drawn by a seeded generator."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from homes import NOW, stored

from plait.facts import KINDS, OFTEN, Fact, Refusal
from plait.measure import Caution, Facts, Measure, Solution, Table
from plait.store import LOADS
from plait.timeline import _records, cells, open_timeline

FIELDS = ("channel", "campaign", "partner", "product", "owner", "object_id", "text")
TEXTS = (
    "account",
    "person",
    "id",
    "object_id",
    "currency",
    "channel",
    "campaign",
    "partner",
    "product",
    "owner",
    "text",
)
COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("source", "kind", *TEXTS, "keys", "detail", "often"), pa.string()),
    **dict.fromkeys(("occurred_at", "recorded_at"), pa.timestamp("us")),
    "occurred_on": pa.date32(),
    "amount": pa.decimal128(18, 4),
    "quantity": pa.decimal128(20, 10),
}
SCHEMA = pa.schema(COLUMNS)
REJECTS = pa.schema(
    dict.fromkeys(("source", "file", "field", "value", "rule", "next_step", "row"), pa.string())
    | {"line": pa.int64(), "recorded_at": pa.timestamp("us")}
)
RECORDED = NOW
MONEYED = ("lead.", "deal.", "subscription.", "order.", "invoice.")  # drawn twice as often as other kinds


def told(text: str) -> list[Fact]:
    """Read lines `account  day[Thh:mm]  kind  [amount CUR] [field=value ...]`; the account `-` is unknown."""
    lines = [line.split() for line in text.splitlines() if len(line.split()) > 2 and line.split()[2] in KINDS]
    return [_read_line(number, line) for number, line in enumerate(lines, 1)]


def _read_line(number: int, words: Sequence[str]) -> Fact:
    account, at, kind, *rest = words
    given = dict(word.split("=", 1) for word in rest if "=" in word)
    money = [word for word in rest if "=" not in word]
    names = {"account.story": "" if account == "-" else account, "person.story": given.get("person", "")}
    return Fact(
        source=given.get("source", "story"),
        id=given.get("id", f"f{number:04}"),
        kind=kind,
        occurred_at=datetime.fromisoformat(at).replace(tzinfo=UTC),
        recorded_at=RECORDED,
        keys={key: value for key, value in names.items() if value},
        amount=Decimal(money[0]) if money else None,
        currency=money[1] if money else None,
        quantity=Decimal(given["quantity"]) if "quantity" in given else None,
        **{name: given[name] for name in FIELDS if name in given},  # type: ignore[arg-type]
    )


def draw_facts(seed: int, *, count: int = 3_000, accounts: int = 40) -> list[Fact]:
    """Draw facts of every kind over three years: some without account or channel, many at the same instant."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    kinds = [*KINDS, *(name for name in KINDS if name.startswith(MONEYED))] * 2
    return [_draw(chance, number, chance.choice(kinds), accounts) for number in range(count)]


def _draw(chance: random.Random, number: int, name: str, accounts: int) -> Fact:
    kind, who = KINDS[name], chance.randrange(accounts)
    day = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=int(chance.random() ** (1 + who % 3) * 1_100))
    low, high = kind.between or (Decimal(0), Decimal(20))
    keys = {} if chance.random() < 0.05 else {"account.story": f"a{who:02}"}
    if chance.random() < 0.6:
        keys["person.story"] = f"p{who:02}{chance.randrange(3)}"
    priced = "amount" in kind.needs or (name.startswith("deal.") and chance.random() < 0.8)
    valued = name == "handoff.created" and number % 3 > 0
    return Fact(
        source=chance.choice(("crm", "shop", "web")),
        id=f"{number:05}",
        kind=name,
        occurred_at=day + timedelta(hours=chance.choice((0, 0, 9, 12, 23)), minutes=chance.choice((0, 0, 30))),
        recorded_at=RECORDED,
        keys=keys,
        object_id=_object(chance, name, who),
        amount=Decimal(chance.randrange(100_000)) / 100 if priced else Decimal(number) / 4 if valued else None,
        currency="EUR" if priced or valued or "currency" in kind.needs else None,
        quantity=Decimal(chance.randint(int(low), int(high))) if "quantity" in kind.needs else _minutes(name, number),
        channel=chance.choice(("mail", "search", "social", None)) or ("search" if "channel" in kind.needs else None),
        campaign=chance.choice(("spring", "autumn", None)),
        partner=chance.choice(("pat", "pia", None)) or ("pat" if "partner" in kind.needs else None),
        product=chance.choice(("base", "plus", None)),
        owner=chance.choice(("sol", "sue", None)) or ("sol" if "owner" in kind.needs else None),
        text=chance.choice(("nurture", "Dormant", "nowhere")) if "text" in kind.needs else _text(name, number),
        detail=_detail(name, number, day),
    )


def _object(chance: random.Random, name: str, who: int) -> str | None:
    if name == "fx.rate":
        return "USD"
    if "object_id" not in KINDS[name].needs and chance.random() < 0.5:
        return None
    place = chance.randrange(3)
    if name.startswith("handoff."):  # few, so that each has several steps
        return f"handoff-{who % 12}"
    return f"{name.split('.', maxsplit=1)[0]}-{who:02}-{place}"


def _minutes(name: str, number: int) -> Decimal | None:
    return Decimal(number * 7 % 500) / 4 if name.startswith("handoff.") and KINDS[name].quantity else None


def _text(name: str, number: int) -> str | None:
    texts = {"handoff.created": ("lead", "onboarding"), "handoff.rejected": ("no_budget", "withdrawn", "no_fit")}
    return texts[name][number % len(texts[name])] if name in texts else None


def _detail(name: str, number: int, day: datetime) -> dict[str, str]:
    if name == "ticket.opened":
        return {"priority": ("Urgent", "normal", "p1", "")[number % 4]}
    if not name.startswith("handoff."):
        return {}
    sender, receiver = (("marketing", "sales"), ("sales", "service"), ("service", "sales"), ("", ""))[number % 4]
    return {
        "sender": sender,
        "receiver": receiver,
        "by": ("mara", "mia")[number % 2],
        "mode": "one_team" if number % 7 == 0 else "separate",
        "completeness": ("0.5000", "1.0000", "much")[number % 3],
        "due": f"{day + timedelta(days=number % 90):%Y-%m-%d %H:%M:%S}" if number % 5 else "",
        "touch_due": f"{day + timedelta(days=number % 120):%Y-%m-%d %H:%M:%S}",
        "target": ("nurture", "merge", "")[number % 3],
        "note": 'he said "sender": "it"',
    }


def fact_table(facts: Sequence[Fact]) -> pa.Table:
    """Give facts the columns that a measure sees; account and person are their story keys."""
    return pa.Table.from_pylist([_row(fact) for fact in facts], SCHEMA)


def _row(fact: Fact) -> dict[str, Any]:
    columns = {name: getattr(fact, name) for name in SCHEMA.names if hasattr(fact, name)}
    return columns | {
        "account": fact.keys.get("account.story"),
        "person": fact.keys.get("person.story"),
        "occurred_at": fact.occurred_at.replace(tzinfo=None),
        "recorded_at": fact.recorded_at.replace(tzinfo=None),
        "occurred_on": fact.occurred_at.date(),
        "keys": json.dumps(fact.keys),
        "detail": json.dumps(fact.detail),
        "often": "y" if fact.kind in OFTEN else "n",
    }


@dataclass(frozen=True, slots=True)
class Made:
    """A measure made into queries: they do for every story of the same moment, currency and rules.

    Making them costs far more than running them over a few facts, and no measure sees the facts while it is made.
    """

    measure: Measure
    sql: str
    cautions: list[tuple[str, Caution]]
    solve: Callable[[pa.Table], Solution] | None

    @classmethod
    def of(cls, measure: Measure, facts: Facts, options: Mapping[str, object]) -> Made:
        """Make one."""
        answer = measure.answer(facts, options)
        cautions = [(str(ibis.to_sql(caution.where, dialect="duckdb")), caution) for caution in answer.cautions]
        return cls(measure, str(ibis.to_sql(answer.rows, dialect="duckdb")), cautions, answer.solve)


MADE: dict[Hashable, Made] = {}
MOST_MADE = 500


@dataclass
class Story:
    """Facts that answer as a `Timeline` does: in memory, or in a `home` that goes through store, identity and engine.

    In memory account and person are the story's own names. The zone is UTC.
    """

    facts: Sequence[Fact]
    refusals: Sequence[Refusal] = ()
    as_of: datetime = datetime(2027, 1, 1)  # noqa: DTZ001 - measures see naive UTC
    currency: str | None = None
    con: Any = field(default_factory=ibis.duckdb.connect)
    built: Facts | None = None
    home: Path | None = None
    made: dict[Hashable, Made] = field(default_factory=lambda: MADE)

    def until(self, day: date | datetime) -> Story:
        """What had happened before a day began, or before an instant."""
        at = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001
        return Story(self.facts, self.refusals, at.replace(tzinfo=None), self.currency, home=self.home)

    @property
    def today(self) -> date:
        """The local day of the moment."""
        return self.as_of.date()

    def seen(self) -> Facts:
        """What a measure sees."""
        self.built = self.built or self._build()
        return self.built

    def _build(self) -> Facts:
        if self.home:
            timeline = open_timeline(stored(self.home, self.facts), now=NOW).until(self.as_of)
            self.con = timeline.engine.backend
            return timeline.facts()
        seen = [fact for fact in self.facts if fact.occurred_at.replace(tzinfo=None) < self.as_of]
        refused = [
            {name: getattr(refusal, name, None) for name in REJECTS.names}
            | {"recorded_at": RECORDED.replace(tzinfo=None)}
            for refusal in self.refusals
        ]
        table = self.con.create_table("facts", fact_table(seen), overwrite=True)
        rejects = self.con.create_table("rejects", pa.Table.from_pylist(refused, REJECTS), overwrite=True)
        loads = self.con.create_table("loads", LOADS.empty_table(), overwrite=True)
        began = datetime.combine(self.as_of - timedelta(microseconds=1), time())
        moment = ibis.literal(self.as_of), ibis.literal(self.today), ibis.literal(began)
        return Facts(table, rejects, loads, *moment, self.currency)

    def table(self, measure: Measure, **options: object) -> Table:
        """Answer a measure."""
        read = measure.read_options(options)
        made = self._made(measure, read)
        warnings = []
        for sql, caution in made.cautions:
            rows = self._run(sql)
            some = ", ".join(str(row[0]) for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
            warnings += [caution.says.format(n=len(rows), some=some, **caution.names)] if rows else []
        told = self.con.con.execute(made.sql).to_arrow_table()
        solved = made.solve(told) if made.solve else Solution(_records(told, measure))
        rows, warnings = cells(solved.rows, measure), [*solved.remarks, *warnings]
        at = self.as_of.replace(tzinfo=UTC)
        return Table(measure, at, 1, read, rows, made.sql, warnings, estimates=solved.estimates)

    def _made(self, measure: Measure, options: Mapping[str, object]) -> Made:
        """Give a measure's queries, made once for all stories in memory that they depend on alike."""
        facts = self.seen()
        if self.home:
            return Made.of(measure, facts, options)
        kind = (
            id(measure),
            repr(sorted(options.items())),
            self.as_of,
            facts.currency,
            repr(facts.scoring),
            repr(facts.rules),
        )
        if kind not in self.made:
            if len(self.made) >= MOST_MADE:
                self.made.clear()
            self.made[kind] = Made.of(measure, facts, options)
        return self.made[kind]

    def measured(self, measure: Measure) -> list[str]:
        """Give the names of the columns that a measure answers with; `cells` has checked those of a solution."""
        answer = measure.answer(self.seen(), measure.read_options({}))
        return list(measure.columns if answer.solve else answer.rows.columns)

    def unread(self, measure: Measure) -> list[tuple[Any, ...]]:
        """Give the rows of a measure before its units are read; none where mathematics makes them."""
        answer = measure.answer(self.seen(), measure.read_options({}))
        return [] if answer.solve else self.rows(answer.rows)

    def by_hand(self, query: str) -> list[tuple[Any, ...]]:
        """Run a check query: it reads `timeline`, `rejects` and the variables `as_of` and `today`."""
        self.seen()
        con = self.con.con
        con.execute("create or replace view timeline as from facts")
        con.execute(f"set variable as_of = timestamp '{self.as_of}'")
        con.execute(f"set variable today = date '{self.today}'")
        answer: list[tuple[Any, ...]] = con.execute(query).fetchall()
        return answer

    def rows(self, expression: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - ibis has no narrower type here
        """Run an expression."""
        return _tuples(self.con.to_pyarrow(expression))

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        return _tuples(self.con.con.execute(sql).to_arrow_table())


def _tuples(answer: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*answer.to_pydict().values(), strict=True))
