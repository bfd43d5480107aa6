"""Measures: one file per question. A file here registers itself; names that begin with `_` are shared parts."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from plait.measure import Measure, registry


def load_measures() -> Mapping[str, Measure]:
    """Import every measure and give them by name; a second call changes nothing."""
    for module in iter_modules(__path__):
        if not module.name.startswith("_"):
            import_module(f"{__name__}.{module.name}")
    return registry
