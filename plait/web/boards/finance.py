"""The board of finance: what comes in, what it costs to win it, and what stays."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import NPS

BOARD = Board(
    name="finance",
    title=gettext_noop("Finance"),
    lead=gettext_noop("What comes in, what it costs to win it, and what stays."),
    area="finance",
    place=5,
    department="finance",
    blocks=(
        NPS,
        Figure(Question("revenue", {"by": "all"}), "revenue", "up"),
        Figure(
            Question("revenue", {"by": "all", "basis": "payment"}), "revenue", "up",
            title="Payments received less refunds"
        ),
        Figure(Question("recurring_revenue", over="now"), "end", "up", title="Recurring revenue a month"),
        Figure(Question("recurring_revenue", over="now"), "net_retention", "up"),
        Figure(Question("spend", {"by": "all"}), "spend"),
        Drawing(
            Question("revenue", {"by": "month"}, over="now"), gettext_noop("Revenue of new and existing customers"),
            "stacked", ("existing_revenue", "new_revenue"), last=18, span=6,
        ),

               Drawing(
            Question("recurring_revenue", over="now"),
            gettext_noop("Recurring revenue at the end of each month"), "line",
            ("end",), x="month", span=6,
        ),
        Drawing(
            Question("acquisition_cost", {"by": "quarter"}, over="now"), gettext_noop("Cost per new customer"), "bar",
            ("cost_per_customer",), span=4,
        ),
        Drawing(
            Question("recurring_revenue", over="now"), gettext_noop("Gross retention and logo churn"), "line",
            ("gross_retention", "logo_churn"), x="month", span=4,
        ),
        Drawing(
            Question("spend", {"by": "channel"}), gettext_noop("Spend by channel"), "ranked", ("spend",), span=4
        ),
        Listing(
            Question("recurring_revenue", over="now"), gettext_noop("Recurring revenue over twelve months"),
            ("month", "start", "new", "expansion", "contraction", "churn", "reactivation", "end", "net_retention",
             "gross_retention", "quick_ratio"),
            last=12, span=12,
        ),
    ),
)  # fmt: skip
