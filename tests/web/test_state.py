"""What a page's address says: the period, what it is compared with, the moment and the currency."""

from __future__ import annotations

import re
from datetime import date, timedelta
from urllib.parse import parse_qsl

import pytest

from plait.web.state import COMPARISONS, PERIODS, WEEKS, BadState, State, day_of, read_state

END = date(2026, 7, 1)  # a Wednesday


def read(end: date = END, **query: str) -> State:
    return read_state({name.rstrip("_"): value for name, value in query.items()}, end, as_of=None)


def before(state: State) -> tuple[date, date]:
    earlier = state.earlier()
    assert earlier is not None
    return earlier


def test_without_a_word_it_is_thirteen_weeks_compared_with_the_thirteen_before() -> None:
    state = read()
    assert (state.since, state.until) == (date(2026, 4, 1), END)
    assert before(state) == (date(2025, 12, 31), date(2026, 4, 1))
    assert state.query() == ""


@pytest.mark.parametrize("period", list(PERIODS))
@pytest.mark.parametrize("compare", ["previous", "year"])
@pytest.mark.parametrize("end", [END, date(2024, 3, 1), date(2026, 1, 1), date(2025, 12, 29)])
def test_a_matched_comparison_begins_on_the_same_weekday(period: str, compare: str, end: date) -> None:
    """Of equal length, whole weeks earlier, and never in the period itself."""
    state = read(end, period=period, compare=compare)
    since, until = before(state)
    assert since.weekday() == state.since.weekday()
    assert until - since == state.until - state.since
    assert (state.since - since).days % 7 == 0
    assert until <= state.since


@pytest.mark.parametrize(("period", "weeks"), list(WEEKS.items()))
def test_weeks_follow_on_each_other_without_a_gap(period: str, weeks: int) -> None:
    state = read(period=period)
    assert state.until - state.since == timedelta(weeks=weeks)
    assert before(state)[1] == state.since


def test_last_year_is_fifty_two_weeks_ago() -> None:
    state = read(compare="year")
    assert state.since - before(state)[0] == timedelta(days=364)
    assert before(read(period="52w", compare="year"))[1] == read(period="52w").since


def test_a_period_longer_than_a_year_is_compared_with_two_years_ago() -> None:
    state = read(from_="2025-01-01", to="2026-06-30", compare="year")
    assert state.since - before(state)[0] == timedelta(days=728)


def test_last_year_without_matching_is_the_same_dates() -> None:
    assert before(read(compare="year", match="no")) == (date(2025, 4, 1), date(2025, 7, 1))


def test_a_leap_day_is_compared_with_the_last_of_february() -> None:
    state = read(from_="2024-02-29", to="2024-03-10", compare="year", match="no")
    assert before(state) == (date(2023, 2, 28), date(2023, 3, 11))
    matched = read(from_="2024-02-29", to="2024-02-29", compare="year")
    assert before(matched) == (date(2023, 3, 2), date(2023, 3, 3))


@pytest.mark.parametrize(
    ("period", "end", "since", "earlier"),
    [
        ("month", date(2026, 6, 11), date(2026, 6, 1), (date(2026, 5, 1), date(2026, 5, 11))),
        ("month", date(2026, 7, 1), date(2026, 6, 1), (date(2026, 5, 1), date(2026, 5, 31))),
        ("month", date(2026, 4, 1), date(2026, 3, 1), (date(2026, 2, 1), date(2026, 3, 1))),
        ("month", date(2026, 2, 1), date(2026, 1, 1), (date(2025, 12, 1), date(2026, 1, 1))),
        ("quarter", date(2026, 2, 15), date(2026, 1, 1), (date(2025, 10, 1), date(2025, 11, 15))),
        ("quarter", date(2026, 7, 1), date(2026, 4, 1), (date(2026, 1, 1), date(2026, 4, 1))),
        ("year", date(2026, 7, 1), date(2026, 1, 1), (date(2025, 1, 1), date(2025, 7, 1))),
        ("year", date(2025, 1, 1), date(2024, 1, 1), (date(2023, 1, 1), date(2024, 1, 1))),
    ],
)
def test_a_calendar_period_without_matching_is_compared_to_date(
    period: str, end: date, since: date, earlier: tuple[date, date]
) -> None:
    """As many days of the calendar period before, and never a day of the period itself."""
    state = read(end, period=period, match="no")
    assert (state.since, state.until) == (since, end)
    assert before(state) == earlier


def test_own_days_include_the_last_one() -> None:
    state = read(from_="2026-05-01", to="2026-05-10")
    assert (state.period, state.since, state.until, state.last) == (
        "custom", date(2026, 5, 1), date(2026, 5, 11), date(2026, 5, 10),
    )  # fmt: skip
    assert before(state) == (date(2026, 4, 17), date(2026, 4, 27))
    assert before(read(from_="2026-05-01", to="2026-05-10", match="no")) == (date(2026, 4, 21), date(2026, 5, 1))


def test_own_days_without_a_last_one_go_on_to_the_end() -> None:
    assert read(from_="2026-06-30").until == END


def test_without_comparison_there_is_none() -> None:
    state = read(compare="none")
    assert (state.earlier(), state.moment_before()) == (None, None)


def test_a_stock_is_compared_with_the_end_of_the_period_before() -> None:
    assert read().moment_before() == date(2026, 4, 1)


@pytest.mark.parametrize(
    "query",
    [
        {}, {"period": "quarter"}, {"period": "52w", "compare": "year"}, {"compare": "none", "match": "no"},
        {"from": "2026-05-01", "to": "2026-05-10"}, {"currency": "USD"}, {"period": "month", "match": "no"},
    ],
)  # fmt: skip
def test_a_copied_address_shows_the_same(query: dict[str, str]) -> None:
    state = read_state(query, END, as_of=None)
    assert read_state(dict(parse_qsl(state.query())), END, as_of=None) == state


def test_an_address_can_be_changed_in_part() -> None:
    assert read(period="quarter").query(compare="none") == "period=quarter&compare=none"
    assert read(period="quarter", currency="USD").query(currency=None) == "period=quarter"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"period": "fortnight"}, f"allowed: {', '.join(PERIODS)}."),
        ({"compare": "rival"}, f"allowed: {', '.join(COMPARISONS)}."),
        ({"currency": "EURO"}, "use a code of ISO 4217"),
        ({"from": "yesterday"}, "write a day such as 2026-01-31"),
        ({"from": "2026-02-30"}, "write a day such as 2026-01-31"),
        ({"to": "2026-05-01"}, "write a day such as 2026-01-31"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "choose a later last day"),
        ({"from": "0001-01-01"}, "write a day such as 2026-01-31"),
        ({"from": "2026-01-01", "to": "9999-12-31"}, "write a day such as 2026-01-31"),
    ],
)
def test_what_cannot_be_read_says_what_can(query: dict[str, str], said: str) -> None:
    with pytest.raises(BadState, match=re.escape(said)):
        read_state(query, END, as_of=None)


def test_a_day_is_between_what_every_zone_knows() -> None:
    assert day_of("as_of", "1970-01-02") == date(1970, 1, 2)
    for text in ("1970-01-01", "9000-01-01", "20260131x", ""):
        with pytest.raises(BadState, match="as_of cannot be"):
            day_of("as_of", text)


def test_a_comparison_that_would_begin_before_all_days_is_still_one() -> None:
    state = read(from_="1970-01-02", to="2026-06-30")
    assert before(state)[0] < date(1970, 1, 2)
