"""`plait user`: the people of the desk, where nobody can come in by the browser yet."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from plait.cli.plainly import desk_of, plainly


@click.group()
def user() -> None:
    """Look after the people of the desk, where nobody can come in by the browser yet."""


@user.command("add")
@click.argument("email")
@click.option("--name", required=True, help="The name that others see.")
@click.option("--department", default="", help="One of plait's departments.")
@click.option("--role", "roles", multiple=True, help="A role; several times for several.")
@click.option("--outside", is_flag=True, help="Somebody who does not work for the firm.")
@click.option("--partner", "partners", multiple=True, help="With --outside: a partner code whose rows they see.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the input.")
@click.pass_obj
def user_add(
    home: Path,
    /,
    email: str,
    name: str,
    department: str,
    roles: tuple[str, ...],
    outside: bool,  # noqa: FBT001
    partners: tuple[str, ...],
    password_stdin: bool,  # noqa: FBT001
) -> None:
    """Make somebody with the address EMAIL, who can log in at once; the first of a home looks after the others."""
    desk_of(home)
    from plait.web.people import accounts
    from plait.web.people.care import Details

    with plainly():
        details = accounts.check_account(email, Details(name, department, roles, outside, partners))
        made = accounts.add_user(email, details, _new_password(from_input=password_stdin))
    if details.roles != roles:
        click.echo(f"the first person of this home gets the roles {' and '.join(details.roles)}")
    click.echo(f"{made.email} can log in")


@user.command("list")
@click.pass_obj
def user_list(home: Path) -> None:
    """List the people of the desk, a line each."""
    desk_of(home)
    from plait.web.people import accounts

    for line in accounts.listed():
        click.echo(line)


@user.command("reset")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of the input.")
@click.pass_obj
def user_reset(home: Path, email: str, password_stdin: bool) -> None:  # noqa: FBT001
    """Give the person EMAIL a new password; their sessions end."""
    desk_of(home)
    from plait.web.people import accounts

    with plainly():
        accounts.find_user(email)
        accounts.set_password(email, _new_password(from_input=password_stdin))
    click.echo(f"{email.lower()} has a new password; all sessions have ended")


def _new_password(*, from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", type=str, hide_input=True, confirmation_prompt=True)
    return password
