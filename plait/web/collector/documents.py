"""Settings documents: what libraries in browsers ask for first, so that they send here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping


def segment(key: str, host: str, scheme: str) -> Mapping[str, object]:
    """Tell Segment's library where to send; without `metrics` and `apiHost` it would also send to Segment."""
    told = {"apiKey": key, "apiHost": f"{host}/v1", "protocol": scheme}
    return {"integrations": {"Segment.io": told}, "plan": {}, "metrics": {"sampleRate": 0}}


def rudder(key: str, source: str) -> Mapping[str, object]:
    """Tell RudderStack's library that the source is there and that nothing else is to be loaded."""
    off = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    return {
        "source": {
            "id": source, "name": source, "writeKey": key, "enabled": True, "workspaceId": "plait",
            "config": {"statsCollection": off}, "destinations": [],
        }
    }  # fmt: skip
