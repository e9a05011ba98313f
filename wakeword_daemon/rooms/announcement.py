"""Zeroconf: how Home Assistant finds the wake service by itself."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from wakeword_daemon.errors import EventsError, WakewordError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroconf.asyncio import AsyncZeroconf

_SERVICE = "_wyoming._tcp.local."


class Announcement:
    """Announces the service on the local network while it stands."""

    def __init__(self, zeroconf: AsyncZeroconf) -> None:
        self._zeroconf = zeroconf

    async def end(self) -> None:
        """Take it back."""
        await self._zeroconf.async_unregister_all_services()
        await self._zeroconf.async_close()


async def announce(host: str, port: int, name: str | None = None) -> Announcement:
    """Announce the service that listens on the host's port.

    Args:
        host: an address; for one that stands for all, every address of this machine that others
            can reach is announced.
        port: the port.
        name: what the service is called on the network; None for the machine's name.

    Raises:
        EventsError: nobody else could reach that address.
        WakewordError: the package zeroconf is not installed.

    """
    try:
        from zeroconf import ServiceInfo  # noqa: PLC0415 -- an extra that few need
        from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise WakewordError(
            f"--zeroconf needs the package {error.name}: pip install 'wakeword-daemon[zeroconf]'"
        ) from None
    reachable = _reachable(host)
    if not reachable:
        raise EventsError(
            f"nobody else can reach {host}: announce a service that listens on the network, such as"
            f" --uri tcp://0.0.0.0:{port} --allow-lan"
        )
    machine = name or socket.gethostname().partition(".")[0]
    info = ServiceInfo(
        _SERVICE,
        f"{machine} wake words.{_SERVICE}" if name is None else f"{name}.{_SERVICE}",
        port=port,
        server=f"{socket.gethostname().partition('.')[0]}.local.",
        parsed_addresses=reachable,
    )
    zeroconf = AsyncZeroconf(interfaces=reachable)
    await zeroconf.async_register_service(info, allow_name_change=True)
    return Announcement(zeroconf)


def _reachable(host: str) -> list[str]:
    """Return the addresses others can use, of those that `host` stands for."""
    own = ipaddress.ip_address(host)
    if not own.is_unspecified:
        return [] if own.is_loopback else [host]
    import ifaddr  # noqa: PLC0415 -- zeroconf brings it

    found: Sequence[str] = [
        ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)
    ]
    every = [ipaddress.ip_address(ip) for ip in found]
    return [str(ip) for ip in every if not (ip.is_loopback or ip.is_link_local or ip.is_global)]
