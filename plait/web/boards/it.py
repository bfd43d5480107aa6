"""The board of IT: whether the sources deliver, and what of them cannot be used."""

from django.utils.translation import gettext_noop

from plait.web.blocks import Board, Drawing, Figure, Listing, Question
from plait.web.boards._customers import NPS

BOARD = Board(
    name="it",
    title=gettext_noop("IT"),
    lead=gettext_noop("Whether the sources deliver, and what of them cannot be used."),
    area="it",
    place=6,
    department="it",
    blocks=(
        NPS,
        Figure(Question("source_health", over="now"), "facts", title="Facts of the CRM", where={"source": "crm"}),
        Figure(
            Question("source_health", over="now"), "days_since", "down", title="Days since the CRM's last fact",
            where={"source": "crm"},
        ),
        Figure(
            Question("source_health", over="now"), "refused", "down", title="Refused rows of the CRM",
            where={"source": "crm"},
        ),
        Figure(
            Question("source_health", over="now"), "days_since", "down", title="Days since the last web visit",
            where={"source": "web"},
        ),
        Figure(
            Question("source_health", over="now"), "without_account", "down", title="Web facts of no known account",
            where={"source": "web"},
        ),
        Drawing(
            Question("source_health", over="now"), gettext_noop("Days since each source's last fact"), "ranked",
            ("days_since",), x="source", span=6,
        ),
        Drawing(
            Question("source_health", over="now"), gettext_noop("Refused rows by source"), "ranked", ("refused",),
            x="source", span=6,
        ),
        Listing(
            Question("source_health", over="now"), gettext_noop("Sources"),
            ("source", "facts", "first_on", "last_on", "days_since", "without_account", "deals_without_account",
            "refused"),
            last=0, span=12,
        ),
    ),
)  # fmt: skip
