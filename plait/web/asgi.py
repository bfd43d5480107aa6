"""The desk as one ASGI application: an outer router that answers the server's lifespan itself, Django for the rest."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from django.core.asgi import get_asgi_application

from plait.web import limit

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

# Static files come as synchronous iterators, which Django reads whole before it sends them: they are small.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators", Warning)
django = get_asgi_application()

from plait.web.warm import keep_warm  # noqa: E402 - it reads models, which Django has only now


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Route a connection. Django refuses `lifespan`, without which the server runs no shutdown hooks."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif not await limit.refused(scope, send):
        await django(scope, limit.counted(scope, receive), send)  # type: ignore[arg-type]


async def _live(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            keep_warm()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
