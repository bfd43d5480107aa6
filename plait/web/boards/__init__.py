"""The boards: one file each; a file here with a `BOARD` is a page."""

from importlib import import_module
from pkgutil import iter_modules

from plait.web.blocks import Board


def load_boards() -> list[Board]:
    """Give every board."""
    return [import_module(f"{__name__}.{module.name}").BOARD for module in iter_modules(__path__)]
