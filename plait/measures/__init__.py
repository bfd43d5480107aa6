"""Measures: one file per question. A file here registers itself; names that begin with `_` are shared parts."""

from importlib import import_module
from pkgutil import iter_modules


def load_measures() -> None:
    """Import every measure, so that `plait.measure.registry` holds them all; a second call changes nothing."""
    for module in iter_modules(__path__):
        if not module.name.startswith("_"):
            import_module(f"{__name__}.{module.name}")
