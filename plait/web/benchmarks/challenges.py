"""Seven challenges: what colleagues answer, beside what 750 firms answered and what the system has measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import cast

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.failure import Unfit
from plait.measure import Cell, Table
from plait.web import formats
from plait.web.benchmarks.models import Opinion
from plait.web.benchmarks.own import Own, value_of
from plait.web.people.models import User, record

FEWEST = 5  # answers from which a share is shown: fewer would tell who said what
FRESH = 7  # days


class BadOpinion(Unfit, ValueError):
    """An answer to the self-check that names no challenge."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge: its published figure, and the measure whose answer `tell` makes a sentence of."""

    benchmark: str
    title: str
    measure: str
    options: Mapping[str, str]
    column: str
    tell: Callable[[Table], str | None]


def answered() -> tuple[int, Mapping[str, float]]:
    """Give how many answered, and the share of each challenge; no share where fewer than `FEWEST` have answered."""
    given = list(
        Opinion.objects.filter(person__is_active=True, person__outside=False).values_list("challenges", flat=True)
    )
    if len(given) < FEWEST:
        return len(given), {}
    counts = Counter(name for names in given for name in set(names))
    return len(given), {name: counts[name] / len(given) for name in CHALLENGES}


def answer(person: User, names: Collection[str]) -> None:
    """Keep what somebody answers; it takes the place of what they said before."""
    if set(names) - set(CHALLENGES):
        raise BadOpinion(_("This is none of the challenges; load the page again."))
    with transaction.atomic():
        kept = [name for name in CHALLENGES if name in names]
        Opinion.objects.update_or_create(person=person, defaults={"challenges": kept, "answered_at": timezone.now()})
        record(person, "self-check.answered", "self-check")  # that they did, not what they think


def take_back(person: User) -> None:
    """Forget somebody's answer."""
    with transaction.atomic():
        if Opinion.objects.filter(person=person).delete()[0]:
            record(person, "self-check.taken-back", "self-check")


# -- what was measured


def _fresh(table: Table) -> str | None:
    rows = [row for row in table.records() if row["days_since"] is not None]
    if not rows:
        return None
    fresh = sum(cast("float", row["days_since"]) <= FRESH for row in rows)
    return _("%(n)s of %(all)s sources gave a fact in the last %(days)s days") % {
        "n": fresh, "all": len(rows), "days": FRESH,
    }  # fmt: skip


def _systems(table: Table) -> str | None:
    rows = table.records()
    if not rows:
        return None
    facts, lost = _sum(rows, "facts"), _sum(rows, "without_account")
    return _("%(systems)s systems feed one timeline; %(share)s of their facts name no account that is known") % {
        "systems": len(rows), "share": formats.shown(lost / facts if facts else None, "share"),
    }  # fmt: skip


def _refused(table: Table) -> str | None:
    rows = table.records()
    if not rows:
        return None
    kept, refused = _sum(rows, "facts"), _sum(rows, "refused")
    return _("%(n)s delivered rows broke a rule and were refused, %(share)s of all") % {
        "n": formats.shown(refused, "rows"),
        "share": formats.shown(refused / (kept + refused) if kept + refused else None, "share"),
    }  # fmt: skip


def _lost_deals(table: Table) -> str | None:
    rows = table.records()
    if not rows:
        return None
    return _("%(deals)s deals and %(facts)s facts name nobody whom we know: they are missing by account") % {
        "deals": formats.shown(_sum(rows, "deals_without_account"), "deals"),
        "facts": formats.shown(_sum(rows, "without_account"), "facts"),
    }  # fmt: skip


def _accepted(table: Table) -> str | None:
    own = Own(
        "handoffs", "accepted", where={"sender": "marketing", "receiver": "sales"}, events="accepted", n="answered"
    )
    found = value_of(own, table, table.as_of.date())
    if found is None:
        return None
    return _("sales accepted %(share)s of %(n)s answered hand-offs from marketing (95 %% interval %(between)s)") % {
        "share": found.text, "n": found.n, "between": found.interval,
    }  # fmt: skip


def _rated(table: Table) -> str | None:
    rows = [row for row in table.records() if row["mean"] is not None]
    if not rows:
        return None
    lowest = min(rows, key=lambda row: (cast("float", row["mean"]), str(row["skill"])))
    return _("the skill rated lowest is %(skill)s: %(points)s of 5 points, %(n)s colleagues") % {
        "skill": lowest["skill"], "points": formats.shown(lowest["mean"], "points"),
        "n": formats.shown(lowest["people"], "people"),
    }  # fmt: skip


def _again(table: Table) -> str | None:
    rows = table.records()
    times, again = _sum(rows, "times"), _sum(rows, "repeated")
    if not times:
        return None
    return _("%(share)s of %(n)s steps from lead to cash were taken again in the same account") % {
        "share": formats.shown(again / times, "share"), "n": formats.shown(times, "times"),
    }  # fmt: skip


def _sum(rows: list[dict[str, Cell]], column: str) -> int:
    return sum(cast("int", row[column] or 0) for row in rows)


_SOURCES = ("source_health", dict[str, str]())
CHALLENGES: Mapping[str, Challenge] = {
    "data_access": Challenge("b2b_challenge_data_access", gettext_noop("Access to existing customer data"),
                             *_SOURCES, "days_since", _fresh),
    "sales_alignment": Challenge("b2b_challenge_sales_alignment", gettext_noop("Aligning sales and marketing"),
                                 "handoffs", {"by": "pair"}, "acceptance", _accepted),
    "fragmented_systems": Challenge("b2b_challenge_fragmented_systems", gettext_noop("Fragmented marketing systems"),
                                    *_SOURCES, "without_account", _systems),
    "technology_limits": Challenge("b2b_challenge_technology_limits", gettext_noop("Limits of current technology"),
                                   *_SOURCES, "refused", _refused),
    "skills": Challenge("b2b_challenge_skills", gettext_noop("Internal skills and expertise"),
                        "skill_level", {}, "mean", _rated),
    "wrong_data": Challenge("b2b_challenge_wrong_data", gettext_noop("Not collecting the right customer data"),
                            *_SOURCES, "deals_without_account", _lost_deals),
    "inefficient_process": Challenge("b2b_challenge_inefficient_process", gettext_noop("Inefficient processes"),
                                     "process_steps", {"case": "account"}, "repeated", _again),
}  # fmt: skip
