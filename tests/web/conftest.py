"""What every test of the desk may ask for: the demo company's home, its people, and a browser-less client for each.

The home is made once a test process. The database is Django's test database: each test sees it as the personas left it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from plait.web import boot

HOME = Path(tempfile.mkdtemp(prefix="plait-web-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

PASSWORD = "plait-for-tests"  # noqa: S105 - of people who exist in tests only
NOW = datetime(2026, 7, 2, tzinfo=UTC)


def pytest_configure(config: pytest.Config) -> None:
    """Set the desk up for a home of this process; where tests are spread over several, not in the one that spreads."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # else its environment, and so its home, would be everybody's
    os.environ["PLAIT_HOSTS"] = "testserver,localhost,127.0.0.1"
    boot.configure(HOME, local=True)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Argon2 is slow on purpose


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the home that `plait demo` makes."""
    from homes import demo

    return demo(HOME, tmp_path_factory)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object, home: Path) -> None:  # noqa: ARG001
    """Fill the test database with roles and personas, once."""
    from django.core.management import call_command

    from plait.web.people.personas import seed_personas

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        call_command("createcachetable", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        seed_personas(PASSWORD)


@pytest.fixture
def persona(db: None) -> Callable[[str], object]:  # noqa: ARG001
    """Give a person of the demo company by the first name."""
    from plait.web.people.models import User
    from plait.web.people.personas import PERSONAS

    return lambda name: User.objects.get(email=PERSONAS[name].email)


@pytest.fixture
def client_of(persona: Callable[[str], object]) -> Callable[[str], object]:
    """Give a client in which a person of the demo company is logged in; `nobody` is logged in as nobody."""
    from django.test import Client

    def made(name: str) -> Client:
        client = Client()
        if name != "nobody":
            client.force_login(persona(name), "allauth.account.auth_backends.AuthenticationBackend")  # type: ignore[arg-type]
        return client

    return made


@pytest.fixture
def examples(persona: Callable[[str], object], home: Path) -> object:  # noqa: ARG001 - the home holds the account
    """Give an example of every object that an address names."""
    from .addresses import examples_of

    return examples_of(persona("mara"), persona("ida"))  # type: ignore[arg-type]
