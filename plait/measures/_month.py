"""Months: counted from the year 0, so that they can be subtracted, and turned back into days for the reader."""

import ibis
import ibis.expr.types as ir

from plait.measure import Facts

PERIODS = {"day": "D", "month": "M", "quarter": "Q", "year": "Y"}


def month_of(day: ir.DateValue) -> ir.IntegerValue:
    """Count the months from the year 0 to a day."""
    return (day.year() * 12 + day.month() - 1).cast("int64")


def running_month(facts: Facts) -> ir.IntegerValue:
    """Give the month that is not over yet on the day asked for."""
    return month_of(facts.today)


def first_day(month: ir.IntegerValue) -> ir.DateValue:
    """Give the first day of a counted month."""
    years = ((month - month % 12) / 12).cast("int32")
    return ibis.date(years, (month % 12 + 1).cast("int32"), 1)


def months_between(start: ir.IntegerValue, end: ir.IntegerValue) -> ir.IntegerValue:
    """Give one row for each counted month in [start, end)."""
    return ibis.range(start, end, 1).unnest()
