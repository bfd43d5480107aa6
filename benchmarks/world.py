"""A synthetic firm of any size, made by the engine itself: facts straight into a store, for timing only.

Two kinds of history: what happens once (visits, messages, spend, orders, answers), drawn by shares; and journeys, each
the way of one lead through deal and contract, whose steps share an `object_id`. Three years, the same for the same
numbers.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from plait import duck
from plait.store import Part, Store

SINGLES = {  # kind: share of what happens once, in thousandths
    "page.viewed": 440, "visit.started": 210, "product.used": 140, "message.sent": 65, "ad.clicked": 40,
    "form.submitted": 25, "order.placed": 16, "invoice.issued": 18, "payment.received": 16, "payment.refunded": 1,
    "spend.paid": 4, "payout.paid": 1, "ticket.opened": 10, "nps.answered": 6, "csat.answered": 5, "review.posted": 3,
}  # fmt: skip
STEPS = (  # kind, days after the lead at least, the fates (0..99 each journey has one) that take the step, object
    ("lead.created", 0, 0, 100, ""), ("lead.mql", 2, 0, 70, ""), ("lead.sal", 10, 0, 45, ""),
    ("lead.sql", 20, 0, 35, ""), ("lead.recycled", 30, 45, 60, ""), ("lead.disqualified", 40, 60, 70, ""),
    ("meeting.held", 25, 0, 30, ""), ("deal.opened", 30, 0, 32, "d"), ("deal.changed", 45, 6, 20, "d"),
    ("deal.won", 60, 0, 13, "d"), ("deal.lost", 60, 13, 26, "d"), ("deal.opened", 80, 25, 26, "d"),
    ("subscription.started", 90, 0, 11, "s"), ("subscription.changed", 200, 2, 7, "s"),
    ("subscription.changed", 400, 3, 6, "s"), ("subscription.ended", 520, 4, 8, "s"),
)  # fmt: skip
SINGLE_SHARE, JOURNEY_SHARE = 0.84, 0.04  # a journey is four facts
RECORDED_AT = datetime(2026, 11, 1)  # noqa: DTZ001 - the store keeps naive UTC
CHANNELS = ("organic_search", "paid_search", "social", "email", "event", "referral", "partner", "direct")
PRICED = "kind like 'deal.%' or kind like 'subscription.%' or kind like 'pay%' or kind in ('invoice.issued', \
'order.placed', 'spend.paid')"


def staged_sql(facts: int, people: int) -> str:
    """Give a query for staged facts: two thirds of the people known by cookie and mail, three firms to ten people."""
    bounds, total = [], 0
    for kind, share in SINGLES.items():
        total += share
        bounds.append(f"when dice < {total} then '{kind}'")
    steps = ", ".join(f"('{kind}', {days}, {low}, {high}, '{prefix}')" for kind, days, low, high, prefix in STEPS)
    channels = ", ".join(f"'{channel}'" for channel in CHANNELS)
    since = "timestamp '2023-10-01' + to_seconds((hash(i * 17 + 3) % 97200000)::bigint)"
    person = f"(hash(i * 13 + 5) % {people})::bigint"
    return f"""
    with thrown as (
        select i, hash(i * 7 + 1) % 1000 as dice, {person} as p, {since} as occurred_at
        from range({int(facts * SINGLE_SHARE)}) as t(i)
    ),
    journeys as (
        select i, hash(i * 11 + 2) % 100 as fate, {person} as p, {since} as begun_at
        from range({int(facts * JOURNEY_SHARE)}) as t(i)
    ),
    singles as (
        select 'f' || i as id, i, dice, p, occurred_at, case {" ".join(bounds)} end as kind,
            case when kind in ('order.placed', 'ticket.opened', 'invoice.issued') then kind[:1] || i end as object_id
        from thrown
    ),
    steps as (
        select 'j' || i || '-' || kind || days as id, i, fate as dice, p,
            begun_at + to_seconds(days * 86400 + (hash(i * 19 + days) % 864000)::bigint) as occurred_at,
            kind, case when prefix != '' then prefix || i end as object_id
        from journeys join (values {steps}) as step(kind, days, low, high, prefix) on fate >= low and fate < high
    ),
    all_facts as (
        select *, p * 3 // 10 as firm from (from singles union all from steps)
        where occurred_at < timestamp '{RECORDED_AT}'
    )
    select id, 'world' as source, kind, occurred_at, timestamp '{RECORDED_AT}' as recorded_at,
        case
            when kind in ('spend.paid', 'payout.paid') then '{{}}'
            when kind like 'deal.%' or kind like 'subscription.%' or kind like 'pay%'
                    or kind in ('invoice.issued', 'order.placed')
                then '{{"account.crm":"A' || firm || '","domain":"firm' || firm || '.example"}}'
            when dice % 3 = 0 or kind like 'lead.%'
                then '{{"anonymous_id":"c' || p || '","email":"p' || p || '@firm' || firm || '.example"}}'
            when dice % 3 = 1 then '{{"anonymous_id":"c' || p || '"}}'
            else '{{"email":"p' || p || '@firm' || firm || '.example"}}'
        end as keys,
        object_id,
        case when {PRICED} then ((hash(i) % 1000000) / 100.0)::decimal(18, 4) end as amount,
        case when {PRICED} then 'EUR' end as currency,
        case kind when 'nps.answered' then hash(i * 23) % 11 when 'csat.answered' then 1 + hash(i * 23) % 5
            when 'review.posted' then 1 + hash(i * 23) % 5 end::decimal(20, 10) as quantity,
        ([{channels}])[1 + (hash(i * 3) % 8)::int] as channel,
        'campaign' || (hash(i * 5) % 200) as campaign, null::varchar as partner, 'product' || (i % 12) as product,
        'owner' || (p % 40) as owner, null::varchar as text, '{{}}' as detail, 'world' as file, i::bigint as line
    from all_facts
    """


def build_world(home: Path, facts: int, people: int) -> Store:
    """Store a synthetic firm of about so many facts in a home, or open it when it is there."""
    store = Store.open(home)
    if store.snapshot().rows:
        return store
    work = home / "staging"
    work.mkdir(exist_ok=True)
    staged, refused = work / "facts.parquet", work / "refused.parquet"
    columns = ("source", "file", "field", "value", "rule", "next_step", "row")
    none = ", ".join(f"null::varchar as {name}" for name in columns)
    with duck.connect(store.spill, memory_limit="4GB") as db:
        db.execute(f"copy ({staged_sql(facts, people)}) to '{staged}' (compression lz4)")
        (rows,) = db.execute(f"select count(*) from '{staged}'").fetchall()[0]
        db.execute(
            f"copy (select {none}, null::bigint as line, null::timestamp as recorded_at where false) to '{refused}'"
        )
    part = Part("world", "world", f"{facts}-{people}", staged, refused, rows, rows, 0, 0)
    store.append([part], recorded_at=RECORDED_AT)
    staged.unlink()
    return store
