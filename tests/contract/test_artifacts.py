"""What every ArtifactSource and ArtifactStore keeps, in memory and on a disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from adapters.artifacts.content import ContentStore
from adapters.artifacts.folder import FolderSource
from adapters.artifacts.memory import MemorySource, MemoryStore
from core.ports import ArtifactProblem, ArtifactSource, ArtifactStore
from tests.contract.updates import product, tar_gz, tar_zst, zipped

MIB = 1024 * 1024
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Alpha(Protocol):
    """What developers do on ALPHA, whatever it is."""

    source: ArtifactSource

    def put(self, name: str, content: bytes, modified_at: datetime = NOON) -> None: ...

    def remove(self, name: str) -> None: ...

    def break_down(self) -> None: ...


class FolderAlpha:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.source: ArtifactSource = FolderSource(folder)

    def put(self, name: str, content: bytes, modified_at: datetime = NOON) -> None:
        (self.folder / name).write_bytes(content)
        os.utime(self.folder / name, (modified_at.timestamp(), modified_at.timestamp()))

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def break_down(self) -> None:
        self.folder.rename(self.folder.with_name("elsewhere"))


class MemoryAlpha:
    def __init__(self) -> None:
        self._memory = MemorySource()
        self.source: ArtifactSource = self._memory

    def put(self, name: str, content: bytes, modified_at: datetime = NOON) -> None:
        self._memory.put(name, content, modified_at)

    def remove(self, name: str) -> None:
        self._memory.remove(name)

    def break_down(self) -> None:
        self._memory.readable = False


class Stored(Protocol):
    """A store, and how its bytes rot."""

    store: ArtifactStore

    def damage(self, digest: str) -> None: ...


class FolderStored:
    def __init__(self, folder: Path) -> None:
        self.store: ArtifactStore = ContentStore.open(folder)

    def damage(self, digest: str) -> None:
        path = Path(self.store.path(digest))
        content = bytearray(path.read_bytes())
        content[0] ^= 1
        path.write_bytes(content)


class MemoryStored:
    def __init__(self) -> None:
        self._memory = MemoryStore()
        self.store: ArtifactStore = self._memory

    def damage(self, digest: str) -> None:
        self._memory.damage(digest)


@pytest.fixture(params=["folder", "memory"])
def alpha(request: pytest.FixtureRequest, tmp_path: Path) -> Alpha:
    return FolderAlpha(tmp_path / "alpha") if request.param == "folder" else MemoryAlpha()


@pytest.fixture(params=["folder", "memory"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    return FolderStored(tmp_path / "store") if request.param == "folder" else MemoryStored()


async def all_of(blocks: AsyncIterator[bytes]) -> list[bytes]:
    return [block async for block in blocks]


async def stream(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


async def cut_after(block: bytes) -> AsyncIterator[bytes]:
    yield block
    raise ArtifactProblem("it vanished")


@contextmanager
def refused(*words: str) -> Iterator[None]:
    with pytest.raises(ArtifactProblem) as caught:
        yield
    for word in words:
        assert word in str(caught.value)


# -- where updates come from -------------------------------------------------------------------------------------------


async def test_updates_are_listed_newest_first(alpha: Alpha) -> None:
    alpha.put("v1.tar.gz", b"one", NOON)
    alpha.put("v3.zip", b"three!", NOON + timedelta(hours=2))
    alpha.put("v2.tar.zst", b"two", NOON + timedelta(hours=1))
    files = await alpha.source.updates()
    assert [(file.id, file.name, file.size) for file in files] == [
        ("v3", "v3.zip", 6),
        ("v2", "v2.tar.zst", 3),
        ("v1", "v1.tar.gz", 3),
    ]
    assert files[0].modified_at == NOON + timedelta(hours=2)


async def test_an_id_with_dots_is_found_by_its_whole_name(alpha: Alpha) -> None:
    alpha.put("patch-v1.2.3.tar.gz", b"one")
    assert [file.name for file in await alpha.source.find("patch-v1.2.3")] == ["patch-v1.2.3.tar.gz"]
    assert list(await alpha.source.find("patch-v1.2")) == []


async def test_two_formats_of_one_id_are_both_found(alpha: Alpha) -> None:
    alpha.put("v1.tar.gz", b"one")
    alpha.put("v1.zip", b"two")
    assert sorted(file.name for file in await alpha.source.find("v1")) == ["v1.tar.gz", "v1.zip"]


async def test_an_id_that_is_no_id_finds_nothing(alpha: Alpha) -> None:
    for id_ in ("", "..", "../v1", "a/b", "v1\n", "v1\0", "x" * 65):
        assert list(await alpha.source.find(id_)) == []


@pytest.mark.parametrize(("name", "pack"), [("v1.tar.gz", tar_gz), ("v1.tar.zst", tar_zst), ("v1.zip", zipped)])
async def test_the_manifest_is_read_from_inside(
    alpha: Alpha, name: str, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    alpha.put(name, pack(product("hello", component="api")))
    (file,) = await alpha.source.find("v1")
    assert (await alpha.source.manifest(file)).component == "api"


async def test_a_wrong_manifest_is_refused_with_its_line(alpha: Alpha) -> None:
    alpha.put("v1.zip", zipped({"release.toml": b'component = "main"\nlevel = "emperor"\n[run]\nstart = ["x"]\n'}))
    (file,) = await alpha.source.find("v1")
    with refused("v1.zip", "line 2", "level"):
        await alpha.source.manifest(file)


async def test_an_update_without_a_manifest_is_refused(alpha: Alpha) -> None:
    alpha.put("v1.tar.gz", tar_gz({"server.py": b""}))
    (file,) = await alpha.source.find("v1")
    with refused("v1.tar.gz", "release.toml"):
        await alpha.source.manifest(file)


async def test_a_file_that_is_no_archive_is_refused(alpha: Alpha) -> None:
    alpha.put("v1.tar.gz", b"hello")
    (file,) = await alpha.source.find("v1")
    with refused("v1.tar.gz", "archive"):
        await alpha.source.manifest(file)


async def test_bytes_come_whole_in_blocks_of_at_most_a_mebibyte(alpha: Alpha) -> None:
    content = os.urandom(2 * MIB + 5)
    alpha.put("v1.zip", content)
    (file,) = await alpha.source.find("v1")
    blocks = await all_of(alpha.source.read(file))
    assert b"".join(blocks) == content
    assert max(map(len, blocks)) <= MIB


async def test_a_file_that_is_gone_is_a_problem(alpha: Alpha) -> None:
    alpha.put("v1.zip", b"one")
    (file,) = await alpha.source.find("v1")
    alpha.remove("v1.zip")
    with refused("v1.zip"):
        await all_of(alpha.source.read(file))


async def test_a_file_that_vanishes_while_it_is_read_is_a_problem(alpha: Alpha) -> None:
    alpha.put("v1.zip", b"x" * (MIB + 1))
    (file,) = await alpha.source.find("v1")
    async with aclosing(alpha.source.read(file)) as blocks:  # type: ignore[type-var]  # every source is a generator
        await anext(blocks)
        alpha.remove("v1.zip")
        with refused("v1.zip"):
            await all_of(blocks)


async def test_a_file_that_changes_while_it_is_read_is_a_problem(alpha: Alpha) -> None:
    alpha.put("v1.zip", b"x" * (MIB + 1))
    (file,) = await alpha.source.find("v1")
    async with aclosing(alpha.source.read(file)) as blocks:  # type: ignore[type-var]  # every source is a generator
        await anext(blocks)
        alpha.put("v1.zip", b"y" * (MIB + 2), NOON + timedelta(minutes=1))
        with refused("v1.zip", "changed"):
            await all_of(blocks)


async def test_an_alpha_that_cannot_be_read_says_so(alpha: Alpha) -> None:
    alpha.break_down()
    with refused("ALPHA"):
        await alpha.source.updates()


# -- where their bytes are kept ----------------------------------------------------------------------------------------


async def test_what_is_added_is_named_by_its_digest(stored: Stored) -> None:
    digest, size = await stored.store.add(stream(b"one", b"two"), 100)
    assert (digest, size) == (hashlib.sha256(b"onetwo").hexdigest(), 6)
    assert stored.store.path(digest).name == digest
    assert await stored.store.verify(digest)


async def test_the_same_bytes_twice_are_the_same_artifact(stored: Stored) -> None:
    first = await stored.store.add(stream(b"one"), 100)
    assert await stored.store.add(stream(b"o", b"ne"), 100) == first


async def test_bytes_up_to_the_limit_are_taken_and_no_more(stored: Stored) -> None:
    await stored.store.add(stream(b"12", b"34"), 4)
    with refused("4 bytes"):
        await stored.store.add(stream(b"12", b"345"), 4)
    with refused("not in the store"):
        stored.store.path(hashlib.sha256(b"12345").hexdigest())


async def test_a_cut_leaves_nothing(stored: Stored) -> None:
    with refused("vanished"):
        await stored.store.add(cut_after(b"one"), 100)
    with refused("not in the store"):
        stored.store.path(hashlib.sha256(b"one").hexdigest())


async def test_damage_is_noticed(stored: Stored) -> None:
    digest, _ = await stored.store.add(stream(b"one"), 100)
    stored.damage(digest)
    assert not await stored.store.verify(digest)


async def test_what_was_never_stored_is_a_problem(stored: Stored) -> None:
    for digest in ("0" * 64, "../" + "0" * 61, ""):
        with refused("not in the store"):
            stored.store.path(digest)
    with refused("not in the store"):
        await stored.store.verify("0" * 64)
    with refused("not in the store"):
        await stored.store.manifest("0" * 64)


async def test_the_stored_manifest_is_read(stored: Stored) -> None:
    digest, _ = await stored.store.add(stream(tar_zst(product("hello", component="docs"))), MIB)
    assert (await stored.store.manifest(digest)).component == "docs"
    broken, _ = await stored.store.add(stream(zipped({"release.toml": b"level = 3"})), MIB)
    with refused("release.toml"):
        await stored.store.manifest(broken)
