"""Snippets: the lines with which each official library sends here, ready to be copied."""

from __future__ import annotations

from dataclasses import dataclass

SERVER_KEY = "YOUR_SERVER_KEY"  # stands for a key that is shown only once
WEB_KEY = "YOUR_WEB_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """How one library sends: its name, the command that installs it and its code.

    `sort` is the key that it should hold, empty for either.
    """

    title: str
    sort: str
    install: str
    code: str


def snippets(host: str, scheme: str, *, web: str, server: str) -> list[Snippet]:
    """Give the snippets for a collector at `host`, with these keys in them; without one its place is held."""
    given = {"HOST": host, "SCHEME": scheme, "WEB": web or WEB_KEY, "SERVER": server or SERVER_KEY}
    given["ANY"] = server or web or SERVER_KEY
    return [
        Snippet("JavaScript", "web", "npm install @segment/analytics-next", _filled(BROWSER, given)),
        Snippet("Python", "server", "pip install segment-analytics-python", _filled(PYTHON, given)),
        Snippet("Node", "server", "npm install @segment/analytics-node", _filled(NODE, given)),
        Snippet("curl", "", "", _filled(CURL, given)),
    ]


def _filled(code: str, given: dict[str, str]) -> str:
    for name, text in given.items():
        code = code.replace(f"<{name}>", text)
    return code.strip()


# A link such as /?ajs_uid=somebody would let anybody say who a visitor is: `useQueryString` is switched off.
BROWSER = """
import { AnalyticsBrowser } from "@segment/analytics-next"

export const analytics = AnalyticsBrowser.load(
  { writeKey: "<WEB>", cdnURL: "<SCHEME>://<HOST>" },
  {
    useQueryString: false,
    integrations: { "Segment.io": { apiHost: "<HOST>/v1", protocol: "<SCHEME>" } },
  }
)
analytics.page()
analytics.identify("user-42", { email: "jo@company.example" })
analytics.group("company-7", { name: "Company" })
analytics.track("Signed Up", { plan: "pro" })
"""
PYTHON = """
import segment.analytics as analytics

analytics.write_key = "<SERVER>"
analytics.host = "<SCHEME>://<HOST>"
analytics.identify("user-42", {"email": "jo@company.example"})
analytics.group("user-42", "company-7", {"name": "Company"})
analytics.track("user-42", "Signed Up", {"plan": "pro"})
analytics.flush()
"""
NODE = """
import { Analytics } from "@segment/analytics-node"

const analytics = new Analytics({ writeKey: "<SERVER>", host: "<SCHEME>://<HOST>" })
analytics.identify({ userId: "user-42", traits: { email: "jo@company.example" } })
analytics.group({ userId: "user-42", groupId: "company-7", traits: { name: "Company" } })
analytics.track({ userId: "user-42", event: "Signed Up", properties: { plan: "pro" } })
await analytics.closeAndFlush()
"""
CURL = """
curl <SCHEME>://<HOST>/v1/track -u <ANY>: \\
  -d '{"userId": "user-42", "event": "Signed Up", "properties": {"plan": "pro"}}'
"""
