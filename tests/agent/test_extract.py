"""Crafted archives: each rule has one that breaks it, and nothing of it is ever written."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from agent.errors import Refused
from agent.slots.extract import extract
from core.release.archive import ArchiveError, Bounds, read_manifest
from core.release.manifest import ManifestError

MANIFEST = b'component = "api"\n[run]\nstart = ["./run"]\n'
GOOD = [("release.toml", MANIFEST), ("run", b"#!/bin/sh\n"), ("lib/deep/er/x.txt", b"x")]
Files = list[tuple[str, bytes]]


def member(
    name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mode = size, kind, link, mode
    return info


def tar(files: Files, *extra: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in files:
            archive.addfile(member(name, len(data), mode=0o4755 if name == "run" else 0o666), io.BytesIO(data))
        for info in extra:
            archive.addfile(info, io.BytesIO(b"\0" * info.size))
    return buffer.getvalue()


def zipped(files: Files, change: Callable[[zipfile.ZipInfo], None] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.create_system, info.compress_type = 3, zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | (0o755 if name == "run" else 0o644)) << 16
            if change is not None and name not in ("release.toml", "run"):
                change(info)
            archive.writestr(info, data)
    return buffer.getvalue()


def packings(files: Files) -> dict[str, bytes]:
    plain = tar(files)
    return {
        "gz": gzip.compress(plain),
        "gnu": gzip.compress(tar(files, form=tarfile.GNU_FORMAT)),
        "zst": zstandard.compress(plain),
        "zip": zipped(files),
    }


def unpack(data: bytes, folder: Path, bounds: Bounds | None = None) -> Path:
    artifact, target = folder / "artifact", folder / "slot" / "files"
    artifact.write_bytes(data)
    target.parent.mkdir(exist_ok=True)
    extract(artifact, hashlib.sha256(data).hexdigest(), target, bounds or Bounds())
    return target


@pytest.mark.parametrize("packing", ["gz", "gnu", "zst", "zip"])
def test_a_good_archive_is_unpacked_with_nothing_of_its_modes_but_executable(packing: str, tmp_path: Path) -> None:
    files = [*GOOD, ("a" * 120 + "/" + "b" * 120, b"long names")]
    data = packings(files)[packing]
    target = unpack(data, tmp_path)
    assert {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()} == dict(files)
    assert stat.S_IMODE((target / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "release.toml").stat().st_mode) == 0o644
    assert read_manifest(io.BytesIO(data)).component == "api"
    assert [p.name for p in target.parent.iterdir()] == ["files"]


def link(kind: bytes, target: str) -> bytes:
    return gzip.compress(tar(GOOD, member("bad", kind=kind, link=target)))


def symlink_in_zip(info: zipfile.ZipInfo) -> None:
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def lzma_in_zip(info: zipfile.ZipInfo) -> None:
    info.compress_type = zipfile.ZIP_LZMA


def with_file(name: str, data: bytes = b"") -> dict[str, bytes]:
    return packings([*GOOD, (name, data)])


def wide_window() -> bytes:
    """A zstd frame that would need 128 MiB to be read."""
    compressor = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27))
    stream = compressor.compressobj()
    return stream.compress(tar(GOOD)) + stream.flush()


BAD: dict[str, tuple[bytes, str]] = {
    "symbolic link": (link(tarfile.SYMTYPE, "/etc/passwd"), "no regular file"),
    "hard link": (link(tarfile.LNKTYPE, "run"), "no regular file"),
    "device": (link(tarfile.CHRTYPE, ""), "no regular file"),
    "pipe": (link(tarfile.FIFOTYPE, ""), "no regular file"),
    "sparse": (gzip.compress(tar(GOOD, member("s", kind=tarfile.GNUTYPE_SPARSE))), "no regular file"),
    "link in a zip": (zipped(GOOD, symlink_in_zip), "no regular file"),
    "lzma in a zip": (zipped(GOOD, lzma_in_zip), "other than store or deflate"),
    "twice": (gzip.compress(tar([*GOOD, ("run", b"")])), "twice"),
    "other letters": (gzip.compress(tar([*GOOD, ("RUN", b"")])), "twice"),
    "composed otherwise": (gzip.compress(tar([*GOOD, ("e\u0301", b""), ("\u00e9", b"")])), "twice"),
    "file and folder": (gzip.compress(tar([*GOOD, ("run/x", b"")])), "twice"),
    "no archive": (b"hello" * 100, "no .tar.gz"),
    "empty": (b"", "no .tar.gz"),
    "cut gzip": (packings(GOOD)["gz"][:-9], "damaged"),
    "cut zstd": (packings(GOOD)["zst"][:-9], "damaged"),
    "cut zip": (packings(GOOD)["zip"][:-9], "damaged"),
    "zip with a name of nothing": (zipped([*GOOD, ("\0", b"")]), "without a name"),
    "zip without its beginning": (zipped(GOOD)[:4] + zipped(GOOD)[40:], "before its beginning"),
    "tar without end": (gzip.compress(tar(GOOD)[: 512 * 6]), "cut off or damaged"),
    "member longer than the tar": (gzip.compress(tar(GOOD)[:-10240] + member("z", 9999).tobuf()), "ends inside"),
    "huge header": (gzip.compress(member("x", 2**32, kind=tarfile.XHDTYPE).tobuf() + b"\0" * 1024), "header of"),
    "huge window": (wide_window(), "damaged"),
    **{
        f"{name!r} in {packing}": (data, part)
        for name, part in (
            ("/etc/x", "absolute"),
            ("../x", "leads out"),
            ("a/../../x", "leads out"),
            ("a\\b", "not allowed"),
            ("a\nb", "not allowed"),
            ("a\u202eb", "not allowed"),
            ("n" * 256, "too long"),
            ("d/" * 501 + "x", "too long"),
        )
        for packing, data in with_file(name).items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_is_refused_with_its_reason_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    data, reason = BAD[name]
    with pytest.raises(Refused) as refused:
        unpack(data, tmp_path)
    assert (refused.value.kind, reason in str(refused.value)) == ("refused", True), str(refused.value)
    assert list((tmp_path / "slot").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"artifact", "slot"}


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    return packings([*GOOD, ("zeros", b"\0" * 20_000_000)])


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        (Bounds(unpacked_bytes=1_000_000), "more than the 1000000 bytes"),
        (Bounds(files=4), "more than 4 files"),
        (Bounds(ratio=10), "bytes that its size allows"),
    ],
)
def test_bombs_stop_at_their_limit(
    packing: str, bounds: Bounds, reason: str, bombs: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=reason):
        unpack(bombs[packing], tmp_path, bounds)
    assert list((tmp_path / "slot").iterdir()) == []


def test_other_bytes_than_the_digest_says_are_refused(tmp_path: Path) -> None:
    data = packings(GOOD)["gz"]
    (tmp_path / "artifact").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Refused) as refused:
        extract(tmp_path / "artifact", hashlib.sha256(data).hexdigest(), tmp_path / "files", Bounds())
    assert refused.value.kind == "wrong_digest"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
def test_a_manifest_must_be_there_and_right(packing: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no release\.toml at the top"):
        unpack(packings([("x/release.toml", MANIFEST)])[packing], tmp_path)
    with pytest.raises(Refused, match=r"no release\.toml at the top"):
        unpack(packings([("release.toml/x", MANIFEST)])[packing], tmp_path)
    with pytest.raises(Refused, match="larger than the 262144 bytes"):
        unpack(packings([("release.toml", MANIFEST + b"#" * 300_000)])[packing], tmp_path)
    wrong = packings([("release.toml", b"[run]\nstart = 3\n")])[packing]
    with pytest.raises(Refused, match="line 2"):
        unpack(wrong, tmp_path)
    with pytest.raises(ManifestError, match="line 2"):
        read_manifest(io.BytesIO(wrong))
    with pytest.raises(ManifestError, match="UTF-8"):
        read_manifest(io.BytesIO(packings([("release.toml", b"\xff")])[packing]))
    with pytest.raises(ManifestError, match="bytes"):
        read_manifest(io.BytesIO(packings([("release.toml", b"#" * 300_000)])[packing]))
    with pytest.raises(ArchiveError):
        read_manifest(io.BytesIO(b"PK\x03\x04 nonsense"))
