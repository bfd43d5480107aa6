"""Revenue and retention: what customers bring, how many stay, and what becomes of what they pay."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question

BOARD = Board(
    name="revenue",
    title=gettext_noop("Revenue and retention"),
    lead=gettext_noop("What customers bring, how many stay, and what becomes of what they pay."),
    area="numbers",
    place=21,
    key="r",
    blocks=(
        Figure(Question("revenue", {"by": "all"}), "revenue", "up"),
        Figure(
            Question("existing_revenue_share", {"by": "all"}), "existing_share",
            title="Share of revenue from existing customers"
        ),
        Figure(Question("recurring_revenue", over="now"), "end", "up", title="Recurring revenue a month"),
        Figure(Question("recurring_revenue", over="now"), "net_retention", "up"),
        Figure(Question("recurring_revenue", over="now"), "gross_retention", "up"),
        Figure(Question("recurring_revenue", over="now"), "logo_churn", "down"),
        Drawing(
            Question("retention", over="now"), gettext_noop("Customers that stay, by month of start"), "heatmap",
            ("share",), x="cohort", split="months_since", span=12,
        ),
        Drawing(
            Question("revenue", {"by": "month"}, over="now"), gettext_noop("Revenue of new and existing customers"),
            "stacked", ("existing_revenue", "new_revenue"), last=24, span=6,
        ),
        Drawing(
            Question("existing_revenue_share", {"by": "quarter"}, over="now"),
            gettext_noop("Share of revenue from existing customers"), "line", ("existing_share",), span=6,
        ),
        Listing(
            Question("recurring_revenue", over="now"), gettext_noop("Recurring revenue over twelve months"),
            ("month", "start", "new", "expansion", "contraction", "churn", "reactivation", "end", "net_retention",
             "gross_retention", "logo_churn"),
            last=18, span=12,
        ),
    ),
)  # fmt: skip
