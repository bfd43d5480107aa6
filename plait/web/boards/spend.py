"""Spend and channels: what it costs to win customers, and through which doors they come."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question

BOARD = Board(
    name="spend",
    title=gettext_noop("Spend and channels"),
    lead=gettext_noop("What it costs to win customers, and through which doors they come."),
    area="numbers",
    place=22,
    key="s",
    blocks=(
        Figure(Question("spend", {"by": "all"}), "spend"),
        Figure(Question("acquisition_cost", {"by": "all"}), "new_customers", "up"),
        Figure(Question("acquisition_cost", {"by": "all"}), "cost_per_customer", "down"),
        Figure(Question("acquisition_cost", {"by": "all"}), "monthly_revenue", "up",
        title="Monthly revenue of a new one"),
        Figure(
            Question("acquisition_cost", {"by": "all", "margin": 0.7}), "payback_months", "down",
            title="Months to pay back at 70% margin",
        ),
        Figure(
            Question("spend", {"by": "all", "include_payouts": False}), "spend", title="Spend without partners' pay"
        ),
        Drawing(
            Question("spend", {"by": "month"}, over="now"), gettext_noop("Spend by month"), "bar", ("spend",), last=24,
            span=6,
        ),
        Drawing(
            Question("channel_first_last"), gettext_noop("Channels at the beginning and the end of a win"), "ranked",
            ("first_touch", "last_touch"), x="channel", span=6,
        ),
        Drawing(
            Question("spend", {"by": "campaign"}), gettext_noop("Spend by campaign"), "ranked", ("spend",), span=6
        ),
        Listing(
            Question("acquisition_cost", {"by": "channel"}), gettext_noop("Cost per new customer by channel"),
            ("cohort", "spend", "new_customers", "cost_per_customer", "monthly_revenue"), last=0, span=6,
        ),
    ),
)  # fmt: skip
