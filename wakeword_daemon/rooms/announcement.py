"""Zeroconf: how Home Assistant finds the wake service by itself."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING

from wakeword_daemon.errors import EventsError, WakewordError, lacks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroconf.asyncio import AsyncZeroconf

logger = logging.getLogger(__name__)

_SERVICE = "_wyoming._tcp.local."
_LOOK = 15.0
"""Seconds between two checks of this machine's addresses: a network may come up later."""


class Announcement:
    """Announces a service on the local network, under the addresses of the moment, until `end`.

    Args:
        hosts: the addresses that the service listens on; one that stands for all is announced as
            every address of this machine that others can reach.
        port: its port.
        name: what it is called on the network; empty for the machine's name.

    Raises:
        EventsError: no other machine could reach it.
        WakewordError: the package zeroconf is not installed.

    """

    def __init__(self, hosts: Sequence[str], port: int, name: str = "") -> None:
        try:
            import zeroconf.asyncio  # noqa: F401, PLC0415 -- an extra that few need
        except ModuleNotFoundError as error:
            raise WakewordError(lacks("zeroconf", error.name, "zeroconf")) from None
        if all(ipaddress.ip_address(host).is_loopback for host in hosts):
            raise EventsError(
                f"nobody else can reach {' or '.join(hosts) or 'a unix socket'}: announce a service"
                " that listens on the network, such as tcp://0.0.0.0:10400 with allow_lan"
            )
        machine = socket.gethostname().partition(".")[0]
        self._hosts, self._port = hosts, port
        self._name = name or f"{machine} wake words"
        self._server = f"{machine}.local."
        self._zeroconf: AsyncZeroconf | None = None
        self._following = asyncio.create_task(self._follow())

    async def end(self) -> None:
        """Take it back."""
        self._following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._following
        await self._take_back()

    async def _follow(self) -> None:
        announced: list[str] | None = None
        while True:
            found = reachable(self._hosts)
            if found != announced:
                try:
                    await self._take_back()
                    await self._announce(found)
                except OSError as error:  # that address is just going away
                    logger.warning("cannot announce the wake service: %s", error)
                    announced = None
                else:
                    announced = found
            await asyncio.sleep(_LOOK)

    async def _announce(self, found: list[str]) -> None:
        from zeroconf import IPVersion, ServiceInfo  # noqa: PLC0415 -- an extra that few need
        from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415

        if not found:
            logger.warning("the wake service is not announced: this machine has no network")
            return
        info = ServiceInfo(
            _SERVICE,
            f"{self._name}.{_SERVICE}",
            port=self._port,
            server=self._server,
            parsed_addresses=found,
        )
        six = any(":" in address for address in found)
        version = IPVersion.All if six else IPVersion.V4Only
        self._zeroconf = AsyncZeroconf(interfaces=found, ip_version=version)
        await self._zeroconf.async_register_service(info, allow_name_change=True)
        logger.info("announced as “%s” on %s", self._name, ", ".join(found))

    async def _take_back(self) -> None:
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            with contextlib.suppress(OSError):
                await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()


def reachable(hosts: Sequence[str]) -> list[str]:
    """Return the addresses that others can use, of those that the service listens on."""
    found: list[str] = []
    for host in hosts:
        own = ipaddress.ip_address(host)
        if own.is_unspecified:
            found += [str(ip) for ip in _machine() if ip.version == own.version]
        elif not own.is_loopback:
            found.append(host)
    return found


def _machine() -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return this machine's addresses on private networks."""
    import ifaddr  # noqa: PLC0415 -- zeroconf brings it

    found = [
        ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    return sorted(
        (ip for ip in found if not (ip.is_loopback or ip.is_link_local or ip.is_global)), key=str
    )
