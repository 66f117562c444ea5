"""What is kept of the artifacts on a host, and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from agent.errors import Refused
from agent.slots.artifacts import ArtifactFolder

HOUR = 3600.0


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def folder(tmp_path: Path, watch: Watch) -> ArtifactFolder:
    return ArtifactFolder(tmp_path, 1 << 20, watch)


async def sent(folder: ArtifactFolder, data: bytes) -> str:
    async def stream() -> AsyncIterator[bytes]:
        yield data

    digest = sha256(data).hexdigest()
    await folder.append(digest, 0, len(data), stream())
    return digest


async def test_what_has_just_come_is_not_pruned_before_its_release_is_told(
    folder: ArtifactFolder, watch: Watch
) -> None:
    digest = await sent(folder, b"one")
    watch.now += HOUR - 1
    assert folder.prune((), 0) == []
    assert folder.complete(digest)
    watch.now += 1
    assert folder.prune((), 0) == [digest]


async def test_what_is_claimed_is_kept_for_as_long_as_it_is_used(folder: ArtifactFolder) -> None:
    digest = await sent(folder, b"one")
    folder.claimed(digest)
    folder.claimed(None)
    assert folder.prune({digest}, 0) == []
    assert folder.prune((), 0) == [digest]


async def test_what_is_sent_again_or_asked_for_is_expected_again(folder: ArtifactFolder, watch: Watch) -> None:
    digest = await sent(folder, b"one")
    for anew in (lambda: sent(folder, b"one"), lambda: asked(folder, digest)):
        watch.now += HOUR
        await anew()
        assert folder.prune((), 0) == []
    watch.now += HOUR
    assert folder.prune((), 0) == [digest]


async def asked(folder: ArtifactFolder, digest: str) -> str:
    folder.expect(digest)
    return digest


async def test_expected_ones_are_no_spare_ones(folder: ArtifactFolder) -> None:
    """The newest that nothing uses are spared by themselves, whatever is on its way."""
    old = [await sent(folder, text) for text in (b"one", b"two", b"three")]
    for digest in old:
        folder.claimed(digest)
    coming = await sent(folder, b"four")
    assert folder.prune((), 1) == [old[1], old[0]]
    assert folder.complete(old[2])
    assert folder.complete(coming)


async def test_what_is_not_what_it_says_is_neither_kept_nor_in_the_way(folder: ArtifactFolder) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"other"

    digest = sha256(b"right").hexdigest()
    with pytest.raises(Refused, match="send it again"):
        await folder.append(digest, 0, 5, stream())
    assert folder.prune((), 0) == []
    assert (folder.complete(digest), folder.offset(digest)) == (False, 0)
