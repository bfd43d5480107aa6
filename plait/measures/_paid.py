"""What was paid to win and keep customers."""

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Facts
from plait.measures._money import in_one_currency

PARTNER = "partner"  # the channel of what is paid to partners


def paid_out(facts: Facts, *, include_payouts: bool) -> ir.Table:
    """Give what was spent, with `money` and `money_currency`; payouts to partners too unless left out."""
    paid = facts.of("spend.paid", "payout.paid") if include_payouts else facts.of("spend.paid")
    channel = ibis.ifelse(_.kind == "payout.paid", PARTNER, _.channel)
    columns = ("source", "occurred_on", "amount", "currency", "campaign", "partner", "product", "owner")
    return in_one_currency(facts, paid.select(*columns, channel=channel))
