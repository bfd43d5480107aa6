"""Addresses of a database and a mail server, as one line of the environment, made into Django's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url

SQLITE_START = "pragma journal_mode=wal; pragma synchronous=normal; pragma busy_timeout=5000;"


class BadAddress(ValueError):
    """An address in the environment that cannot be read."""


def database(address: str | None, file: Path) -> dict[str, Any]:
    """Give the settings of a PostgreSQL database, or of an SQLite file when no address is given."""
    if not address:
        options = {"transaction_mode": "IMMEDIATE", "init_command": SQLITE_START, "timeout": 5}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": options, "CONN_MAX_AGE": None}
    if urlsplit(address).scheme not in ("postgres", "postgresql"):
        raise BadAddress(
            f"PLAIT_DATABASE_URL begins with {urlsplit(address).scheme!r}; write postgres://user:password@host:5432/name."
        )
    return dict(dj_database_url.parse(address, conn_max_age=60, conn_health_checks=True))


def mail(address: str | None) -> tuple[str, dict[str, object]]:
    """Give the mail backend and its settings; without a server mails are written to files."""
    if not address:
        return "django.core.mail.backends.filebased.EmailBackend", {}
    parts = urlsplit(address)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise BadAddress("PLAIT_SMTP_URL must read smtp://user:password@host:587 (STARTTLS) or smtps://...:465 (TLS).")
    tls = parts.scheme == "smtps"
    return "django.core.mail.backends.smtp.EmailBackend", {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if tls else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": tls,
        "EMAIL_USE_TLS": not tls and parts.hostname not in ("localhost", "127.0.0.1"),
        "EMAIL_TIMEOUT": 20,
    }
