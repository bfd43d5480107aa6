"""Keep the boards' answers ready: whoever opens one in the morning, or after a load, need not wait for the first."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from plait import desk
from plait.failure import Unfit
from plait.timeline import Scope
from plait.web.board import all_boards
from plait.web.reader import first_day_not_seen, results
from plait.web.results import Ask
from plait.web.state import read_state

EVERY = 2.0  # seconds between two looks at whether the facts have changed
LIVE_EVERY = 60.0  # seconds between two rounds at least: events may come without end
PAUSE = 0.02  # seconds between two answers, in which those who wait for a page come first


def keep_warm() -> threading.Thread:
    """Start to keep the boards' answers ready, for as long as the process lives."""
    thread = threading.Thread(target=_keep, name="warm", daemon=True)
    thread.start()
    return thread


def warm() -> int:
    """Answer what every board asks when it is opened without any choice; gives how many questions that were."""
    count = 0
    for ask in _asks():
        if results().peek(ask) is None:
            results().table(ask)
            count += 1
            time.sleep(PAUSE)
    return count


def _keep() -> None:
    seen: object = None
    due = 0.0
    while True:
        try:
            now = (desk.stamp(results().home), first_day_not_seen(None))
            if now != seen and time.monotonic() >= due and results().timeline().version:
                due = time.monotonic() + LIVE_EVERY
                warm()
                seen = now
        except (Unfit, OSError) as error:  # the next page that is asked for says it to somebody
            logging.getLogger(__name__).warning("boards are not ready: %s", error)
        time.sleep(EVERY)


def _asks() -> Iterator[Ask]:
    state = read_state({}, first_day_not_seen(None), as_of=None)
    for board in all_boards().values():
        for block in board.blocks:
            yield from block.asks(state, Scope())
