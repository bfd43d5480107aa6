"""Connections as a Django application."""

from django.apps import AppConfig


class Connections(AppConfig):
    """Connections to other systems."""

    name = "plait.web.connections"
    label = "connections"

    def ready(self) -> None:
        """Make asking a connection a kind of job."""
        from plait.web.connections.running import work
        from plait.web.work import jobs

        jobs.KINDS["pull"] = work
