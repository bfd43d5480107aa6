"""The lifecycle: where accounts stand, how they move, how fast, and where they fall through."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import NPS

BOARD = Board(
    name="lifecycle",
    title=gettext_noop("Lifecycle"),
    lead=gettext_noop("Where accounts stand, how they move, how fast, and where they fall through."),
    area="numbers",
    place=20,
    key="l",
    blocks=(
        NPS,
        Figure(
            Question("stage_stock", over="now"), "accounts", "up", title="Customers", where={"stage": "expand"}
        ),
        Figure(
            Question("stage_stock", over="now"), "accounts", "up", title="In negotiation", where={"stage": "convert"}
        ),
        Figure(
            Question("stage_stock", over="now"), "accounts", "down", title="Former customers",
            where={"stage": "former_customer"},
        ),
        Figure(Question("stage_stock", over="now"), "accounts", "down", title="Dormant", where={"stage": "dormant"}),
        Figure(
            Question("stage_velocity", over="now"), "median", "down", title="Days from qualified lead to win", spark=""
        ),
        Drawing(
            Question("stage_stock", {"by": "month"}, over="now"), gettext_noop("Accounts by stage at each month's end"),
            "stacked", ("accounts",), x="day", split="stage", span=8,
        ),
        Drawing(
            Question("stage_stock", over="now"), gettext_noop("Accounts by stage"), "funnel", ("accounts",), x="stage",
            span=4,
        ),
        Drawing(
            Question("funnel", {"within_days": None}), gettext_noop("From qualified lead to win"), "funnel",
            ("entered",), x="step", span=6,
        ),
        Drawing(
            Question("conversion_estimate", {"by": "quarter"}, over="now"),
            gettext_noop("Share of qualified leads that win within 90 days"), "line",
            ("observed", "mature", "kaplan_meier"), span=6,
        ),
        Listing(
            Question("funnel", {"by": "quarter"}, over="now"), gettext_noop("Where leads fall through, by quarter"),
            ("cohort", "step", "entered", "rate", "rate_of_first", "open", "expired", "mature_rate"), last=20, span=6,
        ),
        Listing(
            Question("stage_flow", over="now"), gettext_noop("Moves between stages"),
            ("month", "from_stage", "to_stage", "direction", "moves", "accounts"), last=20, span=6,
        ),
    ),
)  # fmt: skip
