"""Logging in: what a request carries to show who asks.

Secrets travel in headers, or in the body that fetches a token, and nowhere else.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from http import HTTPStatus

from plait.failure import Said
from plait.sources.pull.address import filled
from plait.sources.pull.asking import Asker, Denied, Request, Unexpected
from plait.sources.pull.description import Login

Kept = Callable[[str, str], None]


class Session:
    """Somebody logged in at a system; a token that lives for a while is fetched and, once it is over, fetched anew.

    `keep` is told of a secret that the system has exchanged for another one, which must not be lost.
    """

    def __init__(
        self, asker: Asker, login: Login, secrets: Mapping[str, str], values: Mapping[str, str], keep: Kept
    ) -> None:
        self.asker, self.login, self.keep, self.values = asker, login, keep, values
        self.secrets = {name: secrets.get(name, "") for name in login.secrets}
        for name, title in login.secrets.items():
            if not self.secrets[name]:
                raise Denied(Said("{title} is missing; give it with the connection.", title=Said(title)))
            if any(letter in self.secrets[name] for letter in "\r\n\0"):
                raise Denied(Said("{title} holds a line break; paste it again.", title=Said(title)))
            if login.kind in ("bearer", "header") and not self.secrets[name].isascii():
                raise Denied(Said("{title} holds a letter that no key has; paste it again.", title=Said(title)))
        self.token = ""
        asker.headers, asker.renew, asker.secrets = self.headers, self.renew, self.hidden

    def headers(self) -> Mapping[str, str]:
        """Give the headers that show who asks."""
        known = {**self.values, **self.secrets}
        value = filled(self.login.value, known)
        if self.login.kind == "oauth2":
            self.token = self.token or self._fetched()
            return {"Authorization": f"Bearer {self.token}"}
        if self.login.kind == "basic":
            pair = f"{filled(self.login.user, known)}:{value}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {"Authorization": f"Bearer {value}"} if self.login.kind == "bearer" else {self.login.header: value}

    def renew(self) -> bool:
        """Forget a token that is over; tells whether there is a way to another one."""
        had, self.token = self.token, ""
        return self.login.kind == "oauth2" and bool(had)

    def hidden(self) -> list[str]:
        """Give what may stand in no message: the secrets, and what is made of them."""
        made = [] if self.login.kind == "oauth2" else [value.split(" ")[-1] for value in self.headers().values()]
        return [*self.secrets.values(), *made, self.token]

    def _fetched(self) -> str:
        form: list[tuple[str, str]] = [("grant_type", self.login.grant)]
        form += [(name, self.secrets[name]) for name in ("client_id", "client_secret") if name in self.secrets]
        if self.login.grant == "refresh_token":
            form.append(("refresh_token", self.secrets.get("refresh_token", "")))
        request = Request(filled(self.login.token, self.values), method="POST", form=tuple(form))
        try:
            told = self.asker.ask(request, login=False).value
        except Unexpected as error:  # a wrong secret is answered with 400 by the standard
            raise Denied(*error.args) from error
        if not isinstance(told, dict) or not isinstance(told.get("access_token"), str):
            raise Denied(Said("{host} gave no token ({status}).", host=self.asker.host, status=HTTPStatus.OK.value))
        changed = told.get("refresh_token")
        if isinstance(changed, str) and changed and changed != self.secrets.get("refresh_token"):
            self.secrets["refresh_token"] = changed
            self.keep("refresh_token", changed)
        return str(told["access_token"])
