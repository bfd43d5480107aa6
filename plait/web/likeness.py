"""Likeness in words: how the fields of two records compare, and why two keys are one, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.identity import Join
from plait.matching.kept import Proposal
from plait.web import formats

FIELDS = {
    "given": gettext_noop("given name"), "family": gettext_noop("family name"), "name": gettext_noop("name"),
    "company": gettext_noop("company"), "workplace": gettext_noop("place of work"), "email": gettext_noop("e-mail"),
    "domain": gettext_noop("domain"), "phone": gettext_noop("phone"), "born": gettext_noop("date of birth"),
    "number": gettext_noop("official number"), "street": gettext_noop("street"), "house": gettext_noop("house number"),
    "postcode": gettext_noop("postal code"), "city": gettext_noop("town"), "region": gettext_noop("region"),
    "user_id": gettext_noop("user"),
}  # fmt: skip
LEVELS = (
    gettext_noop("equal"), gettext_noop("nearly equal"), gettext_noop("in each other's place"), gettext_noop("alike"),
    gettext_noop("different"), gettext_noop("unknown"), gettext_noop("one digit apart"),
    gettext_noop("two digits apart"), gettext_noop("same year, or same day"), gettext_noop("same decade"),
    gettext_noop("same before the @"), gettext_noop("alike before the @"), gettext_noop("same but the last digits"),
    gettext_noop("one is part of the other"), gettext_noop("same but the ending"), gettext_noop("same firm"),
    gettext_noop("nearly the same firm"), gettext_noop("same postal code"), gettext_noop("same town"),
    gettext_noop("same region"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A field of two records: both values, how they compare in words, and whether that speaks for one."""

    name: str
    left: str
    right: str
    level: str
    tone: str  # good: speaks for one, bad: against it, empty: says nothing


def rows_of(pair: Proposal) -> list[Row]:
    """Give the fields of a pair; a name that was told whole is one row."""
    return [
        Row(_(FIELDS.get(one.field, one.field)), one.left, one.right, _(one.level), _tone(one.weight))
        for one in pair.fields
    ]


def because(join: Join) -> str:
    """Say why two keys are one."""
    told = {"left": join.left[1], "right": join.right[1], "day": formats.day(join.recorded_at.date())}
    one = join.decision
    if one is None:
        said = _("%(left)s and %(right)s were in one row of %(source)s on %(day)s.")
        return said % (told | {"source": join.source})
    told |= {"by": one.by, "why": one.why, "n": str(one.number)}
    if "probability" not in one.evidence:
        return _("%(by)s merged %(left)s and %(right)s on %(day)s, because: %(why)s (decision %(n)s)") % told
    told |= {"alike": _alike(one.evidence.get("alike", "")), "p": one.evidence["probability"][:4]}
    told["threshold"] = one.evidence.get("threshold", "")
    said = _(
        "%(by)s merged %(left)s and %(right)s on %(day)s, because: %(why)s (decision %(n)s). Matched: %(alike)s; "
        "probability %(p)s, threshold %(threshold)s."
    )
    return said % told


def _alike(text: str) -> str:
    """Say what a decision rests on in the reader's language; it is kept as `field: level; field: level`."""
    pairs: Sequence[list[str]] = [one.split(": ", 1) for one in text.split("; ") if ": " in one]
    return ", ".join(f"{_(FIELDS.get(name, name))}: {_(level)}" for name, level in pairs)


def _tone(weight: float) -> str:
    return "good" if weight > 1 else "bad" if weight < -1 else ""
