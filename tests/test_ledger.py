"""The kept ledger says what the measure says, whatever happened since it was last brought up to date."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from homes import NOW
from stories import RECORDED, Story, draw_facts

from plait import desk
from plait.facts import Fact
from plait.ledger import STAYS, VIEW, _open, bring_up, stays_of, stocks
from plait.measures._stages import ledger
from plait.stages import keep_version, shipped
from plait.store import Store, view_sql
from plait.timeline import open_timeline

AS_OF = datetime(2025, 6, 1)  # noqa: DTZ001 - measures see naive UTC
SHARED = Path(__file__).parents[2] / "shared" / "data"
EXAMPLES = Path(__file__).parents[1] / "examples"
needs_data = pytest.mark.skipif(not SHARED.exists(), reason="the public data is not here")
COLUMNS = "account stage from_stage from_at from_on to_at to_on why corrected".split()
SHOWN = ("account", "stage", "from_stage", "from_at", "to_at", "from_on", "to_on")
HISTORIES = int(os.environ.get("PLAIT_HISTORIES", "500"))
Rows = list[tuple[object, ...]]


def kept(home: Path, until: datetime = AS_OF) -> Rows:
    """The kept stays that began before an instant."""
    with duckdb.connect() as db:
        db.execute(view_sql("kept", _open(home).snapshot(), STAYS))
        db.execute(VIEW)
        over = "from_at < $at"
        names = [f"if(to_at < $at, {name}, null)" if name in ("to_at", "to_on") else name for name in COLUMNS]
        return db.execute(f"select {', '.join(names)} from ledger where {over} order by 1, 4", {"at": until}).fetchall()


def measured(home: Path, until: datetime = AS_OF) -> Rows:
    """The same by the measure's expression."""
    timeline = open_timeline(Store.open(home), now=NOW).until(until)
    rows = timeline.engine.run(ledger(timeline.facts()).select(*COLUMNS)).to_pylist()
    return sorted((tuple(row.values()) for row in rows), key=lambda row: (row[0], row[3]))


def test_the_kept_ledger_follows_new_facts_merges_and_new_rules(tmp_path: Path) -> None:
    """Loaded in any order, a piece at a time, with a merge and an unmerge between: always what the measure says."""
    home, facts = tmp_path / "home", draw_facts(3, count=1_200, accounts=30)
    random.Random(5).shuffle(facts)  # noqa: S311 - no secret
    put(home, facts[:700], 1)
    assert bring_up(home).whole
    assert kept(home) == measured(home)
    put(home, facts[700:760], 2)
    brought = bring_up(home)
    assert (brought.whole, brought.accounts < 31, brought.stays > 0) == (False, True, True)
    before = kept(home)
    assert before == measured(home)
    assert bring_up(home).accounts == 0, "nothing new"
    put(home, [known_by("a01"), known_by("a02"), *facts[760:780]], 3)
    brought = bring_up(home)
    assert (brought.whole, brought.accounts < 25) == (False, True)
    both = kept(home)
    assert (both, len(accounts(both))) == (measured(home), len(accounts(before)) - 1), "two accounts became one"
    put(home, [known_by(f"b{number}") for number in range(25)], 4)
    brought = bring_up(home)
    assert (brought.whole, brought.accounts) == (False, 25 + 2), "the new ones, and the one that became two"
    apart = kept(home)
    assert (apart, len(accounts(apart))) == (measured(home), len(accounts(before)) + 25), "and two again"
    put(home, facts[780:], 5)
    slow = shipped().text.replace("days = 180", "days = 90", 1)
    keep_version(home, slow, by="Mara Lind", why="a quarter is silence enough", now=NOW)
    assert (bring_up(home).whole, kept(home) == measured(home)) == (True, True)
    told = kept(home)
    assert stocks(home, AS_OF) == counted(told)
    desk.rebuild(home)
    assert (bring_up(home).whole, kept(home) == told) == (False, True), "the timeline made anew moves nobody"
    account = str(both[0][0])
    assert [stay.stage for stay in stays_of(home, account, AS_OF)] == [
        shipped().order[int(str(row[1]))] for row in kept(home) if row[0] == account
    ]


def put(home: Path, facts: list[Fact], number: int) -> None:
    """Add facts that we came to know a while after the last ones."""
    desk.add(home, facts, name=f"part {number}", now=NOW + timedelta(minutes=number))


def known_by(account: str) -> Fact:
    """A system says that an account has a certain domain; so do others, until nobody believes it."""
    keys = {"account.story": account, "domain": "both.example"}
    return Fact(source="crm", id=f"known-{account}", kind="account.created", keys=keys, text=account,
                occurred_at=datetime(2024, 1, 1, tzinfo=UTC), recorded_at=RECORDED)  # fmt: skip


def accounts(rows: Rows) -> set[object]:
    return {row[0] for row in rows}


def counted(rows: Rows) -> dict[str, int]:
    now = [row[1] for row in rows if row[5] is None]
    return {name: now.count(code) for code, name in enumerate(shipped().order)}


