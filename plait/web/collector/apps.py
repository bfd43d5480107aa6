"""Live sources and their keys as a Django application."""

from django.apps import AppConfig


class Collector(AppConfig):
    """Live sources."""

    name = "plait.web.collector"
    label = "collector"
