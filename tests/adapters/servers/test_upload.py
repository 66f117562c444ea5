"""Uploads go on where they stopped, in memory that stays flat, and give up after a number of tries."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from adapters.artifacts.content import ContentStore
from core.ports import ServerFault
from tests.adapters.servers.conftest import Make, server
from tests.adapters.servers.peer import Seen, peer, response
from tests.adapters.servers.samples import problem

MIB = 1024 * 1024


@dataclass
class Receiver:
    """An agent's side of uploads."""

    held: bytearray = field(default_factory=bytearray)
    complete: bool = False
    lies: int = 0
    """How often HEAD tells an offset that is not so."""

    async def __call__(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(self.head() if seen.method == "HEAD" else self.patch(seen))

    def head(self) -> bytes:
        offset = 7 if self.lies else len(self.held)
        self.lies = max(0, self.lies - 1)
        return response(200, b"", {"Upload-Offset": str(offset), "Upload-Complete": "?1" if self.complete else "?0"})

    def patch(self, seen: Seen) -> bytes:
        if int(seen.headers["upload-offset"]) != len(self.held):
            return response(409, problem("wrong_offset", "not there"), {"Upload-Offset": str(len(self.held))})
        self.held += seen.body
        self.complete = len(self.held) == int(seen.headers["upload-length"])
        return response(204, b"", {"Upload-Offset": str(len(self.held))})


async def stored(store: ContentStore, content: bytes) -> str:
    async def blocks() -> AsyncIterator[bytes]:
        yield content

    return (await store.add(blocks(), len(content)))[0]


async def test_an_artifact_arrives_whole_and_its_progress_is_told(make: Make, store: ContentStore) -> None:
    content = os.urandom(2 * MIB + 17)
    digest = await stored(store, content)
    receiver, told = Receiver(), list[tuple[int, int]]()
    async with peer(receiver) as one:
        await make(one.url).at(server(one.url)).upload(digest, lambda done, of: told.append((done, of)))
        assert {seen.path for seen in one.requests} == {f"/v1/artifacts/{digest}"}
    assert hashlib.sha256(receiver.held).hexdigest() == digest
    assert told == [(done, len(content)) for done in (0, MIB, 2 * MIB, len(content))]


async def test_only_what_is_missing_is_sent(make: Make, store: ContentStore) -> None:
    content = os.urandom(MIB + 5)
    digest = await stored(store, content)
    receiver = Receiver(bytearray(content[:MIB]))
    async with peer(receiver) as one:
        await make(one.url).at(server(one.url)).upload(digest, lambda done, of: None)
        assert [len(seen.body) for seen in one.requests] == [0, 5]
    assert receiver.held == content


async def test_nothing_is_sent_where_it_is_complete(make: Make, store: ContentStore) -> None:
    digest = await stored(store, b"content")
    async with peer(Receiver(bytearray(b"content"), complete=True)) as one:
        await make(one.url).at(server(one.url)).upload(digest, lambda done, of: None)
        assert [seen.method for seen in one.requests] == ["HEAD"]


async def test_all_bytes_without_a_checked_hash_are_finished(make: Make, store: ContentStore) -> None:
    digest = await stored(store, b"content")
    async with peer(Receiver(bytearray(b"content"))) as one:
        await make(one.url).at(server(one.url)).upload(digest, lambda done, of: None)
        assert [(seen.method, len(seen.body)) for seen in one.requests] == [("HEAD", 0), ("PATCH", 0)]


async def test_a_wrong_offset_is_corrected(make: Make, store: ContentStore) -> None:
    digest = await stored(store, b"some content")
    receiver = Receiver(bytearray(b"some"), lies=1)
    async with peer(receiver) as one:
        await make(one.url).at(server(one.url)).upload(digest, lambda done, of: None)
        assert [seen.headers.get("upload-offset") for seen in one.requests] == [None, "7", "4"]
    assert receiver.held == b"some content"


async def test_a_server_that_always_wants_other_bytes_is_given_up(make: Make, store: ContentStore) -> None:
    digest = await stored(store, b"some content")

    async def contrary(seen: Seen, writer: asyncio.StreamWriter) -> None:
        offset = "3" if seen.headers.get("upload-offset") != "3" else "4"
        status = 200 if seen.method == "HEAD" else 409
        writer.write(response(status, problem("wrong_offset", "no"), {"Upload-Offset": offset}))

    async with peer(contrary) as one:
        with pytest.raises(ServerFault, match="asked 5 times for other bytes") as caught:
            await make(one.url).at(server(one.url)).upload(digest, lambda done, of: None)
        assert caught.value.temporary
        assert len(one.requests) == 6


async def test_a_cut_upload_goes_on_with_the_next_one(make: Make, store: ContentStore) -> None:
    content = os.urandom(2 * MIB)
    digest = await stored(store, content)
    receiver = Receiver()
    cuts = 1

    async def cut(seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal cuts
        if seen.method == "PATCH" and cuts:
            cuts -= 1
            receiver.held += seen.body[:MIB]
            writer.close()
            return
        await receiver(seen, writer)

    async with peer(cut) as one:
        agent = make(one.url).at(server(one.url))
        with pytest.raises(ServerFault) as caught:
            await agent.upload(digest, lambda done, of: None)
        assert caught.value.temporary
        await agent.upload(digest, lambda done, of: None)
        assert len(one.requests[-1].body) == MIB
    assert receiver.held == content


@pytest.mark.parametrize("offset", ["", "-1", "many", "9" * 30, "²"])
async def test_an_offset_that_is_no_number_is_a_fault(make: Make, store: ContentStore, offset: str) -> None:
    digest = await stored(store, b"content")

    async def handle(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nUpload-Offset: " + offset.encode() + b"\r\n\r\n")

    async with peer(handle) as one:
        with pytest.raises(ServerFault, match="does not say how much"):
            await make(one.url).at(server(one.url)).upload(digest, lambda done, of: None)


async def test_an_offset_beyond_the_end_is_a_fault(make: Make, store: ContentStore) -> None:
    digest = await stored(store, b"content")

    async def handle(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(response(200, b"", {"Upload-Offset": "1000"}))

    async with peer(handle) as one:
        with pytest.raises(ServerFault, match="more of the artifact than there is"):
            await make(one.url).at(server(one.url)).upload(digest, lambda done, of: None)


async def test_what_the_bot_does_not_hold_is_not_uploaded(make: Make) -> None:
    with pytest.raises(ServerFault, match="not in the store"):
        await make("http://127.0.0.1:1").at(server("http://127.0.0.1:1")).upload("0" * 64, lambda done, of: None)


async def test_the_servers_reason_is_passed_on(make: Make, store: ContentStore) -> None:
    digest = await stored(store, b"content")

    async def full(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(
            response(200, b"", {"Upload-Offset": "0"})
            if seen.method == "HEAD"
            else response(507, problem("no_space", "make room"))
        )

    async with peer(full) as one:
        with pytest.raises(ServerFault, match="staging: make room"):
            await make(one.url).at(server(one.url)).upload(digest, lambda done, of: None)
