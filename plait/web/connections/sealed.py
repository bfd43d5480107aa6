"""Sealed: the secrets of connections, encrypted where they lie; the key is in the home, or in the environment.

`PLAIT_CONNECTION_KEYS` may hold Fernet keys with commas between, the newest first; without it the key is a file of the
home that only its owner may read. The newest key encrypts, any of them decrypts.
"""

from __future__ import annotations

import json
import os
import secrets as chance
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction

from plait.delta import locked, write_durably
from plait.failure import Said, Unfit
from plait.web import secret
from plait.web.connections.models import Connection

VARIABLE = "PLAIT_CONNECTION_KEYS"
SIZE = 32  # random bytes of a key


class BadKey(Unfit, ValueError):
    """A key that is none, or that does not fit the secrets."""


def seal(secrets: Mapping[str, str]) -> str:
    """Encrypt secrets; where there are none there is nothing to keep."""
    return _box().encrypt(json.dumps(dict(secrets)).encode()).decode() if secrets else ""


def unseal(sealed: str) -> dict[str, str]:
    """Decrypt secrets."""
    if not sealed:
        return {}
    try:
        found: dict[str, str] = json.loads(_box().decrypt(sealed.encode()))
    except InvalidToken:
        raise BadKey(
            Said("the secrets of this connection cannot be read with the key of this home; enter them again.")
        ) from None
    return found


def rotate() -> int:
    """Make a new key and encrypt every secret with it; gives how many connections have secrets.

    Killed in between, both keys are there and every secret can be read.
    """
    with held(shared=False):
        own = VARIABLE not in os.environ
        if own:
            _write([chance.token_urlsafe(SIZE), *_keys()])
        box = _box()
        with transaction.atomic():
            kept = list(Connection.objects.select_for_update().exclude(secrets=""))
            for connection in kept:
                try:
                    sealed = box.rotate(connection.secrets.encode()).decode()
                except InvalidToken:
                    raise BadKey(
                        Said("the secrets of {name} cannot be read with any key; enter them again first.",
                             name=connection.name)
                    ) from None  # fmt: skip
                Connection.objects.filter(pk=connection.pk).update(secrets=sealed)
        if own:
            _write(_keys()[:1])
    return len(kept)


@contextmanager
def held(*, shared: bool = True) -> Iterator[None]:
    """Keep the key from being changed while a secret is encrypted and stored."""
    with locked(Path(settings.STATE) / "connections.lock", shared=shared):
        yield


def _box() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in _padded()])
    except ValueError:
        raise BadKey(Said("{name} holds something that is no Fernet key.", name=VARIABLE)) from None


def _padded() -> list[str]:
    given = os.environ.get(VARIABLE, "")
    keys = [key.strip() for key in given.split(",") if key.strip()] or _keys()
    return [key + "=" * (-len(key) % 4) for key in keys]


def _keys() -> list[str]:
    path = _path()
    secret.key(path, size=SIZE)
    return path.read_text("utf-8").split()


def _write(keys: list[str]) -> None:
    draft = _path().with_name(f"{_path().name}.{os.getpid()}.new")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600))  # before a key is in it
    write_durably(_path(), "\n".join(keys))


def _path() -> Path:
    return Path(settings.STATE) / "connections.key"
