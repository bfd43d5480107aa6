"""Shown: a hand-off as pages and mails say it: who, how long, how much, what is in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.numbers import format_percent
from django.conf import settings
from django.utils.translation import gettext, gettext_noop

from plait.handoff.policy import DISQUALIFY, MERGE, NURTURE, REROUTE, TAKEN_BACK, WITHDRAWN, Policy, Reason
from plait.handoff.state import SYSTEM, THE_TEAM, allowed
from plait.settings import read_settings
from plait.web import formats, words
from plait.web.handoffs import colleagues, permits
from plait.web.handoffs.models import HandOff
from plait.web.handoffs.policies import newest, policy_of
from plait.web.handoffs.rows import handoff_of, heard
from plait.web.handoffs.waiting import Waiting, left
from plait.web.people.models import User

MINUTES = 60
SOON = timedelta(hours=1)  # of working time, from which on a list shows that an answer is due soon
TARGETS_SAY = {
    NURTURE: gettext_noop("back to be nurtured"),
    MERGE: gettext_noop("two records are one"),
    REROUTE: gettext_noop("to somebody else"),
    DISQUALIFY: gettext_noop("closed for good"),
    WITHDRAWN: gettext_noop("taken back"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A hand-off as a row of a list shows it; `acts` are what its reader may do with it."""

    row: HandOff
    title: str
    value: str
    assignee: str
    due: datetime | None
    left: str
    overdue: bool
    soon: bool
    share: str
    answered: datetime | None
    touch_due: datetime | None
    reason: str
    because: str
    acts: Sequence[str]


def rows_shown(rows: Sequence[HandOff], user: User, now: datetime) -> list[Shown]:
    """Give hand-offs as their reader sees them."""
    names = colleagues.names_of(one.assignee for one in rows)
    zone = ZoneInfo(read_settings(settings.HOME).zone)
    return [_shown(one, user, names, zone, now) for one in rows]


def _shown(row: HandOff, user: User, names: Mapping[str, str], zone: ZoneInfo, now: datetime) -> Shown:
    waiting = Waiting(row, left(row, now))
    return Shown(
        row, title_of(row), value_of(row), called(row.assignee, names), local(row.due_at, zone), time_left(waiting),
        waiting.overdue, waiting.left is not None and waiting.left < SOON, share_of(row), local(row.answered_at, zone),
        local(row.touch_due_at, zone) if row.first_touch_at is None and row.state == HandOff.State.ACCEPTED else None,
        reason_said(row), words.said(heard(row.because)), acts_of(row, user, now),
    )  # fmt: skip


def acts_of(row: HandOff, user: User, now: datetime) -> list[str]:
    """Name what somebody may do with a hand-off now: its state allows it, and so do their rights."""
    return [act for act in allowed(handoff_of(row), now) if act != "expire" and permits.may_act(user, row, act).allowed]


def local(instant: datetime | None, zone: ZoneInfo) -> datetime | None:
    """Give an instant on the clock on the wall."""
    return instant.astimezone(zone) if instant else None


def title_of(row: HandOff) -> str:
    """Give the title of a hand-off's type, in the reader's language where it is ours."""
    return _type_title(policy_of(row.policy_version), row.type)


def type_title(name: str) -> str:
    """Give the title of a type by the policy that holds now."""
    return _type_title(newest(), name)


def _type_title(policy: Policy, name: str) -> str:
    known = policy.types.get(name)
    return gettext(known.title) if known and known.title else words.label(name)


def reasons_of(policy: Policy) -> list[tuple[str, str, str]]:
    """Give the reasons with which a receiver may refuse: code, title, and what becomes of the account."""
    known = [one for one in policy.reasons.values() if one.code != TAKEN_BACK]
    return [(one.code, _title(one), becomes(one)) for one in known]


def becomes(reason: Reason) -> str:
    """Say what becomes of an account that is refused for a reason."""
    said = gettext(TARGETS_SAY[reason.target])
    if reason.delay_days is None:
        return said
    return gettext("%(target)s, for %(n)s days") % {"target": said, "n": reason.delay_days}


def _title(reason: Reason) -> str:
    return gettext(reason.title) if reason.title else words.label(reason.code)


def reason_title(code: str) -> str:
    """Give the title of a reason by the policy that holds now; a text from the CRM stays as it is."""
    known = newest().reasons.get(code)
    return _title(known) if known else code


def reason_said(row: HandOff) -> str:
    """Give the reason of an answer as people read it."""
    known = policy_of(row.policy_version).reasons.get(row.reason)
    return _title(known) if known else row.reason


def value_of(row: HandOff) -> str:
    """Give the value at stake; a dash where nobody knows it."""
    return formats.money(Decimal(row.value), row.currency or None) if row.value is not None else formats.UNKNOWN


def share_of(row: HandOff) -> str:
    """Give how much of what the next owner must know is there."""
    return formats.UNKNOWN if row.completeness is None else percent(row.completeness)


def percent(share: float) -> str:
    """Say a share in whole percents."""
    return str(format_percent(share, locale=formats.locale()))


def called(address: str, names: Mapping[str, str]) -> str:
    """Give what people call somebody."""
    if address == SYSTEM:
        return gettext("a rule")
    if address == THE_TEAM:
        return gettext("one team")
    return names.get(address, address)


def time_left(waiting: Waiting) -> str:
    """Say how much working time is left, or by how much an answer is late."""
    if waiting.left is None:
        return ""
    told = duration(abs(waiting.left))
    return (gettext("%(time)s late") if waiting.overdue else gettext("%(time)s left")) % {"time": told}


def duration(time: timedelta) -> str:
    """Say a working time in hours and minutes."""
    minutes = int(time.total_seconds() // MINUTES)
    hours, rest = divmod(minutes, MINUTES)
    said = [gettext("%(n)s h") % {"n": formats.shown(hours, "rows")}] if hours else []
    if rest or not hours:
        said.append(gettext("%(n)s min") % {"n": rest})
    return " ".join(said)


def minutes(number: int) -> str:
    """Say a limit of working minutes."""
    return duration(timedelta(minutes=number))


def names_in(rows: Iterable[HandOff]) -> Mapping[str, str]:
    """Give the names of everybody that hand-offs name."""
    rows = list(rows)
    return colleagues.names_of(address for row in rows for address in (row.assignee, row.sent_by, row.answered_by))
