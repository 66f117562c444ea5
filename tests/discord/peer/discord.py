"""Discord for tests: guilds with people in them, at a real address, that treats an app as Discord does.

`async with Discord() as discord` listens; the app takes `discord.api_url` and `discord.gateway_url` for Discord's own.
Then people act (`discord.alice.slash("push", id="v1", …)`, `discord.bo.clicks("Approve", on=card)`) and tests look
(`discord.channel("#deployments").cards()`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.discord.peer import forms, limits, payloads, routes
from tests.discord.peer.commands import Commands
from tests.discord.peer.contract import Watch
from tests.discord.peer.endpoint import Endpoint
from tests.discord.peer.gateway import DIRECT_MESSAGES, GUILD_MESSAGES, GUILDS, MESSAGE_CONTENT, Gateway
from tests.discord.peer.guilds import (
    APP,
    GUILD,
    LABS,
    STRANGERS,
    Account,
    Channel,
    Guild,
    Interaction,
    Message,
    Role,
    State,
)
from tests.discord.peer.interactions import Interactions
from tests.discord.peer.messages import Messages
from tests.discord.peer.people import Human
from tests.discord.peer.permissions import BITS, PEOPLE, Overwrite, bits
from tests.discord.peer.rates import Rates
from tests.discord.peer.rooms import Rooms
from tests.discord.peer.site import PREFIX, Call, Site
from tests.discord.peer.troubles import Away, Troubles

_GLANCE = 0.005
_ROLES = ("deployer", "approver", "admin", "security", "viewer")
_PEOPLE = {
    "alice": ("Alice Ng", "deployer"), "bo": ("Bo Li", "approver"), "cy": ("Cy Roe", "security"),
    "eve": ("Eve Poe", "admin"), "vi": ("Vi Day", "viewer"), "mo": ("Mo Gast", ""),
}  # fmt: skip


class NotAnswered(Exception):
    """What Discord tells the person: the application did not respond."""


class Room:
    """A channel, or one person's direct messages, as those in it see it."""

    def __init__(self, discord: Discord, room: Channel) -> None:
        self._discord = discord
        self.room = room

    def messages(self) -> list[Message]:
        """The app's messages, oldest first."""
        return [m for m in self._discord.state.standing(self.room.id) if m.author == APP]

    def cards(self) -> list[Message]:
        """Those of them that have buttons."""
        return [m for m in self.messages() if forms.labels(m.components)]

    def card(self, words: str) -> Message:
        """The one card that says `words`."""
        found = [m for m in self.cards() if words in m.text]
        assert len(found) == 1, f"{len(found)} cards say {words!r}: {[m.text for m in self.cards()]}"
        return found[0]

    def forbids(self, *names: str) -> None:
        """The app loses these permissions here: names of `permissions.BITS`."""
        self.allows()
        self.room.overwrites.append(Overwrite(APP, True, 0, bits(names)))

    def allows(self) -> None:
        """It has all of them again."""
        self.room.overwrites = [one for one in self.room.overwrites if one.target != APP]


