"""Read what is known of customers from one file: a log of purchases, a summary, occasions, or counts of a cohort.

The shape is told by the columns. What cannot be read is refused with its line and column; what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.cli.columns import Columns, opened
from plait.cli.plainly import Refusal
from plait.duck import identifier, literal
from plait.stats.clv.bg_bb import Occasions, occasions
from plait.stats.clv.rows import Customers, Purchases, summarise
from plait.stats.clv.shifted_beta_geometric import Renewals, renewals, survivors

if TYPE_CHECKING:
    import pyarrow as pa

    from plait.stats.clv.special import Array, Index

WEIGHTS = ("weight", "weights", "n_custs", "n_customers")
NAMES: Mapping[str, tuple[str, ...]] = {
    "customer": ("customer", "customer_id", "customerid", "cust", "account", "account_id", "client", "client_id", "id"),
    "date": ("date", "day", "order_date", "orderdate", "purchase_date", "invoice_date", "occurred_at", "ordered_at"),
    "amount": ("amount", "value", "revenue", "dollar_value", "sales", "spend", "total", "net"),
    "x": ("x", "frequency"),
    "t_x": ("t_x", "recency", "tx"),
    "T": ("t", "age", "tenure"),
    "spend": ("zbar", "monetary_value", "monetary", "m_x", "mean_spend"),
    "n": ("n", "periods", "occasions", "n_periods"),
    "count": ("count", *WEIGHTS, "customers", "num"),
    "period": ("period", "age", "t", "month", "year", "renewal"),
    "lost": ("lost", "churned", "churn", "lapsed"),
    "kept": ("kept", "still_here", "retained", "censored"),
    "survivors": ("survivors", "alive", "active", "remaining", "customers", "surviving"),
    "tenure": ("tenure", "age", "periods"),
    "churned": ("churned", "churn", "lost", "left"),
}
SHAPES = {
    "bg-nbd": "a log (a customer, a date, perhaps an amount) or a summary (x or frequency, t_x or recency, T)",
    "gamma-gamma": "a log (a customer, a date, an amount) or a summary (x or frequency, zbar or monetary_value)",
    "bg-bb": "x, t_x, n, perhaps count",
    "sbg": "period, lost, kept; or period, survivors; or tenure, churned of each customer",
}
SHAPES |= dict.fromkeys(("mbg-nbd", "geometric-nbd", "nbd"), SHAPES["bg-nbd"])
EPOCH = date(1970, 1, 1).toordinal()
YES, NO = ("yes", "y", "1", "1.0", "true", "t"), ("no", "n", "0", "0.0", "false", "f")


@dataclass(frozen=True, slots=True)
class Asked:
    """How to read the file: names (or, where it has no header, numbers) of columns, and which rows."""

    model: str
    customer: str | None = None
    day: str | None = None
    amount: str | None = None
    until: date | None = None
    date_format: str | None = None
    only: tuple[str, ...] = ()
    days: float = 7.0


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a file says: customers (with their purchases, where it is a log), occasions, or renewals.

    `names` are the customers in the order of the rows; `row` tells a customer's row among the occasions. `left_out`
    counts what was not used, by why; `notes` say what was taken for granted.
    """

    names: pa.Array | None = None
    customers: Customers | None = None
    purchases: Purchases | None = None
    occasions: Occasions | None = None
    renewals: Renewals | None = None
    row: Index | None = None
    until: date | None = None
    first: date | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_history(path: Path, asked: Asked) -> History:
    """Read a file for a model."""
    numbered = any((one or "").isdigit() for one in (asked.customer, asked.day, asked.amount))
    with opened(path, numbered=numbered, only=asked.only) as file:
        if asked.model == "sbg":
            return _renewals(file)
        if asked.model == "bg-bb":
            return _occasions(file)
        summary = None if asked.customer or asked.day else _summary(file, asked.model)
        return summary or _log(file, asked)


