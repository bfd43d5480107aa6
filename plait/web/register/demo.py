"""What the people of the demo company have agreed on before anybody looks: two definitions, a proposal, some goals."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from plait import desk
from plait.demo import END
from plait.web.people.models import User
from plait.web.people.personas import PERSONAS
from plait.web.register import acts
from plait.web.register.goals import keep
from plait.web.register.models import Goal, Proposal

YEAR_END = date(END.year, 12, 31)
SIGNED = {
    "revenue": ("fin", "mara", "The number that the whole firm is judged by."),
    "recurring_revenue": ("fin", "mara", "What the contracts bring each month."),
}
PROPOSED = ("win_rate", "sol", {"denominator": "created"}, "Open deals are work too: a rate without them flatters us.")
NUMBERS: tuple[tuple[str, str, str, str, dict[str, str], int, bool, str], ...] = (
    ("attract", "mara", "Win customers for 3,000 each", "acquisition_cost.cost_per_customer", {}, 12, False, "3000"),
    ("convert", "sol", "Win every third deal", "win_rate.win_rate", {}, 12, True, "0.33"),
    ("expand", "sven", "Customers recommend us", "satisfaction.score", {"survey": "nps"}, 12, True, "0.3"),
)  # fmt: skip
WORDS = (
    ("attract", "mara", "Partners and we say the same about what we sell"),
    ("capture", "mara", "Sales calls nine of ten leads that it is handed good ones"),
    ("convert", "sol", "Every lost deal has a reason that product understands"),
)


def seed() -> None:
    """Let them agree, once: a desk in which somebody has proposed or set something is left alone."""
    if Proposal.objects.exists() or Goal.objects.exists():
        return
    desk.measures()
    now = datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read
    people = {name: User.objects.get(email=one.email) for name, one in PERSONAS.items()}
    for measure, (one, other, reason) in SIGNED.items():
        made = acts.propose(people[one], measure, {}, reason, now=now)
        acts.sign(people[one], made.pk, now=now)
        acts.sign(people[other], made.pk, now=now)
    measure, who, options, reason = PROPOSED
    acts.sign(people[who], acts.propose(people[who], measure, options, reason, now=now).pk, now=now)
    for stage, owner, text, figure, where, months, up, target in NUMBERS:
        name, _dot, column = figure.partition(".")
        goal = Goal(stage=stage, sort="quantitative", text=text, owner=people[owner], due_on=YEAR_END)
        goal.measure, goal.column, goal.where, goal.months = name, column, where, months
        goal.up, goal.target = up, Decimal(target)
        keep(people[owner], goal)
    for stage, owner, text in WORDS:
        keep(people[owner], Goal(stage=stage, sort="qualitative", text=text, owner=people[owner], due_on=YEAR_END))
    acts.publish(now=now)
