from __future__ import annotations

from datetime import date

from stories import Story

from plait.measures.channels import channel_first_last


def test_first_and_last_channel_before_the_win_each_add_up_to_the_wins(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked    channel=search
    acme  2026-01-05  message.clicked  channel=mail
    acme  2026-01-09  deal.won  object_id=d1
    acme  2026-01-10  visit.started  channel=social
    acme  2026-03-09  deal.won  object_id=d2
    bolt  2026-01-09  deal.won  object_id=d3
    cole  2026-01-09  ad.clicked  channel=search
    """
    rows = story.table(channel_first_last).rows
    assert rows == [("(unknown)", 1, 1, 0.5, 0.5), ("mail", 0, 1, 0.0, 0.5), ("search", 1, 0, 0.5, 0.0)]


def test_touches_before_the_lookback_and_touches_without_a_channel_do_not_count(story: Story) -> None:
    """
    acme  2026-01-01  ad.clicked    channel=search
    acme  2026-01-11  visit.started  channel=mail
    acme  2026-01-12  visit.started
    acme  2026-01-21  deal.won  object_id=d1
    """
    assert story.table(channel_first_last, lookback_days=10).rows == [("mail", 1, 1, 1.0, 1.0)]


def test_of_touches_at_one_instant_the_order_of_source_and_id_decides(story: Story) -> None:
    """
    acme  2026-01-01  visit.started  channel=mail    id=b
    acme  2026-01-01  visit.started  channel=search  id=a
    acme  2026-01-01  deal.won  object_id=d1         id=c
    acme  2026-01-01  visit.started  channel=social  id=d
    """
    rows = story.table(channel_first_last).rows
    assert rows == [("mail", 0, 1, 0.0, 1.0), ("search", 1, 0, 1.0, 0.0)]


def test_a_win_without_an_account_is_named(story: Story) -> None:
    """
    -  2026-01-21  deal.won  object_id=d1  id=w1
    """
    answer = story.table(channel_first_last)
    assert answer.rows == []
    assert answer.warnings == ["1 facts name no account and are left out: w1."]


def test_only_accounts_won_in_the_period_count(story: Story) -> None:
    """
    acme  2026-01-01  visit.started  channel=mail
    acme  2026-01-31  deal.won  object_id=d1
    bolt  2026-01-02  visit.started  channel=search
    bolt  2026-02-01  deal.won  object_id=d2
    cole  2026-01-03  visit.started  channel=social
    cole  2026-03-01  deal.won  object_id=d3
    """
    february = story.table(channel_first_last, since=date(2026, 2, 1), until=date(2026, 3, 1))
    assert february.rows == [("search", 1, 1, 1.0, 1.0)]
