"""All that one process serves: the collector at its own paths, the desk at all others.

The outer router answers the server's lifespan itself, which Django does not know.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.asgi import get_asgi_application

from plait.web import limit
from plait.web.collector.lifespan import live

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

# Static files come as synchronous iterators, which Django reads whole before it sends them: they are small.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators", Warning)
django = get_asgi_application()

from plait.web.collector.app import Collector, owns  # noqa: E402 - they read models, which Django has only now
from plait.web.warm import keep_warm  # noqa: E402

collector = Collector(settings.HOME, secure=not settings.LOCAL)


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Route a connection. Django refuses `lifespan`, without which the server runs no shutdown hooks."""
    if scope["type"] == "lifespan":
        await live(receive, send, collector, keep_warm)
    elif scope["type"] == "http" and owns(scope["path"]):
        await collector(scope, receive, send)
    elif not await limit.refused(scope, send):
        await django(scope, limit.counted(scope, receive), send)  # type: ignore[arg-type]