@needs_data
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "mapping", "sql", "first", "shows"),
    [
        ("olist", "olist_funnel", "OLIST", date(2017, 6, 20), "nurture expand former_customer dormant"),
        ("crm_sales_opportunities", "maven_crm", "MAVEN", date(2016, 10, 20), "convert expand"),
    ],
)
def test_stocks_of_any_past_day_are_those_of_the_raw_files(
    tmp_path: Path, folder: str, mapping: str, sql: str, first: date, shows: str
) -> None:
    """Twelve days drawn by chance; the query reads the published files and knows nothing of plait."""
    home, chance = tmp_path / "home", random.Random(sql)  # noqa: S311 - no secret
    desk.load(home, SHARED / folder, EXAMPLES / f"{mapping}.toml", now=NOW)
    seen: Counter[str] = Counter()
    for day in sorted(first + timedelta(days=chance.randrange(*span)) for span in [(60,), (60, 500), (500, 900)] * 4):
        until = datetime(day.year, day.month, day.day) + timedelta(days=1)  # noqa: DTZ001
        with duckdb.connect() as db:
            rows = db.execute(BY_HAND[sql].format(folder=SHARED / folder), {"until": until}).fetchall()
        by_hand = dict.fromkeys(shipped().order, 0) | dict(rows)
        assert stocks(home, until) == by_hand, day
        seen.update(name for name, count in by_hand.items() if count)
    assert set(seen) == set(shows.split()), "days that show little prove little"


BY_HAND = {
    "OLIST": """
        with known as (
            select mql_id, first_contact_date::timestamp as lead_at, won_date::timestamp as won_at
            from read_csv('{folder}/olist_marketing_qualified_leads_dataset.csv') as leads
            full join read_csv('{folder}/olist_closed_deals_dataset.csv') as deals using (mql_id)
        ),
        by_then as (
            select mql_id, if(lead_at < $until, lead_at, null) as lead_at, if(won_at < $until, won_at, null) as won_at
            from known where least(lead_at, won_at) < $until
        )
        select case
            when won_at + interval 365 day >= $until then 'expand'
            when won_at is not null then 'former_customer'
            when lead_at + interval 180 day >= $until then 'nurture'
            else 'dormant'
        end, count(*) from by_then group by 1
    """,
    "MAVEN": """
        with deals as (
            select account, deal_stage, coalesce(engage_date, date '2017-12-31')::timestamp as opened_at,
                close_date::timestamp as closed_at
            from read_csv('{folder}/sales_pipeline.csv') where account is not null
        ),
        accounts as (
            select account,
                max(closed_at) filter (deal_stage = 'Won' and closed_at < $until) as won_at,
                coalesce(bool_or(closed_at is null or closed_at >= $until), false) as open,
                max(opened_at) as lead_at,
                greatest(max(opened_at), max(closed_at) filter (closed_at < $until)) as life_at
            from deals where opened_at < $until group by account
        )
        select case
            when won_at + interval 365 day >= $until then 'expand'
            when open then 'convert'
            when life_at + interval 180 day >= $until and coalesce(lead_at >= won_at + interval 365 day, true)
                then 'nurture'
            when won_at is not null then 'former_customer'
            else 'dormant'
        end, count(*) from accounts group by 1
    """,
}


def test_nothing_is_lost_or_counted_twice_over_500_histories() -> None:
    """Entered - left = stock for each stage and day, stocks add up to the accounts, stays have no hole or overlap."""
    facts = [
        replace(fact, keys={"account.story": f"h{seed:03}-{fact.keys.get('account.story', 'none')}"})
        for seed in range(HISTORIES // 5)
        for fact in draw_facts(seed, count=150, accounts=5)
    ]
    story = Story(facts, as_of=AS_OF)
    rows = story.rows(ledger(story.seen()).select(*SHOWN))
    by_account: dict[object, Rows] = {}
    for row in sorted(rows, key=lambda row: (row[0], row[3])):
        by_account.setdefault(row[0], []).append(row)
    assert len(by_account) >= HISTORIES
    for stays in by_account.values():
        assert (stays[0][2], stays[-1][4]) == (None, None)
        for one, two in pairwise(stays):
            assert (one[4], one[6], one[1]) == (two[3], two[5], two[2])
            assert one[1] != two[1]
    entered, left = Counter((row[1], row[5]) for row in rows), Counter((row[2], row[5]) for row in rows)
    days = sorted({row[5] for row in rows})
    stock: Counter[object] = Counter()
    for day in days:
        stock.update({code: entered[code, day] - left[code, day] for code in range(8)})
        if day in days[::25]:
            standing = Counter(row[1] for row in rows if row[5] <= day and (row[6] is None or row[6] > day))
            assert +stock == standing
            assert standing.total() == sum(1 for stays in by_account.values() if stays[0][5] <= day)
    shuffled = random.Random(2).sample(facts, len(facts))  # noqa: S311 - no secret
    again = Story(shuffled, as_of=AS_OF)
    other = again.rows(ledger(again.seen()).select(*SHOWN))
    assert sorted(map(repr, other)) == sorted(map(repr, rows)), "the order of loading does not matter"
