"""Policies as the desk reads them: each version once, the newest again when there is a newer one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from plait.handoff.policy import Policy, read_policy

FOLDER = "handoffs"


def policy_of(version: int) -> Policy:
    """Give a version of the policy; it never changes."""
    return _version(settings.HOME, version)


def newest() -> Policy:
    """Give the policy that holds now."""
    folder = settings.HOME / FOLDER
    return _newest(settings.HOME, folder.stat().st_mtime_ns if folder.exists() else 0)


@lru_cache(maxsize=256)
def _version(home: Path, version: int) -> Policy:
    return read_policy(home, version)


@lru_cache(maxsize=4)
def _newest(home: Path, stamp: int) -> Policy:  # noqa: ARG001 - a newer version changes the folder
    return read_policy(home)
