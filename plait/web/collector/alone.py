"""The collector alone: a process that takes events and serves no page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from plait.web.collector.app import Collector
from plait.web.collector.lifespan import live

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

collector = Collector(settings.HOME, secure=not settings.LOCAL)


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Route a connection."""
    if scope["type"] == "lifespan":
        await live(receive, send, collector, lambda: None)
    elif scope["type"] == "http":
        await collector(scope, receive, send)
