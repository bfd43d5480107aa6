"""Money: amounts of several currencies brought into one, or kept apart; never added up across currencies."""

from decimal import Decimal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Caution, Facts
from plait.measures._cohort import UNKNOWN
from plait.measures._month import month_of, months_between, running_month

MONEY = "decimal(38,4)"
RATE = "decimal(19,10)"  # times an amount of (18,4) it stays exact in 38 digits; with (20,10) Spark drops the last one
QUOTED = ("source", "id", "occurred_at", "occurred_on", "object_id", "quantity", "currency")


def in_one_currency(facts: Facts, table: ir.Table, *, day: str = "occurred_on") -> ir.Table:
    """Add `money` and `money_currency` to rows with `amount` and `currency`; `day` names the column of local days.

    An amount in another currency than the firm's is converted at the last rate on or before the first day of its
    month, so that growth is not exchange rate, and rounded to 4 digits, half away from zero. Without such a rate it
    stays in its own currency. `money_currency` is None where there is no amount and `(unknown)` where an amount has no
    currency.
    """
    money = table.amount.cast(MONEY)
    currency = table.amount.notnull().ifelse(table.currency.fill_null(UNKNOWN), ibis.null("string"))
    if facts.currency is None:
        return table.mutate(money=money, money_currency=currency)
    rates = monthly_rates(facts, facts.currency)
    keys = [table.currency == rates.fx_currency, month_of(table[day]) == rates.fx_month]
    return (
        table.mutate(money=money, money_currency=currency)
        .left_join(rates, keys)
        .mutate(
            money=ibis.ifelse(_.fx_rate.isnull(), _.money, (_.amount.cast("decimal(18,4)") * _.fx_rate).cast(MONEY)),
            money_currency=ibis.ifelse(
                _.fx_rate.isnull() | _.amount.isnull(), _.money_currency, ibis.literal(facts.currency)
            ),
        )
        .drop("fx_currency", "fx_month", "fx_rate")
    )


def monthly_rates(facts: Facts, home: str) -> ir.Table:
    """Give `fx_rate`, the price of one `fx_currency` in `home` money, for each month `fx_month` that has one.

    A rate quoted the other way round (1 / rate, rounded to 10 digits) serves only a currency that has none of its own.
    """
    quotes = facts.of("fx.rate").select(*QUOTED).filter(_.quantity > 0, _.quantity < 10**9, _.object_id != _.currency)
    quotes = quotes.filter((_.currency == home) | (_.object_id == home)).mutate(direct=_.currency == home)
    turned = (1 / _.quantity.cast("float64").nullif(0)).round(10).cast(RATE)
    rates = quotes.mutate(
        fx_currency=ibis.ifelse(_.direct, _.object_id, _.currency),
        fx_rate=ibis.ifelse(_.direct, _.quantity.cast(RATE), turned),
        since=month_of(_.occurred_on) + (_.occurred_on.day() > 1).cast("int64"),  # only the first day's rate is in time
    )
    own = rates.direct.cast("int8").max().over(group_by="fx_currency")
    rates = rates.mutate(own=own).filter(_.direct.cast("int8") == _.own)
    newest_first = [_.occurred_at.desc(), _.source.desc(), _.id.desc()]
    last = rates.mutate(turn=ibis.row_number().over(group_by=["fx_currency", "since"], order_by=newest_first)).filter(
        _.turn == 0
    )
    until = _.since.lead().over(group_by="fx_currency", order_by="since").fill_null(running_month(facts) + 1)
    held = last.mutate(until=until)
    return held.select("fx_currency", "fx_rate", fx_month=months_between(held.since, held.until))


def apart(table: ir.Table, what: str) -> Caution:
    """Warn when rows with `money_currency` are in more than one currency; `what` says what follows for the reader."""
    currencies = table.filter(_.money_currency.notnull()).select("money_currency").distinct()
    several = currencies.mutate(n=_.money_currency.count().over(ibis.window())).filter(_.n > 1)
    return Caution(
        several.select("money_currency").order_by("money_currency"),
        "Amounts are in {n} currencies ({some}) that cannot be added up: {what}. To see one number, load `fx.rate` "
        "facts and name the currency the firm reports in.",
        {"what": what},
    )


def alone(currency: ir.StringColumn) -> ir.StringScalar:
    """Give the currency of a group when it is the only one, else None."""
    return ibis.ifelse(currency.min() == currency.max(), currency.min(), ibis.null("string"))


def only(amount: ir.Value, currency: ir.Value) -> ir.Value:
    """Give the amount where its group has one currency (see `alone`), else None."""
    return ibis.ifelse(currency.isnull(), ibis.null(amount.type()), amount)


def share(part: ir.NumericValue, whole: ir.NumericValue) -> ir.FloatingValue:
    """Divide two exact numbers; None when the whole is 0. Both become doubles first: every engine then rounds alike."""
    return part.cast("float64") / whole.cast("float64").nullif(0)


def each(amount: ir.NumericValue, count: ir.NumericValue, *, times: ir.NumericValue | int = 1) -> ir.DecimalValue:
    """Multiply money by `times` and divide it by a count, rounded to 4 digits, half up; None when the count is 0.

    Decimal division has another scale on each engine; in doubles of the smallest unit a tie is exact and all agree.
    """
    units = (amount.cast("float64") * 10_000).round() * times / count.cast("float64").nullif(0)
    return (units + 0.5).floor().cast("int64").cast("decimal(18,0)") * ibis.literal(Decimal("0.0001"), "decimal(18,4)")
