"""Brings every channel up to date: its cards to the newest version, then its messages in the order of their commit.

One writer a channel. What could not be sent stays in the store: a platform that is away for hours is caught up with in
order, and a channel that refuses for good is parked alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from bot.logs import reference
from bot.viewer import Viewer
from core.ports import CardRow, Channel, ChannelDown, ChannelGone, Clock, People, Queued, Store

log = structlog.get_logger("ashat.notifier")

EDIT_GAP = 3.0
"""Seconds between two edits of one card: what readers and the platforms' rate limits bear."""
_BATCH = 50
_PATIENCE = (2.0, 5.0, 15.0, 60.0)
"""Seconds before a platform that is away is tried again."""


class Notifier:
    def __init__(
        self, store: Store, channels: Mapping[str, Channel], people: People, viewer: Viewer, clock: Clock,
        edit_gap: float = EDIT_GAP,
    ) -> None:  # fmt: skip
        self._store = store
        self._channels = channels
        self._people = people
        self._viewer = viewer
        self._clock = clock
        self._gap = timedelta(seconds=edit_gap)
        self._woken = asyncio.Event()
        self._writers: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._edited: dict[tuple[str, str], datetime] = {}
        self._away: dict[str, int] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._stopping = False

    def kick(self) -> None:
        """Look now. Called by a commit, and by the job `post_status_changes`."""
        self._woken.set()

    def channel_of(self, address: str) -> Channel | None:
        return self._channels.get(address.partition(":")[0])

    async def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping:
            await self._woken.wait()
            self._woken.clear()
            try:
                waiting = await self._store.channels_waiting()
            except Exception:
                log.exception("cannot read what is to be sent", reference=reference())
                continue
            for address in waiting:
                self._start(address)

    async def stop(self) -> None:
        """Send what is under way, and leave the rest to the next start."""
        self._stopping = True
        self._woken.set()
        for timer in self._timers:
            timer.cancel()
        if self._writers:
            _, late = await asyncio.wait(self._writers.values(), timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def idle(self) -> bool:
        return not self._writers

    def _start(self, address: str) -> None:
        if self.channel_of(address) is None:
            return  # its platform is not switched on in this process; what waits for it stays in the store
        if address in self._writers:
            self._again.add(address)
            return
        task = asyncio.create_task(self._write(address))
        self._writers[address] = task
        task.add_done_callback(lambda _: self._ended(address))

    def _ended(self, address: str) -> None:
        del self._writers[address]
        if address in self._again and not self._stopping:
            self._again.discard(address)
            self._woken.set()

    def _later(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._woken.set)
        self._timers = {old for old in self._timers if not old.cancelled() and old.when() > timer.when() - seconds}
        self._timers.add(timer)

    async def _write(self, address: str) -> None:
        channel = self.channel_of(address)
        assert channel is not None
        try:
            await self._cards(channel, address)
            await self._messages(channel, address)
            self._away.pop(address, None)
        except ChannelGone as gone:
            log.warning("channel parked", channel=address, why=str(gone))
            await self._store.park(address, str(gone), None)
        except ChannelDown as down:
            count = self._away[address] = self._away.get(address, -1) + 1
            wait = down.retry_after or _PATIENCE[min(count, len(_PATIENCE) - 1)]
            log.warning("channel away", channel=address, why=str(down), again=wait)
            self._later(wait)
        except Exception:
            log.exception("cannot bring channel up to date", channel=address, reference=reference())
            self._later(_PATIENCE[-1])

    async def _cards(self, channel: Channel, address: str) -> None:
        """Every card that does not show the newest version; the latest state wins."""
        for row in await self._store.stale_cards(address, _BATCH):
            wait = self._wait_for(row)
            if wait > 0:
                self._later(wait)
                continue
            drawn = await self._viewer.card(row.deployment)
            if drawn is None:
                continue
            card, version = drawn
            if row.reference is None:
                reference_ = await channel.post_card(address, card, nonce=f"{row.deployment}@{address}")
            else:
                reference_ = await channel.edit_card(address, row.reference, card)
            await self._store.shown(address, row.deployment, reference_, version)
            self._edited[(address, row.deployment)] = self._clock.now()
            log.debug("card shown", channel=address, deployment=row.deployment, version=version)

    def _wait_for(self, row: CardRow) -> float:
        edited = self._edited.get((row.channel, row.deployment))
        if edited is None or row.reference is None:
            return 0.0
        return (self._gap - (self._clock.now() - edited)).total_seconds()

    async def _messages(self, channel: Channel, address: str) -> None:
        while queue := await self._store.outbox(address, _BATCH):
            for item in queue:
                await self._send(channel, address, item)
                await self._store.sent([item.number], self._clock.now())

    async def _send(self, channel: Channel, address: str, item: Queued) -> None:
        message, nonce = item.message, f"outbox-{item.number}"
        if message.expires_at is not None and message.expires_at <= self._clock.now():
            log.info("message expired", channel=address, number=item.number)
            return
        person = self._people.get(message.person) if message.person else None
        match message.kind:
            case "milestone" | "broadcast":
                await self._to_thread(channel, address, item, nonce)
            case "line":
                await channel.post(address, message.card, nonce)
            case "direct" if person is not None:
                await channel.direct(person, message.card, nonce)
            case "reply" if person is not None:
                await channel.whisper(address, person, message.card, nonce)
            case _:
                log.warning("nobody to tell", channel=address, number=item.number, person=message.person)

    async def _to_thread(self, channel: Channel, address: str, item: Queued, nonce: str) -> None:
        message = item.message
        row = await self._store.card(address, message.deployment or "")
        if row is None or row.reference is None:
            await channel.post(address, message.card, nonce)
            return
        await channel.reply(address, row.reference, message.card, nonce, broadcast=message.kind == "broadcast")
