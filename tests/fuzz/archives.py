"""Archives made to hurt: what they hold, how they are packed, and what was done to their bytes afterwards."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
import warnings
import zipfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import zstandard
from hypothesis import strategies as st

from agent.errors import Refused
from agent.slots.extract import extract
from core.release.archive import ArchiveError, Bounds, read_manifest
from core.release.manifest import ManifestError

MANIFEST = b'component = "api"\n[run]\nstart = ["./run"]\n'
BOUNDS = Bounds(unpacked_bytes=20_000_000, files=60, ratio=50)
SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Every file that is unpacked is synced, which takes its time on a disk. None: where temporary files usually are."""
Kind = Literal["file", "folder", "symlink", "hardlink", "device", "pipe"]
Packing = Literal["gz", "gnu", "zst", "zip"]
_TAR: dict[Kind, bytes] = {
    "file": tarfile.REGTYPE,
    "folder": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "pipe": tarfile.FIFOTYPE,
}
_MODES: dict[Kind, int] = {
    "file": stat.S_IFREG,
    "folder": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "hardlink": stat.S_IFREG,
    "device": stat.S_IFCHR,
    "pipe": stat.S_IFIFO,
}


@dataclass(frozen=True)
class Member:
    """`lie` is added to the size that the header announces."""

    name: str
    data: bytes = b""
    kind: Kind = "file"
    link: str = ""
    lie: int = 0


@dataclass(frozen=True)
class Damage:
    """What happens to the packed bytes: positions are parts of the whole, from 0 to 1."""

    cut_at: float = 1.0
    flip_at: float | None = None
    trailing: bytes = b""

    def done_to(self, data: bytes) -> bytes:
        bent = bytearray(data[: int(len(data) * self.cut_at)])
        if self.flip_at is not None and bent:
            bent[int((len(bent) - 1) * self.flip_at)] ^= 0x41
        return bytes(bent) + self.trailing


def _parts() -> st.SearchStrategy[str]:
    leading_out = ["..", ".", "", "a\u202eb", "a\nb", "a\\b", "x" * 256]
    colliding = ["run", "RUN", "release.toml", "é", "e\u0301", "ß", "SS", "lib", "lib2"]
    return st.sampled_from([*leading_out, *colliding]) | st.text(max_size=6)


def _names() -> st.SearchStrategy[str]:
    path = st.lists(_parts(), min_size=1, max_size=4).map("/".join)
    return path | path.map(lambda name: "/" + name) | st.integers(200, 600).map(lambda depth: "d/" * depth + "x")


def _honest() -> st.SearchStrategy[Member]:
    name = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
    path = st.tuples(name, name).map(lambda pair: f"{pair[0]}.d/{pair[1]}")
    return st.builds(Member, path, st.binary(max_size=64))


def _data() -> st.SearchStrategy[bytes]:
    return st.binary(max_size=64) | st.sampled_from([b"\0" * 100_000, b"\0" * 3_000_000, MANIFEST])


def _members() -> st.SearchStrategy[Member]:
    honest = _honest()
    plain = st.builds(Member, _names(), _data())
    targets = st.sampled_from(["/etc/passwd", "..", "run", "lib"])
    links = st.builds(Member, _names(), st.just(b""), st.sampled_from(list(_TAR)), targets)
    lies = st.builds(Member, _names(), _data(), lie=st.sampled_from([-1, 1, 511, 2**20, 2**33]))
    return st.one_of(honest, honest, honest, honest, plain, links, lies)


def _damage() -> st.SearchStrategy[Damage]:
    part = st.floats(0.01, 1)
    return st.builds(Damage, part | st.just(1.0), part | st.none(), st.binary(max_size=40))


