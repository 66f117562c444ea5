"""A SQLite database as a file that can be copied while it is in use, looked into, and put in the place of another."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.store.database import StoreUnusable
from adapters.store.sqlite import PRIVATE

_COMPANIONS = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database knows: the number and the hash of each chain's last event."""

    heads: dict[str, tuple[int, str]]

    @property
    def events(self) -> int:
        return sum(seq for seq, _ in self.heads.values())

    def beyond(self, other: Contents) -> int:
        """How many events are here and not in `other`; where a chain went another way, all of it counts."""
        return sum(self._beyond(chain, *other.heads.get(chain, (0, ""))) for chain in self.heads)

    def _beyond(self, chain: str, seq: int, hash_: str) -> int:
        mine, my_hash = self.heads[chain]
        return mine if mine == seq and my_hash != hash_ else max(0, mine - seq)


@dataclass(frozen=True, slots=True)
class DatabaseFile:
    path: Path

    def copy_to(self, target: Path) -> None:
        """All that is committed now, in one snapshot, as a new file with mode 0600; whoever writes is not held up.

        Raises StoreUnusable where this cannot be read, or `target` is there or cannot be written. A cut leaves nothing
        at `target`.
        """
        try:
            with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
                part = Path(folder) / target.name
                os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
                self._vacuum_into(part)
                _sync(part)
                target.hardlink_to(part)  # unlike a rename, this never replaces what is there
            _sync(target.parent)
        except FileExistsError as error:
            raise StoreUnusable(f"{target} exists already; choose another name") from error
        except OSError as error:
            raise StoreUnusable(f"{target} cannot be written: {error.strerror}; choose another place") from error

    def _vacuum_into(self, target: Path) -> None:
        try:
            with closing(self._read_only()) as connection:
                connection.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.Error as error:
            raise StoreUnusable(f"{self.path} cannot be copied: {error}") from error

    def contents(self) -> Contents:
        """Raises StoreUnusable where it is damaged, or no database of Ashat."""
        try:
            with closing(self._read_only()) as connection:
                (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
                strays = connection.execute("PRAGMA foreign_key_check").fetchone()
                heads = connection.execute("SELECT chain, max(seq), hash FROM journal GROUP BY chain").fetchall()
        except sqlite3.Error as error:
            raise StoreUnusable(f"{self.path} is no database of Ashat, or damaged: {error}") from error
        if verdict != "ok" or strays is not None:
            why = verdict if verdict != "ok" else f"a row of {strays[0]} belongs to nothing"
            raise StoreUnusable(f"{self.path} is damaged: {why}")
        return Contents({chain: (seq, hash_) for chain, seq, hash_ in heads})

    def _read_only(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)

    def require_unused(self) -> None:
        """Raises StoreUnusable where anybody has it open. What is no database any more is used by nobody either."""
        with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise StoreUnusable(f"{self.path} is in use: {error}; stop what uses it first") from error
            except sqlite3.DatabaseError:
                return

    def replace_by(self, new: Path, at: datetime) -> Path | None:
        """Put `new` here. What was here is kept, with what belongs to it; where, or None where nothing was here."""
        kept = None
        if self.path.exists():
            kept = self.path.with_name(f"{self.path.name}.before-{at:%Y%m%dT%H%M%SZ}")
            for end in ("", *_COMPANIONS):
                companion = Path(f"{self.path}{end}")
                if companion.exists():
                    companion.rename(f"{kept}{end}")
        new.replace(self.path)
        _sync(self.path.parent)
        return kept


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
