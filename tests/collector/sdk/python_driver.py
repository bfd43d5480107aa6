"""Makes calls with one of the official Python libraries, unchanged; the job comes on the standard input as JSON."""

from __future__ import annotations

import importlib
import json
import sys
import time
from datetime import datetime
from typing import Any

MODULES = {"segment-analytics-python": "segment.analytics.client", "rudder-sdk-python": "rudderstack.analytics.client"}
NAMES = {
    "userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id", "previousId": "previous_id",
    "messageId": "message_id",
}  # fmt: skip


def main() -> None:
    job = json.load(sys.stdin)
    errors: list[str] = []
    client = importlib.import_module(MODULES[job["library"]]).Client(
        job["key"],
        host=job["address"],
        gzip=job["gzip"],
        upload_size=job["batch"],
        on_error=lambda error, batch: errors.append(f"{len(batch)} events: {error}"),
    )
    for call in job["calls"]:
        make(client, dict(call))
        time.sleep(job["pause"])
    client.flush()
    client.join()
    json.dump({"errors": errors}, sys.stdout)


def make(client: Any, call: dict[str, Any]) -> None:  # noqa: ANN401 - either library's client
    kind = call.pop("type")
    if call.get("timestamp"):
        call["timestamp"] = datetime.fromisoformat(call["timestamp"])
    getattr(client, kind)(**{NAMES.get(name, name): value for name, value in call.items()})


main()
