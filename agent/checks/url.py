"""An added expectation of one URL: its status, a text in it, the shape of its JSON."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import httpx

from agent.checks.context import CheckContext, Finding, Passed, Unmet
from agent.checks.fetch import Answer, fetch, new_client
from agent.checks.options import UrlOptions
from agent.checks.schema import violations
from agent.checks.tls import trust

_METADATA = frozenset({"100.100.100.200", "192.0.0.192", "fd00:ec2::254"})
"""Cloud metadata services outside the link-local range: Alibaba, Oracle, AWS over IPv6."""


async def run(context: CheckContext, options: UrlOptions) -> Finding:
    """Raises Unmet at the first expectation that is not met. The body itself is never repeated."""
    trusted = trust(context.settings.ca_file) if options.url is not None else None
    async with new_client(trusted) as client:
        answer = await _asked(client, context, options)
    answer.must_be(options.status)
    if options.contains is not None and options.contains.encode() not in answer.body:
        seen = f"not in the {len(answer.body)} bytes that {'were read' if answer.cut else 'came'}"
        raise Unmet(f"a body that contains {options.contains!r}", seen, answer.where)
    if options.body_schema is not None:
        [wrong] = await violations([(options.body_schema, answer.json())])
        if wrong:
            raise Unmet(wrong.expected, wrong.seen, answer.where)
    return Passed()


async def _asked(client: httpx.AsyncClient, context: CheckContext, options: UrlOptions) -> Answer:
    if options.path is not None:
        return await fetch(client, context.place, context.target.url, options.path)
    url = httpx.URL(options.url or "")
    context.place.where = f"the address of {url.host}"
    address = await _pinned(url)
    # The connection goes to the address that was judged; the certificate is still held against the name.
    return await fetch(
        client,
        context.place,
        "",
        str(url.copy_with(host=address)),
        headers={"Host": url.netloc.decode()},
        extensions={"sni_hostname": url.host},
        shown=str(url),
    )


async def _pinned(url: httpx.URL) -> str:
    """The one address to connect to. Raises Unmet: unknown, link-local, or a cloud's metadata service."""
    where = f"GET {url}"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host, url.port or 0, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unmet("a host that resolves", str(error.strerror or error), where) from error
    for entry in found:
        address = ipaddress.ip_address(str(entry[4][0]).partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address  # ::ffff:169.254.169.254 reaches the same service
        if address.is_link_local or address.is_multicast or str(address) in _METADATA:
            raise Unmet("a host that checks may ask", f"{url.host} is {address}, link-local or metadata", where)
    return str(found[0][4][0])
