"""Tags and filters of the pages about people."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()
BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS X": "macOS",
    "Linux": "Linux",
}  # fmt: skip


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
def browser(user_agent: str) -> str:
    """Give a browser and its system as people call them; what is not known is shown as it says itself."""
    name = next((said for mark, said in BROWSERS.items() if mark in user_agent), "")
    system = next((said for mark, said in SYSTEMS.items() if mark in user_agent), "")
    return ", ".join(filter(None, (name, system))) or user_agent[:60] or "–"


@register.filter
def kind(field: BoundField) -> str:
    """Give how a field is laid out: a tick beside its words, ticks in a group, or a box under its label."""
    return {"CheckboxInput": "tick", "CheckboxSelectMultiple": "ticks"}.get(type(field.field.widget).__name__, "box")
