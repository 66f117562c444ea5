"""The rules of an artifact's archive, and its manifest. Works on binary file objects and touches no file by name.

An archive is hostile until proven otherwise: tarfile and zipfile only parse here, and never write. What they read at
once is bounded, names are checked before anybody sees them, and the bytes that come out are counted as they come.
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal, TypeVar, cast

import zstandard

from core.release.manifest import MANIFEST_NAME, Manifest, ManifestError, parse_manifest

_PIECE = 256 * 1024
_LARGEST_READ = 32 * 1024 * 1024
"""The most that a parser may ask for at once: a header that claims gigabytes must not become memory."""
_ZSTD_WINDOW = 32 * 1024 * 1024
"""Memory that a zstd frame may demand; levels up to 20 stay below it."""
MANIFEST_BYTES = 256 * 1024
"""The longest manifest that is read: it becomes memory, of the bot too."""
_RATIO_FLOOR = 16 * 1024 * 1024
"""Bytes that any archive may unpack to, however small it is."""
_NAME_BYTES = 255
"""What Linux file systems take for one name."""
_PATH_BYTES = 1000

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zstandard.ZstdError,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    IndexError,
    OverflowError,
    struct.error,
)
"""What the parsers raise over bytes that they cannot make sense of."""

Kind = Literal["file", "folder"]
Item = TypeVar("Item")


class ArchiveError(ValueError):
    """An archive that is not unpacked. `str(error)` is one sentence for a person."""


@dataclass(frozen=True)
class Bounds:
    """What an archive may unpack to: bytes in all, entries, and bytes per packed byte."""

    unpacked_bytes: int = 8 * 1024**3
    files: int = 100_000
    ratio: int = 200


@dataclass(frozen=True)
class Entry:
    """One file or folder. `data` is to be read before the next entry is asked for; it raises ArchiveError."""

    path: tuple[str, ...]
    kind: Kind
    size: int
    executable: bool
    data: Iterator[bytes]


def entries(file: BinaryIO, bounds: Bounds) -> Iterator[Entry]:
    """The archive's files and folders with safe names, in order. Raises ArchiveError where one breaks a rule."""
    packed = file.seek(0, io.SEEK_END)
    file.seek(0)
    allowance = _Allowance(min(bounds.unpacked_bytes, max(_RATIO_FLOOR, packed * bounds.ratio)))
    names = _Names(bounds.files)
    for entry in _readable(_raw_entries(file, allowance)):
        names.admit(entry.path, entry.kind)
        if entry.path:
            yield replace(entry, data=_readable(entry.data))


def read_manifest(file: BinaryIO, bounds: Bounds | None = None) -> Manifest:
    """The manifest at the archive's top. Raises ArchiveError or ManifestError."""
    for entry in entries(file, bounds or Bounds()):
        if entry.path == (MANIFEST_NAME,) and entry.kind == "file":
            return parse_manifest(_text(entry))
    raise ManifestError(f"there is no {MANIFEST_NAME} at the top of the archive; every update needs one")


