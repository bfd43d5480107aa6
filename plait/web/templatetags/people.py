"""Tags and filters of the pages about people."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def control(field: BoundField) -> SafeString:
    """Give the input of a field: tied to its help and its errors, without a placeholder that repeats the label."""
    about = [
        f"{field.id_for_label}-{part}"
        for part, is_there in (("help", field.help_text), ("error", field.errors))
        if is_there
    ]
    attributes: dict[str, str | bool] = {"placeholder": False, "aria-describedby": " ".join(about) or False}
    if field.errors:
        attributes["aria-invalid"] = "true"
    return field.as_widget(attrs=attributes)


@register.filter
def kind(field: BoundField) -> str:
    """Give how a field is laid out: a tick beside its words, ticks in a group, or a box under its label."""
    return {"CheckboxInput": "tick", "CheckboxSelectMultiple": "ticks"}.get(type(field.field.widget).__name__, "box")
