"""A synthetic firm of any size, made by the engine itself: facts straight into a store, for timing only."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from plait import duck
from plait.store import Part, Store

KINDS = {  # kind: share of all facts in percent
    "page.viewed": 42, "visit.started": 20, "product.used": 14, "message.sent": 6, "ad.clicked": 4, "form.submitted": 3,
    "lead.mql": 2, "lead.sal": 1, "lead.sql": 1, "deal.opened": 1, "deal.won": 1, "deal.lost": 1, "invoice.issued": 1,
    "order.placed": 1, "spend.paid": 1, "ticket.opened": 1,
}  # fmt: skip
RECORDED_AT = datetime(2026, 11, 1)  # noqa: DTZ001 - the store keeps naive UTC
CHANNELS = ("organic_search", "paid_search", "social", "email", "event", "referral", "partner", "direct")


def staged_sql(facts: int, people: int) -> str:
    """Give a query for staged facts: two thirds of the people known by cookie and mail, ten a company, three years."""
    bounds, total = [], 0
    for kind, share in KINDS.items():
        total += share
        bounds.append(f"when dice < {total} then '{kind}'")
    channels = ", ".join(f"'{channel}'" for channel in CHANNELS)
    return f"""
    with thrown as (
        select i, hash(i * 7 + 1) % 100 as dice, (hash(i * 13 + 5) % {people})::bigint as p,
            timestamp '2023-10-01' + to_seconds((hash(i * 17 + 3) % 94608000)::bigint) as occurred_at
        from range({facts}) as t(i)
    ),
    kinds as (select *, case {" ".join(bounds)} end as kind from thrown)
    select 'f' || i as id, 'world' as source, kind, occurred_at, timestamp '{RECORDED_AT}' as recorded_at,
        case
            when kind = 'spend.paid' then '{{}}'
            when kind like 'deal.%' or kind in ('invoice.issued', 'order.placed')
                then '{{"account.crm":"A' || (p // 10) || '","domain":"firm' || (p // 10) || '.example"}}'
            when dice % 3 = 0
                then '{{"anonymous_id":"c' || p || '","email":"p' || p || '@firm' || (p // 10) || '.example"}}'
            when dice % 3 = 1 then '{{"anonymous_id":"c' || p || '"}}'
            else '{{"email":"p' || p || '@firm' || (p // 10) || '.example"}}'
        end as keys,
        case when kind like 'deal.%' or kind in ('invoice.issued', 'order.placed', 'ticket.opened')
            then 'o' || (p // 10) || '-' || (i % 5) end as object_id,
        case when kind like 'deal.%' or kind in ('invoice.issued', 'order.placed', 'spend.paid')
            then ((hash(i) % 1000000) / 100.0)::decimal(18, 4) end as amount,
        case when kind like 'deal.%' or kind in ('invoice.issued', 'order.placed', 'spend.paid')
            then 'EUR' end as currency,
        null::decimal(20, 10) as quantity,
        ([{channels}])[1 + (hash(i * 3) % 8)::int] as channel,
        'campaign' || (hash(i * 5) % 200) as campaign, null::varchar as partner, 'product' || (i % 12) as product,
        'owner' || (p % 40) as owner, null::varchar as text, '{{}}' as detail, 'world' as file, i::bigint as line
    from kinds
    """


def build_world(home: Path, facts: int, people: int) -> Store:
    """Store a synthetic firm in a home, or open it when it is there."""
    store = Store.open(home)
    if store.snapshot().rows >= facts:
        return store
    work = home / "staging"
    work.mkdir(exist_ok=True)
    refused = work / "refused.parquet"
    columns = ("source", "file", "field", "value", "rule", "next_step", "row")
    none = ", ".join(f"null::varchar as {name}" for name in columns)
    with duck.connect(store.spill, memory_limit="4GB") as db:
        db.execute(f"copy ({staged_sql(facts, people)}) to '{work / 'facts.parquet'}' (compression lz4)")
        db.execute(
            f"copy (select {none}, null::bigint as line, null::timestamp as recorded_at where false) to '{refused}'"
        )
    part = Part("world", "world", f"{facts}-{people}", work / "facts.parquet", refused, facts, facts, 0, 0)
    store.append([part], recorded_at=RECORDED_AT)
    return store
