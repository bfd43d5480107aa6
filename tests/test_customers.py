"""Accounts: how each fares, and why."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from stories import Story

from plait.measures.health import account_health

ASKED = date(2026, 7, 1)


def health(story: Story, **options: object) -> dict[object, tuple[object, object]]:
    """Give each account's health and reasons."""
    records = story.until(ASKED).table(account_health, **options).records()
    return {record["account"]: (record["health"], record["reasons"]) for record in records}


def test_one_bad_sign_is_watched_and_two_are_poor(story: Story) -> None:
    """
    acme  2026-06-01  ticket.opened  object_id=t1
    bolt  2026-06-01  ticket.opened  object_id=t2
    bolt  2026-06-20  nps.answered   quantity=6
    cork  2026-06-20  nps.answered   quantity=9
    dart  2026-06-20  nps.answered   quantity=8
    elan  2026-06-17  ticket.opened  object_id=t3
    """
    assert health(story) == {
        "acme": ("watch", "ticket_waiting"),
        "bolt": ("poor", "ticket_waiting dissatisfied"),
        "cork": ("good", "satisfied"),
        "dart": ("unknown", None),
        "elan": ("unknown", None),  # fourteen days, not more
    }
    assert health(story, ticket_days=3)["elan"] == ("watch", "ticket_waiting")


def test_an_account_that_used_the_product_and_stopped_is_watched(story: Story) -> None:
    """
    acme  2026-06-01  product.used  quantity=3
    bolt  2026-05-31  product.used  quantity=3
    cork  2026-01-05  visit.started
    """
    found = health(story)
    assert found == {"acme": ("good", "in_use"), "bolt": ("watch", "use_stopped"), "cork": ("unknown", None)}


def test_a_contract_that_ended_is_poor_however_happy_they_say_they_are(story: Story) -> None:
    """
    acme  2026-01-01  subscription.started  100.00 EUR  object_id=c1
    acme  2026-06-01  subscription.ended    object_id=c1
    acme  2026-06-02  csat.answered  quantity=5
    bolt  2026-01-01  subscription.started  100.00 EUR  object_id=c2
    bolt  2026-02-01  subscription.started  50.00 EUR  object_id=c3
    bolt  2026-06-01  subscription.ended    object_id=c2
    """
    acme, bolt = story.until(ASKED).table(account_health).records()
    assert (acme["health"], acme["reasons"], acme["monthly"]) == ("poor", "contract_ended satisfied", None)
    assert acme["contract_ended_on"] == date(2026, 6, 1)
    assert (bolt["health"], bolt["monthly"], bolt["currency"]) == ("unknown", Decimal(50), "EUR")


def test_old_answers_are_shown_and_judge_no_more(story: Story) -> None:
    """
    acme  2024-06-20  nps.answered  quantity=2
    """
    (row,) = story.until(ASKED).table(account_health).records()
    assert (row["nps"], row["health"]) == (2.0, "unknown")


def test_the_last_name_owner_and_ticket_count(story: Story) -> None:
    """
    acme  2026-01-01  account.created  text=Acme        owner=sue
    acme  2026-03-01  account.created  text=Acme_Group  owner=sol
    acme  2026-04-01  ticket.opened    object_id=t1     owner=sven
    acme  2026-04-02  ticket.resolved  object_id=t1
    acme  2026-05-01  ticket.opened    object_id=t1
    -     2026-05-01  ticket.opened    object_id=t9
    """
    (row,) = story.until(ASKED).table(account_health).records()
    assert (row["name"], row["owner"], row["open_tickets"]) == ("Acme_Group", "sol", 1)
    assert (row["waiting_since"], row["first_on"], row["last_on"], row["facts"]) == (
        date(2026, 5, 1), date(2026, 1, 1), date(2026, 5, 1), 5,
    )  # fmt: skip


def test_amounts_in_two_currencies_are_never_added(story: Story) -> None:
    """
    acme  2026-01-01  subscription.started  100.00 EUR  object_id=c1
    acme  2026-01-01  subscription.started  100.00 USD  object_id=c2
    """
    table = story.until(ASKED).table(account_health)
    assert table.records()[0]["monthly"] is None
    assert "cannot be added up" in table.warnings[0]
