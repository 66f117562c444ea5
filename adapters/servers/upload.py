"""Bringing an artifact to a server: ask how much is there, send the rest, and go on where a cut one stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from adapters.servers.failures import Declined
from adapters.servers.link import Link
from core.ports import Progress, ServerFault

BLOCK = 1024 * 1024
"""Bytes read and sent at a time: memory stays flat whatever the artifact's size."""
TRIES = 5
"""Corrections of the offset in one upload. More means that somebody else uploads the same; asking later helps."""


async def upload(link: Link, digest: str, path: Path, progress: Progress) -> None:
    """Returns once the server has the whole artifact and its hash was right. Raises ServerFault."""
    size = await _size(path)
    offset = await _offset(link, digest)
    if offset is None:
        return
    for _ in range(TRIES):
        if offset > size:
            raise ServerFault(
                f"{link.name} says that it has more of the artifact than there is; look at its disk", temporary=False
            )
        progress(offset, size)
        try:
            reached = await _send(link, digest, path, offset, size, progress)
        except Declined as declined:
            if declined.kind != "wrong_offset":
                raise
            offset = _number(link, declined.headers.get("Upload-Offset"))
            continue
        if reached == size:
            return
        offset = reached
    raise ServerFault(
        f"{link.name} asked {TRIES} times for other bytes of the artifact than were sent; "
        "another upload of it seems to be under way",
        temporary=True,
    )


async def _size(path: Path) -> int:
    try:
        return (await asyncio.to_thread(path.stat)).st_size
    except OSError as error:
        raise _unreadable() from error


async def _offset(link: Link, digest: str) -> int | None:
    """Bytes that the server has already; None where it has all of them and has checked their hash."""
    request = link.request("HEAD", _address(digest))
    try:
        async with link.exchange(request, link.patience.answer) as response:
            complete = response.headers.get("Upload-Complete") == "?1"
            return None if complete else _number(link, response.headers.get("Upload-Offset"))
    except Declined as declined:
        if declined.status == 404:  # an answer to HEAD has no body that could say more
            return 0
        raise


async def _send(link: Link, digest: str, path: Path, offset: int, size: int, progress: Progress) -> int:
    """Send the bytes from `offset` on; the offset that the server has reached.

    Also where nothing is left to send: an agent that stopped between the last byte and the hash finishes then.
    """
    headers = {
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(size - offset),
        "Upload-Offset": str(offset),
        "Upload-Length": str(size),
    }
    request = link.request(
        "PATCH",
        _address(digest),
        headers,
        _blocks(path, offset, size, progress),
        timeouts=link.patience.timeouts(read=link.patience.stored),
    )
    async with link.exchange(request, None) as response:
        return _number(link, response.headers.get("Upload-Offset"))


async def _blocks(path: Path, offset: int, size: int, progress: Progress) -> AsyncIterator[bytes]:
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except OSError as error:
        raise _unreadable() from error
    with file:
        file.seek(offset)
        while offset < size:
            block = await asyncio.to_thread(file.read, min(BLOCK, size - offset))
            if not block:
                raise _unreadable()
            yield block
            offset += len(block)
            progress(offset, size)


def _number(link: Link, text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ServerFault(f"{link.name} does not say how much of the artifact it has", temporary=False)
    return int(text)


def _address(digest: str) -> str:
    return f"/v1/artifacts/{digest}"


def _unreadable() -> ServerFault:
    return ServerFault(
        "the stored artifact cannot be read to its end; push the update again under a new id", temporary=False
    )
