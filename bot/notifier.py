"""Brings every channel up to date: its cards to the newest version, then its messages in the order of their commit.

One writer a channel, of all replicas: it is a duty that the store gives to one of them, and to another one when it
falls silent. What could not be sent stays in the store: a platform that is away for hours is caught up with in
order, and a channel that refuses for good is parked alone.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from bot.logs import reference
from bot.past import Past
from bot.viewer import Viewer
from core.ports import CardRow, Channel, ChannelDown, ChannelGone, Clock, Outbound, People, Queued, Store
from core.state import Deployment

log = structlog.get_logger("ashat.notifier")

EDIT_GAP = 3.0
"""Seconds between two edits of one card: what readers and the platforms' rate limits bear."""
LEASE = 15.0
"""Seconds that a channel stays with its writer without a word from it."""
_BATCH = 50
_GRACE = 5.0
"""Seconds that messages under way get when the program stops."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_PARKED = timedelta(hours=1)
"""How long a channel that refused for good is left alone: somebody may have let the bot in again."""
_PATIENCE = (2.0, 5.0, 15.0, 60.0)
"""Seconds before a platform that is away is tried again."""


class Notifier:
    def __init__(
        self, store: Store, channels: Mapping[str, Channel], people: People, viewer: Viewer, clock: Clock,
        edit_gap: float = EDIT_GAP, lease: float | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._channels = channels
        self._people = people
        self._viewer = viewer
        self._clock = clock
        self._gap = timedelta(seconds=edit_gap)
        self._lease = LEASE if lease is None else lease
        self._owner = uuid.uuid4().hex
        self._sure: dict[str, datetime] = {}
        """Until when a channel is surely this one's, without asking."""
        self._past = Past(clock)
        self._woken = asyncio.Event()
        self._writers: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._moving: dict[str, set[str]] = {}
        """By channel, the deployments whose cards would show more progress."""
        self._edited: dict[tuple[str, str], datetime] = {}
        self._away: dict[str, int] = {}
        self._not_before: dict[str, datetime] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._looking = False
        self._stopping = False

    def kick(self) -> None:
        """Look now. Called by a commit, and by the job `post_status_changes`."""
        self._woken.set()

    def progressed(self, d: Deployment) -> None:
        """Something of `d` goes on that only its card shows: the next look draws it anew."""
        self._moving.setdefault(d.home, set()).add(d.key)

    def channel_of(self, address: str) -> Channel | None:
        return self._channels.get(address.partition(":")[0])

    async def run(self) -> None:
        """Work until `stop`; then send what is under way, and leave the rest to the next start."""
        while not self._stopping:
            await self._woken.wait()
            self._woken.clear()
            self._looking = True
            if self._past.has_come_back():
                self._forget_times()
            await self._look()
            self._looking = False
        await self._drain()
        await self._store.let_go(self._owner)

    async def _look(self) -> None:
        try:
            waiting = await self._store.channels_waiting()
        except Exception:
            log.exception("cannot read what is to be sent", reference=reference())
            return
        for address in dict.fromkeys((*waiting, *self._moving)):
            self._start(address)

    def _forget_times(self) -> None:
        """The clock was put back: what was remembered by it would hold for too long."""
        self._sure.clear()
        self._not_before.clear()
        self._edited.clear()

    def stop(self) -> None:
        """Begin nothing new. `run` returns once what is being sent has been."""
        self._stopping = True
        self._woken.set()

    async def _drain(self) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._writers:
            _, late = await asyncio.wait(self._writers.values(), timeout=_GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def idle(self) -> bool:
        return not (self._writers or self._looking or self._woken.is_set())

    def _start(self, address: str) -> None:
        if self._stopping or self.channel_of(address) is None:
            return  # its platform is not switched on in this process; what waits for it stays in the store
        if address in self._writers:
            self._again.add(address)
        elif self._clock.now() >= self._not_before.get(address, _LONG_AGO):
            self._writers[address] = asyncio.create_task(self._write(address))

    async def _write(self, address: str) -> None:
        """Bring one channel up to date, as its only writer; another replica's channel is left to it."""
        try:
            if await self._writes_to(address):
                await self._bring_up(address)
        except Exception:
            log.exception("cannot bring channel up to date", channel=address, reference=reference())
            self._wait(address, _PATIENCE[-1])
        finally:
            del self._writers[address]
            if address in self._again:
                self._again.discard(address)
                self._woken.set()

    async def _writes_to(self, address: str) -> bool:
        """Whether this is the one writer. Asked before each message: one that stood still for long may not be any more.

        It is said to be so for a third of the lease, so that what is sent then arrives well before another may begin.
        """
        now = self._clock.now()
        if now < self._sure.get(address, _LONG_AGO):
            return True
        mine = await self._store.hold(f"channel {address}", self._owner, now, self._lease)
        self._sure[address] = now + timedelta(seconds=self._lease / 3) if mine else _LONG_AGO
        return mine

    async def _bring_up(self, address: str) -> None:
        channel = self.channel_of(address)
        assert channel is not None
        try:
            await self._cards(channel, address)
            await self._messages(channel, address)
            self._away.pop(address, None)
        except ChannelGone as gone:
            log.warning("channel parked", channel=address, why=str(gone))
            await self._store.park(address, str(gone), self._clock.now() + _PARKED)
        except ChannelDown as down:
            count = self._away[address] = self._away.get(address, -1) + 1
            wait = down.retry_after or _PATIENCE[min(count, len(_PATIENCE) - 1)]
            log.warning("channel away", channel=address, why=str(down), again=wait)
            self._wait(address, wait)

    def _wait(self, address: str, seconds: float) -> None:
        """Leave the channel alone for a while, whoever wakes this: the platform asked for it, or needs it."""
        self._not_before[address] = self._clock.now() + timedelta(seconds=seconds)
        self._later(seconds)

    def _later(self, seconds: float) -> None:
        """Look again by then. The timer's job looks too, so one that is early or lost does no harm."""
        timer = asyncio.get_running_loop().call_later(seconds, self._woken.set)
        now = asyncio.get_running_loop().time()
        self._timers = {old for old in self._timers if old.when() > now} | {timer}

    async def _cards(self, channel: Channel, address: str) -> None:
        """Every card that does not show the newest version; the latest state wins."""
        for row in await self._store.stale_cards(address, _BATCH):
            wait = self._wait_for(row)
            if not await self._writes_to(address):
                return
            if wait > 0:
                self._later(wait)
            else:
                await self._show(channel, row)
        for key in self._moving.pop(address, ()):
            card = await self._store.card(address, key)
            if card is not None and card.reference is not None and self._wait_for(card) <= 0:
                await self._show(channel, card)

    async def _show(self, channel: Channel, row: CardRow) -> str | None:
        """Draw it as it is now, and give the message's reference; None where there is no such deployment."""
        address, key = row.channel, row.deployment
        drawn = await self._viewer.card(key)
        if drawn is None:
            return None
        card, version = drawn
        if row.reference is None:
            shown = await channel.post_card(address, card, nonce=f"{key}@{address}")
        else:
            shown = await channel.edit_card(address, row.reference, card)
        await self._store.shown(address, key, shown, max(version, row.wanted))
        self._edited[(address, key)] = self._clock.now()
        log.debug("card shown", channel=address, deployment=key, version=version)
        return shown

    def _wait_for(self, row: CardRow) -> float:
        card = (row.channel, row.deployment)
        edited = self._edited.get(card)
        if edited is None or row.reference is None:
            return 0.0
        wait = (self._gap - (self._clock.now() - edited)).total_seconds()
        if wait <= 0:
            del self._edited[card]
        return wait

    async def _messages(self, channel: Channel, address: str) -> None:
        while queue := await self._store.outbox(address, _BATCH):
            for item in queue:
                if not await self._writes_to(address):
                    return
                await self._send(channel, address, item)
                await self._store.sent([item.number], self._clock.now())

    async def _send(self, channel: Channel, address: str, item: Queued) -> None:
        item = replace(item, message=await self._still_asking(item.message))
        message = item.message
        if message.expires_at is not None and message.expires_at <= self._clock.now():
            log.info("message expired", channel=address, number=item.number)
        elif message.vote and not (message.person or message.mentions):
            log.info("nobody is asked any more", channel=address, number=item.number)
        elif message.kind in ("direct", "reply"):
            await self._to_person(channel, address, item)
        elif message.kind == "line":
            await channel.post(address, message.card, _nonce(item))
        else:
            await self._to_thread(channel, address, item)

    async def _still_asking(self, message: Outbound) -> Outbound:
        """What asks for votes, without those whose vote has come, or is settled, while it waited to be sent."""
        if not message.vote:
            return message
        awaited = await self._viewer.awaited(message.deployment or "")
        asked = message.person if message.person in awaited else None
        return replace(message, person=asked, mentions=tuple(one for one in message.mentions if one in awaited))

    async def _to_person(self, channel: Channel, address: str, item: Queued) -> None:
        """To one person alone. One who cannot be reached does not hold up the channel, whose card tells it too."""
        message = item.message
        person = self._people.get(message.person or "")
        if person is None:
            log.warning("nobody to tell", channel=address, number=item.number, person=message.person)
            return
        try:
            if message.kind == "reply":
                await channel.whisper(address, person, message.card, _nonce(item))
            else:
                await channel.direct(person, message.card, _nonce(item))
        except ChannelGone as gone:
            log.warning("person not reached", number=item.number, person=person.id, why=str(gone))

    async def _to_thread(self, channel: Channel, address: str, item: Queued) -> None:
        """Into the thread of the deployment's card, which is posted first where it is not there yet."""
        message = item.message
        row = await self._store.card(address, message.deployment or "")
        card = None if row is None else row.reference or await self._show(channel, row)
        if card is None:
            await channel.post(address, message.card, _nonce(item))
        else:
            people = [person for one in message.mentions if (person := self._people.get(one)) is not None]
            broadcast = message.kind == "broadcast"
            await channel.reply(address, card, message.card, _nonce(item), broadcast=broadcast, mentions=people)


def _nonce(item: Queued) -> str:
    """The same for each try, so that a platform can tell a repeated message from a new one."""
    return f"outbox-{item.number}"
