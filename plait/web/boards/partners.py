"""The board of partners: whom they bring, what they win and what they are paid."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import NPS

NAMED = ("link.clicked", "lead.mql", "deal.won")

BOARD = Board(
    name="partners",
    title=gettext_noop("Partners"),
    lead=gettext_noop("Whom partners bring, what becomes of them and what partners are paid."),
    area="partners",
    place=8,
    department="partners",
    blocks=(
        NPS,
        Figure(
            Question("funnel", {"chain": NAMED, "within_days": None}), "entered", "up",
            title="Accounts that followed a link",
            where={"step": "link.clicked"},
        ),
        Figure(
            Question("funnel", {"chain": NAMED, "within_days": None}), "rate", "up", title="Of them qualified leads",
            where={"step": "lead.mql"},
        ),
        Figure(
            Question("funnel", {"chain": NAMED, "within_days": None}), "rate_of_first", "up", title="Of them won",
            where={"step": "deal.won"},
        ),
        Figure(
            Question("channel_first_last"), "first_touch", "up", title="Wins that a partner began",
            where={"channel": "partner"}, spark="",
        ),

               Figure(
            Question("spend", {"by": "channel"}), "spend", title="Paid to partners",
            where={"cohort": "partner"}, spark=""
        ),
        Drawing(
            Question("spend", {"by": "partner"}), gettext_noop("Paid by partner"), "ranked", ("spend",), span=6
        ),
        Drawing(
            Question("funnel", {"chain": NAMED, "within_days": None}), gettext_noop("From a partner's link to a win"),
            "funnel", ("entered",), x="step", span=6,
        ),
        Listing(
            Question("funnel", {"chain": NAMED, "within_days": None, "by": "partner"}, over="now"),
            gettext_noop("What became of each partner's accounts"),
            ("cohort", "step", "entered", "rate", "rate_of_first", "open"), last=0, span=12,
        ),
    ),
)  # fmt: skip
