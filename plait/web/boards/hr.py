"""The board of HR: what the people in sales and service have to carry, and what customers say of it."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import CSAT, NPS

BOARD = Board(
    name="hr",
    title=gettext_noop("HR"),
    lead=gettext_noop("What colleagues in front of customers carry, and what customers say of it."),
    area="hr",
    place=7,
    department="hr",
    blocks=(
        CSAT,
        NPS,
        Figure(Question("pipeline", over="now"), "open", title="Open deals"),
        Figure(Question("bookings", {"by": "all"}), "deals", "up", title="Deals won"),
        Figure(Question("win_rate", {"by": "all"}), "win_rate", "up"),
        Figure(Question("revenue", {"by": "all"}), "revenue", "up"),
        Drawing(
            Question("pipeline", {"by": "owner"}, over="now"), gettext_noop("Open deals by owner"), "ranked", ("open",),
            span=6,
        ),
        Drawing(
            Question("satisfaction", {"by": "owner"}), gettext_noop("Satisfaction by owner"), "bar", ("score",),
            split="survey", span=6,
        ),
        Listing(
            Question("win_rate", {"by": "owner"}), gettext_noop("Win rate by owner"),
            ("cohort", "won", "lost", "win_rate", "won_amount"), last=0, span=6,
        ),
        Listing(
            Question("pipeline_velocity", {"by": "owner"}, over="now"), gettext_noop("Pipeline velocity by owner"),
            ("cohort", "open", "win_rate", "average_won", "cycle_days", "velocity"), last=0, span=6,
        ),
    ),
)  # fmt: skip
