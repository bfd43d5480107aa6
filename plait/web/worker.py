"""The worker: a process beside the desk that carries out long jobs. Started by `plait serve`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time


def main(parent: int) -> None:
    """Work until the desk stops or is gone."""
    import django

    django.setup()
    from django_q.cluster import Cluster

    cluster = Cluster()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    cluster.start()


def _watch(parent: int) -> None:
    """End with the desk, even when it was killed and could not say so."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]))
