"""`plait link` and `plait code`: the tracked links and the promo codes of partners."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from plait.cli.plainly import JSON, desk_of, plainly

if TYPE_CHECKING:
    from plait.web.collector.models import TrackedLink

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def link() -> None:
    """Look after the tracked links that partners spread."""


@link.command("add")
@click.argument("target")
@click.option("--partner", required=True, help="Whose link it is, as facts name the partner.")
@click.option("--campaign", default="", help="The campaign that its clicks belong to.")
@click.option("--channel", default="", help="The channel that its clicks belong to.")
@click.option(
    "--code", default="", help="3 to 40 lower case letters, digits, hyphens (default: one that says nothing)."
)
@click.option("--parameter", default="click_id", show_default=True, help="The name under which TARGET is told the id.")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A host to which ?u=... may lead (default: none).")
@click.option("--fallback", default="", metavar="URL", help="Where it leads once it has ended (default: nowhere).")
@JSON
@click.pass_obj
def link_add(home: Path, /, target: str, *, hosts: tuple[str, ...], as_json: bool, **given: str) -> None:
    """Make a link that leads to TARGET; prints its code."""
    desk_of(home)
    from plait.web.collector import tracking

    with plainly():
        made = tracking.add_link(tracking.Wanted(target, hosts=hosts, **given))
    if as_json:
        click.echo(json.dumps(_told(made)))
    else:
        click.echo(f"/r/{made.code} leads to {made.target} and is {made.partner}'s")


@link.command("list")
@JSON
@click.pass_obj
def link_list(home: Path, as_json: bool) -> None:  # noqa: FBT001
    """List the links, the newest first."""
    desk_of(home)
    from plait.web.collector.models import TrackedLink

    listed = [_told(one) for one in TrackedLink.objects.all()]
    if as_json:
        click.echo(json.dumps(listed))
    for told in [] if as_json else listed:
        ended = "ended" if told["ended"] else ""
        click.echo(f"/r/{told['code']}\t{told['partner']}\t{told['campaign']}\t{told['target']}\t{ended}".rstrip())


@link.command("end")
@click.argument("code")
@click.pass_obj
def link_end(home: Path, code: str) -> None:
    """End the link CODE; within seconds it leads to its fallback, or nowhere."""
    desk_of(home)
    from plait.web.collector import tracking

    with plainly():
        click.echo(f"/r/{tracking.end_link(tracking.link_of(code)).code} has ended")


@click.group()
def code() -> None:
    """Look after the promo codes of partners."""


@code.command("add")
@click.argument("text", metavar="CODE")
@click.option("--partner", required=True, help="Whose code it is, as facts name the partner.")
@click.option("--from", "first", required=True, type=DAY, metavar="DAY", help="The first day on which it is valid.")
@click.option("--to", "last", required=True, type=DAY, metavar="DAY", help="The last day on which it is valid.")
@click.pass_obj
def code_add(home: Path, text: str, *, partner: str, first: datetime, last: datetime) -> None:
    """Give the promo code CODE to a partner, for some days; at one time it is one partner's."""
    desk_of(home)
    from plait.settings import read_settings
    from plait.web.collector import tracking

    with plainly():
        zone = ZoneInfo(read_settings(home).zone)
        made = tracking.add_code(text, partner=partner, first=first.date(), last=last.date(), zone=zone)
    click.echo(f"{made.code} is {made.partner}'s from {first:%Y-%m-%d} to {last:%Y-%m-%d}")


@code.command("list")
@JSON
@click.pass_obj
def code_list(home: Path, as_json: bool) -> None:  # noqa: FBT001
    """List the promo codes with the days on which they are valid."""
    desk_of(home)
    from plait.settings import read_settings
    from plait.web.collector import tracking
    from plait.web.collector.models import PromoCode

    zone = ZoneInfo(read_settings(home).zone)
    listed = [
        {
            "code": one.code, "partner": one.partner, "from": one.valid_from.astimezone(zone).date().isoformat(),
            "to": tracking.last_day(one, zone).isoformat(),
        }
        for one in PromoCode.objects.order_by("code", "valid_from")
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps(listed))
    for told in [] if as_json else listed:
        click.echo("\t".join(told.values()))


@code.command("end")
@click.argument("text", metavar="CODE")
@click.pass_obj
def code_end(home: Path, text: str) -> None:
    """End the promo code CODE now; orders until now are still its partner's."""
    desk_of(home)
    from plait.web.collector import tracking

    with plainly():
        found = tracking.code_of(text)
        tracking.end_code(found)
    click.echo(f"{found.code} is {found.partner}'s no more")


def _told(one: TrackedLink) -> dict[str, Any]:
    return {
        "code": one.code, "path": f"/r/{one.code}", "target": one.target, "partner": one.partner,
        "campaign": one.campaign, "channel": one.channel, "source": one.source.name, "ended": one.ended_at is not None,
    }  # fmt: skip
