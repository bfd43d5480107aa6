"""The board of the whole company, for its chief executive: customers first, then money, then what is on its way."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import NPS

BOARD = Board(
    name="company",
    title=gettext_noop("Company"),
    lead=gettext_noop("How customers are doing, what they bring, and what is on its way."),
    area="company",
    place=0,
    blocks=(
        NPS,
        Figure(Question("revenue", {"by": "all"}), "revenue", "up"),
        Figure(
            Question("existing_revenue_share", {"by": "all"}), "existing_share",
            title="Share of revenue from existing customers"
        ),
        Figure(Question("bookings", {"by": "all"}), "amount", "up", title="Bookings"),
        Figure(Question("win_rate", {"by": "all"}), "win_rate", "up"),
        Figure(Question("acquisition_cost", {"by": "all"}), "cost_per_customer", "down"),
        Drawing(
            Question("revenue", {"by": "month"}, over="now"), gettext_noop("Revenue of new and existing customers"),
            "stacked", ("existing_revenue", "new_revenue"), last=18, span=8,
        ),
        Drawing(
            Question("channel_first_last"), gettext_noop("Channels that began a won account"), "ranked",
            ("first_touch",), x="channel", span=4,
        ),
        Drawing(
            Question("stage_stock", over="now"), gettext_noop("Accounts by stage"), "funnel", ("accounts",),
            x="stage", span=4,
        ),
        Drawing(
            Question("spend", {"by": "channel"}), gettext_noop("Spend by channel"), "ranked", ("spend",), span=4
        ),
        Drawing(
            Question("satisfaction", {"by": "quarter"}, over="now"), gettext_noop("What customers say"), "line",
            ("score",), split="survey", span=4,
        ),
        Listing(
            Question("recurring_revenue", over="now"), gettext_noop("Recurring revenue over twelve months"),
            ("month", "start", "new", "expansion", "contraction", "churn", "end", "net_retention", "gross_retention"),
            last=6, span=12,
        ),
    ),
)  # fmt: skip