def _find(file: Columns, role: str) -> str | None:
    """Find the column that plays a role by its usual names."""
    return file.usual(NAMES[role])


def _needs(file: Columns, model: str) -> Refusal:
    """Say which columns a model needs, and which the file has."""
    return Refusal(
        f"{file.path.name} has the columns {', '.join(file.names)}; {model} needs {SHAPES[model]}. Rename them; "
        "those of a log can be named with --customer, --date, --amount (by number where the file has no header)."
    )


def _summary(file: Columns, model: str) -> History | None:
    """Read one row per customer, or per group of them with a weight; None where the columns are not a summary's."""
    x, t_x, age, spend = (_find(file, role) for role in ("x", "t_x", "T", "spend"))
    money_only = model == "gamma-gamma" and spend is not None
    if x is None or ((t_x is None or age is None) and not money_only):
        return None
    file.refuse(x, f"coalesce({file.number(x)} < 0, false)", "is no count of repeat purchases (0, 1, 2, ...)")
    counts, *times = file.numbers(x, *(one for one in (t_x, age) if one is not None))
    if t_x is None or age is None:
        times = [np.where(counts > 0, 1.0, 0.0)] * 2
    else:
        _refuse_times(file, x, t_x, age)
    left_out: dict[str, int] = {}
    means = valued = None
    if spend is not None:
        means = _means(file, x, spend)
        valued = np.where(means > 0, counts, 0.0)
        left_out |= _without_value(counts, means)
    every = _weighted(file, counts.size)
    names = _find(file, "customer")
    customers = Customers(
        counts[every], times[0][every], times[1][every], None if means is None else means[every],
        None if valued is None else valued[every],
    )  # fmt: skip
    return History(None if names is None else file.texts(names).take(every), customers, left_out=left_out)


def _means(file: Columns, x: str, spend: str) -> Array:
    """Read mean values; none is needed where nothing was bought again."""
    text, number = f"coalesce(lower(trim({identifier(spend)})), '')", file.number(spend)
    none = f"({file.number(x)} = 0 and {text} in ('', 'nan', 'na', 'null'))"
    file.refuse(spend, f"not ({none} or coalesce(isfinite({number}), false))", "is no number")
    file.refuse(spend, f"coalesce({number} < 0, false)", "is below 0, and a mean of purchases cannot be")
    read = file.rows(f"select case when {none} then 0 else {number} end as mean from lines order by rowid")
    return np.asarray(read["mean"], np.float64)


def _without_value(counts: Array, means: Array) -> dict[str, int]:
    """Count what is in no mean value."""
    found = {
        "customers with repeat purchases worth 0, not in the money": int(np.count_nonzero((counts > 0) & (means == 0))),
        "mean values of customers without repeat purchases": int(np.count_nonzero((counts == 0) & (means > 0))),
    }
    return {why: count for why, count in found.items() if count}


def _weighted(file: Columns, size: int) -> Index:
    """Give the row of each customer: a row stands for as many as its weight says."""
    weight = file.usual(WEIGHTS)
    if weight is None:
        return np.arange(size)
    number = file.number(weight)
    file.refuse(weight, f"coalesce({number} < 0 or {number} <> floor({number}), false)", "is no count of customers")
    return np.repeat(np.arange(size), file.numbers(weight)[0].astype(np.int64))


def _refuse_times(file: Columns, x: str, t_x: str, age: str) -> None:
    """Refuse a row that cannot be, with its line."""
    count, last, end = file.number(x), file.number(t_x), file.number(age)
    file.refuse(x, f"{count} <> floor({count})", "is no count of repeat purchases (0, 1, 2, ...)")
    file.refuse(t_x, f"{last} > {end}", f"is later than the end of observation in {age}")
    file.refuse(
        t_x, f"{count} = 0 and {last} <> 0", f"tells of a last purchase where {x} says that nothing was bought again"
    )
    file.refuse(
        t_x, f"{count} > 0 and {last} <= 0", f"puts the last purchase at the first, where {x} says there were more"
    )


