"""The bot's own keys: with the newest it signs what servers act on, what the journal held, and what was deployed.

The newest is the file that the settings name. Beside it stand the private halves of older ones that are not retired
yet, and a register of the public halves of all there ever were, so that what a retired key signed can still be checked.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError
from securesystemslib.signer import CryptoSigner, Key, Signature

from core.release.signing import key_id, new_key, public_key, public_text, signer_from_pem

log = structlog.get_logger("ashat.keys")

SHORT = 12
"""Digits of a key's id that people read and type."""


class KeyFileError(Exception):
    """The key cannot be made or used. `str(error)` is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that the bot has, or had. `since` is None where the register does not know it."""

    public: str
    since: datetime | None = None
    retired: datetime | None = None

    @property
    def id(self) -> str:
        return key_id(self.public)

    @property
    def short(self) -> str:
        return self.id[:SHORT]


_REGISTER = TypeAdapter(tuple[KnownKey, ...])


def new(path: Path, at: datetime | None = None) -> str:
    """Make the first private key at `path` with mode 0600; its public half, as agents have it in their settings.

    Raises KeyFileError where anything is there already: servers trust the old key; see `rotate`.
    """
    pem = new_key()
    _make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists and is not overwritten; move it away to make another key.") from error
    except OSError as error:
        raise KeyFileError(f"{path} cannot be made: {error.strerror}.") from error
    _written(descriptor, pem)
    _sync_folder(path.parent)
    public = public_text(signer_from_pem(pem))
    with _locked(path):
        _register(path, (*_registered(path), KnownKey(public, at or datetime.now(UTC))))
    return public


def rotate(path: Path, at: datetime) -> str:
    """Make a newer key the one at `path`; the one that was there signs along with it until it is retired.

    Its public half. At every instant `path` holds a whole key. Raises KeyFileError.
    """
    old = public_text(load(path))
    with _locked(path):
        rows = _with(_registered(path), KnownKey(old, _made_at(path)))
        _register(path, rows)
        beside = _private_half(path, old)
        if not beside.exists():
            beside.hardlink_to(path)
        pem = new_key()
        _replace(path, pem)
        public = public_text(signer_from_pem(pem))
        _register(path, (*rows, KnownKey(public, at)))
    return public


def retire(path: Path, wanted: str, at: datetime) -> KnownKey:
    """From `at` on the key signs nothing, and nothing that it signs later is believed; its private half is removed.

    `wanted` begins its id or its public half. Raises KeyFileError for the newest, an unknown or a retired one.
    """
    newest = public_text(load(path))
    with _locked(path):
        rows = _with(_registered(path), KnownKey(newest, _made_at(path)))
        found = [row for row in rows if row.id.startswith(wanted) or row.public.startswith(wanted)]
        if len(found) != 1 or not wanted:
            many = "several keys begin" if found and wanted else "no key begins"
            raise KeyFileError(f"{many} with {wanted or 'nothing'}; `ashat keys list` shows them.")
        (one,) = found
        if one.public == newest:
            raise KeyFileError(f"The bot signs with {one.short}; make a newer one with `ashat keys new` first.")
        if one.retired is not None:
            raise KeyFileError(f"{one.short} is retired already, since {one.retired:%Y-%m-%d %H:%M} UTC.")
        retired = replace(one, retired=at)
        _register(path, tuple(retired if row is one else row for row in rows))
        _private_half(path, one.public).unlink(missing_ok=True)
        _sync_folder(path.parent)
    return retired


def known(path: Path) -> tuple[KnownKey, ...]:
    """Every key that there is or was, oldest first; the last signs. Raises KeyFileError."""
    return _with(_registered(path), KnownKey(public_text(load(path)), _made_at(path)))


def has_private_half(path: Path, key: KnownKey) -> bool:
    return key.public == public_text(load(path)) or _private_half(path, key.public).exists()


