"""Prepare Django for a home: its settings read the environment, so this comes before anything of Django's."""

from __future__ import annotations

import os
from pathlib import Path


def configure(home: Path, *, local: bool | None = None) -> None:
    """Set up Django for a home; a second call in one process changes nothing."""
    os.environ["PLAIT_HOME"] = str(home.absolute())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plait.web.settings")
    if local is not None:
        os.environ["PLAIT_LOCAL"] = "1" if local else "0"
    import django

    django.setup()


def prepare() -> None:
    """Bring the database up to date and lay out the static files; needs `configure` first."""
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    _lay_out_static()


def _lay_out_static() -> None:
    """Copy and compress the static files, once for each state of them: it takes longer than all else of a start."""
    from django.conf import settings
    from django.core.management import call_command

    files = sorted(path for path in (Path(__file__).parent / "static").rglob("*") if path.is_file())
    told = "".join(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}\n" for path in files)
    stamp = settings.STATIC_ROOT / ".laid-out"
    if not stamp.exists() or stamp.read_text("utf-8") != told:
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(told, "utf-8")
