"""What becomes of the facts of an erased person, kind by kind; a kind that nobody has decided on fails a test."""

from __future__ import annotations

ONLY_OF_A_PERSON = frozenset(
    (
        "visit.started", "page.viewed", "screen.viewed", "event.other", "ad.clicked", "link.clicked",
        "subscriber.joined", "contact.created", "person.identified", "form.submitted", "content.downloaded",
        "event.attended", "message.sent", "message.opened", "message.clicked", "message.unsubscribed",
        "user.signed_in", "user.signed_out", "user.invited", "user.added", "user.removed", "identity.linked",
    )
)  # fmt: skip
"""The kinds of facts that are removed with a person: all that somebody did, was sent or said about themselves."""

OF_AN_ACCOUNT = frozenset(
    (
        "account.created", "account.grouped", "trial.started", "trial.ended", "referral.made", "referral.given",
        "lead.created", "lead.mql", "lead.recycled", "lead.disqualified", "lead.sal", "lead.sql", "meeting.held",
        "deal.opened", "deal.changed", "deal.won", "deal.lost", "subscription.started", "subscription.changed",
        "subscription.ended", "order.placed", "invoice.issued", "payment.received", "payment.refunded", "product.used",
        "workspace.deleted", "ticket.opened", "ticket.resolved", "ticket.changed", "nps.answered", "csat.answered",
        "review.posted", "spend.paid", "payout.paid", "cost.booked", "fx.rate", "stage.set", "owner.assigned",
        "step.planned", "step.done", "handoff.created", "handoff.assigned", "handoff.touched", "handoff.paused",
        "handoff.resumed", "handoff.accepted", "handoff.rejected", "handoff.expired", "handoff.escalated",
        "lifecycle.changed", "definition.proposed", "definition.signed", "offer.made", "initiative.started",
        "initiative.delivered", "incident.opened", "incident.closed", "skill.assessed",
    )
)  # fmt: skip
"""The kinds that stay, without the person: money, contracts, deals; tickets, use and answers as counts; our acts."""

NAME_ACCOUNTS = ("account.created", "account.grouped")  # their text is a company's name
