"""What every command that decides has in common: who decides, when, and what is said once it is done."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from plait.cli.plainly import now

if TYPE_CHECKING:
    from plait.matching.acts import Steward
    from plait.stewardship import Decision


def steward(by: str, why: str) -> Steward:
    """Give who decides now, and why."""
    from plait.matching.acts import Steward

    return Steward(by, why, now())


def naive() -> datetime:
    """Give the instant that it is as decisions and models keep it: UTC without its zone."""
    return now().replace(tzinfo=None)


def say(decision: Decision, says: str) -> None:
    """Say what was decided, with its number and the way back."""
    back = "" if decision.undoes else f" To take it back: plait identity undo {decision.number}."
    click.echo(f"Decision {decision.number}: {says}.{back}")
