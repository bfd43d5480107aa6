"""Roles: what each lets people see, work on and approve, in one table; and the page on which one is changed."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _

from plait.web.people.care import Unwise, add_role, change_role, levels_of
from plait.web.people.forms import NewRoleForm, RoleForm
from plait.web.people.models import Role
from plait.web.people.rights import AREAS, may, permit
from plait.web.reader import user_of


def roles(request: HttpRequest) -> HttpResponse:
    """Show every role by area and level."""
    reader = user_of(request)
    permit(reader, "people.see")
    active = Count("users", filter=Q(users__is_active=True))
    known = Role.objects.annotate(count=active).prefetch_related("rights").order_by("title")
    rows = []
    for role in known:
        levels = {right.area: right.level for right in role.rights.all()}
        rows.append((role, [levels.get(area, "") for area in AREAS]))
    context = {
        "title": _("Roles"), "areas": AREAS.items(), "rows": rows, "changes": may(reader, "people.approve").allowed,
    }  # fmt: skip
    return render(request, "pages/roles.html", context)


def role(request: HttpRequest, name: str) -> HttpResponse:
    """Change a role's title and levels."""
    reader = user_of(request)
    permit(reader, "people.approve")
    found = get_object_or_404(Role, name=name)
    form = RoleForm(request.POST or None, initial={"title": found.title, **levels_of(found)})
    if request.method == "POST" and form.is_valid():
        try:
            change_role(reader, found, form.cleaned_data["title"], form.levels())
        except Unwise as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("Saved."))
            return redirect("roles")
    count = found.users.filter(is_active=True).count()
    context = {"title": _(found.title), "form": form, "count": count}
    return render(request, "pages/role.html", context, status=400 if form.errors else 200)


def new(request: HttpRequest) -> HttpResponse:
    """Make a role."""
    reader = user_of(request)
    permit(reader, "people.approve")
    form = NewRoleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        add_role(reader, form.cleaned_data["name"], form.cleaned_data["title"], form.levels())
        messages.success(request, _("The role is there; give it to people on their pages."))
        return redirect("roles")
    context = {"title": _("New role"), "form": form}
    return render(request, "pages/role.html", context, status=400 if form.errors else 200)


URLS = [
    path("people/roles/", roles, name="roles"),
    path("people/roles/new/", new, name="new_role"),
    path("people/roles/<slug:name>/", role, name="role"),
]
