"""Deployments as they were last committed or read, so that neither a look nor a commit puts them together again.

Right at any time, also with other processes on the same database: a version is committed once and never changes, and
who asks names the version that the database has.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from core.state import Deployment


class Known:
    """The last `limit` deployments used. Only what is committed may be put here. For any thread."""

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._lock = Lock()
        self._by_key: OrderedDict[str, Deployment] = OrderedDict()

    def get(self, key: str, version: int) -> Deployment | None:
        with self._lock:
            found = self._by_key.get(key)
            if found is None or found.version != version:
                return None
            self._by_key.move_to_end(key)
            return found

    def put(self, committed: Deployment) -> None:
        with self._lock:
            self._by_key[committed.key] = committed
            self._by_key.move_to_end(committed.key)
            if len(self._by_key) > self._limit:
                self._by_key.popitem(last=False)
