"""Benchmarks as a Django application."""

from django.apps import AppConfig


class Benchmarks(AppConfig):
    """Published figures and opinions."""

    name = "plait.web.benchmarks"
    label = "benchmarks"
