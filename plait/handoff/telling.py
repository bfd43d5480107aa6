"""Telling a hand-off's steps as facts, so that measures and every account's timeline know of them."""

from __future__ import annotations

from collections.abc import Mapping

from plait.facts import Fact
from plait.handoff.record import HandOff, Step
from plait.handoff.terms import Policy

SOURCE = "desk"


def facts_of(step: Step, handoff: HandOff, policy: Policy, keys: Mapping[str, str]) -> list[Fact]:
    """Give the facts that a step is: its own, and that of the account's stage where the type tells one.

    `keys` name the account, and the person where there is one. Told twice they are the same facts: all that is said of
    the step was written down with it. `detail` holds type, sender, receiver, mode, policy, due, touch_due (UTC),
    completeness, previous, target and by; measures read them there.
    """
    opens = step.act == "created"
    own = Fact(
        source=SOURCE, id=step.id, kind=f"handoff.{step.act}", occurred_at=step.at, recorded_at=step.at, keys=keys,
        object_id=step.handoff, amount=handoff.value if opens else None, currency=handoff.currency if opens else None,
        quantity=step.minutes, owner=step.detail.get("assignee"),
        text=step.detail["type"] if opens else step.reason or None,
        detail={**step.detail, "by": step.by, "note": step.note},
    )  # fmt: skip
    answer = step.act if step.act == "accepted" else step.detail.get("target", "")
    kind = policy.type(handoff.type).tells.get(answer) if step.act in ("accepted", "rejected") else None
    if kind is None:
        return [own]
    stage = Fact(
        source=SOURCE, id=f"{step.id}-stage", kind=kind, occurred_at=step.at, recorded_at=step.at, keys=keys,
        owner=step.detail.get("assignee"), text=step.reason or None, detail={"handoff": step.handoff, "by": step.by},
    )  # fmt: skip
    return [own, stage]
