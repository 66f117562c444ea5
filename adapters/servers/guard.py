"""Where the bot may connect to: hosts that settings allow, at addresses that are checked and then used.

An admin types a server's URL in a chat. It must not turn the bot into a way to the cloud's metadata service, and a name
must not lead to one address when it is checked and to another when it is connected to.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import httpx

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port to addresses, best first. Raises OSError where the name is not known."""

_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
"""Names of Google's and Amazon's metadata services on their own networks."""
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's host agent
        "192.0.0.192",  # Oracle Cloud, first generation
        "fd00:ec2::254",  # Amazon EC2
        "fd00:ec2::23",  # Amazon EKS
        "fd20:ce::254",  # Google Cloud
    )
)
"""Metadata services outside of the link-local range, which is refused as a whole."""
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_BROADCAST = ipaddress.ip_address("255.255.255.255")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


class HostRefused(Exception):
    """The bot does not connect there. `str(error)` is one sentence for a person."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """The operating system's answer, in its order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard:
    """Decides which addresses may be connected to. `allows` is the settings' word on a host as it stands in a URL."""

    def __init__(self, allows: Callable[[str], bool], resolve: Resolve = system_resolve) -> None:
        self._allows = allows
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Checked addresses of `host`. Raises HostRefused, or OSError where the name is not known.

        One forbidden address among several refuses the host: which of them answers is for an attacker to choose.
        """
        self.check_host(host)
        if _literal(host) is not None:
            return (host,)
        found = await self._resolve(host, port)
        for text in found:
            address = ipaddress.ip_address(text)
            self._check_address(host, address)
            if is_loopback(host) and not address.is_loopback:
                raise HostRefused(f"{host} leads to {text}, which is not this machine; check the hosts file")
        return found

    def check_host(self, host: str) -> None:
        """What can be said without asking for addresses. Raises HostRefused."""
        bare = host.lower().rstrip(".")
        if bare in _METADATA_NAMES or bare.endswith((".metadata.google.internal", "instance-data.ec2.internal")):
            raise HostRefused(f"{host} is a cloud's metadata service, which is never connected to")
        if not self._allows(host):
            raise HostRefused(f"{host} is not among the hosts that settings allow; add it to servers.allowed_hosts")
        if (address := _literal(host)) is not None:
            self._check_address(host, address)

    def _check_address(self, host: str, address: Address) -> None:
        for one in (address, *_inner(address)):
            if (what := _forbidden(one)) is not None:
                where = host if _literal(host) is not None else f"{host} leads to {address}, which"
                raise HostRefused(f"{where} is {what} and never connected to; configure the server's own address")


def is_loopback(host: str) -> bool:
    """Whether `host`, as it stands in a URL, can only be this machine; a guard holds `localhost` to it."""
    address = _literal(host)
    return address.is_loopback if address is not None else host.lower().rstrip(".") == "localhost"


class PinnedTransport(httpx.AsyncBaseTransport):
    """Looks a host up, has its addresses checked, and connects to these; Host, SNI and certificate go by name."""

    def __init__(self, guard: Guard, inner: httpx.AsyncBaseTransport) -> None:
        self._guard = guard
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises HostRefused, OSError where the name is not known, and what `inner` raises."""
        host = request.url.host
        failure: httpx.TransportError | None = None
        for address in await self._guard.addresses(host, _port(request.url)):
            try:
                return await self._inner.handle_async_request(_pinned(request, host, address))
            except (
                httpx.ConnectError,
                httpx.ConnectTimeout,
            ) as error:  # nothing was sent, so the next one may be tried
                failure = error
        raise failure or OSError(f"{host} has no address")

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pinned(request: httpx.Request, host: str, address: str) -> httpx.Request:
    if address == host:
        return request
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _inner(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 address leads to: mapped, compatible, NAT64, 6to4 and Teredo."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inside: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in inside if one is not None]


def _forbidden(address: Address) -> str | None:
    """What kind of address it is, where it is one that nothing of ours can be at."""
    if address in _METADATA_ADDRESSES:
        return "a cloud's metadata service"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast or address == _BROADCAST:
        return "a multicast or broadcast address"
    if address.is_unspecified or address in _THIS_NETWORK:
        return "no address of a host"
    return None
