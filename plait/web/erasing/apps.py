"""Requests of persons as a Django application."""

from django.apps import AppConfig


class Erasing(AppConfig):
    """What persons ask for: what is kept of them, and that it is erased."""

    name = "plait.web.erasing"
    label = "erasing"

    def ready(self) -> None:
        """Let the worker erase persons."""
        from plait.web.erasing.acts import work
        from plait.web.work import jobs

        jobs.KINDS["erase"] = work