def _log(file: Columns, asked: Asked) -> History:
    """Read purchases, one row each, and tell each customer's as one line."""
    who, when, worth = (
        _find(file, role) if given is None else file.named(given)
        for role, given in (("customer", asked.customer), ("date", asked.day), ("amount", asked.amount))
    )
    if who is None or when is None or (worth is None and asked.model == "gamma-gamma"):
        raise _needs(file, asked.model)
    day = _day(when, asked.date_format)
    file.refuse(who, f"coalesce(trim({identifier(who)}), '') = ''", "names no customer")
    file.refuse(
        when, f"{day} is null", "is no date; write 2026-01-31 or 20260131, or say how with --date-format %d.%m.%Y"
    )
    amount = "null::double" if worth is None else file.number(worth)
    if worth is not None:
        file.refuse(worth, f"not coalesce(isfinite({amount}), false)", "is no amount; write 1234.56")
        _refuse_currencies(file)
    file.engine.execute(
        f"create temp table rows as select trim({identifier(who)}) as who, {day} as day, {amount} as amount from lines"
    )
    until = asked.until or file.engine.execute("select max(day) from rows").fetchall()[0][0]
    return _told(file, until, asked, money=worth is not None)


def _day(column: str, written: str | None) -> str:
    text = f"trim({identifier(column)})"
    if written is not None:
        return f"try_strptime({text}, {literal(written)})::date"
    return f"coalesce(try_cast({text} as date), try_strptime({text}, '%Y%m%d')::date)"


def _refuse_currencies(file: Columns) -> None:
    """Refuse a sum across currencies."""
    column = next((one for one in file.names if one.lower() in ("currency", "currency_code")), None)
    if column is None:
        return
    found = file.engine.execute(
        f"select distinct upper(trim({identifier(column)})) as name from lines order by name"
    ).fetchall()
    if len(found) > 1:
        names = [str(name) for (name,) in found]
        raise Refusal(
            f"{file.path.name} has amounts in {len(names)} currencies ({', '.join(names[:6])}), and they are not "
            f"summed; take one with --only {column}={names[0]}."
        )


def _told(file: Columns, until: date, asked: Asked, *, money: bool) -> History:
    """Tell the purchases until a day; what came later is left out and counted."""
    file.engine.execute(f"""
        create temp table days as select who, day, sum(amount) as amount from rows
        where day <= date {literal(until.isoformat())} group by who, day
        having count(*) filter (where amount is null or amount >= 0) > 0
            and not coalesce(sum(amount) <= 0 and sum(amount) filter (where amount > 0) > 0, false)
    """)
    people = "select who, row_number() over (order by who) - 1 as n from (select distinct who from days)"
    file.engine.execute(f"create temp table people as {people}")
    read = file.rows("""
        select n as customer, day - date '1970-01-01' as day, amount from days join people using (who) order by n, day
    """)
    if not len(read["day"]):
        raise Refusal(f"{file.path.name} has no purchase until {until}; choose a later --until.")
    amount = np.ma.filled(read["amount"], 0.0).astype(np.float64) if money else None
    purchases = Purchases(read["customer"].astype(np.int64), read["day"].astype(np.int64), amount)
    left_out, notes = _apart(file, until, asked)
    return History(
        names=file.arrow("select who from people order by n"),
        customers=summarise(purchases, until.toordinal() - EPOCH, unit=asked.days),
        purchases=purchases,
        until=until,
        first=date.fromordinal(int(purchases.day.min()) + EPOCH),
        left_out=left_out,
        notes=notes,
    )


