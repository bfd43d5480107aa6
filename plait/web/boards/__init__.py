"""The boards: one file each; a file here is a page by its `BOARD`. Names that begin with `_` are shared parts."""

from importlib import import_module
from pkgutil import iter_modules

from plait.web.blocks import Board


def load_boards() -> list[Board]:
    """Give every board."""
    names = [module.name for module in iter_modules(__path__) if not module.name.startswith("_")]
    return [import_module(f"{__name__}.{name}").BOARD for name in names]
