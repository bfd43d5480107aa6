"""Starting: facts that are the reason for a hand-off, by the policy, make one each, and no more than one.

Facts from before the instant that the policy names start none: switching hand-offs on does not flood anybody. What was
answered where the fact came from, before anybody looked here, needs no hand-off either.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Min

from plait import desk
from plait.failure import Misused, Unfit
from plait.handoff import state
from plait.handoff.policy import TAKEN_BACK, UNREACHABLE, HandOffType, Policy
from plait.timeline import Timeline
from plait.web.handoffs import accounts, acts, card, clock, outbox
from plait.web.handoffs.card import Told
from plait.web.handoffs.models import HandOff, Looked
from plait.web.handoffs.policies import newest, policy_of

NAME = "starting"
OVERLAP = timedelta(hours=1)  # facts become known in the order of their loads, not quite in that of their instants
AT_ONCE = 200  # accounts whose facts are read together
log = logging.getLogger(__name__)


def look() -> int:
    """Make the hand-offs that facts start, of what has come since the last look; gives how many were made.

    What was answered elsewhere meanwhile, such as in the CRM, is answered here.
    """
    policy, now = newest(), clock.now()
    if policy.since is None and not HandOff.objects.filter(state=HandOff.State.OPEN).exists():
        return 0
    mark = f"{policy.version} {desk.stamp(settings.HOME)}"
    looked = Looked.objects.filter(name=NAME).first()
    if looked is not None and looked.mark == mark:
        return 0
    same_policy = looked is not None and looked.mark.split(" ")[0] == str(policy.version)
    until = looked.until - OVERLAP if looked is not None and same_policy else None
    made = _start(policy, until)
    Looked.objects.update_or_create(name=NAME, defaults={"until": now, "mark": mark})
    return made


def _start(policy: Policy, recorded_since: datetime | None) -> int:
    opened = desk.open_home(settings.HOME, now=clock.now())
    waiting = list(_new(_starts(opened, policy, recorded_since), policy))
    _answered_elsewhere(opened, policy)
    made = 0
    for first in range(0, len(waiting), AT_ONCE):
        some = waiting[first : first + AT_ONCE]
        told = accounts.facts_of(opened, sorted({str(fact["account"]) for fact in some}))
        made += sum(_make(fact, policy, told[str(fact["account"])]) for fact in some)
    return made


def _starts(opened: Timeline, policy: Policy, recorded_since: datetime | None) -> list[Told]:
    """Give the facts that start hand-offs by the policy, in the order of time."""
    kinds = sorted({kind for one in policy.types.values() for kind in one.starts})
    if not kinds or policy.since is None:
        return []
    seen = opened.facts().of(*kinds)
    wanted = seen.filter(seen.occurred_at >= _naive(policy.since), seen.account.notnull(), seen.source != outbox.SOURCE)
    if recorded_since is not None:
        wanted = wanted.filter(wanted.recorded_at >= _naive(recorded_since))
    found: list[Told] = opened.engine.run(wanted.order_by("occurred_at", "source", "id")).to_pylist()
    return found


def _new(facts: Sequence[Told], policy: Policy) -> Iterable[Told]:
    """Leave out the facts of which every hand-off is made already."""
    for first in range(0, len(facts), AT_ONCE):
        some = facts[first : first + AT_ONCE]
        made = HandOff.objects.filter(start__in=[key_of(fact) for fact in some]).values_list("start", "type")
        known = set(made)
        for fact in some:
            if any((key_of(fact), one.name) not in known for one in policy.started_by(str(fact["kind"]))):
                yield fact


def _make(fact: Told, policy: Policy, facts: list[Told]) -> int:
    """Make the hand-offs that a fact starts; one that cannot be made is told in the log and holds up no other."""
    return sum(_made(fact, one, policy, facts) for one in policy.started_by(str(fact["kind"])))


def _made(fact: Told, type_: HandOffType, policy: Policy, facts: list[Told]) -> bool:
    if any(_answers(later, fact, type_) for later in facts):
        return False
    account, before = str(fact["account"]), HandOff.objects.filter(type=type_.name, start=key_of(fact))
    if before.exists():
        return False
    worth = card.worth_of(facts)
    start = state.Start(
        type=type_.name, account=account, key=key_of(fact), sent_by=state.SYSTEM, captured_at=_aware(fact),
        person=str(fact["person"]) if fact["person"] else None, value=worth.amount, currency=worth.currency,
        owner=accounts.owner_of(facts), context=card.filled(facts, type_.required, fact),
    )  # fmt: skip
    try:
        acts.create(start, accounts.known(account, facts), actor=None, policy=policy)
    except (Unfit, Misused, DatabaseError) as error:
        log.warning("no hand-off could be made of %s: %s", key_of(fact), error)
        return False
    return True


def _answers(later: Told, fact: Told, type_: HandOffType) -> bool:
    """Tell whether a fact says that the reason for a hand-off was answered already, where it came from."""
    told = {kind for kind in type_.tells.values() if kind}
    return later["kind"] in told and cast("datetime", later["occurred_at"]) >= cast("datetime", fact["occurred_at"])


def _answered_elsewhere(opened: Timeline, policy: Policy) -> int:
    """Let open hand-offs be answered that the system they came from has answered; gives how many."""
    told = {kind for one in policy.types.values() for kind in one.tells.values()}
    waiting = HandOff.objects.filter(
        state=HandOff.State.OPEN, type__in=[n for n, one in policy.types.items() if one.tells]
    )
    first = waiting.aggregate(at=Min("captured_at"))["at"]
    if first is None or not told:
        return 0
    seen = opened.facts().of(*sorted(told))
    later = seen.filter(seen.occurred_at >= _naive(first), seen.account.notnull(), seen.source != outbox.SOURCE)
    by_account: dict[str, list[Told]] = {}
    for fact in opened.engine.run(later.order_by("occurred_at", "source", "id")).to_pylist():
        by_account.setdefault(str(fact["account"]), []).append(fact)
    return sum(_answer(row, by_account) for row in waiting.filter(account__in=by_account))


def _answer(row: HandOff, by_account: Mapping[str, list[Told]]) -> bool:
    policy = policy_of(row.policy_version)
    tells = policy.types[row.type].tells
    fact = next(
        (one for one in by_account[row.account] if _aware(one) >= row.captured_at and one["kind"] in tells.values()),
        None,
    )
    if fact is None:
        return False
    by, note, at = str(fact["owner"] or fact["source"]), str(fact["text"] or ""), _aware(fact)
    if fact["kind"] == tells.get(state.ACCEPTED):
        return _done(row, lambda h, p, _: state.accept(h, p, by=by, now=at, note=note))
    targets = {target for target, kind in tells.items() if kind == fact["kind"]}
    fits = [
        code for code, one in policy.reasons.items() if one.target in targets and code not in (TAKEN_BACK, UNREACHABLE)
    ]
    reason = note if note in fits else next(iter(fits), None)
    return reason is not None and _done(
        row, lambda h, p, _: state.reject(h, p, by=by, reason=reason, now=at, note=note)
    )


def _done(row: HandOff, doing: acts.Doing) -> bool:
    try:
        acts.do(row.pk, doing, actor=None, elsewhere=True)
    except (Unfit, Misused, DatabaseError) as error:
        log.warning("hand-off %s was answered elsewhere, and could not be here: %s", row.pk, error)
        return False
    return True


def key_of(fact: Mapping[str, object]) -> str:
    """Give what a fact is known by for ever."""
    return f"{fact['source']}/{fact['id']}"


def _aware(fact: Told) -> datetime:
    return cast("datetime", fact["occurred_at"]).replace(tzinfo=UTC)


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)
