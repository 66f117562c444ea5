"""The thread of a card: made from its message, and so with its id; taken out of the archive where need be."""

from __future__ import annotations

from collections import OrderedDict

import structlog

from adapters.discord.drawing import texts_of
from adapters.discord.failures import THREAD_EXISTS, TOO_FAST, UNKNOWN_MESSAGE, Gone, Refused
from adapters.discord.rest import Rest
from core.cards import Card

log = structlog.get_logger("ashat.discord")

_ARCHIVED_AFTER = 10_080
"""Minutes without a word, a week, after which Discord puts a thread away."""
_NAME = 100
_KEPT = 2_000


class Threads:
    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._known: OrderedDict[str, None] = OrderedDict()
        """Those that are there, as far as is known."""

    async def there(self, id_: str, first: str, card: Card, *, again: bool) -> bool:
        """Have the thread of the first card, whoever made it; False where there can be none.

        `again`: what is remembered of it is wrong.
        """
        if first in self._known and not again:
            return True
        if not first.isdecimal():
            return False
        body = {"name": await self._name(id_, first, card), "auto_archive_duration": _ARCHIVED_AFTER}
        try:
            await self._rest.call(
                "POST", "/channels/{channel_id}/messages/{message_id}/threads", body, channel_id=id_, message_id=first
            )
        except (Refused, Gone) as refused:
            if refused.code != THREAD_EXISTS:
                if isinstance(refused, Refused) and refused.code in (0, TOO_FAST):
                    raise
                log.warning("no thread, the channel is told", channel=id_, message=first, why=str(refused))
                return False
        self._known[first] = None
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return True

    async def _name(self, id_: str, first: str, card: Card) -> str:
        """The deployment's, out of its card's title."""
        try:
            message = await self._rest.call(
                "GET", "/channels/{channel_id}/messages/{message_id}", channel_id=id_, message_id=first
            )
        except Refused as refused:
            if refused.code != UNKNOWN_MESSAGE:
                raise
            return card.title[:_NAME] or "Deployment"
        title = next(iter(texts_of(message)), "").partition("\n")[0].removeprefix("### ").replace("\\", "")
        return (name_in(title) or card.title or "Deployment")[:_NAME]

    async def unlocked(self, thread: str) -> bool:
        """Take it out of the archive again, where the bot may."""
        try:
            await self._rest.call(
                "PATCH", "/channels/{channel_id}", {"archived": False, "locked": False}, channel_id=thread
            )
        except Gone as gone:
            log.warning("thread stays locked", thread=thread, why=str(gone))
            return False
        return True


def name_in(title: str) -> str:
    """The deployment's name, and what stands behind it, out of its card's title."""
    return title.partition(": ")[2] or title
