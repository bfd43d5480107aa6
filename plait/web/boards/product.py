"""The board of product: who tries it, who uses it and what they say of it."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import NPS, REVIEWS

TRIAL = ("trial.started", "product.used", "deal.won")

BOARD = Board(
    name="product",
    title=gettext_noop("Product"),
    lead=gettext_noop("Who tries it, who keeps using it and what they say of it."),
    area="product",
    place=4,
    department="product",
    blocks=(
        REVIEWS,
        NPS,
        Figure(
            Question("funnel", {"chain": TRIAL, "within_days": None}), "entered", "up", title="Trials started",
            where={"step": "trial.started"},
        ),
        Figure(
            Question("funnel", {"chain": TRIAL, "within_days": None}), "rate", "up",
            title="Trials that used the product",
            where={"step": "product.used"},
        ),
        Figure(
            Question("funnel", {"chain": TRIAL, "within_days": None}), "rate_of_first", "up",
            title="Trials that became customers", where={"step": "deal.won"},
        ),
        Figure(Question("recurring_revenue", over="now"), "net_retention", "up"),
        Drawing(
            Question("retention", {"basis": "use"}, over="now"), gettext_noop("Accounts that keep using the product"),
            "heatmap", ("share",), x="cohort", split="months_since", span=8,
        ),
        Drawing(
            Question("funnel", {"chain": TRIAL, "within_days": None}), gettext_noop("From trial to customer"), "funnel",
            ("entered",), x="step", span=4,
        ),
        Listing(
            Question("funnel", {"chain": TRIAL, "within_days": 90, "by": "quarter"}, over="now"),
            gettext_noop("From trial to customer by quarter"),
            ("cohort", "step", "entered", "rate", "rate_of_first", "open"), last=15, span=6,
        ),
        Drawing(
            Question("stage_velocity", {"start": "trial.started", "to": "deal.won", "by": "quarter"}, over="now"),
            gettext_noop("Days from trial to customer"), "line", ("median_of_converted",), span=6,
        ),
    ),
)  # fmt: skip
