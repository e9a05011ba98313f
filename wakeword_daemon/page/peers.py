"""Whose program is at the other end of a TCP connection from this machine."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path

_ESTABLISHED = "01"
"""From <net/tcp_states.h>. In later states the kernel no longer knows the user and says 0."""


def is_own(host: str, port: int) -> bool:
    """Return whether a connection comes from a program of this user on this machine.

    Args:
        host: the address that it comes from.
        port: the port that it comes from.

    """
    address = ipaddress.ip_address(host.partition("%")[0])
    # Each word of an address is written as the machine would read it: see proc_pid_net(5).
    words = (address.packed[at : at + 4] for at in range(0, len(address.packed), 4))
    place = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    ours = f"{place}:{port:04X}"
    table = {4: "tcp", 6: "tcp6"}[address.version]
    try:
        lines = Path("/proc/self/net", table).read_text(encoding="ascii").splitlines()[1:]
    except FileNotFoundError:  # no IPv6
        return False
    for line in lines:
        _, local, _, state, _, _, _, user, *_ = line.split()
        if local == ours and state == _ESTABLISHED:
            return int(user) == os.getuid()
    return False
