"""Discord's rate limits: a bucket for each route and its channel or guild, and one over all requests.

Libraries wait by the machine's clock, so buckets are refilled by it, too; `hurry` times as fast as Discord's.
"""

from __future__ import annotations

import re
import time
import zlib
from collections import deque
from dataclasses import dataclass, field

from tests.discord.peer import limits
from tests.discord.peer.refused import RateLimited

EVERYWHERE = (50, 1.0)
"""Requests in seconds, of one bot; answers to interactions are not counted."""
_BUCKETS = {
    "POST /channels/{id}/messages": (5, 5.0),
    "PATCH /channels/{id}/messages/{id}": (5, 5.0),
    "DELETE /channels/{id}/messages/{id}": (5, 1.0),
    "PATCH /channels/{id}": (5, 5.0),
    "POST /webhooks/{id}/{token}": (5, 5.0),
    "PATCH /webhooks/{id}/{token}/messages/{id}": (5, 5.0),
}
_OTHERS = (50, 1.0)
_MAJOR = re.compile(r"/(?:channels|guilds|webhooks)/\d+")


@dataclass
class _Bucket:
    most: int
    seconds: float
    taken: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> tuple[bool, int, float]:
        """Whether there was room, what is left, and the seconds until the first one is free again."""
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        free = len(self.taken) < self.most
        if free:
            self.taken.append(now)
        return free, self.most - len(self.taken), self.taken[0] + self.seconds - now


@dataclass
class Rates:
    on: bool = True
    hurry: float = 1.0
    refusals: int = 0
    """Requests that got 429."""
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _old: dict[str, list[float]] = field(default_factory=dict)

    def take(self, method: str, path: str) -> dict[str, str]:
        """The headers of the answer. Raises RateLimited, whose headers `refused` gives."""
        if path.startswith("/interactions/"):
            return {}
        route = f"{method} {template(path)}"
        if not path.startswith("/webhooks/"):
            self._take("", EVERYWHERE, everywhere=True)
        return self._take(f"{route} {_major(path)}", _BUCKETS.get(route, _OTHERS), route=route)

    def _take(
        self, key: str, size: tuple[int, float], *, everywhere: bool = False, route: str = ""
    ) -> dict[str, str]:  # fmt: skip
        if not self.on:
            return _headers(route, size[0], size[0] - 1, size[1] / self.hurry)
        bucket = self._buckets.setdefault(key, _Bucket(size[0], size[1] / self.hurry))
        free, left, wait = bucket.take(time.monotonic())
        if not free:
            self.refusals += 1
            raise RateLimited(max(wait, 0.001), everywhere=everywhere)
        return _headers(route, size[0], left, wait)

    def old_edit(self, channel: str, now: float) -> None:
        """An edit of a message older than an hour, by the peer's clock. Raises 30046."""
        kept = [at for at in self._old.get(channel, []) if at > now - limits.OLD_EDITS_SECONDS]
        if len(kept) >= limits.OLD_EDITS:
            words = "Maximum number of edits to messages older than 1 hour reached. Try again later."
            raise RateLimited((kept[0] + limits.OLD_EDITS_SECONDS - now) / self.hurry, code=30046, words=words)
        self._old[channel] = [*kept, now]


def refused(error: RateLimited) -> dict[str, str]:
    """The headers of a 429."""
    scope = "global" if error.everywhere else "user"
    headers = {"Retry-After": str(int(error.retry_after) + 1), "X-RateLimit-Scope": scope, "Via": "1.1 google"}
    return headers | ({"X-RateLimit-Global": "true"} if error.everywhere else {})


def template(path: str) -> str:
    """The route that a path belongs to: ids as `{id}`, an interaction's token as `{token}`."""
    path = re.sub(r"(/webhooks/\d+)/[^/]+", r"\1/{token}", path.partition("?")[0])
    path = re.sub(r"(/interactions/\d+)/[^/]+", r"\1/{token}", path)
    return re.sub(r"/(\d{5,}|@original)", "/{id}", path)


def _major(path: str) -> str:
    found = _MAJOR.match(path)
    return found[0] if found else ""


def _headers(route: str, most: int, left: int, wait: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": str(left), "X-RateLimit-Bucket":
        f"{zlib.crc32(route.encode()):08x}", "X-RateLimit-Reset": f"{time.time() + wait:.3f}",
        "X-RateLimit-Reset-After": f"{wait:.3f}", "Via": "1.1 google",
    }  # fmt: skip