def load(path: Path) -> CryptoSigner:
    """The signer whose private key is at `path`. Raises KeyFileError."""
    try:
        return signer_from_pem(path.read_bytes())
    except FileNotFoundError as error:
        raise KeyFileError(f"There is no key at {path}; make one with `ashat keys new`.") from error
    except OSError as error:
        raise KeyFileError(f"The key at {path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise KeyFileError(
            f"{path} is no Ed25519 private key in PEM without a password; restore it from a backup."
        ) from error


# -- what was signed ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures are believed, and those of which keys only for what is older than their retirement."""

    keys: tuple[Key, ...]
    retired: Mapping[str, datetime]
    """By key id."""


def trust(rows: Sequence[KnownKey]) -> Trust:
    retired = {row.id: row.retired for row in rows if row.retired is not None}
    return Trust(tuple(public_key(row.public) for row in rows), retired)


class Ring:
    """What the bot signs with: always the newest key as the files have it now, so that no restart is needed.

    Implements core.release.signing.Signs.
    """

    def __init__(self, path: Path) -> None:
        """Raises KeyFileError."""
        self._path = path
        self._seen = self._look()
        self._newest, self._older = self._loaded()

    @property
    def public_key(self) -> Key:
        self._catch_up()
        return self._newest.public_key

    def sign(self, payload: bytes) -> Signature:
        self._catch_up()
        return self._newest.sign(payload)

    def older(self) -> tuple[CryptoSigner, ...]:
        """Those that are not retired: servers that do not know the newest yet believe them."""
        self._catch_up()
        return self._older

    def _catch_up(self) -> None:
        """A file that cannot be read now changes nothing: what was loaded goes on signing."""
        if (seen := self._look()) == self._seen:
            return
        try:
            self._newest, self._older = self._loaded()
        except KeyFileError as error:
            log.warning("the key cannot be read again", why=str(error))
        else:
            log.info("signs with", key=self._newest.public_key.keyid[:SHORT], besides=len(self._older))
        self._seen = seen

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_mark(path) for path in (self._path, _register_of(self._path)))

    def _loaded(self) -> tuple[CryptoSigner, tuple[CryptoSigner, ...]]:
        newest = load(self._path)
        mine = public_text(newest)
        halves = [_private_half(self._path, row.public) for row in _registered(self._path)
                  if row.retired is None and row.public != mine]  # fmt: skip
        return newest, tuple(load(half) for half in reversed(halves) if half.exists())


# -- files -------------------------------------------------------------------------------------------------------------


def files(path: Path) -> tuple[Path, ...]:
    """All of them: the newest key, older ones, and the register, by which old signatures are judged."""
    return path, *private_halves(path), _register_of(path)


def private_halves(path: Path) -> tuple[Path, ...]:
    """The files with the private halves of older keys."""
    return tuple(sorted(path.parent.glob(f"{path.stem}.*.pem")))


def _private_half(path: Path, public: str) -> Path:
    return path.with_name(f"{path.stem}.{key_id(public)[:SHORT]}.pem")


def _register_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.register.json")


def _registered(path: Path) -> tuple[KnownKey, ...]:
    register = _register_of(path)
    try:
        return _REGISTER.validate_json(register.read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeyFileError(f"The register of keys, {register}, cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise KeyFileError(f"The register of keys, {register}, is damaged; restore it from a backup.") from error


def _register(path: Path, rows: Sequence[KnownKey]) -> None:
    text = json.dumps([asdict(row) for row in rows], indent=1, default=datetime.isoformat)
    _replace(_register_of(path), f"{text}\n".encode())


def _with(rows: tuple[KnownKey, ...], one: KnownKey) -> tuple[KnownKey, ...]:
    return rows if any(row.public == one.public for row in rows) else (*rows, one)


def _made_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Another one where the file was replaced."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two commands at once would each forget the other's key."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}.") from error
    _written(descriptor, content)
    Path(name).replace(path)
    _sync_folder(path.parent)


def _written(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"The folder {folder} cannot be made: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    """Without this a power cut could take the new name, while servers trust the key already."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
