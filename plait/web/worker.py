"""The worker: a process beside the desk that carries out long jobs. Started by `plait serve`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime

LOOK_EVERY = 5  # seconds between two looks for jobs whose process is gone
GRACE = 5  # seconds that a job is given to end when the desk is gone


def main(parent: int) -> None:
    """Work until the desk stops or is gone."""
    import django

    django.setup()
    logging.getLogger("django-q").setLevel(logging.ERROR)
    from django_q.cluster import Cluster

    from plait.web.handoffs import timers
    from plait.web.work import jobs

    jobs.take_up(restarted=True)
    cluster = Cluster()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    cluster.start()
    timing = timers.keep()  # after the cluster: what it starts has no threads of ours
    while cluster.sentinel.is_alive():
        time.sleep(0.2)
        if not timing.is_alive():  # it has met a fault of ours, which is in the log
            time.sleep(LOOK_EVERY)
            timing = timers.keep()


def _watch(parent: int) -> None:
    """End with the desk, even when it was killed and could not say so; take up jobs whose process was killed."""
    looked_at = time.monotonic()
    while os.getppid() == parent:
        time.sleep(0.5)
        if time.monotonic() - looked_at > LOOK_EVERY:
            looked_at = time.monotonic()
            _take_up()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)  # a job that is being read; the next start takes it up again


def _take_up() -> None:
    from django.db import DatabaseError, connections

    from plait.failure import Unfit
    from plait.web.register import acts
    from plait.web.work import jobs

    try:
        jobs.take_up(restarted=False)
        acts.publish(now=datetime.now(UTC))  # noqa: TID251 - the worker is an edge where the clock is read
    except (Unfit, OSError) as error:
        logging.getLogger(__name__).warning("signed definitions are not published yet: %s", error)
    except DatabaseError:
        logging.getLogger(__name__).warning("the database was busy; jobs are looked after again soon")
    finally:
        connections.close_all()


if __name__ == "__main__":
    main(int(sys.argv[1]))
