"""Slack for tests: a workspace with people in it, at a real address, that treats an app as Slack does.

`async with Slack() as slack` listens; `slack.by_http(url)` or `slack.by_socket_mode()` says how it reaches the app.
Then people act (`slack.alice.types("/deploy status")`) and tests look (`slack.channel("#deployments").cards()`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Self

from tests.slack.peer import forms
from tests.slack.peer.api import WebApi
from tests.slack.peer.deliveries import Http, Kind, Sockets, Transport
from tests.slack.peer.installation import Installation
from tests.slack.peer.limits import ACK_SECONDS
from tests.slack.peer.links import Links
from tests.slack.peer.payloads import Payloads
from tests.slack.peer.people import Human
from tests.slack.peer.rates import Rates
from tests.slack.peer.refused import Json
from tests.slack.peer.site import Call, Site
from tests.slack.peer.troubles import Away, Troubles
from tests.slack.peer.views import Views
from tests.slack.peer.workspace import BOT, BOT_USER, TEAM, Account, Conversation, Message, Workspace

FOREIGN = "T0OTHER"
_GLANCE = 0.005


def _everybody() -> list[Account]:
    return [
        Account(BOT_USER, "ashat", "Ashat", bot_id=BOT),
        Account("U0ALICE", "alice", "Alice Ng"),
        Account("U0BO", "bo", "Bo Li", time_zone="America/New_York"),
        Account("U0CY", "cy", "Cy Roe"),
        Account("U0EVE", "eve", "Eve Poe"),
        Account("U0VI", "vi", "Vi Day"),
        Account("U0MO", "mo", "Mo Gast", guest="single-channel"),
        Account("U0DEE", "dee", "Dee Gone", deleted=True),
        Account("U0CI", "ci", "Other bot", bot_id="B0CI"),
        Account("U0FAY", "fay", "Fay Far", team=FOREIGN),
    ]


class Room:
    """A channel, or one person's direct messages, as those in it see it."""

    def __init__(self, slack: Slack, room: Conversation) -> None:
        self._slack = slack
        self.room = room

    def messages(self) -> list[Message]:
        """The app's messages outside threads, with those that are shown here from one, oldest first."""
        standing = self._slack.workspace.standing(self.room.id)
        return [m for m in standing if m.bot_id == BOT and (m.thread_ts is None or m.broadcast)]

    def cards(self) -> list[Message]:
        """Those of them that have buttons."""
        return [m for m in self.messages() if m.thread_ts is None and forms.buttons(m.blocks)]

    def card(self, words: str) -> Message:
        """The one card that says `words`."""
        found = [m for m in self.cards() if words in m.text]
        assert len(found) == 1, f"{len(found)} cards say {words!r}: {[m.text for m in self.cards()]}"
        return found[0]


