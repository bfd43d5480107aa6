"""Addresses: which hosts may be asked. A described host, over https; plain http only on this machine."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from plait.failure import Said, Unfit
from plait.sources.pull.description import HOLE, System

LOOPBACK = ("localhost", "127.0.0.1", "::1")
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class BadAddress(Unfit, ValueError):
    """An address that is not asked, or a setting that makes one."""


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill the holes of a text; a hole without a value stays empty."""
    return HOLE.sub(lambda hole: values.get(hole.group(1), ""), text)


def settings_of(system: System, given: Mapping[str, str]) -> dict[str, str]:
    """Check the settings of a connection by what the description allows, and add those that have a default."""
    known = {setting.name: setting for setting in system.setting}
    for name in given:
        if name not in known:
            has = ", ".join(known) or Said("none")
            raise BadAddress(Said("{system} has no setting {name!r}; it has: {known}.", system=system.title, name=name,
                                  known=has))  # fmt: skip
    values = {}
    for setting in system.setting:
        text = (given.get(setting.name) or setting.default or "").strip()
        if not text and setting.default is None:
            raise BadAddress(Said("{system} needs: {title}.", system=system.title, title=Said(setting.title)))
        if text and not re.fullmatch(setting.pattern, text):
            raise BadAddress(
                Said("{title} cannot be {text!r}; write it like {example}.", title=Said(setting.title), text=text,
                     example=setting.example)
            )  # fmt: skip
        values[setting.name] = f"{setting.before}{text}" if text else ""
    return values


def base_address(system: System, settings: Mapping[str, str], *, local: bool) -> str:
    """Give where a system is asked."""
    return checked(filled(system.address, settings), local=local)


def checked(address: str, *, local: bool) -> str:
    """Give an address without its end, or refuse it; `local` allows plain http on this machine."""
    try:
        parts = urlsplit(address.strip())
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadAddress(Said("{address!r} is no address.", address=address)) from error
    here = local and host in LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise BadAddress(Said("{address!r} is not asked; an address begins with https://.", address=address))
    if parts.username or parts.password:
        raise BadAddress(Said("an address holds no user and no password; give them as secrets."))
    if not here and not HOST_NAME.fullmatch(host):
        raise BadAddress(Said("{host!r} is no name of a host; write one such as api.company.example.", host=host))
    if not here:
        _refuse_own(host, _literal(host))
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def check_where_it_leads(host: str) -> None:
    """Refuse a name that leads to this machine or to a cloud's own services: they are not for everybody who can type.

    Asked once before a run, so a name that changes its mind in the middle is not seen; such a host must answer https
    with a certificate of its name all the same.
    """
    if host in LOOPBACK:
        return
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return  # the request itself tells that there is no such host
    for one in found:
        _refuse_own(host, ipaddress.ip_address(str(one[4][0]).split("%")[0]))


def same_place(one: str, other: str) -> bool:
    """Tell whether two addresses are of one scheme, host and port: secrets go nowhere else."""
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port)


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refuse_own(host: str, found: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> None:
    if host == "localhost" or (found and (found.is_loopback or found.is_link_local or found.is_unspecified)):
        raise BadAddress(Said("{host} leads to this machine and is not asked.", host=host))
