"""Requests of persons as a Django application."""

from django.apps import AppConfig


class Erasing(AppConfig):
    """What persons ask for: what is kept of them, and that it is erased."""

    name = "plait.web.erasing"
    label = "erasing"
