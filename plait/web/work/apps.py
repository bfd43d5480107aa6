"""Long jobs as a Django application."""

from django.apps import AppConfig


class Work(AppConfig):
    """Jobs."""

    name = "plait.web.work"
    label = "work"