class Slack:
    """`now`: the time in the workspace, `wall`: what signatures carry, both in Unix seconds; `patience`: for an ack."""

    def __init__(
        self, now: Callable[[], float] = time.time, wall: Callable[[], float] = time.time, patience: float = ACK_SECONDS
    ) -> None:
        self.team = TEAM
        self.workspace = Workspace(now)
        self.installation = Installation()
        self.troubles = Troubles()
        self.links = Links(self.troubles)
        self.rates = Rates(now)
        self.api = WebApi(self.workspace, self.installation, self.rates)
        self.site = Site(self.workspace, self.installation, self.api, self.links, self.troubles)
        self.payloads = Payloads(self.workspace)
        self.views = Views(self.workspace)
        self.delivered: list[tuple[Kind, Json]] = []
        self._wall = wall
        self._patience = patience
        self._transport: Transport | None = None
        self._humans: dict[str, Human] = {}
        self._populate()

    def _populate(self) -> None:
        accounts = {one.id: one for one in _everybody()}
        self.workspace.accounts = accounts
        members = {one.id for one in accounts.values() if one.team == TEAM and not one.deleted}
        for room in (
            Conversation("C0DEPLOY", "deployments", members=set(members)),
            Conversation("C0OPS", "ops", members=set(members)),
            Conversation("C0RANDOM", "random", members=members - {BOT_USER}),
            Conversation("C0ATTIC", "attic", members=set(members), archived=True),
            Conversation("C0SHARED", "shared", members=members | {"U0FAY"}, shared=True),
            Conversation("G0SECRET", "secret", "private", members=members - {BOT_USER}),
            Conversation("G0LEADS", "leads", "private", members={BOT_USER, "U0EVE", "U0BO"}),
        ):
            self.workspace.conversations[room.id] = room
        self.workspace.groups = {"S0SEC": ("security", {"U0CY"}), "S0OPS": ("ops-team", {"U0BO", "U0EVE"})}

    async def __aenter__(self) -> Self:
        await self.site.start()
        self.payloads.response_origin = self.site.origin
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.site.stop()

    # -- how it reaches the app, and how the app reaches it ------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """What the app uses instead of https://slack.com/api/."""
        return f"{self.site.origin}/api/"

    def by_http(self, url: str) -> Http:
        """Requests to this address from now on."""
        self._transport = transport = Http(url, self.installation.signing_secret, self._wall, self._patience)
        return transport

    def by_socket_mode(self) -> Sockets:
        """Envelopes over the app's connections from now on."""
        self._transport = transport = Sockets(self.links, self._patience)
        return transport

    async def delivers(self, kind: Kind, payload: Json) -> Json:
        """Hand it to the app: the body of its ack. Raises NotAcknowledged."""
        assert self._transport is not None, "by_http or by_socket_mode says how Slack reaches the app"
        assert not self.troubles.away, "Slack is gone: nobody can do anything in it"
        self.delivered.append((kind, payload))
        return await self._transport.deliver(kind, payload)

    async def delivers_again(self, number: int = -1) -> Json:
        """The same payload once more: a retry that came late, or a replay of what somebody had recorded."""
        kind, payload = self.delivered[number]
        return await self.delivers(kind, payload)

    async def tells(self, event: Json, who: Account, *, shared: bool = False) -> None:
        """An event, if the app listens to it."""
        name = str(event["type"])
        if name == "message":
            name = f"message.{event['channel_type'].replace('channel', 'channels').replace('group', 'groups')}"
        if name in self.installation.events:
            await self.delivers("events_api", self.payloads.event(event, who.team, shared=shared))

    async def tells_of(self, who: Account, room: Conversation, message: Message, *, edited: bool = False) -> None:
        """A message that was said or edited, in each of the ways in which the app may hear of it."""
        said = self.payloads.said(who, room, message)
        if edited:
            said["edited"] = {"user": who.id, "ts": message.ts}
        if f"<@{BOT_USER}>" in message.fallback and room.kind != "im" and BOT_USER in room.members:
            mention = {key: value for key, value in said.items() if key != "channel_type"} | {"type": "app_mention"}
            await self.tells(mention, who, shared=room.shared)
        if BOT_USER in room.members:
            await self.tells(self._changed(said, message) if edited else said, who, shared=room.shared)

    async def echoes(self, message: Message) -> None:
        """The app's own message comes back to it as an event, as Slack does it in direct messages."""
        room = self.workspace.conversations[message.channel]
        await self.tells_of(self.workspace.accounts[BOT_USER], room, message, edited=len(message.versions) > 1)

    def _changed(self, said: Json, message: Message) -> Json:
        previous = {**said, "text": message.versions[-2][1]}
        kept = {key: said[key] for key in ("channel", "channel_type")}
        return {"type": "message", "subtype": "message_changed", "message": said, "previous_message": previous,
                "hidden": True, "ts": self.workspace.ts(), **kept}  # fmt: skip

    def goes_away(self, how: Away = "cut") -> None:
        """Nothing answers any more, and every connection is gone, until `comes_back`."""
        self.troubles.away = how
        self.links.cut()

    def comes_back(self) -> None:
        self.troubles.away = None

    # -- people --------------------------------------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, str]:
        """Ids by what people type: `@name`, `#channel`."""
        people = {f"@{one.name}": one.id for one in self.workspace.accounts.values()}
        return people | {f"#{one.name}": one.id for one in self.workspace.conversations.values() if one.kind != "im"}

    def human(self, name: str) -> Human:
        account = next(one for one in self.workspace.accounts.values() if one.name == name)
        return self._humans.setdefault(name, Human(self, account))

    @property
    def alice(self) -> Human:
        return self.human("alice")

    @property
    def bo(self) -> Human:
        return self.human("bo")

    @property
    def cy(self) -> Human:
        return self.human("cy")

    @property
    def eve(self) -> Human:
        return self.human("eve")

    @property
    def vi(self) -> Human:
        return self.human("vi")

    # -- what is to be seen --------------------------------------------------------------------------------------------

    def room(self, name: str) -> Conversation:
        return next(one for one in self.workspace.conversations.values() if one.name == name.removeprefix("#"))

    def channel(self, name: str) -> Room:
        return Room(self, self.room(name))

    def dm(self, who: Human) -> Room:
        """The app's direct messages to `who`."""
        return Room(self, self.workspace.direct(who.id))

    def thread(self, card: Message) -> list[Message]:
        """The app's replies to it, oldest first."""
        return [m for m in self.workspace.standing(card.channel) if m.thread_ts == card.ts and m.bot_id == BOT]

    def ephemeral(self, to: Human) -> list[Message]:
        """What only they can see, oldest first."""
        return [m for m in self.workspace.messages if m.to == to.id and not m.deleted]

    def refusals(self, *expected: str) -> list[Call]:
        """Calls of the app that Slack refused, but for those with an expected error."""
        return [call for call in self.site.calls if call.error and call.error not in expected]

    def called(self, method: str) -> list[Json]:
        """The arguments of each call of `method`."""
        return [call.args for call in self.site.calls if call.method == method]

    async def until(self, condition: Callable[[], object], patience: float = 30.0) -> None:
        """Wait for what the app does in its own time, at most `patience` seconds of it."""
        for _ in range(int(patience / _GLANCE)):
            if condition():
                return
            await asyncio.sleep(_GLANCE)
        raise AssertionError(f"it did not come true within {patience:g} s; {self.site.calls[-5:]}")


def texts(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages]
