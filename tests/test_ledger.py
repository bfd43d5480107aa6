"""The kept ledger says what the measure says, whatever happened since it was last brought up to date."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from homes import NOW, stored
from stories import RECORDED, draw_facts

from plait.facts import Fact
from plait.ledger import STAYS, VIEW, bring_up, stays_of, stocks
from plait.measures._stages import ledger
from plait.stages import keep_version, shipped
from plait.store import view_sql
from plait.timeline import open_timeline

AS_OF = datetime(2025, 6, 1)  # noqa: DTZ001 - measures see naive UTC
COLUMNS = "account stage from_stage from_at from_on to_at to_on why corrected".split()
Rows = list[tuple[object, ...]]


def kept(home: Path, until: datetime = AS_OF) -> Rows:
    """The kept stays that began before an instant."""
    from plait.ledger import _open

    with duckdb.connect() as db:
        db.execute(view_sql("kept", _open(home).snapshot(), STAYS))
        db.execute(VIEW)
        over = "from_at < $at"
        names = [f"if(to_at < $at, {name}, null)" if name in ("to_at", "to_on") else name for name in COLUMNS]
        return db.execute(f"select {', '.join(names)} from ledger where {over} order by 1, 4", {"at": until}).fetchall()


def measured(home: Path, until: datetime = AS_OF) -> Rows:
    """The same by the measure's expression."""
    from plait.store import Store

    timeline = open_timeline(Store.open(home), now=NOW).until(until)
    rows = timeline.engine.run(ledger(timeline.facts()).select(*COLUMNS)).to_pylist()
    return sorted((tuple(row.values()) for row in rows), key=lambda row: (row[0], row[3]))


def test_the_kept_ledger_follows_new_facts_merges_and_new_rules(tmp_path: Path) -> None:
    """Loaded in any order, a piece at a time, with a merge and an unmerge between: always what the measure says."""
    home, facts = tmp_path / "home", draw_facts(3, count=1_200, accounts=30)
    random.Random(5).shuffle(facts)  # noqa: S311 - no secret
    stored(home, facts[:700], "a")
    assert bring_up(home).whole
    assert kept(home) == measured(home)
    stored(home, facts[700:760], "b")
    brought = bring_up(home)
    assert (brought.whole, brought.accounts < 31, brought.stays > 0) == (False, True, True)
    before = kept(home)
    assert before == measured(home)
    assert bring_up(home).accounts == 0, "nothing new"
    stored(home, [known_by("a01"), known_by("a02"), *facts[760:780]], "c")
    assert not bring_up(home).whole
    both = kept(home)
    assert (both, len(accounts(both))) == (measured(home), len(accounts(before)) - 1), "two accounts became one"
    stored(home, [known_by(f"b{number}") for number in range(25)], "shared")
    assert not bring_up(home).whole
    apart = kept(home)
    assert (apart, len(accounts(apart))) == (measured(home), len(accounts(before)) + 25), "and two again"
    stored(home, facts[780:], "d")
    bring_up(home)
    assert kept(home) == measured(home)
    slow = shipped().text.replace("days = 180", "days = 90", 1)
    keep_version(home, slow, by="Mara Lind", why="a quarter is silence enough", now=NOW)
    assert (bring_up(home).whole, kept(home) == measured(home)) == (True, True)
    assert stocks(home, AS_OF) == counted(kept(home))
    account = str(both[0][0])
    assert [stay.stage for stay in stays_of(home, account, AS_OF)] == [
        shipped().order[int(str(row[1]))] for row in kept(home) if row[0] == account
    ]


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
