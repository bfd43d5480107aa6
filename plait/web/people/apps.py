"""The people of the desk as a Django application."""

from django.apps import AppConfig


class People(AppConfig):
    """Users, roles, invitations, tokens and the audit log."""

    name = "plait.web.people"
    label = "people"

    def ready(self) -> None:
        """Begin to write down what happens at the door."""
        from plait.web.people import watch

        watch.connect()
