"""One bot at a time works on a SQLite database: the claim is a lock that ends with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.store.database import StoreUnusable
from adapters.store.sqlite import PRIVATE


@contextmanager
def alone(database: Path) -> Iterator[None]:
    """Be the one bot of the database at this path, which need not be there yet. Raises StoreUnusable."""
    real = database.resolve()  # by whatever path it was named
    lock = real.with_name(f"{real.name}.lock")
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Beside the database: to close any handle of the file itself would end SQLite's own locks on it.
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
    except OSError as error:
        raise StoreUnusable(f"{lock} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StoreUnusable(f"Another bot works on {database}; stop it first, or give each a database") from error
    finally:
        os.close(handle)
