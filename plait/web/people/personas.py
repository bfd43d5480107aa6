"""The roles that every desk begins with, and the people of the demo company who have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_noop

from plait.facts import DEPARTMENTS
from plait.web.people.models import Role, RoleRight, User
from plait.web.people.rights import AREAS

BOARDS = ("company", *DEPARTMENTS)
READ = {"numbers": "see", "customers": "see", "data": "see", "lifecycle": "see"}


@dataclass(frozen=True, slots=True)
class Seed:
    """A role: its title and the level it gives in each area."""

    title: str
    levels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody of the demo company."""

    name: str
    email: str
    department: str
    roles: tuple[str, ...]
    language: str = ""
    outside: bool = False
    partners: tuple[str, ...] = ()


def _member(department: str) -> dict[str, str]:
    return {department: "see", "numbers": "see", "customers": "see", "lifecycle": "work"}


def _head(department: str) -> dict[str, str]:
    approves = dict.fromkeys((department, "numbers", "lifecycle"), "approve")
    return {**dict.fromkeys(BOARDS, "see"), **READ, "data": "work", **approves}


TITLES = {
    "marketing": gettext_noop("Marketing"), "sales": gettext_noop("Sales"), "service": gettext_noop("Service"),
    "product": gettext_noop("Product"), "finance": gettext_noop("Finance"), "it": gettext_noop("IT"),
    "hr": gettext_noop("HR"), "partners": gettext_noop("Partners"),
}  # fmt: skip
ROLES: Mapping[str, Seed] = {
    "chief": Seed(gettext_noop("Chief executive"), {**dict.fromkeys(BOARDS, "see"), **READ, "company": "approve"}),
    "administrator": Seed(gettext_noop("Administrator"), {"people": "approve", "audit": "see", "data": "approve"}),
    "analyst": Seed(gettext_noop("Analyst"), {**dict.fromkeys(BOARDS, "see"), **READ, "numbers": "work"}),
    "partner": Seed(gettext_noop("Partner outside the firm"), {"numbers": "see"}),
    **{f"head-{name}": Seed(f"{title}: head", _head(name)) for name, title in TITLES.items()},
    **{f"member-{name}": Seed(f"{title}: member", _member(name)) for name, title in TITLES.items()},
}
PERSONAS: Mapping[str, Persona] = {
    "cleo": Persona("Cleo Martin", "cleo@demo.example", "", ("chief",)),
    "mara": Persona("Mara Vogel", "mara@demo.example", "marketing", ("head-marketing",)),
    "sol": Persona("Sol Kim", "sol@demo.example", "sales", ("head-sales",)),
    "sven": Persona("Sven Lindqvist", "sven@demo.example", "service", ("head-service",)),
    "pia": Persona("Pia Rossi", "pia@demo.example", "product", ("head-product",)),
    "fin": Persona("Fin O'Connor", "fin@demo.example", "finance", ("head-finance",)),
    "ida": Persona("Ida Novak", "ida@demo.example", "it", ("head-it", "administrator")),
    "hana": Persona("Hana Lee", "hana@demo.example", "hr", ("head-hr",)),
    "paul": Persona("Paul Dubois", "paul@demo.example", "partners", ("head-partners",)),
    "mia": Persona("Mia Weber", "mia@demo.example", "sales", ("member-sales",)),
    "pat": Persona("Pat Brandt", "pat@partner.example", "", ("partner",), outside=True, partners=("P-01",)),
    "otto": Persona("Otto Other", "otto@elsewhere.example", "", (), outside=True),
}


def seed_roles() -> None:
    """Make the roles that are not there yet; those that people have changed stay as they are."""
    for name, seed in ROLES.items():
        role, made = Role.objects.get_or_create(name=name, defaults={"title": seed.title})
        if made:
            RoleRight.objects.bulk_create(
                RoleRight(role=role, area=area, level=level) for area, level in seed.levels.items()
            )


def seed_personas(password: str) -> list[User]:
    """Make the people of the demo company who are not there yet, all with one password."""
    seed_roles()
    for persona in PERSONAS.values():
        if User.objects.filter(email=persona.email).exists():
            continue
        user = User.objects.create_user(
            persona.email, password, name=persona.name, department=persona.department,
            language=persona.language, outside=persona.outside, partners=list(persona.partners),
        )  # fmt: skip
        user.roles.set(Role.objects.filter(name__in=persona.roles))
    return list(User.objects.filter(email__in=[persona.email for persona in PERSONAS.values()]).order_by("id"))


assert set(AREAS) >= {area for seed in ROLES.values() for area in seed.levels}  # noqa: S101 - found here, at import
