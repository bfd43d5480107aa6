"""Changing the policy: a new version with its audit entry and its fact, however the process ended that adopted it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db import transaction

from plait.facts import Fact
from plait.handoff.policy import Policy, adopt_policy, policies, with_mode
from plait.web.handoffs import clock, outbox
from plait.web.handoffs.models import Outbox
from plait.web.handoffs.policies import newest
from plait.web.people.models import User, record


def adopt(text: str, *, by: str, why: str) -> Policy:
    """Make a text the policy that holds from now on; `by` is the address of who does it."""
    policy = adopt_policy(settings.HOME, text, by=by, why=why, now=clock.present())
    announce(policy)
    return policy


def work_as(pair: tuple[str, str], mode: str, *, by: str, why: str) -> Policy:
    """Let two departments work together in another way from now on; what is open goes on as it was made."""
    return adopt(with_mode(newest(), pair, mode, clock.present()), by=by, why=why)


def started_by_facts(text: str, since: datetime) -> str:
    """Give the text of a policy that lets facts start hand-offs by themselves, from an instant on."""
    return f"[facts]\nsince = {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}\n\n{text}"


def catch_up() -> int:
    """Write down the versions whose adoption ended before it was written down; gives how many those were."""
    missing = [one for version, one in policies(settings.HOME).items() if version and not _announced(one)]
    for policy in missing:
        announce(policy)
    return len(missing)


def announce(policy: Policy) -> None:
    """Write a new version into the audit log and tell it as a fact, once."""
    with transaction.atomic():
        if _announced(policy):
            return
        actor = User.objects.filter(email=policy.by).first()
        told = {"version": policy.version, "why": policy.why, "by": policy.by}
        record(actor, "lifecycle.changed", f"hand-offs, version {policy.version}", after=told)
        outbox.keep([_fact(policy)])


def _fact(policy: Policy) -> Fact:
    return Fact(
        source=outbox.SOURCE, id=_number(policy), kind="lifecycle.changed", occurred_at=policy.at,
        recorded_at=policy.at, owner=policy.by, text=f"hand-offs, version {policy.version}", detail={"why": policy.why},
    )  # fmt: skip


def _announced(policy: Policy) -> bool:
    return Outbox.objects.filter(fact=_number(policy)).exists()


def _number(policy: Policy) -> str:
    return f"handoffs-policy-{policy.version}"
