"""The key that signs sessions and links: made at the first start, kept in the home, readable by its owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def key(path: Path, *, size: int = 50) -> str:
    """Read a key, or make one of `size` random bytes where there is none; of two that start at once one makes it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("utf-8")
    made = secrets.token_urlsafe(size)
    with os.fdopen(number, "w") as file:
        file.write(made)
    return made


def folder(path: Path) -> Path:
    """Make a folder that only its owner may read."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
