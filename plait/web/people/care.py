"""Looking after people: each change is written down with it, and somebody is always left who may make the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.utils.translation import gettext as _

from plait.web.people.models import Role, RoleRight, User, record


class Unwise(ValueError):
    """A change that would leave the desk without somebody who looks after people, or a person without themselves."""


@dataclass(frozen=True, slots=True)
class Details:
    """What others decide about a person: name, department, roles by name, and whose rows somebody outside sees."""

    name: str
    department: str = ""
    roles: tuple[str, ...] = ()
    outside: bool = False
    partners: tuple[str, ...] = ()

    def told(self) -> dict[str, object]:
        """Give it as the audit log keeps it."""
        return {
            "name": self.name, "department": self.department, "roles": sorted(self.roles), "outside": self.outside,
            "partners": sorted(self.partners),
        }  # fmt: skip


def details_of(user: User) -> Details:
    """Give what was decided about a person."""
    roles = tuple(user.roles.order_by("name").values_list("name", flat=True))
    return Details(user.name, user.department, roles, user.outside, tuple(user.partners))


def change_person(actor: User, user: User, details: Details) -> bool:
    """Change what was decided about a person; tells whether anything was another."""
    with transaction.atomic():
        before, after = details_of(user).told(), details.told()
        if before == after:
            return False
        user.name, user.department, user.outside = details.name, details.department, details.outside
        user.partners = list(details.partners)
        user.save(update_fields=["name", "department", "outside", "partners"])
        user.roles.set(Role.objects.filter(name__in=details.roles))
        _somebody_is_left()
        _record_change(actor, "person.changed", user.email, before, after)
    return True


def deactivate(actor: User, user: User) -> None:
    """Keep somebody out: their sessions end, their keys work no more, what they did stays written."""
    if actor.pk == user.pk:
        raise Unwise(_("You cannot deactivate yourself; ask somebody else who looks after people."))
    if not user.is_active:
        return
    with transaction.atomic():
        user.is_active = False
        user.save(update_fields=["is_active"])
        _somebody_is_left()
        end_sessions(user)
        record(actor, "person.deactivated", user.email, before={"active": True}, after={"active": False})


def reactivate(actor: User, user: User) -> None:
    """Let somebody in again, with the password and the roles they had."""
    if user.is_active:
        return
    with transaction.atomic():
        user.is_active = True
        user.save(update_fields=["is_active"])
        record(actor, "person.reactivated", user.email, before={"active": False}, after={"active": True})


def reset_factor(actor: User, user: User) -> None:
    """Take away somebody's second factor and recovery codes, as when the telephone is lost; their sessions end."""
    with transaction.atomic():
        count, _gone = Authenticator.objects.filter(user=user).delete()
        if count:
            end_sessions(user)
            record(actor, "second_factor.reset", user.email, before={"active": True}, after={"active": False})


def end_sessions(user: User) -> None:
    """End a person's sessions on every machine."""
    for session in UserSession.objects.filter(user=user):
        session.end()


def end_session(user: User, number: int) -> bool:
    """End one session of a person; tells whether it was theirs."""
    with transaction.atomic():
        session = UserSession.objects.filter(user=user, pk=number).first()
        if session is None:
            return False
        record(user, "session.ended", user.email, before={"address": session.ip, "browser": session.user_agent})
        session.end()
    return True


def levels_of(role: Role) -> dict[str, str]:
    """Give the level of a role in each area where it has one."""
    return dict(role.rights.order_by("area").values_list("area", "level"))


def change_role(actor: User, role: Role, title: str, levels: Mapping[str, str]) -> bool:
    """Change a role's title and levels, for everybody who has it; tells whether anything was another."""
    with transaction.atomic():
        before: dict[str, object] = {"title": role.title, **levels_of(role)}
        after: dict[str, object] = {"title": title, **levels}
        if before == after:
            return False
        role.title = title
        role.save(update_fields=["title"])
        _set_levels(role, levels)
        _somebody_is_left()
        _record_change(actor, "role.changed", role.name, before, after)
    return True


def add_role(actor: User, name: str, title: str, levels: Mapping[str, str]) -> Role:
    """Make a role."""
    with transaction.atomic():
        role = Role.objects.create(name=name, title=title)
        _set_levels(role, levels)
        record(actor, "role.made", name, after={"title": title, **levels})
    return role


def _set_levels(role: Role, levels: Mapping[str, str]) -> None:
    role.rights.all().delete()
    RoleRight.objects.bulk_create(RoleRight(role=role, area=area, level=level) for area, level in levels.items())


def _somebody_is_left() -> None:
    """Refuse what would leave nobody who may look after people; called inside the transaction that it undoes."""
    may = RoleRight.objects.filter(area="people", level="approve", role__users__is_active=True)
    list(Role.objects.select_for_update(of=("self",)).order_by("id"))  # one such change at a time
    if not may.exists():
        raise Unwise(
            _("Nobody would be left who may look after people; give somebody else a role with that right first.")
        )


def _record_change(
    actor: User, action: str, subject: str, before: Mapping[str, object], after: Mapping[str, object]
) -> None:
    """Write down what is another, and only that."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    record(
        actor, action, subject,
        before={name: before.get(name) for name in names}, after={name: after.get(name) for name in names},
    )  # fmt: skip
