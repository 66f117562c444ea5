"""The store on a disk: modes, what a kill leaves, and that a stream is not left open."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.artifacts.content import ContentStore
from core.ports import ArtifactProblem


async def blocks(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_folder_and_files_are_for_the_bot_alone(tmp_path: Path) -> None:
    store = ContentStore.open(tmp_path / "a" / "store")
    digest, _ = await store.add(blocks(b"one"), 10)
    assert stat.S_IMODE(store.path(digest).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a" / "store").stat().st_mode) == 0o700


async def test_opening_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    store = ContentStore.open(tmp_path)
    digest, _ = await store.add(blocks(b"one"), 10)
    (tmp_path / ".coming-abc").write_bytes(b"half")
    ContentStore.open(tmp_path)
    assert names(tmp_path) == [digest]


async def test_a_refused_or_cancelled_stream_leaves_no_file(tmp_path: Path) -> None:
    store = ContentStore.open(tmp_path)
    with pytest.raises(ArtifactProblem):
        await store.add(blocks(b"one", b"two"), 5)
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"one"
        begun.set()
        await asyncio.Event().wait()

    adding = asyncio.create_task(store.add(endless(), 10))
    await begun.wait()
    adding.cancel()
    await asyncio.wait([adding])
    assert adding.cancelled()
    assert names(tmp_path) == []


async def test_a_refused_stream_is_closed(tmp_path: Path) -> None:
    closed = asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"one"
        finally:
            closed.set()

    with pytest.raises(ArtifactProblem):
        await ContentStore.open(tmp_path).add(stream(), 5)
    assert closed.is_set()