def _readable(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; whatever the parsers raise over a broken archive becomes an ArchiveError."""
    try:
        yield from items
    except ArchiveError:
        raise
    except _DAMAGE as error:
        raise ArchiveError(f"the archive is damaged or cannot be read: {error}") from error


def _text(entry: Entry) -> str:
    if entry.size > MANIFEST_BYTES:
        raise ManifestError(f"{MANIFEST_NAME} has {entry.size} bytes; at most {MANIFEST_BYTES} are read")
    try:
        return b"".join(entry.data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{MANIFEST_NAME} is not UTF-8 text: {error}") from error


class _Allowance:
    """Bytes that may still come out of the archive."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ArchiveError(f"the archive unpacks to more than the {self._limit} bytes that its size allows")


class _Names:
    """Every path once, also on file systems that fold case, and none below a file."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: dict[tuple[str, ...], tuple[tuple[str, ...], Kind]] = {}

    def admit(self, path: tuple[str, ...], kind: Kind) -> None:
        if kind == "file" and not path:
            raise ArchiveError("the archive has a file without a name")
        for depth in range(1, len(path)):
            self._note(path[:depth], "folder")
        if path:
            self._note(path, kind)
        if len(self._seen) > self._limit:
            raise ArchiveError(f"the archive has more than {self._limit} files and folders")

    def _note(self, path: tuple[str, ...], kind: Kind) -> None:
        folded = tuple(unicodedata.normalize("NFC", part).casefold() for part in path)
        known = self._seen.setdefault(folded, (path, kind))
        first_time = known[0] is path
        if known != (path, kind) or (kind == "file" and not first_time):
            raise ArchiveError(f"the archive has {_shown(path)} twice, or once more in other letters")


def _safe_path(name: str) -> tuple[str, ...]:
    """The parts of a relative path. Raises ArchiveError for a name that could lead elsewhere."""
    if not name.isprintable() or "\\" in name:  # control, bidirectional and undecodable characters do not print
        raise ArchiveError(f"the name {_clean(name)} has characters that are not allowed in an artifact")
    if name.startswith("/"):
        raise ArchiveError(f"the name {_clean(name)} is absolute; names are relative to the artifact")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise ArchiveError(f"the name {_clean(name)} leads out of the artifact")
    if len(name.encode()) > _PATH_BYTES or any(len(part.encode()) > _NAME_BYTES for part in parts):
        raise ArchiveError(f"the name {_clean(name)} is too long")
    return parts


def _clean(name: str) -> str:
    return ascii(name[:80])


def _shown(path: tuple[str, ...]) -> str:
    return _clean("/".join(path))


def _raw_entries(file: BinaryIO, allowance: _Allowance) -> Iterator[Entry]:
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
            yield from _tar_entries(cast(BinaryIO, unpacked), allowance)
    elif magic == b"\x28\xb5\x2f\xfd":
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        with decompressor.stream_reader(file, read_across_frames=True, closefd=False) as stream:
            yield from _tar_entries(cast(BinaryIO, stream), allowance)
    elif magic in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _zip_entries(file, allowance)
    else:
        raise ArchiveError("the file is no .tar.gz, .tar.zst or .zip archive, whatever its name says")


class _Forward:
    """A decompressed stream as tarfile wants it: it tells and seeks forward, counts, and refuses huge reads."""

    def __init__(self, stream: BinaryIO, allowance: _Allowance) -> None:
        self._stream = stream
        self._allowance = allowance
        self._position = 0
        self.ended_in_zeros = False
        """The last read gave nothing but zeros, as the mark at a tar archive's end."""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if position < self._position:
            raise ArchiveError("the archive is damaged: it points backwards")
        while self._position < position:
            if not self.read(min(_PIECE, position - self._position)):
                break
        return self._position

    def read(self, size: int) -> bytes:
        if size > _LARGEST_READ:
            raise ArchiveError(f"the archive has a header of {size} bytes; no honest one is that long")
        pieces: list[bytes] = []
        while size > 0 and (piece := self._stream.read(size)):
            self._allowance.spend(len(piece))
            pieces.append(piece)
            size -= len(piece)
        data = b"".join(pieces)
        self._position += len(data)
        self.ended_in_zeros = bool(data) and not data.strip(b"\0")
        return data


def _tar_entries(stream: BinaryIO, allowance: _Allowance) -> Iterator[Entry]:
    source = _Forward(stream, allowance)
    with tarfile.TarFile(fileobj=cast(BinaryIO, source), mode="r") as tar:
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # unlisted in the stubs; it would remember every header
            kind = _tar_kind(member)
            size = member.size if kind == "file" else 0
            data = _tar_data(source, member)
            yield Entry(_safe_path(member.name), kind, size, bool(member.mode & stat.S_IXUSR), data)
    if not source.ended_in_zeros:  # tarfile takes a broken header in the middle for the end
        raise ArchiveError("the archive has no end mark: it was cut off or damaged")
    while source.read(_PIECE):  # to the checksum at the very end
        continue


def _tar_kind(member: tarfile.TarInfo) -> Kind:
    if member.type == tarfile.DIRTYPE:
        return "folder"
    if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.sparse is None:
        return "file"
    raise ArchiveError(f"{_clean(member.name)} is no regular file or folder: links, devices and the like are refused")


def _tar_data(source: _Forward, member: tarfile.TarInfo) -> Iterator[bytes]:
    source.seek(member.offset_data)
    left = member.size
    while left > 0:
        piece = source.read(min(_PIECE, left))
        if not piece:
            raise ArchiveError(f"the archive ends inside {_clean(member.name)}")
        left -= len(piece)
        yield piece


class _BoundedReads:
    """A seekable file whose single reads are bounded: zipfile reads a whole directory at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(position, whence)
        except (OSError, ValueError) as error:  # a file says the one, bytes in memory the other
            raise ArchiveError("the archive is damaged: it points before its beginning") from error

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LARGEST_READ:
            size = _LARGEST_READ + 1
        data = self._file.read(size)
        if len(data) > _LARGEST_READ:
            raise ArchiveError("the archive's directory is larger than any honest one")
        return data


def _zip_entries(file: BinaryIO, allowance: _Allowance) -> Iterator[Entry]:
    with zipfile.ZipFile(cast(BinaryIO, _BoundedReads(file))) as archive:
        for info in archive.infolist():
            kind = _zip_kind(info)
            mode = info.external_attr >> 16
            executable = info.create_system == 3 and bool(mode & stat.S_IXUSR)
            data = _zip_data(archive, info, allowance)
            yield Entry(
                _safe_path(info.orig_filename), kind, 0 if kind == "folder" else info.file_size, executable, data
            )


def _zip_kind(info: zipfile.ZipInfo) -> Kind:
    if info.flag_bits & 1:
        raise ArchiveError(f"{_clean(info.filename)} is encrypted; artifacts are not")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"{_clean(info.filename)} is packed in a way other than store or deflate")
    format_bits = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
    if format_bits not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"{_clean(info.filename)} is no regular file or folder: links and the like are refused")
    is_folder = info.filename.endswith("/")
    if (format_bits == stat.S_IFDIR) != is_folder and format_bits:
        raise ArchiveError(f"{_clean(info.filename)} is a file in one place of the archive and a folder in another")
    return "folder" if is_folder else "file"


def _zip_data(archive: zipfile.ZipFile, info: zipfile.ZipInfo, allowance: _Allowance) -> Iterator[bytes]:
    size = 0
    with archive.open(info) as member:
        while piece := member.read(_PIECE):
            allowance.spend(len(piece))
            size += len(piece)
            yield piece
    if size != info.file_size:
        raise ArchiveError(f"{_clean(info.filename)} has {size} bytes where {info.file_size} are announced")