class Discord:
    """`now`: the time there, in Unix seconds; `hurry`: how much faster than Discord's its rate limits are."""

    def __init__(
        self, now: Callable[[], float] = time.time, wall: Callable[[], float] = time.time, *, hurry: float = 50.0,
        heartbeat: int = 41_250, patience: float = 60.0,
    ) -> None:  # fmt: skip
        self.state = State(now)
        self.payloads = payloads.Payloads(self.state)
        self.troubles = Troubles()
        self.rates = Rates(hurry=hurry)
        self.gateway = Gateway(self.state, self.payloads, lambda: self.token, lambda: self.gateway_url, heartbeat)
        self.site = Site(self.state, self.gateway, self.rates, self.troubles)
        self.site.watch = self.watch = Watch()
        self.commands = Commands(self.state, lambda: self.rates.hurry)
        self.rooms = Rooms(self.state, self.payloads, self._told_of_room)
        self.messages = Messages(
            self.state, self.payloads, self.rates, self.told, self.reopened, lambda: self.site.origin
        )
        self.interactions = Interactions(self.state, self.payloads, self.messages)
        routes.lay(self.site, self.rooms, self.messages, self.interactions, self.commands, self.payloads, self.gateway)
        self._key = Ed25519PrivateKey.generate()
        self._endpoint: Endpoint | None = None
        self._unheard = False
        self._wall = wall
        self._patience = patience
        self._humans: dict[str, Human] = {}
        self._populate()

    def _populate(self) -> None:
        accounts = [Account(APP, "ashat", "Ashat", bot=True)]
        accounts += [
            Account(f"30000000000000000{n}", name, real) for n, (name, (real, _)) in enumerate(_PEOPLE.items(), 1)
        ]
        accounts += [
            Account("300000000000000090", "ci", "Other bot", bot=True),
            Account("300000000000000091", "fay", "Fay Far"),
        ]
        self.state.accounts = {one.id: one for one in accounts}
        everybody = [one for one in accounts if one.name != "fay"]
        self._guild(GUILD, "Acme", everybody, {"deployments": "01", "ops": "02", "random": "03", "leads": "04"})
        self._guild(LABS, "Labs", everybody, {"experiments": "11"})
        self._guild(
            STRANGERS,
            "Strangers",
            [one for one in accounts if one.name in ("ashat", "fay", "alice")],
            {"strange": "21"},
        )
        self.channel("#random").forbids("view_channel")

    def _guild(self, id_: str, name: str, members: Iterable[Account], channels: dict[str, str]) -> None:
        made = Guild(id_, name)
        made.roles[id_] = Role(id_, "@everyone", 0, bits(PEOPLE))
        for number, role in enumerate(("Ashat", *_ROLES), 1):
            made.roles[f"{id_[:-3]}{100 + number + int(id_[-1]) * 10}"] = Role(
                f"{id_[:-3]}{100 + number + int(id_[-1]) * 10}", role, number
            )
        for one in members:
            wanted = {"Ashat"} if one.id == APP else {_PEOPLE.get(one.name, ("", ""))[1]}
            made.members[one.id] = {role.id for role in made.roles.values() if role.name in wanted and id_ != STRANGERS}
        self.state.guilds[id_] = made
        for channel, number in channels.items():
            room = Channel(f"4000000000000000{number}", channel, guild=id_, made_at=self.state.stamp())
            self.state.channels[room.id] = room

    async def __aenter__(self) -> Self:
        await self.site.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gateway.cut()
        await self.site.stop()
        assert not self.watch.faults, f"against Discord's OpenAPI document: {[*dict.fromkeys(self.watch.faults)]}"

    # -- how the app reaches it, and how it reaches the app ------------------------------------------------------------

    @property
    def api_url(self) -> str:
        """What the app uses instead of https://discord.com/api/v10."""
        return f"{self.site.origin}{PREFIX}"

    @property
    def gateway_url(self) -> str:
        """What the app uses instead of wss://gateway.discord.gg."""
        return f"{self.site.origin.replace('http', 'ws', 1)}/gateway/"

    @property
    def token(self) -> str:
        return self.site.token

    @property
    def public_key(self) -> str:
        """What signatures of requests to the endpoint are checked with, in hexadecimal."""
        return self._key.public_key().public_bytes_raw().hex()

    def by_http(self, url: str) -> Endpoint:
        """Interactions go to this address from now on, and not over the gateway."""
        self._endpoint = endpoint = Endpoint(url, self._key, self._wall)
        return endpoint

    def delivers_to_nobody(self) -> None:
        """The app hears of no interaction, and may answer it all the same: for tests that are the app themselves."""
        self._unheard = True

    async def connected(self) -> None:
        """Until the app has a session that is live."""
        await self.until(lambda: self.gateway.live)

    async def delivers(self, one: Interaction) -> None:
        """Hand it to the app and wait for the first answer. Raises NotAnswered."""
        payload = self.payloads.interaction(one)
        if self._endpoint is not None:
            answer = await self._endpoint.deliver(payload)
            if answer is not None:
                await self.interactions.answer(one, answer, ())
        elif not self._unheard and not await self.gateway.dispatch("INTERACTION_CREATE", payload):
            one.expired = True
            raise NotAnswered("the app is not connected")
        for _ in range(int(self._patience / _GLANCE)):
            if one.callback is not None:
                return
            if self.state.now() - one.at > limits.ANSWER_SECONDS:
                break
            await asyncio.sleep(_GLANCE)
        one.expired = True
        raise NotAnswered("the app did not answer in time")

    async def told(self, name: str, message: Message) -> None:
        """News of a message, for sessions that listen to such."""
        room = self.state.channels[message.channel]
        if room.guild and not self.state.allowed(room, APP) & BITS["view_channel"]:
            return
        needs = GUILD_MESSAGES if room.guild else DIRECT_MESSAGES
        if name == "MESSAGE_DELETE":
            gone = {"id": message.id, "channel_id": room.id}
            await self.gateway.dispatch(name, gone | ({"guild_id": room.guild} if room.guild else {}), needs)
            return
        meant = not room.guild or message.author == APP or APP in message.pings
        for session in self.gateway.reachable:
            if session.intents & needs:
                heard = meant or bool(session.intents & MESSAGE_CONTENT)
                await session.dispatch(name, self.payloads.event(message, heard=heard))

    async def _told_of_room(self, name: str, room: Channel) -> None:
        await self.gateway.dispatch(name, self.payloads.channel(room), GUILDS)

    async def reopened(self, room: Channel) -> None:
        """A message was sent to an archived thread."""
        room.archived = False
        await self._told_of_room("THREAD_UPDATE", room)

    def goes_away(self, how: Away = "cut") -> None:
        """Neither REST nor the gateway answers any more, until `comes_back`."""
        self.troubles.away = how
        self.gateway.goes_away("cut" if how == "cut" else "refused")

    def comes_back(self) -> None:
        self.troubles.away = None
        self.gateway.comes_back()

    # -- people --------------------------------------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, str]:
        """Ids by what people type: `@name`, `#channel`."""
        people = {f"@{one.name}": one.id for one in self.state.accounts.values()}
        return people | {f"#{one.name}": one.id for one in self.state.channels.values() if one.kind == "text"}

    def human(self, name: str) -> Human:
        account = next(one for one in self.state.accounts.values() if one.name == name)
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

    def role(self, name: str, guild: str = GUILD) -> str:
        """Its id."""
        return next(role.id for role in self.state.guilds[guild].roles.values() if role.name == name)

    def gives(self, who: Human, *roles: str, guild: str = GUILD) -> None:
        """Exactly these roles, from now on."""
        self.state.guilds[guild].members[who.id] = {self.role(role, guild) for role in roles}

    # -- moderators ----------------------------------------------------------------------------------------------------

    async def deletes_channel(self, name: str) -> None:
        """With all that was in it."""
        room = self.room(name)
        for thread in self.state.threads(room.id):
            await self.deletes_thread(thread)
        for message in self.state.standing(room.id):
            message.deleted = True
        del self.state.channels[room.id]
        await self._told_of_room("CHANNEL_DELETE", room)

    async def deletes_thread(self, thread: Channel) -> None:
        del self.state.channels[thread.id]
        gone = {"id": thread.id, "guild_id": thread.guild, "parent_id": thread.parent, "type": 11}
        await self.gateway.dispatch("THREAD_DELETE", gone, GUILDS)

    async def archives(self, thread: Channel, *, locked: bool = False) -> None:
        """Or it has archived itself, as threads do that nobody writes to."""
        thread.archived, thread.locked = True, locked
        await self._told_of_room("THREAD_UPDATE", thread)

    # -- what is to be seen --------------------------------------------------------------------------------------------

    def room(self, name: str) -> Channel:
        found = [one for one in self.state.channels.values() if one.name == name.removeprefix("#")]
        assert found, f"there is no channel {name}"
        return found[0]

    def channel(self, name: str) -> Room:
        return Room(self, self.room(name))

    def dm(self, who: Human) -> Room:
        """The app's direct messages to `who`."""
        return Room(self, self.state.direct(who.id))

    def shows(self, channel: str) -> list[str]:
        """What stands there, of the app, a text each."""
        return texts(self.channel(channel).messages())

    def thread_of(self, card: Message) -> Channel:
        """The thread that was started from it."""
        assert card.thread, f"nobody started a thread from {card.text!r}"
        assert card.thread in self.state.channels, "it was deleted"
        return self.state.channels[card.thread]

    def thread(self, card: Message) -> list[Message]:
        """The app's messages in the card's thread, oldest first; none where there is no thread."""
        return [m for m in self.state.standing(card.thread or "") if m.author == APP]

    def ephemeral(self, to: Human) -> list[Message]:
        """What only they can see, oldest first."""
        return [m for m in self.state.messages.values() if m.to == to.id and not m.deleted]

    def refusals(self, *expected: int) -> list[Call]:
        """Requests of the app that Discord refused, but for those with an expected code."""
        return [call for call in self.watch.calls if call.error is not None and call.error not in expected]

    def called(self, route: str) -> list[Call]:
        """Each request of this route: `POST /channels/{id}/messages`."""
        return [call for call in self.watch.calls if call.route == route]

    async def until(self, condition: Callable[[], object], patience: float = 60.0) -> None:
        """Wait for what the app does in its own time, at most `patience` seconds of it."""
        for _ in range(int(patience / _GLANCE)):
            if condition():
                return
            await asyncio.sleep(_GLANCE)
        last = [(call.route, call.status, call.words) for call in self.watch.calls[-5:]]
        raise AssertionError(f"it did not come true within {patience:g} s; {last}")


def texts(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages]
