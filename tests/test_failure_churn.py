"""Churn after a failure: who is compared to whom, what refuses, and whether the planted effect is found."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stories import RECORDED, Story

from plait.demo.channels import STAYING
from plait.demo.world import World, simulate
from plait.facts import Fact
from plait.measure import Table
from plait.measures.failure_churn import UP_TO, failure_churn
from plait.stats.rates import Strata, UnfitStrata, risk_difference, risk_ratio, standardised, wilson

CHECK = Path(__file__).parent / "checks" / "failure_churn.sql"
END = date(2026, 7, 1)
MAY = date(2026, 5, 1)


def rows(table: Table) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Give the rows: those with a failure, those alike without one, the published figure."""
    failed, alike, published = table.records()
    return failed, alike, published


def rounded(table: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Give rows whose numbers can be compared."""
    return [tuple(round(cell, 9) if isinstance(cell, float) else cell for cell in row) for row in table]


def at(day: str, **more: str) -> datetime:
    """Give an instant in UTC."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(**{k: float(v) for k, v in more.items()})


class Firm:
    """Facts of a firm, told one after the other."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def add(self, kind: str, account: str, when: datetime, thing: str, **more: Any) -> None:  # noqa: ANN401
        """Tell one fact."""
        self.facts.append(
            Fact(
                source="story", id=f"f{len(self.facts):06}", kind=kind, occurred_at=when, recorded_at=RECORDED,
                keys={"account.story": account} if account else {}, object_id=thing, **more,
            )
        )  # fmt: skip

    def contract(self, account: str, starts: datetime, ends: datetime | None = None, thing: str = "") -> None:
        """Tell a contract of 100 EUR a month."""
        thing = thing or f"c-{account}"
        self.add("subscription.started", account, starts, thing, amount=Decimal(100), currency="EUR")
        if ends is not None:
            self.add("subscription.ended", account, ends, thing)

    def ticket(self, account: str, opens: datetime, resolved: datetime | None, priority: str = "urgent") -> None:
        """Tell a request for help."""
        thing, detail = f"t{len(self.facts)}", {"priority": priority} if priority else {}
        self.add("ticket.opened", account, opens, thing, detail=detail)
        if resolved is not None:
            self.add("ticket.resolved", account, resolved, thing)

    def asked(self, until: date = MAY, **options: object) -> Table:
        """Answer the measure."""
        return Story(self.facts).until(until).table(failure_churn, **options)


def firm(failing: int, alike: int) -> Firm:
    """Let customers begin in January 2026; the first `failing` wait six days for an answer in February."""
    told = Firm()
    for number in range(failing + alike):
        told.contract(f"a{number:02}", at("2026-01-10"))
    for number in range(failing):
        told.ticket(f"a{number:02}", at("2026-02-03"), at("2026-02-09"))
    return told


# -- who is compared to whom


def test_a_first_failure_is_compared_with_customers_of_the_same_month_and_tenure() -> None:
    """
    Six customers fail in February, ten do not; three of the six and one of the ten have ended by the end of March.
    Three that began two years before are of another tenure, and one of them leaves: they are in no row.
    """
    told = firm(6, 10)
    for number in (0, 1, 2, 6):
        told.add("subscription.ended", f"a{number:02}", at("2026-03-15"), f"c-a{number:02}")
    for number in range(3):
        told.contract(f"old{number}", at("2024-01-10"), at("2026-03-15") if number == 0 else None)
    failed, alike, published = rows(told.asked(date(2026, 4, 1), within_months=1))
    assert (failed["cases"], failed["left"], failed["churn_rate"]) == (6, 3, 0.5)
    assert (alike["cases"], alike["left"], alike["churn_rate"]) == (10, 1, 0.1)
    assert (published["churn_rate"], published["cases"], published["low"]) == (UP_TO, None, None)
    assert failed["difference"] == pytest.approx(0.4)
    assert failed["risk_ratio"] == pytest.approx(5.0)
    # one stratum: the variance of the logarithm of a ratio is 1/3 - 1/6 + 1/1 - 1/10
    assert failed["ratio_high"] == pytest.approx(5 * np.exp(1.959964 * np.sqrt(1 / 3 - 1 / 6 + 1 - 1 / 10)))


def test_the_controls_are_spread_over_the_strata_as_the_failures_are() -> None:
    """Five of six failures meet young customers, of whom one in ten leaves; of the old ones half do."""
    told = firm(5, 10)
    told.add("subscription.ended", "a05", at("2026-03-15"), "c-a05")
    for number in range(3):
        told.contract(f"old{number}", at("2024-01-10"), at("2026-03-15") if number == 1 else None)
    told.ticket("old0", at("2026-02-01"), None)
    failed, alike, _ = rows(told.asked(date(2026, 4, 1), within_months=1))
    assert (failed["cases"], alike["cases"]) == (6, 12)
    assert alike["churn_rate"] == pytest.approx((5 * 0.1 + 1 * 0.5) / 6)


def test_only_the_first_failure_of_a_customer_counts_and_it_compares_nobody_later() -> None:
    told = firm(5, 4)
    for number in range(5):
        told.ticket(f"a{number:02}", at("2026-03-03"), None)
    failed, alike, _ = rows(told.asked(MAY, within_months=1))
    assert (failed["cases"], alike["cases"]) == (5, 4)


def test_who_came_back_in_time_has_not_left_and_who_pays_another_contract_has_not_either() -> None:
    told = firm(5, 5)
    for number in range(3):
        told.add("subscription.ended", f"a{number:02}", at("2026-03-02"), f"c-a{number:02}")
    told.contract("a00", at("2026-04-20"), thing="again")
    told.contract("a01", at("2026-01-20"), thing="second")
    failed, _, _ = rows(told.asked(MAY, within_months=2))
    assert failed["left"] == 1


def test_a_month_whose_time_is_not_over_is_left_out_and_said() -> None:
    told = firm(5, 5)
    assert rows(told.asked(MAY, within_months=2))[0]["cases"] == 5
    early = told.asked(date(2026, 4, 30), within_months=2)
    assert early.rows == []
    assert "0 customers had a first failure" in early.warnings[0]
    assert "of 5 it is not known yet who left" in early.warnings[0]


def test_customers_who_left_in_the_month_of_their_failure_are_named_and_in_no_row() -> None:
    told = firm(6, 5)
    told.add("subscription.ended", "a00", at("2026-02-20"), "c-a00")
    table = told.asked(date(2026, 4, 1), within_months=1)
    assert rows(table)[0]["cases"] == 5
    assert any("1 more customers left in the very month of their failure" in said for said in table.warnings)


def test_nobody_is_said_to_have_left_in_a_month_that_is_not_over() -> None:
    told = firm(5, 5)
    told.ticket("a05", at("2026-04-03"), None)
    assert not any("left in the very month" in said for said in told.asked(date(2026, 4, 20), within_months=1).warnings)


# -- what is a failure


@pytest.mark.parametrize(
    ("days", "priority", "options", "fails"),
    [
        (6, "urgent", {}, 1),
        (5, "urgent", {}, 0),
        (6, "Highest", {}, 1),
        (6, "normal", {}, 0),
        (6, "", {}, 0),
        (6, "normal", {"priority": "any"}, 1),
        (6, "", {"priority": "any"}, 1),
        (6, "urgent", {"slow_days": 7}, 0),
        (None, "P1", {"slow_days": 7}, 1),
    ],
)
def test_a_request_fails_by_priority_and_by_how_long_it_waited(
    days: int | None, priority: str, options: dict[str, object], fails: int
) -> None:
    told = firm(5, 5)
    told.ticket("a05", at("2026-02-03"), None if days is None else at("2026-02-03", days=str(days)), priority)
    table = told.asked(date(2026, 4, 1), within_months=1, **{"slow_days": 5, **options})
    if options.get("slow_days") == 7:
        assert f"{fails} customers had a first failure" in table.warnings[0]
    else:
        assert rows(table)[0]["cases"] == 5 + fails
    silent = any("1 requests for help tell no priority" in said for said in table.warnings)
    assert silent == (not priority and not fails)


def test_a_priority_within_another_text_is_none() -> None:
    told = firm(5, 5)
    told.add("ticket.opened", "a05", at("2026-02-03"), "odd", detail={"note": 'he wrote "priority":"urgent"'})
    assert rows(told.asked(date(2026, 4, 1), within_months=1))[0]["cases"] == 5


def test_a_request_opened_again_waits_again_and_fails_in_the_month_in_which_it_became_too_long() -> None:
    told = firm(5, 5)
    told.add("ticket.opened", "a05", at("2026-02-01"), "again", detail={"priority": "high"})
    told.add("ticket.resolved", "", at("2026-02-01T12:00"), "again")
    told.add("ticket.opened", "", at("2026-02-25"), "again")  # five days later it is March
    told.add("ticket.resolved", "a05", at("2026-03-20"), "again")
    failed, alike, _ = rows(told.asked(date(2026, 4, 1), within_months=1))
    assert (failed["cases"], alike["cases"]) == (5, 5)
    failed, alike, _ = rows(told.asked(MAY, within_months=1))
    assert (failed["cases"], alike["cases"]) == (6, 5 + 4)  # four are left to be compared in March


def test_an_incident_fails_the_accounts_that_it_hit_and_kept_too_long() -> None:
    told = firm(5, 8)
    for account in ("a05", "a06", "a07"):
        told.add("incident.opened", account, at("2026-02-10"), "inc")
    told.add("incident.closed", "a05", at("2026-02-10T07:00"), "inc")  # seven hours
    told.add("incident.closed", "a06", at("2026-02-10T09:00"), "inc")  # nine
    told.add("incident.closed", "", at("2026-02-10T10:00"), "inc")  # for all others: ten
    table = told.asked(date(2026, 4, 1), within_months=1)
    assert rows(table)[0]["cases"] == 7
    assert rows(told.asked(date(2026, 4, 1), within_months=1, major_hours=9))[0]["cases"] == 6


def test_incidents_that_name_nobody_are_said() -> None:
    told = firm(5, 5)
    told.add("incident.opened", "", at("2026-02-10"), "inc")
    assert any("1 incidents name no account" in said for said in told.asked().warnings)


def test_a_failure_before_the_first_contract_is_none() -> None:
    told = firm(5, 5)
    told.ticket("a05", at("2025-11-01"), None)
    failed, alike, _ = rows(told.asked(date(2026, 4, 1), within_months=1))
    assert (failed["cases"], alike["cases"]) == (5, 5)


# -- refusals and honesty


def test_too_few_failures_are_refused_with_what_is_missing() -> None:
    table = firm(4, 10).asked(within_months=1)
    assert table.rows == []
    assert table.warnings[0].startswith("Too few failures to say anything: 4 customers")


def test_failures_with_nobody_to_be_compared_to_are_counted_and_said() -> None:
    table = firm(6, 0).asked(within_months=1)
    assert table.rows == []
    assert "6 have nobody to be compared to" in table.warnings[0]
    told = firm(5, 5)
    told.contract("old", at("2024-01-10"))
    told.ticket("old", at("2026-02-01"), None)
    table = told.asked(within_months=1)
    assert rows(table)[0]["cases"] == 5
    assert any(said.startswith("1 customers with a failure are left out: nobody alike") for said in table.warnings)


def test_where_nobody_left_there_is_no_ratio_and_no_sureness() -> None:
    table = firm(5, 5).asked(within_months=1)
    failed, alike, _ = rows(table)
    assert failed["risk_ratio"] is failed["difference"] is None
    assert failed["churn_rate"] == alike["churn_rate"] == 0.0
    assert failed["high"] == pytest.approx(0.4345, abs=1e-4)  # Wilson, 0 of 5
    assert table.warnings[0].startswith("No ratio")


def test_it_claims_no_cause_and_dates_the_published_figure() -> None:
    warnings = " ".join(firm(5, 5).asked(within_months=1).warnings)
    for said in ("no proof", "up to 75 %", "2022-05-31", "Population, time and method are not stated", "Only 5"):
        assert said in warnings


# -- the planted truth


def lived(world: World) -> Story:
    """Tell the contracts, critical requests and incidents of a simulated world, without the faults of files."""
    start, told, life = at(world.calendar.start.isoformat()), Firm(), world.life

    def add(kind: str, customer: int, day: float, thing: str, **more: Any) -> None:  # noqa: ANN401
        if day < world.calendar.days:
            told.add(kind, f"c{customer}", start + timedelta(days=float(day)), thing, **more)

    fee = {"amount": Decimal(100), "currency": "EUR"}
    for customer, (starts, ends) in enumerate(zip(life.customers.starts, life.customers.ends, strict=True)):
        add("subscription.started", customer, starts, f"k{customer}", **fee)
        add("subscription.ended", customer, ends, f"k{customer}")
    for customer, day in zip(life.returns.customer, life.returns.day, strict=True):
        add("subscription.started", customer, day, f"r{customer}", **fee)
    for n in np.flatnonzero(life.tickets.critical):
        opened, customer = life.tickets.day[n], life.tickets.customer[n]
        add("ticket.opened", customer, opened, f"t{n}", detail={"priority": "critical"})
        add("ticket.resolved", customer, opened + life.tickets.days[n], f"t{n}")
    for n, customer in zip(life.incidents.hit_incident, life.incidents.hit_customer, strict=True):
        add("incident.opened", customer, life.incidents.day[n], f"i{n}")
        add("incident.closed", customer, life.incidents.day[n] + life.incidents.hours[n] / 24, f"i{n}")
    return Story(told.facts).until(END)


@pytest.fixture(scope="module")
def big() -> Story:
    return lived(simulate(11, accounts=20_000, until=END))


def test_the_planted_effect_of_failures_lies_in_the_interval(big: Story) -> None:
    """Hazards of `churn` a month, times 4 for three months: of so many have left 1 - exp(-3 x) with and without.

    The rates themselves are lower: the demo spares the first two months, and wins some back.
    """
    failed, alike, _ = rows(big.table(failure_churn))
    without, after = (1 - np.exp(-3 * STAYING.churn * times) for times in (1.0, STAYING.failure_multiplier))
    assert failed["cases"] > 300
    assert failed["ratio_low"] < after / without < failed["ratio_high"]
    assert failed["ratio_low"] > 1.5, "an interval that holds everything proves nothing"
    assert 0 < failed["difference_low"] < failed["difference_high"] < after
    assert alike["churn_rate"] < without < failed["churn_rate"] < after


def test_months_long_after_the_failure_show_less(big: Story) -> None:
    """The planted effect lasts three months: over a year the ratio falls."""
    soon, late = (rows(big.table(failure_churn, within_months=months))[0] for months in (3, 12))
    assert late["churn_rate"] > soon["churn_rate"]
    assert late["risk_ratio"] < soon["risk_ratio"]


def test_a_query_written_by_hand_agrees_on_thousands_of_customers(big: Story) -> None:
    mine = big.table(failure_churn, within_months=2, priority="any").rows
    by_hand = big.by_hand(CHECK.read_text())
    assert len(mine) == len(by_hand) == 3
    assert rounded(mine) == rounded(by_hand)


# -- the mathematics


def strata(*rows: tuple[float, float, float, float]) -> Strata:
    """Give strata of (cases, events, other cases, other events)."""
    return Strata(*np.array(rows, np.float64).reshape(-1, 4).T)


@pytest.mark.parametrize(
    ("events", "cases", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(events: int, cases: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    found = wilson(events, cases)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((events / cases, low, high), abs=5e-5)
    assert wilson(0, 0) is None


def test_mantel_and_haenszel_give_the_published_ratio_and_difference() -> None:
    """The tolbutamide trial by age, in Rothman, Greenland & Lash, Modern Epidemiology: ratio 1.33, difference 0.035."""
    trial = strata((106, 8, 120, 5), (98, 22, 85, 16))
    ratio, difference = risk_ratio(trial), risk_difference(trial)
    assert ratio is not None
    assert difference is not None
    assert ratio.value == pytest.approx(1.33, abs=0.005)
    assert difference.value == pytest.approx(0.035, abs=0.0005)
    assert ratio.low < 1 < ratio.high
    assert difference.low < 0 < difference.high


def test_strata_without_others_say_nothing_and_impossible_counts_are_refused() -> None:
    lonely, empty = strata((10, 3, 0, 0)), strata()
    for nothing in (lonely, empty, strata((10, 0, 10, 0))):
        assert risk_ratio(nothing) is risk_difference(nothing) is None
    assert standardised(lonely) is standardised(empty) is None
    assert risk_ratio(strata((10, 3, 20, 4), (5, 5, 0, 0))) == risk_ratio(strata((10, 3, 20, 4)))
    with pytest.raises(UnfitStrata, match="between 0 and the cases"):
        strata((10, 11, 5, 0))


def looked_at(seed: int, failing: float, *, months: int = 24, within: int = 3) -> Strata:
    """Let 300 customers stay or leave month by month, whatever fails, and compare as the measure does."""
    rng = np.random.default_rng(seed)
    failed = np.minimum(rng.geometric(failing, 300), 99)
    last = np.full(300, 999)
    for month in range(1, months + within + 1):
        last = np.where((last == 999) & (rng.random(300) < 0.03), month, last)
    counts = []
    for month in range(1, months + 1):
        here, left = last > month, last <= month + within
        own, others = here & (failed == month), here & (failed > month)
        counts.append((own.sum(), (own & left).sum(), others.sum(), (others & left).sum()))
    return strata(*counts)


@pytest.mark.parametrize("failing", [0.04, 0.12])
def test_intervals_hold_the_truth_as_often_as_they_say(failing: float) -> None:
    """A failure that changes nothing: 95 of 100 intervals say so, or a few more, never fewer than chance allows."""
    worlds = [looked_at(seed, failing).thinned(3) for seed in range(400)]
    ratios = [found for found in map(risk_ratio, worlds) if found]
    differences = [found for found in map(risk_difference, worlds) if found]
    assert len(ratios) == len(differences) == len(worlds)
    held = [
        np.mean([found.low <= 1 <= found.high for found in ratios]),
        np.mean([found.low <= 0 <= found.high for found in differences]),
    ]
    assert min(held) >= 0.93
    assert max(held) <= 0.99
