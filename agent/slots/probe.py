"""One plain GET to a release on this host. Light: the agent asks it many times while a release starts."""

from __future__ import annotations

import asyncio

import h11


async def status_of(host: str, port: int, path: str, timeout: float) -> int | None:  # noqa: ASYNC109 - one whole answer
    """The status with which `path` answers within `timeout` seconds; None where there is no answer."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                return await _ask(reader, writer, f"{host}:{port}", path)
            finally:
                writer.close()
    except (OSError, h11.RemoteProtocolError):  # a TimeoutError is an OSError
        return None


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> int | None:
    http = h11.Connection(h11.CLIENT)
    headers = [("Host", host), ("User-Agent", "ashat-agent"), ("Connection", "close")]
    writer.write(http.send(h11.Request(method="GET", target=path, headers=headers)) or b"")
    while (event := http.next_event()) is h11.NEED_DATA:
        http.receive_data(await reader.read(65536))
    return event.status_code if isinstance(event, h11.Response) else None
