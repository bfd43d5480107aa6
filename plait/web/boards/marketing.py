"""The board of marketing: what was spent, whom it brought, and what became of them."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import NPS

LEADS = ("lead.created", "lead.mql", "lead.sal", "lead.sql", "deal.won")

BOARD = Board(
    name="marketing",
    title=gettext_noop("Marketing"),
    lead=gettext_noop("What was spent, whom it brought, and what became of them."),
    area="marketing",
    place=1,
    department="marketing",
    blocks=(
        NPS,
        Figure(
            Question("funnel", {"chain": LEADS, "within_days": None}), "entered", "up",
            title="Marketing qualified leads",
            where={"step": "lead.mql"},
        ),
        Figure(
            Question("funnel", {"chain": LEADS, "within_days": None}), "rate", "up", title="Leads that sales accepted",
            where={"step": "lead.sal"},
        ),
        Figure(Question("spend", {"by": "all"}), "spend"),
        Figure(Question("acquisition_cost", {"by": "all"}), "cost_per_customer", "down"),
        Figure(
            Question("existing_revenue_share", {"by": "all"}), "existing_share",
            title="Share of revenue from existing customers"
        ),
        Drawing(
            Question("spend", {"by": "channel"}), gettext_noop("Spend by channel"), "ranked", ("spend",), span=4
        ),
        Drawing(
            Question("channel_first_last"), gettext_noop("Channels at the beginning and the end of a win"), "ranked",
            ("first_touch", "last_touch"), x="channel", span=4,
        ),
        Drawing(
            Question("funnel", {"chain": LEADS, "within_days": None}), gettext_noop("From lead to customer"), "funnel",
            ("entered",), x="step", span=4,
        ),
        Drawing(
            Question("spend", {"by": "month"}, over="now"), gettext_noop("Spend by month"), "bar", ("spend",), last=18,
            span=6,
        ),
        Drawing(
            Question("acquisition_cost", {"by": "quarter"}, over="now"), gettext_noop("Cost per new customer"), "line",
            ("cost_per_customer",), span=6,
        ),
        Listing(
            Question("funnel", {"chain": LEADS, "within_days": None, "by": "channel"}),
            gettext_noop("From lead to customer by channel"),
            ("cohort", "step", "entered", "rate", "rate_of_first", "open"), last=0, span=12,
        ),
    ),
)  # fmt: skip