def archives() -> st.SearchStrategy[bytes]:
    """Packed bytes: mostly a good release, alone or with bad company, sometimes with another manifest, or none."""
    good = [Member("release.toml", MANIFEST), Member("run", b"#!/bin/sh\n")]
    honest = st.lists(_honest(), max_size=4, unique_by=lambda member: member.name)
    content = st.one_of(
        honest.map(lambda more: good + more),
        st.lists(_members(), max_size=4).map(lambda more: good + more),
        st.lists(_members(), max_size=4),
    )
    packing = st.sampled_from(["gz", "gnu", "zst", "zip"])
    sound = st.builds(packed, content, packing)
    damaged = st.builds(lambda data, damage: damage.done_to(data), sound, _damage())
    return st.one_of(sound, sound, damaged)


def packed(members: list[Member], packing: Packing) -> bytes:
    match packing:
        case "zip":
            return _zip(members)
        case "zst":
            return zstandard.compress(_tar(members, tarfile.PAX_FORMAT))
        case "gz":
            return gzip.compress(_tar(members, tarfile.PAX_FORMAT), 1)
        case "gnu":
            return gzip.compress(_tar(members, tarfile.GNU_FORMAT), 1)


def _tar(members: list[Member], form: Literal[1, 2]) -> bytes:
    buffer = io.BytesIO()
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.type, info.linkname, info.mode = _TAR[member.kind], member.link, 0o6777
        info.size = max(0, len(member.data) + member.lie) if member.kind == "file" else 0
        with suppress(ValueError, UnicodeError):  # what this format cannot say is left out
            buffer.write(info.tobuf(form, errors="surrogateescape"))
            buffer.write(member.data + b"\0" * (-len(member.data) % 512))
    return buffer.getvalue() + b"\0" * 1024


def _zip(members: list[Member]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name or "-")
            info.create_system, info.compress_type = 3, zipfile.ZIP_DEFLATED
            info.external_attr = (_MODES[member.kind] | 0o777) << 16
            with suppress(UnicodeError), warnings.catch_warnings(action="ignore"):  # it warns of names that come twice
                archive.writestr(info, member.data)
                info.file_size = max(0, info.file_size + member.lie)  # what the directory at the end will say
        with suppress(Exception):  # a size that a zip cannot say: the archive stays without its directory
            archive.close()
    return buffer.getvalue()


def judge(data: bytes, folder: Path, seen: Counter[str]) -> None:
    """Unpack `data` below `folder`, which is empty before and after. Raises AssertionError where a rule is broken."""
    artifact, slot = folder / "artifact", folder / "slot"
    slot.mkdir()
    artifact.write_bytes(data)
    target = slot / "files"
    try:
        manifest = extract(artifact, hashlib.sha256(data).hexdigest(), target, BOUNDS)
    except Refused as refused:
        _must_be_explained(refused)
        assert list(slot.iterdir()) == [], "something of a refused archive is left"
        seen["refused"] += 1
    else:
        assert [path.name for path in slot.iterdir()] == ["files"]
        _must_be_tame(target)
        assert read_manifest(io.BytesIO(data), BOUNDS) == manifest
        seen["unpacked"] += 1
        _remove(target)
    assert {path.name for path in folder.iterdir()} == {"artifact", "slot"}, "something was written beside the slot"
    artifact.unlink()
    slot.rmdir()
    _read_only_the_manifest(data)


def _must_be_explained(refused: Refused) -> None:
    assert refused.kind == "refused", refused.kind
    assert str(refused), "a refusal says why"
    assert str(refused).isprintable(), str(refused)


def _must_be_tame(target: Path) -> None:
    entries = list(target.rglob("*"))
    assert len(entries) <= BOUNDS.files
    for path in entries:
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode), f"{path} is something else"
        assert not mode & 0o7022, f"{path} has the mode {mode:o}"
    assert sum(path.stat().st_size for path in entries if path.is_file()) <= BOUNDS.unpacked_bytes


def _read_only_the_manifest(data: bytes) -> None:
    """The bot reads no more than that of what lies on ALPHA."""
    with suppress(ArchiveError, ManifestError):
        read_manifest(io.BytesIO(data), BOUNDS)


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), key=lambda path: -len(path.parts)):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
