"""What the bot has posted, so that a post whose answer was lost is not made again.

Each post carries a nonce that Discord itself enforces, for some minutes: the same one again gives the same message. A
nonce is not shown to those who read the channel, so each message has a mark as well, in the ids of its components.
Where the last look at a channel or thread, or the last post there, is longer ago than the nonce surely holds, the place
is read first, from where the last look ended; after a restart, as far back as a message can have been lost.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from adapters.discord.drawing import marks, marks_of
from adapters.discord.rest import Rest
from core.ports import Clock

EPOCH = 1_420_070_400.0
"""Seconds: https://discord.com/developers/docs/reference, snowflakes."""
_HOLDS = 60.0
"""Seconds that a nonce surely holds: Discord says "the past few minutes"."""
_BACK = 86_400.0
"""Seconds that the first look goes back: what is older was told by the store long ago."""
_OVERLAP = 60.0
"""Seconds that looks overlap: Discord's clock, which ids are made of, need not be ours."""
_PAGE = 100
_PAGES = 10
_KEPT = 2_000


class Posted:
    def __init__(self, rest: Rest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock
        self._found: dict[tuple[str, tuple[int, int]], str] = {}
        """(Channel or thread, marks) to the message's id."""
        self._looked: dict[str, float] = {}
        """Up to when a place is known."""

    async def find(self, place: str, nonce: str) -> str | None:
        """The message with this nonce, or None: then the post may be made. Raises ChannelGone or ChannelDown."""
        key = (place, marks(nonce))
        if key not in self._found and abs(self._now() - self._looked.get(place, 0.0)) > _HOLDS:
            await self._look(place)
        return self._found.get(key)

    def made(self, place: str, nonce: str, message: str) -> None:
        """Remember it. What others may have posted before it is looked for all the same, a while from the last look."""
        self._found[(place, marks(nonce))] = message
        self._forget()

    async def _look(self, place: str) -> None:
        """What came since the last look; where that is more than a page, the newest first, for a lost post is new."""
        now = self._now()
        since = snowflake(self._looked.get(place, now - _BACK) - _OVERLAP)
        own, page = await self._rest.own_id(), await self._page(place, after=str(since))
        self._note(place, page, own)
        before: dict[str, str] = {}
        for _ in range(_PAGES):
            if len(page) < _PAGE:
                break
            page = await self._page(place, **before)
            self._note(place, page, own)
            oldest = min((int(message["id"]) for message in page), default=0)
            if oldest < since:
                break
            before = {"before": str(oldest)}
        self._looked[place] = now
        self._forget()

    async def _page(self, place: str, **where: str) -> list[dict[str, Any]]:
        params = {"limit": str(_PAGE), **where}
        return list(await self._rest.call("GET", "/channels/{channel_id}/messages", channel_id=place, params=params))

    def _note(self, place: str, page: Sequence[dict[str, Any]], own: str) -> None:
        for message in page:
            mark = marks_of(message)
            if mark is not None and (message.get("author") or {}).get("id") == own:
                self._found[(place, mark)] = str(message["id"])

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _forget(self) -> None:
        """Of many, the oldest; a place that is forgotten is looked through again."""
        while len(self._found) > _KEPT:
            del self._found[next(iter(self._found))]
        while len(self._looked) > _KEPT:
            del self._looked[next(iter(self._looked))]


def short(nonce: str) -> str:
    """A nonce as Discord takes them: at most 25 characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(nonce.encode()).digest()[:18]).decode()


def snowflake(at: float) -> int:
    """The first id that Discord gives at that time, in seconds since 1970."""
    return max(int((at - EPOCH) * 1000), 0) << 22


def made_at(id_: str) -> float:
    """When the thing with this id was made, in seconds since 1970. Raises ValueError where it is no id."""
    return (int(id_) >> 22) / 1000 + EPOCH
