"""`plait handoff`: the hand-offs that wait, answers to them, and the policy that they follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plait.cli.plainly import JSON, Refusal, desk_of, plainly
from plait.facts import DEPARTMENTS

if TYPE_CHECKING:
    from plait.web.handoffs.models import HandOff
    from plait.web.people.models import User

STATES = ("open", "accepted", "rejected", "expired")
BY = click.option("--by", required=True, metavar="EMAIL", help="Whose answer it is, by the address they log in with.")
NOTE = click.option("--note", default="", help="What the sender shall know.")
FILE = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.group()
def handoff() -> None:
    """Look after hand-offs between departments."""


@handoff.command("list")
@click.option("--state", type=click.Choice(STATES), default="open", show_default=True)
@click.option("--receiver", type=click.Choice(DEPARTMENTS), help="Only those to this department.")
@click.option("--assignee", default="", metavar="EMAIL", help="Only those with this colleague.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@JSON
@click.pass_obj
def handoff_list(home: Path, state: str, receiver: str | None, assignee: str, limit: int, as_json: bool) -> None:  # noqa: FBT001
    """List hand-offs, what is due first on top."""
    desk_of(home)
    from plait.web.handoffs import waiting
    from plait.web.handoffs.models import HandOff

    told = {"state": state, "receiver": receiver or "", "assignee": assignee.lower()}
    rows = HandOff.objects.filter(**{name: text for name, text in told.items() if text})
    listed = [_told(one) for one in waiting.ordered(rows, waiting.Wanted("all", state))[:limit]]
    if as_json:
        click.echo(json.dumps(listed, ensure_ascii=False))
    for one in [] if as_json else listed:
        columns = ("id", "due_at", "type", "sender", "receiver", "assignee", "account_name", "value")
        click.echo("\t".join(str(one[name] or "-") for name in columns))


@handoff.command("accept")
@click.argument("number", metavar="ID")
@BY
@NOTE
@click.pass_obj
def handoff_accept(home: Path, number: str, by: str, note: str) -> None:
    """Take the hand-off ID."""
    desk_of(home)
    from plait.web.handoffs import acts

    with plainly():
        done = acts.accept(number, _who(by, number, "accept"), note=note)
    _say(home, done.row)


@handoff.command("reject")
@click.argument("number", metavar="ID")
@click.option("--reason", required=True, help="The code of a reason, such as no_fit.")
@BY
@NOTE
@click.pass_obj
def handoff_reject(home: Path, number: str, by: str, *, reason: str, note: str) -> None:
    """Refuse the hand-off ID with a reason."""
    desk_of(home)
    from plait.web.handoffs import acts

    with plainly():
        done = acts.reject(number, _who(by, number, "reject"), reason=reason, note=note)
    _say(home, done.row)


@handoff.group("policy")
def policy() -> None:
    """Look after the policy: types, times, reasons, calendars, operating modes."""


@policy.command("show")
@click.option("--version", type=click.IntRange(min=0), help="Which version (default: the newest).")
@click.pass_obj
def policy_show(home: Path, version: int | None) -> None:
    """Print the policy as its file; a copy of it is what to change."""
    from plait.handoff.policy import read_policy

    with plainly():
        click.echo(read_policy(home, version).text.rstrip())


@policy.command("check")
@FILE
@click.pass_obj
def policy_check(_home: Path, file: Path) -> None:
    """Tell everything that is wrong with the policy in FILE; nothing is changed."""
    from plait.handoff.policy import BadPolicy, check_policy

    with plainly():
        problems = check_policy(file.read_text("utf-8"))
        if problems:
            raise BadPolicy(problems)
    click.echo("this policy can be adopted")


@policy.command("adopt")
@FILE
@click.option("--by", required=True, help="Who adopts it: a name or the address they log in with.")
@click.option("--why", required=True, help="Why, for those who read it later.")
@click.pass_obj
def policy_adopt(home: Path, file: Path, by: str, why: str) -> None:
    """Make the policy in FILE hold from now on; hand-offs that are open keep the version they were made under."""
    desk_of(home)
    from plait.web.handoffs import changing

    with plainly():
        adopted = changing.adopt(file.read_text("utf-8"), by=by, why=why)
        _publish(home)
    click.echo(f"version {adopted.version} of the policy holds from now on")


def _who(email: str, number: str, act: str) -> User:
    """Find whose answer it is, and refuse an answer that is not theirs."""
    from plait.web.handoffs import acts, permits
    from plait.web.people.accounts import find_user

    user, row = find_user(email), acts.row_of(number)
    verdict = permits.may_act(user, row, act)
    if not verdict.allowed:
        raise Refusal(verdict.because)
    return user


def _say(home: Path, row: HandOff) -> None:
    _publish(home)
    click.echo(f"{row.account_name} is {row.state}{f': {row.reason}' if row.reason else ''}")


def _publish(home: Path) -> None:
    """Publish what waits at once: no worker may be there."""
    from plait.web.handoffs import outbox

    with plainly():
        outbox.publish(home)


def _told(row: HandOff) -> dict[str, Any]:
    at = {name: getattr(row, name) for name in ("created_at", "due_at", "answered_at")}
    return {
        "id": row.pk, "type": row.type, "account": row.account, "account_name": row.account_name,
        "sender": row.sender, "receiver": row.receiver, "assignee": row.assignee or None, "state": row.state,
        "reason": row.reason or None, "value": str(row.value) if row.value is not None else None,
        "currency": row.currency or None, "completeness": row.completeness,
        **{name: instant.isoformat() if instant else None for name, instant in at.items()},
    }  # fmt: skip
