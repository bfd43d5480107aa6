"""Accounts made on the command line, by whoever runs the desk: the first people, and those who cannot come in."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from plait.facts import DEPARTMENTS, nearest
from plait.failure import Unfit
from plait.web.people.care import Details, end_sessions
from plait.web.people.models import Role, User, record
from plait.web.people.personas import seed_roles

FIRST = ("administrator", "chief")  # of the first person of a home: somebody has to look after the others


class BadAccount(Unfit, ValueError):
    """An account that cannot be made or changed so."""


def check_account(email: str, details: Details) -> Details:
    """Refuse an address or details that will not do, before anybody types a password; gives what will be made."""
    seed_roles()
    try:
        validate_email(email)
    except ValidationError as error:
        raise BadAccount(f"{email!r} is no e-mail address; write name@company.example.") from error
    if User.objects.filter(email=email.lower()).exists():
        raise BadAccount(f"{email.lower()} is here already; `plait user reset {email.lower()}` sets a new password.")
    if details.department and details.department not in DEPARTMENTS:
        hint = nearest(details.department, list(DEPARTMENTS))
        raise BadAccount(f"no department {details.department!r}; {hint}allowed: {', '.join(DEPARTMENTS)}.")
    known = list(Role.objects.order_by("name").values_list("name", flat=True))
    for role in details.roles:
        if role not in known:
            raise BadAccount(f"no role {role!r}; {nearest(role, known)}allowed: {', '.join(known)}.")
    if details.partners and not details.outside:
        raise BadAccount("--partner limits what somebody outside the firm sees; add --outside, or leave it out.")
    first = not details.roles and not details.outside and not User.objects.exists()
    return Details(details.name, details.department, FIRST, partners=details.partners) if first else details


def add_user(email: str, details: Details, password: str) -> User:
    """Make somebody who can log in at once."""
    checked = check_account(email, details)
    with transaction.atomic():
        user = User(
            email=email.lower(), name=checked.name, department=checked.department, outside=checked.outside,
            partners=list(checked.partners),
        )  # fmt: skip
        _check_password(password, user)
        user.set_password(password)
        user.save()
        user.roles.set(Role.objects.filter(name__in=checked.roles))
        record(None, "person.added", user.email, after=checked.told())
    return user


def find_user(email: str) -> User:
    """Find somebody by the address."""
    user = User.objects.filter(email=email.lower()).first()
    if user is None:
        known = list(User.objects.values_list("email", flat=True))
        raise BadAccount(f"nobody has the address {email!r}; {nearest(email, known)}`plait user list` shows all.")
    return user


def set_password(email: str, password: str) -> None:
    """Give somebody a new password; their sessions end."""
    user = find_user(email)
    with transaction.atomic():
        _check_password(password, user)
        user.set_password(password)
        user.save(update_fields=["password"])
        end_sessions(user)
        record(None, "password.reset", user.email)


def listed() -> Iterator[str]:
    """Give one line for each person: address, name, department, roles, and whether they may come in."""
    for user in User.objects.prefetch_related("roles").order_by("email"):
        roles = ", ".join(sorted(role.name for role in user.roles.all())) or "no role"
        state = "active" if user.is_active else "deactivated"
        yield f"{user.email}  {user.name}  {user.department or '-'}  {roles}  {state}"


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadAccount(f"the password will not do: {' '.join(error.messages)}") from error
