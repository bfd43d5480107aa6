"""How numbers, money and days are written in English, French and Korean."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation

from plait.measure import Cell
from plait.web import formats

LANGUAGES = ("en", "fr", "ko")


def folded(text: str) -> str:
    """Give a text with its narrow and its unbreakable blanks as plain ones."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def in_each(cell: Cell, unit: str, currency: str | None = None, *, compact: bool = False) -> tuple[str, ...]:
    """Give a cell as each of the languages writes it."""
    told = []
    for language in LANGUAGES:
        with translation.override(language):
            told.append(folded(formats.shown(cell, unit, currency, compact=compact)))
    return tuple(told)


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (191_400_000, ("€191.4M", "191,4 M €", "€1.9억")),
        (118_000, ("€118K", "118 k €", "€11.8만")),
        (-40_000, ("-€40K", "-40 k €", "-€4만")),
    ],
)
def test_large_money_is_short(amount: int, written: tuple[str, ...]) -> None:
    assert in_each(Decimal(amount), "money", "EUR", compact=True) == written


def test_money_in_full_has_every_digit() -> None:
    written = ("€191,400,000.00", "191 400 000,00 €", "€191,400,000.00")
    assert in_each(Decimal(191_400_000), "money", "EUR") == written


def test_small_money_is_never_short() -> None:
    assert in_each(Decimal("9999.5"), "money", "EUR", compact=True) == ("€9,999.50", "9 999,50 €", "€9,999.50")


def test_a_currency_has_its_own_digits() -> None:
    assert in_each(Decimal(1200), "money", "KRW") == ("₩1,200", "1 200 ₩", "₩1,200")


def test_money_of_no_known_currency_names_none() -> None:
    for currency in (None, "", "(unknown)"):
        assert in_each(Decimal("1234.5"), "money", currency) == ("1,234.50", "1 234,50", "1,234.50")


def test_a_share_has_one_digit() -> None:
    assert in_each(0.362, "share") == ("36.2%", "36,2 %", "36.2%")
    assert in_each(1.0, "share") == ("100.0%", "100,0 %", "100.0%")


def test_a_count_is_grouped_and_shortened_where_space_is_short() -> None:
    assert in_each(12_345, "accounts") == ("12,345", "12 345", "12,345")
    assert in_each(12_345, "accounts", compact=True) == ("12.3K", "12,3 k", "1.2만")
    assert in_each(9_999, "accounts", compact=True) == ("9,999", "9 999", "9,999")


def test_days_have_one_digit_and_ratios_two() -> None:
    assert in_each(1234.56, "days") == ("1,234.6", "1 234,6", "1,234.6")
    assert in_each(1.005, "ratio") == ("1.00", "1,00", "1.00")


def test_days_and_months_are_written_in_words() -> None:
    assert in_each(date(2026, 7, 1), "day") == ("Jul 1, 2026", "1 juil. 2026", "2026. 7. 1.")
    assert in_each(date(2026, 7, 1), "month") == ("Jul 2026", "juil. 2026", "2026년 7월")


def test_what_is_unknown_is_a_dash() -> None:
    assert in_each(None, "money", "EUR") == ("–", "–", "–")


def test_a_period_is_told_by_its_first_and_its_last_day() -> None:
    with translation.override("en"):
        assert formats.period(date(2026, 4, 1), date(2026, 7, 1)) == "Apr 1, 2026 – Jun 30, 2026"


def changes(now: Cell, before: Cell, unit: str) -> tuple[tuple[str, int] | None, ...]:
    told = []
    for language in LANGUAGES:
        with translation.override(language):
            change = formats.change(now, before, unit)
            told.append((folded(change[0]), change[1]) if change else None)
    return tuple(told)


def test_money_and_counts_change_in_percent() -> None:
    assert changes(Decimal(110), Decimal(100), "money") == (("+10.0%", 1), ("+10,0 %", 1), ("+10.0%", 1))
    assert changes(90, 100, "accounts")[0] == ("-10.0%", -1)
    assert changes(-50, -100, "accounts")[0] == ("+50.0%", 1)
    assert changes(100, 100, "accounts")[0] == ("+0.0%", 0)


def test_shares_change_in_points_and_scores_in_numbers() -> None:
    with translation.override("en"):
        assert formats.change(0.362, 0.35, "share") == ("+1.2 pts", 1)
        assert formats.change(4.25, 4.5, "points") == ("-0.25", -1)
        assert formats.change(12.0, 10.0, "days") == ("+2.00", 1)


def test_no_change_is_told_where_one_side_is_unknown() -> None:
    assert changes(None, 5, "accounts") == (None, None, None)
    assert changes(5, None, "accounts") == (None, None, None)


def test_from_nothing_there_is_no_percentage() -> None:
    """A count grows by a number; money from nothing to something is no change that can be said."""
    assert changes(1200, 0, "accounts") == (("+1,200", 1), ("+1 200", 1), ("+1,200", 1))
    assert changes(Decimal(5), Decimal(0), "money") == (None, None, None)
