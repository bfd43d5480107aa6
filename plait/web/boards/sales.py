"""The board of sales: what was won, what is open, and how fast it moves."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import NPS

BOARD = Board(
    name="sales",
    title=gettext_noop("Sales"),
    lead=gettext_noop("What was won, what is open, and how fast it moves."),
    area="sales",
    place=2,
    department="sales",
    blocks=(
        NPS,
        Figure(Question("bookings", {"by": "all"}), "amount", "up", title="Bookings"),
        Figure(Question("bookings", {"by": "all"}), "deals", "up", title="Deals won"),
        Figure(Question("win_rate", {"by": "all"}), "win_rate", "up"),
        Figure(Question("pipeline", over="now"), "amount", "up", title="Open pipeline"),
        Figure(Question("pipeline_velocity", over="now"), "velocity", "up", title="Pipeline velocity a day"),
        Drawing(
            Question("bookings", {"by": "month"}, over="now"), gettext_noop("Bookings by month"), "bar", ("amount",),
            last=18, span=8,
        ),
        Drawing(
            Question("pipeline", {"by": "owner"}, over="now"), gettext_noop("Open pipeline by owner"), "ranked",
            ("amount",), span=4,
        ),
        Drawing(
            Question("win_rate", {"by": "quarter"}, over="now"), gettext_noop("Win rate by count and by amount"),
            "line",
            ("win_rate", "win_rate_amount"), span=6,
        ),
        Drawing(
            Question("stage_velocity", {"by": "quarter"}, over="now"), gettext_noop("Days from qualified lead to win"),
            "line", ("median", "median_of_converted"), span=6,
        ),
        Listing(
            Question("win_rate", {"by": "owner"}), gettext_noop("Win rate by owner"),
            ("cohort", "won", "lost", "win_rate", "won_amount", "lost_amount"), last=0, span=6,
        ),
        Listing(
            Question("pipeline", {"by": "channel"}, over="now"), gettext_noop("Open pipeline by channel"),
            ("cohort", "open", "amount", "win_rate", "expected", "coverage_needed"), last=0, span=6,
        ),
    ),
)  # fmt: skip
