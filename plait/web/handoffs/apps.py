"""Hand-offs as a Django application."""

from django.apps import AppConfig


class HandOffs(AppConfig):
    """Hand-offs between departments."""

    name = "plait.web.handoffs"
    label = "handoffs"
