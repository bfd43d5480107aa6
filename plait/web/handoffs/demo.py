"""What waits at the demo company before anybody looks: the newest leads and wins, offered to the next department."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from plait.demo import END
from plait.handoff.policy import adopt_policy, shipped_text
from plait.web.handoffs import clock, outbox, starting
from plait.web.handoffs.models import HandOff
from plait.web.handoffs.policies import newest

DAYS = 45  # of facts that start hand-offs


def seed(home: Path) -> None:
    """Switch hand-offs on, once: a desk that has a policy of its own, or hand-offs, is left alone."""
    if newest().version or HandOff.objects.exists():
        return
    text = f"{shipped_text()}\n[facts]\nsince = {END - timedelta(days=DAYS)}\n"
    adopt_policy(home, text, by="Mara Vogel", why="Nobody shall wait for an answer", now=clock.now())
    starting.look()
    outbox.publish(home)
