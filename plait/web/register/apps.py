"""The register as a Django application."""

from django.apps import AppConfig


class RegisterOfMeasures(AppConfig):
    """Definitions of measures, their signatures, and goals."""

    name = "plait.web.register"
    label = "register"
