"""Numbers, money and days as people write them in English, French and Korean."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
)
from django.utils.translation import get_language, gettext

from plait.measure import DATE_UNITS, MONEY_UNIT, Cell

UNKNOWN = "–"
COMPACT_FROM = 10_000  # below, every digit is read; above, three of them


def locale() -> Locale:
    """Give the locale of the language that is spoken now."""
    return Locale.parse((get_language() or "en").replace("-", "_"))


def shown(cell: Cell, unit: str, currency: str | None = None, *, compact: bool = False) -> str:
    """Give a cell as people read it in their language; what is unknown is a dash."""
    if cell is None:
        return UNKNOWN
    if isinstance(cell, str):
        return str(cell)
    if unit in DATE_UNITS or isinstance(cell, date):
        return month(cell) if unit == "month" else day(cell)
    if unit == "share":
        return str(format_percent(cell, _percent(), locale=locale()))
    if unit == "score":
        return str(format_decimal(round(100 * float(cell)), locale=locale()))
    if unit == MONEY_UNIT:
        return money(Decimal(str(cell)), currency, compact=compact)
    if compact and isinstance(cell, float) and abs(cell) >= COMPACT_FROM:
        return str(format_compact_decimal(round(cell), locale=locale(), fraction_digits=1))
    if isinstance(cell, float):
        digits = (
            "#,##0.0"
            if unit in ("days", "months", "minutes", "credit", "touches") or (compact and unit == "expected")
            else "#,##0.00"
        )
        return str(format_decimal(round(cell, 6), digits, locale=locale()))
    if compact and abs(int(cell)) >= COMPACT_FROM:
        return str(format_compact_decimal(cell, locale=locale(), fraction_digits=1))
    return str(format_decimal(cell, locale=locale()))


def plain(number: Decimal) -> str:
    """Give a number with the digits that it has, as people write it."""
    return str(format_decimal(number.normalize(), locale=locale(), decimal_quantization=False))


def money(amount: Decimal, currency: str | None, *, compact: bool = False) -> str:
    """Give money with its currency; an unknown currency is none."""
    if not currency or len(currency) != len("EUR"):
        return str(format_decimal(amount, "#,##0.00", locale=locale()))
    if compact and abs(amount) >= COMPACT_FROM:
        return str(format_compact_currency(amount, currency, locale=locale(), fraction_digits=1))
    return str(format_currency(amount, currency, locale=locale()))


def whole_money(amount: Decimal, currency: str | None) -> str:
    """Give money without its minor unit, as limits are read that are no more exact than that."""
    if not currency or len(currency) != len("EUR"):
        return str(format_decimal(round(amount), locale=locale()))
    pattern = str(locale().currency_formats["standard"].pattern).replace(".00", "")
    return str(format_currency(round(amount), currency, pattern, locale=locale(), currency_digits=False))


def day(value: Cell) -> str:
    """Give a day in words short enough for a table."""
    return str(format_date(value, "medium", locale=locale())) if isinstance(value, date) else str(value)


def month(value: Cell) -> str:
    """Give a month."""
    if not isinstance(value, date):
        return str(value)
    return str(format_date(value, "y년 M월" if locale().language == "ko" else "MMM y", locale=locale()))


def instant(value: datetime) -> str:
    """Give an instant to the minute."""
    return f"{format_date(value, 'medium', locale=locale())}, {format_time(value, 'short', locale=locale())}"


def seconds(value: float) -> str:
    """Give a duration in seconds, to a tenth."""
    return str(format_decimal(round(value, 1), "#,##0.0", locale=locale()))


def period(since: date, until: date) -> str:
    """Give a period [since, until) by its first and last day."""
    return f"{day(since)} – {day(date.fromordinal(until.toordinal() - 1))}"


def change(now: Cell, before: Cell, unit: str) -> tuple[str, int] | None:
    """Give the change between two cells in words, and its direction (-1, 0, 1); None where one is unknown.

    Shares and scores change in points and absolute numbers, counts and money in percent.
    """
    if not isinstance(now, int | float | Decimal) or not isinstance(before, int | float | Decimal):
        return None
    difference = float(now) - float(before)
    way = (difference > 0) - (difference < 0)
    if unit == "share":
        text = format_decimal(100 * difference, "+#,##0.0;-#,##0.0", locale=locale())
        return gettext("%(points)s pts") % {"points": text}, way
    if unit == "score":
        return str(format_decimal(round(100 * difference), "+#,##0;-#,##0", locale=locale())), way
    if unit in ("ratio", "points", "days", "months", "minutes", "credit", "touches"):
        return str(format_decimal(difference, "+#,##0.00;-#,##0.00", locale=locale())), way
    if not before:
        return (
            (str(format_decimal(difference, "+#,##0;-#,##0", locale=locale())), way) if isinstance(now, int) else None
        )
    return str(format_percent(difference / abs(float(before)), _percent(signed=True), locale=locale())), way


def _percent(*, signed: bool = False) -> str:
    """Give the locale's own pattern with one digit: French puts a blank before the sign."""
    pattern = str(locale().percent_formats[None].pattern).replace("#,##0", "0.0")
    return f"+{pattern};-{pattern}" if signed else pattern
