"""A server's life: what begins with it and ends with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable

    from plait.web.collector.app import Collector


async def live(
    receive: ASGIReceiveCallable, send: ASGISendCallable, collector: Collector, begin: Callable[[], object]
) -> None:
    """Start the collector, and whatever else begins with the server; at its end let the collector put all on disk."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await collector.start()
            begin()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await collector.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
