"""Implements core.ports.Channel over Discord's REST API.

A card's reference is its message's id; where it has been replaced, `<message>/<first message>`: the thread stays the
first one's, and has its id.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import discord
import structlog

from adapters.discord import buttons
from adapters.discord.drawing import FILE, NO_PINGS, SILENT, Allows, Drawing, Extra, draw, texts_of, words
from adapters.discord.failures import (
    ARCHIVED,
    MALFORMED,
    THREAD_LOCKED,
    TOO_OLD,
    UNKNOWN_MESSAGE,
    Gone,
    Refused,
)
from adapters.discord.posted import Posted, made_at, short
from adapters.discord.rest import Rest
from adapters.discord.setup import PLATFORM, channel_of
from adapters.discord.threads import Threads, name_in
from core.cards import Button, Card
from core.people import Person
from core.plain import addressed
from core.ports import ChannelDown, ChannelGone, Clock, Form

log = structlog.get_logger("ashat.discord")

_OLD = 3600.0
"""Seconds after which Discord limits the edits of a message on its own."""


class DiscordChannel:
    """Every post carries its nonce, and is looked for where the nonce may no longer hold: see `posted`."""

    def __init__(self, rest: Rest, clock: Clock, allows: Allows | None = None) -> None:
        """`allows`: the hosts that links on cards may lead to."""
        self._rest = rest
        self._clock = clock
        self._posted = Posted(rest, clock)
        self._allows = allows
        self._threads = Threads(rest)

    @property
    def platform(self) -> str:
        return PLATFORM

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        return await self._card(await self._our_own(channel), card, nonce)

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        """A card that was deleted is posted anew; one that is too old to be edited at will gets a successor."""
        id_ = await self._our_own(channel)
        message, first = _split(reference)
        if self._is_old(message):
            return await self._succeed(id_, message, first, card)
        extra = () if message == first else await self._to_thread(id_, first)
        try:
            await self._edit(id_, message, card, extra=extra)
        except Refused as refused:
            if refused.code == UNKNOWN_MESSAGE:
                again = await self._card(id_, card, f"again-{message}", extra=extra)
                return again if message == first else f"{again}/{first}"
            if refused.code == TOO_OLD:
                return await self._succeed(id_, message, first, card)
            raise
        return reference

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        await self._once(await self._our_own(channel), card, nonce)

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        """Where there is no thread and none can be made, the channel is told, with the deployment's name."""
        id_ = await self._our_own(channel)
        here = [person for person in mentions if _account(person)]
        card = addressed(card, [person for person in mentions if person not in here])
        pings = [account_of(person) for person in here]
        told = await self._in_thread(id_, _split(reference)[1], card, nonce, pings)
        if broadcast or not told:
            whole = Card(card.summary or card.title, card.lines, card.buttons, card.tone)
            await self._once(id_, whole, f"{nonce}-channel", pings=() if told else pings)

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        """Directly: only an answer to a click can be for one person's eyes in a channel."""
        await self.direct(person, card, nonce)

    async def direct(self, person: Person, card: Card, nonce: str) -> None:
        await self.direct_to(account_of(person), card, nonce)

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        """Discord opens a dialog only for a click; so this brings the click: a button that opens it."""
        opens = Button(form.title, form.command, asks="reason" if any(f[2] for f in form.fields) else "optional reason")
        wanted = tuple(f"{label}{'' if needed else ' (optional)'}" for _, label, needed in form.fields)
        await self.whisper(channel, person, Card(form.title, wanted, (opens,)), f"form-{form.command}")

    # -- by account, for answers ---------------------------------------------------------------------------------------

    async def direct_to(self, user: str, card: Card, nonce: str, extra: Extra = ()) -> None:
        await self._once(await self._rest.direct(user), card, nonce, extra)

    async def answer_to(self, place: str, message: str, card: Card, nonce: str) -> None:
        """A short reply to a message, where its author reads it."""
        reference = {"message_id": message, "fail_if_not_exists": False}
        await self._once(place, card, nonce, reply_to=reference)

    async def leads_to(self, id_: str) -> Extra:
        """A link to the channel; none where nobody can say which server it is of."""
        with suppress(ChannelGone, ChannelDown):
            return (buttons.link("Go to its card", f"{await self._guild_of(id_)}/{id_}"),)
        return ()

    async def settle(self, token: str, card: Card, extra: Extra = ()) -> None:
        """In the place of the first answer to an interaction. Raises ChannelGone or ChannelDown."""
        drawing = draw(card, self._allows, extra, file=True)
        try:
            await self._rest.settle(token, drawing.body(), _file(drawing))
        except Refused as refused:
            if refused.code != MALFORMED:
                raise
            log.warning("drawing refused, the words are shown", why=str(refused))
            await self._rest.settle(token, words(card).body())

    def drawn(self, card: Card, extra: Extra = (), *, file: bool = False) -> Drawing:
        return draw(card, self._allows, extra, file=file)

    # -- cards ---------------------------------------------------------------------------------------------------------

    async def _card(self, id_: str, card: Card, nonce: str, flags: int = 0, extra: Extra = ()) -> str:
        """As it is now, also where an earlier try had posted it as it was then."""
        found = await self._posted.find(id_, nonce)
        drawing = draw(card, self._allows, extra, nonce)
        if found is None:
            message = await self._post(id_, drawing, card, nonce, flags)
            found = str(message["id"])
            if texts_of(message) == texts_of(drawing.body()):
                return found
        try:
            await self._edit(id_, found, card, nonce, extra)
        except Refused as refused:
            if refused.code != UNKNOWN_MESSAGE:
                raise
            return await self._card(id_, card, f"{nonce}-again", flags, extra)
        return found

    async def _succeed(self, id_: str, message: str, first: str, card: Card) -> str:
        """A new card, silently; the first one, which has the thread, points to it, and what was between goes.

        The pointer is not drawn again, so it says nothing that changes.
        """
        new = await self._card(id_, card, f"after-{message}", SILENT, await self._to_thread(id_, first))
        to_it = buttons.link("Go to the card", f"{await self._guild_of(id_)}/{id_}/{new}")
        pointer = draw(
            Card(name_in(card.title).partition(", ")[0], ("This card goes on further down.",)), extra=[to_it]
        )
        await self._if_there(self._patch(id_, first, pointer.body()))
        if message != first:
            delete = self._rest.call(
                "DELETE", "/channels/{channel_id}/messages/{message_id}", channel_id=id_, message_id=message
            )
            await self._if_there(delete)
        log.info("card replaced", channel=id_, old=message, new=new)
        return f"{new}/{first}"

    async def _to_thread(self, id_: str, first: str) -> Extra:
        """For a card whose thread hangs on another message."""
        return (buttons.link("Thread", f"{await self._guild_of(id_)}/{first}"),)

    async def _guild_of(self, id_: str) -> str:
        """The address of the channel's server, to which those of a channel and a message are added."""
        return f"https://discord.com/channels/{(await self._rest.place(id_)).guild}"

    async def _if_there(self, call: Any) -> None:
        try:
            await call
        except Refused as refused:
            if refused.code not in (UNKNOWN_MESSAGE, TOO_OLD):
                raise

    def _is_old(self, message: str) -> bool:
        return message.isdecimal() and self._clock.now().timestamp() - made_at(message) > _OLD

    async def _edit(self, id_: str, message: str, card: Card, nonce: str = "", extra: Extra = ()) -> None:
        if not message.isdecimal():
            raise Refused(UNKNOWN_MESSAGE, "that is no message of Discord's")
        try:
            await self._patch(id_, message, draw(card, self._allows, extra, nonce).body())
        except Refused as refused:
            if refused.code != MALFORMED:
                raise
            log.warning("drawing refused, the words are shown", channel=id_, why=str(refused))
            await self._patch(id_, message, words(card).body())

    async def _patch(self, id_: str, message: str, body: dict[str, Any]) -> None:
        await self._rest.call(
            "PATCH", "/channels/{channel_id}/messages/{message_id}", body, channel_id=id_, message_id=message
        )

    # -- threads -------------------------------------------------------------------------------------------------------

    async def _in_thread(self, id_: str, first: str, card: Card, nonce: str, pings: Sequence[str]) -> bool:
        """False where there is no thread to tell it in."""
        for fresh in (False, True):
            if not await self._threads.there(id_, first, card, again=fresh):
                return False
            try:
                return await self._said_there(first, card, nonce, pings)
            except Gone as gone:
                log.warning("thread gone", channel=id_, thread=first, why=str(gone))
        return False

    async def _said_there(self, thread: str, card: Card, nonce: str, pings: Sequence[str]) -> bool:
        """False where it is locked for good. Raises Gone where there is no thread any more."""
        try:
            await self._once(thread, card, nonce, pings=pings)
        except Refused as refused:
            if refused.code not in (ARCHIVED, THREAD_LOCKED):
                raise
            if not await self._threads.unlocked(thread):
                return False
            await self._once(thread, card, nonce, pings=pings)
        return True

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _our_own(self, address_: str) -> str:
        """The channel's id. Raises ChannelGone where it is of a server that is not listed."""
        id_ = channel_of(address_)
        if not id_.isdecimal():
            raise ChannelGone(f"{id_} is no channel of Discord's")
        if (await self._rest.place(id_)).guild not in self._rest.setup.guilds:
            raise ChannelGone("the channel is of a server that [discord] guilds does not list")
        return id_

    async def _once(
        self, place: str, card: Card, nonce: str, extra: Extra = (), reply_to: dict[str, Any] | None = None,
        pings: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Unless it is there already."""
        if await self._posted.find(place, nonce) is None:
            drawing = draw(card, self._allows, extra, nonce, file=True, pings=pings)
            await self._post(place, drawing, card, nonce, reply_to=reply_to)

    async def _post(
        self, place: str, drawing: Drawing, card: Card, nonce: str, flags: int = 0,
        reply_to: dict[str, Any] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        given: dict[str, Any] = {"nonce": short(nonce), "enforce_nonce": True}
        if reply_to is not None:
            given |= {"message_reference": reply_to, "allowed_mentions": {**NO_PINGS, "replied_user": True}}
        try:
            told = await self._send(place, {**drawing.body(flags), **given}, _file(drawing))
        except Refused as refused:
            if refused.code != MALFORMED:
                raise
            log.warning("drawing refused, the words are posted", channel=place, why=str(refused), nonce=nonce)
            told = await self._send(place, {**words(card).body(flags), **given}, None)
        self._posted.made(place, nonce, str(told["id"]))
        return told

    async def _send(self, place: str, body: dict[str, Any], file: discord.File | None) -> dict[str, Any]:
        told = await self._rest.call("POST", "/channels/{channel_id}/messages", body, file=file, channel_id=place)
        assert isinstance(told, dict), "Discord answers a post with its message"
        return told


def _file(drawing: Drawing) -> discord.File | None:
    return None if drawing.whole is None else discord.File(io.BytesIO(drawing.whole.encode()), FILE)


def _split(reference: str) -> tuple[str, str]:
    """The card's message, and the first card's."""
    message, _, first = reference.partition("/")
    return message, first or message


def account_of(person: Person) -> str:
    """Their user id. Raises ChannelGone where they have none here."""
    found = _account(person)
    if found is None:
        raise ChannelGone(f"{person.name} has no Discord account in the settings")
    return found


def _account(person: Person) -> str | None:
    return next((account.id for account in person.accounts if account.platform == PLATFORM), None)
