"""Well-known ways to a wrong number: each story here is one of them."""

from __future__ import annotations

from stories import Story

from plait.measures.channels import channel_first_last
from plait.measures.funnel import funnel, stage_velocity
from plait.measures.lifecycle import stage_stock
from plait.measures.quality import source_health

SIGNED = ("lead.mql", "deal.won")


def test_fan_out(story: Story) -> None:
    """Two leads and three deals of one account are one account, not six.

    acme  2026-01-01  lead.mql
    acme  2026-01-02  lead.mql
    acme  2026-01-03  deal.won  object_id=d1
    acme  2026-01-04  deal.won  object_id=d2
    acme  2026-01-05  deal.won  object_id=d3
    """
    assert [row[2] for row in story.table(funnel, chain=SIGNED).rows] == [1, 1]


def test_chasm(story: Story) -> None:
    """Visits and tickets hang on the same account: neither multiplies the other, nor the wins between them.

    acme  2026-01-01  ad.clicked     channel=mail
    acme  2026-01-02  visit.started  channel=mail
    acme  2026-01-03  ticket.opened  object_id=t1
    acme  2026-01-03  ticket.opened  object_id=t2
    acme  2026-01-04  deal.won       object_id=d1
    """
    assert story.table(channel_first_last).rows == [("mail", 1, 1, 1.0, 1.0)]


def test_average_of_averages(story: Story) -> None:
    """The median of all is that of all units, not the mean of the months' medians.

    acme  2026-01-01  lead.mql
    acme  2026-01-11  deal.won  object_id=d1
    bolt  2026-01-01  lead.mql
    bolt  2026-01-11  deal.won  object_id=d2
    cole  2026-02-01  lead.mql
    cole  2026-03-13  deal.won  object_id=d3
    """
    months = [row[4] for row in story.table(stage_velocity, by="month").rows]
    assert months == [10.0, 40.0]
    assert story.table(stage_velocity).rows[0][4] == 10.0


def test_null_keys(story: Story) -> None:
    """Facts that name no account are not one account together, nor do they meet in a join.

    -     2026-01-01  lead.mql
    -     2026-01-02  deal.won  object_id=d1
    acme  2026-01-01  lead.mql
    """
    assert [row[2] for row in story.table(funnel, chain=SIGNED).rows] == [1, 0]
    assert sum(int(str(row[2])) for row in story.table(stage_stock).rows) == 1


def test_unmatched_rows(story: Story) -> None:
    """A win without a touch and a source without deals stay in the answer.

    acme  2026-01-01  deal.won       source=crm  object_id=d1
    bolt  2026-01-01  visit.started  source=web
    """
    assert story.table(channel_first_last).rows == [("(unknown)", 1, 1, 1.0, 1.0)]
    assert [(row[0], row[7]) for row in story.table(source_health).rows] == [("crm", 0), ("web", 0)]


def test_empty_denominator(story: Story) -> None:
    """A share of nothing is unknown, not 0.

    acme  2026-01-01  lead.mql
    """
    rows = story.table(funnel, chain=("lead.mql", "lead.sal", "deal.won")).rows
    assert [row[3] for row in rows] == [None, 0.0, None]
