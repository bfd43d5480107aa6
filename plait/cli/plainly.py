"""How every command ends: an error that users can mend as one clear line and an exit code. Here the clock is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from plait.failure import Misused, Unfit

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Misuse(click.ClickException):
    """A command that cannot be understood."""

    exit_code = 2


class Refusal(click.ClickException):
    """A command that was understood, and data or a home that will not do."""

    exit_code = 1


@contextmanager
def plainly() -> Iterator[None]:
    """Turn the errors that users can mend into one clear line and an exit code."""
    try:
        yield
    except Misused as error:
        raise Misuse(str(error.args[0])) from error
    except Unfit as error:
        raise Refusal(str(error.args[0])) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Refusal(
            f"{where}{error.strerror or error}; choose another --home, or make room and rights there."
        ) from error


def now() -> datetime:
    """Give the instant that it is."""
    return datetime.now(UTC)  # noqa: TID251 - the command line is the edge where the clock is read


def desk_of(home: Path) -> None:
    """Prepare the desk's database of a home, on a fresh one too."""
    from plait.web import boot

    with plainly():
        boot.configure(home, local=True)
        boot.prepare()
