"""Whether a request was meant for this machine, by the name that it was sent to."""

from __future__ import annotations

import ipaddress
import socket


def own_names() -> set[str]:
    """Return the names under which this machine is known, in small letters."""
    own = socket.gethostname().lower()
    return {"localhost", own, f"{own.partition('.')[0]}.local"}


def is_own(host: str, names: set[str]) -> bool:
    """Return whether a `Host` header is an address, or one of the names.

    A web site whose name is made to lead to this machine (DNS rebinding) comes by its own name.
    """
    before, _, port = host.rpartition(":")
    name = before if port.isdecimal() else host
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name.lower() in names
    return True
