"""The board of service: what customers say, who stays and who goes."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import CSAT, NPS, REVIEWS

BOARD = Board(
    name="service",
    title=gettext_noop("Service"),
    lead=gettext_noop("What customers say, who stays and who goes."),
    area="service",
    place=3,
    department="service",
    blocks=(
        CSAT,
        NPS,
        REVIEWS,
        Figure(Question("recurring_revenue", over="now"), "gross_retention", "up"),
        Figure(Question("recurring_revenue", over="now"), "logo_churn", "down"),
        Figure(Question("recurring_revenue", over="now"), "accounts_lost", "down"),
        Drawing(
            Question("satisfaction", {"by": "quarter"}, over="now"), gettext_noop("What customers say"), "line",
            ("score",), split="survey", span=6,
        ),
        Drawing(
            Question("retention", over="now"), gettext_noop("Customers that stay, by month of start"), "heatmap",
            ("share",), x="cohort", split="months_since", span=6,
        ),
        Drawing(
            Question("recurring_revenue", over="now"), gettext_noop("Gross retention and logo churn"), "line",
            ("gross_retention", "logo_churn"), x="month", span=6,
        ),
        Listing(
            Question("satisfaction", {"by": "month"}, over="now"), gettext_noop("Answers by month"),
            ("cohort", "survey", "answers", "mean", "score", "score_low", "score_high"), last=12, span=6,
        ),
    ),
)  # fmt: skip
