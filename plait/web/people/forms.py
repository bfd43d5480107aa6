"""Forms about people: a person's details, an invitation, a role, a new password."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from allauth.account.forms import SetPasswordField
from django import forms
from django.utils.translation import gettext, gettext_lazy

from plait.facts import DEPARTMENTS
from plait.web import words
from plait.web.people.care import Details
from plait.web.people.models import Role, User
from plait.web.people.rights import AREAS, LEVELS


class RolesField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """A tick for each role, named in the reader's language."""

    def label_from_instance(self, obj: Role) -> str:
        """Give the title of a role."""
        return gettext(obj.title)


def _departments() -> Iterator[tuple[str, str]]:
    yield "", "–"
    yield from ((name, words.label(name)) for name in DEPARTMENTS)


def _levels() -> Iterator[tuple[str, str]]:
    yield "", "–"
    yield from ((level, words.label(level)) for level in LEVELS)


class PersonForm(forms.Form):
    """What is decided about a person."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    department = forms.ChoiceField(label=gettext_lazy("Department"), required=False, choices=_departments)
    roles = RolesField(
        label=gettext_lazy("Roles"), required=False, queryset=Role.objects.order_by("title"), to_field_name="name",
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    outside = forms.BooleanField(
        label=gettext_lazy("Works outside the firm"), required=False,
        help_text=gettext_lazy("Is never told what they may not see, and sees only the rows of the partners below."),
    )  # fmt: skip
    partners = forms.CharField(
        label=gettext_lazy("Partner codes"), required=False, max_length=400,
        help_text=gettext_lazy("Of somebody outside: the codes of the partners whose rows they see, with commas."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Partner codes are for people outside the firm."""
        cleaned = super().clean() or {}
        if cleaned.get("partners") and not cleaned.get("outside"):
            self.add_error(
                "partners", gettext("Colleagues see all partners; tick “Works outside the firm” or leave this empty.")
            )
        return cleaned

    def details(self) -> Details:
        """Give what was filled in."""
        told = self.cleaned_data
        partners = tuple(sorted({code.strip() for code in told["partners"].split(",") if code.strip()}))
        roles = tuple(role.name for role in told["roles"])
        return Details(told["name"].strip(), told["department"], roles, told["outside"], partners)


class InvitationForm(PersonForm):
    """Whom to invite, and what they will be."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    field_order = ("email", "name", "department", "roles", "outside", "partners")


class RoleForm(forms.Form):
    """A role's title and its level in each area."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=80)

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - Django's own shape
        super().__init__(*given, **named)
        for area in AREAS:
            self.fields[area] = forms.ChoiceField(
                label=words.label(area), help_text=gettext(AREAS[area]), required=False, choices=_levels
            )

    def levels(self) -> Mapping[str, str]:
        """Give the level of each area that has one."""
        return {area: self.cleaned_data[area] for area in sorted(AREAS) if self.cleaned_data[area]}


class NewRoleForm(RoleForm):
    """A role that is not there yet."""

    name = forms.SlugField(
        label=gettext_lazy("Short name"),
        max_length=50,
        help_text=gettext_lazy("Letters, digits and dashes: head-sales."),
    )
    field_order = ("name", "title")

    def clean_name(self) -> str:
        """Two roles have two names."""
        name: str = self.cleaned_data["name"].lower()
        if Role.objects.filter(name=name).exists():
            raise forms.ValidationError(gettext("There is a role of this name already."))
        return name


class PasswordForm(forms.Form):
    """The password that an invited person chooses."""

    password1 = SetPasswordField(label=gettext_lazy("Password"))
    password2 = forms.CharField(
        label=gettext_lazy("Password again"), strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def __init__(self, *given: Any, user: User, **named: Any) -> None:  # noqa: ANN401 - Django's own shape
        super().__init__(*given, **named)
        self.fields["password1"].user = user  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Want the same password twice."""
        cleaned = super().clean() or {}
        if cleaned.get("password1") != cleaned.get("password2") and "password1" in cleaned:
            self.add_error("password2", gettext("This is not the same password."))
        return cleaned


class AccountForm(forms.Form):
    """What people choose for themselves."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    theme = forms.ChoiceField(
        label=gettext_lazy("Theme"), required=False,
        choices=[("", gettext_lazy("As the system")), ("light", gettext_lazy("Light")), ("dark", gettext_lazy("Dark"))],
    )  # fmt: skip
    shortcuts = forms.BooleanField(
        label=gettext_lazy("Keyboard shortcuts"), required=False,
        help_text=gettext_lazy("Single letters such as g and m; press ? to see them all."),
    )  # fmt: skip
