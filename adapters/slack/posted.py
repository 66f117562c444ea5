"""What the bot has posted, by the nonce in each message's metadata: so that a post whose answer was lost is found.

Before a post its channel or thread is read from where the last look ended. A steady channel costs one small call;
after a restart, a cut or a change of writer the look goes back as far as a message can have been lost.
"""

from __future__ import annotations

from typing import Any

from adapters.slack.failures import Gone
from adapters.slack.workspace import Workspace
from core.ports import Clock

EVENT = "ashat_post"
"""The metadata's event type."""
_BACK = 86_400.0
"""Seconds that the first look goes back: what is older was told by the store long ago."""
_PAGE = 200
_PAGES = 10
_OVERLAP = 1.0
"""Seconds that looks overlap: a message may become readable after a later one."""
_KEPT = 2_000


class Posted:
    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._clock = clock
        self._found: dict[tuple[str, str], str] = {}
        """(Place, nonce) to the message's ts."""
        self._looked: dict[str, float] = {}

    async def find(self, channel: str, nonce: str, thread: str | None = None) -> str | None:
        """The message with this nonce, or None. Raises ChannelGone or ChannelDown."""
        place = f"{channel}/{thread}" if thread else channel
        if (place, nonce) not in self._found:
            await self._look(place, channel, thread)
        return self._found.get((place, nonce))

    async def _look(self, place: str, channel: str, thread: str | None) -> None:
        now = self._clock.now().timestamp()
        oldest = self._looked.get(place, now - _BACK) - _OVERLAP
        own = (await self._workspace.identity()).user
        newest = 0.0
        cursor = ""
        for _ in range(_PAGES):
            page = await self._page(channel, thread, oldest, cursor)
            for message in page.get("messages", ()):
                newest = max(newest, float(message.get("ts", 0)))
                self._note(place, message, own)
            cursor = page.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                break
        if newest:
            self._looked[place] = max(newest, self._looked.get(place, 0.0))
        self._forget()

    async def _page(self, channel: str, thread: str | None, oldest: float, cursor: str) -> dict[str, Any]:
        client = self._workspace.client
        given: dict[str, Any] = {
            "channel": channel, "oldest": f"{oldest:.6f}", "limit": _PAGE, "include_all_metadata": True,
        }  # fmt: skip
        if cursor:
            given["cursor"] = cursor
        if thread is None:
            return await self._workspace.call(client.conversations_history, **given)
        try:
            return await self._workspace.call(client.conversations_replies, ts=thread, **given)
        except Gone as gone:
            if gone.error == "thread_not_found":
                return {}
            raise

    def _note(self, place: str, message: dict[str, Any], own: str) -> None:
        metadata = message.get("metadata") or {}
        if message.get("user") == own and metadata.get("event_type") == EVENT:
            nonce = str(metadata.get("event_payload", {}).get("nonce", ""))
            self._found[(place, nonce)] = str(message["ts"])

    def _forget(self) -> None:
        """Of many, the oldest; a place that is forgotten is looked through again."""
        while len(self._found) > _KEPT:
            del self._found[next(iter(self._found))]
        while len(self._looked) > _KEPT:
            del self._looked[next(iter(self._looked))]


def metadata(nonce: str) -> dict[str, Any]:
    return {"event_type": EVENT, "event_payload": {"nonce": nonce}}