def _apart(file: Columns, until: date, asked: Asked) -> tuple[dict[str, int], tuple[str, ...]]:
    """Count what was left out, and say what was taken for granted."""
    later, back, free = file.engine.execute(f"""
        select count(*) filter (where day > last), count(*) filter (where day <= last and amount < 0),
            count(*) filter (where day <= last and amount = 0)
        from rows, (select date {literal(until.isoformat())} as last)
    """).fetchall()[0]
    left_out = {f"purchases after {until}": later, "refunds (amounts below 0)": back}
    said = {
        f"observed until {until}, the last day in the file; say --until if it was observed for longer": not asked.until,
        "a refund lowers what was bought on its own day, and undoes it where nothing is left": back,
        f"purchases worth 0 count as purchases, and are in no mean value ({free:,} rows)": free,
    }
    return {why: count for why, count in left_out.items() if count}, tuple(
        note for note, holds in said.items() if holds
    )


def _occasions(file: Columns) -> History:
    """Read customers who buy at fixed occasions."""
    x, t_x, n, count = (_find(file, role) for role in ("x", "t_x", "n", "count"))
    if x is None or t_x is None or n is None:
        raise _needs(file, "bg-bb")
    columns = [x, t_x, n, *([] if count is None else [count])]
    rows, row = occasions(*file.numbers(*columns))
    names = _find(file, "customer")
    return History(None if names is None else file.texts(names), occasions=rows, row=row)


def _renewals(file: Columns) -> History:
    """Read counts of a cohort, or how long each customer stayed."""
    period, lost, kept, there = (_find(file, role) for role in ("period", "lost", "kept", "survivors"))
    if period and lost and kept and len({period, lost, kept}) == len("plk"):
        return _counted(*file.numbers(period, lost, kept))
    if period and there and period != there:
        ages, counts = file.numbers(period, there)
        order = np.argsort(ages, kind="stable")
        return _followed(ages[order], counts[order])
    tenure, churned = _find(file, "tenure"), _find(file, "churned")
    if tenure is None or churned is None:
        raise _needs(file, "sbg")
    said = f"lower(trim({identifier(churned)}))"
    allowed = ", ".join(literal(one) for one in (*YES, *NO))
    file.refuse(churned, f"coalesce({said}, '') not in ({allowed})", "is neither yes nor no")
    file.refuse(
        tenure,
        f"coalesce({file.number(tenure)} < 0 or {file.number(tenure)} <> floor({file.number(tenure)}), true)",
        "is no whole number of periods",
    )
    yes = ", ".join(literal(one) for one in YES)
    read = file.rows(f"""
        select {file.number(tenure)} as tenure, count(*) filter (where {said} in ({yes})) as lost, count(*) as every
        from lines group by tenure order by tenure
    """)
    age, gone, every = (read[name].astype(np.float64) for name in ("tenure", "lost", "every"))
    begun = age > 0
    new = int(every[~begun].sum())
    left_out = {"customers who have not been here for a whole period": new} if new else {}
    return History(renewals=renewals(age[begun], gone[begun], (every - gone)[begun]), left_out=left_out)


def _counted(period: Array, lost: Array, kept: Array) -> History:
    """Read lost and kept per period; where kept is what the period before left less the lost, it is one cohort."""
    order = np.argsort(period, kind="stable")
    period, lost, kept = period[order], lost[order], kept[order]
    if period.size > 1 and lost[0] >= 0 and np.allclose(kept[:-1], kept[1:] + lost[1:]):
        last = np.zeros(period.size)
        last[-1] = kept[-1]
        note = "kept is read as those of one cohort who are still there after each period"
        return History(renewals=renewals(period, lost, last), notes=(note,))
    note = "kept is read as customers last seen at this age, still there: each customer is counted once"
    return History(renewals=renewals(period, lost, kept), notes=(note,))


def _followed(ages: Array, counts: Array) -> History:
    """Read how many of one cohort are still there after 0, 1, 2, ... periods."""
    if ages.size < 2 or (np.diff(ages) != 1).any() or ages[0] != 0:  # noqa: PLR2004 - a start and a renewal
        raise Refusal(
            "survivors are given for the periods 0, 1, 2, ... without a gap; period 0 is how many there were at first."
        )
    return History(renewals=survivors(counts))
