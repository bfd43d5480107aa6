"""Pages: one file each, with its addresses in `URLS` and, where the rail leads to it, an entry in `RAIL`."""

from importlib import import_module
from pkgutil import iter_modules

from django.urls import URLPattern, URLResolver

from plait.web.rail import Rail


def addresses() -> list[URLPattern | URLResolver]:
    """Give the addresses of all pages."""
    return [url for module in iter_modules(__path__) for url in import_module(f"{__name__}.{module.name}").URLS]


def entries() -> list[Rail]:
    """Give the entries of the rail in their order."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return sorted((module.RAIL for module in modules if hasattr(module, "RAIL")), key=lambda entry: entry.place)
