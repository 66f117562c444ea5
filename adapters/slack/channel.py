"""Implements core.ports.Channel over Slack's Web API. A message's reference is its `ts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from adapters.slack.drawing import Allows, Blocks, Extra, blocks, fallback, words
from adapters.slack.failures import TOO_MUCH, Gone, Refused
from adapters.slack.posted import Posted, metadata
from adapters.slack.setup import PLATFORM, channel_of
from adapters.slack.workspace import Workspace
from core.cards import Button, Card
from core.people import Person
from core.plain import addressed
from core.ports import ChannelGone, Clock, Form

log = structlog.get_logger("ashat.slack")

_NO_THREAD = frozenset({
    "thread_not_found", "cannot_reply_to_message", "message_not_found", "restricted_action_thread_locked",
    "restricted_action_non_threadable_channel",
})  # fmt: skip
"""Nothing can be said in the thread: https://docs.slack.dev/reference/methods/chat.postMessage#errors."""
_LOST = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Why a card cannot be edited any more, while its channel is well."""
_QUIET: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False, "parse": "none", "link_names": False}


class SlackChannel:
    """Every post carries its nonce and is looked for before it is made: a lost answer never makes a second message."""

    def __init__(self, workspace: Workspace, clock: Clock, allows: Allows | None = None) -> None:
        """`allows`: the hosts that links on cards may lead to."""
        self._workspace = workspace
        self._posted = Posted(workspace, clock)
        self._allows = allows

    @property
    def platform(self) -> str:
        return PLATFORM

    async def post_card(self, channel: str, card: Card, nonce: str) -> str:
        id_ = await self._our_own(channel)
        found = await self._posted.find(id_, nonce)
        if found is not None:
            return await self.edit_card(channel, found, card)
        return await self._post(id_, self._drawn(card), card, nonce)

    async def edit_card(self, channel: str, reference: str, card: Card) -> str:
        """A card that was deleted is posted anew."""
        id_ = await self._our_own(channel)
        drawn = self._drawn(card)
        try:
            await self._edit(id_, reference, drawn, card)
        except Refused as refused:
            if refused.error not in _LOST:
                raise
        else:
            return reference
        return await self.post_card(channel, card, f"again-{reference}")

    async def post(self, channel: str, card: Card, nonce: str) -> None:
        await self._once(await self._our_own(channel), card, nonce)

    async def reply(
        self, channel: str, reference: str, card: Card, nonce: str, *, broadcast: bool, mentions: Sequence[Person] = ()
    ) -> None:
        """Where there is no thread, as where the card was deleted, the channel is told, with the deployment's name."""
        id_ = await self._our_own(channel)
        here = [person for person in mentions if _account(person)]
        card = addressed(card, [person for person in mentions if person not in here])
        pinged = [account_of(person) for person in here]
        try:
            await self._once(id_, card, nonce, thread=reference, broadcast=broadcast, mentions=pinged)
        except Refused as refused:
            if refused.error not in _NO_THREAD:
                raise
            whole = Card(card.summary or card.title, card.lines, card.buttons, card.tone)
            await self._once(id_, whole, nonce, mentions=pinged)

    async def whisper(self, channel: str, person: Person, card: Card, nonce: str) -> None:
        """Ephemeral where they are in the channel, and direct where not."""
        id_ = channel_of(channel)
        if id_.startswith("D"):
            await self._once(id_, card, nonce)
            return
        try:
            await self.ephemeral(id_, account_of(person), card)
        except Gone as gone:
            log.info("whispered directly", channel=channel, person=person.id, why=gone.error)
            await self.direct(person, card, nonce)

    async def direct(self, person: Person, card: Card, nonce: str) -> None:
        await self.direct_to(account_of(person), card, nonce)

    async def ask(self, channel: str, person: Person, form: Form) -> None:
        """Slack opens a dialog only for a click; so this brings the click: a button that opens it."""
        opens = Button(form.title, form.command, asks="reason" if any(f[2] for f in form.fields) else "optional reason")
        wanted = tuple(f"{label}{'' if needed else ' (optional)'}" for _, label, needed in form.fields)
        card = Card(form.title, wanted, (opens,))
        await self.whisper(channel, person, card, f"form-{form.command}")

    # -- by account, for answers ---------------------------------------------------------------------------------------

    async def ephemeral(self, id_: str, user: str, card: Card, thread: str | None = None, extra: Extra = ()) -> None:
        """For one person's eyes, in a channel that they are in."""
        client = self._workspace.client
        given: dict[str, Any] = {"thread_ts": thread} if thread else {}
        drawn = self._drawn(card, extra)
        await self._workspace.call(
            client.chat_postEphemeral, channel=id_, user=user, text=fallback(card), blocks=drawn, **given
        )

    async def direct_to(self, user: str, card: Card, nonce: str, extra: Extra = ()) -> None:
        await self._once(await self._workspace.direct(user), card, nonce, extra=extra)

    async def share(self, id_: str, card: Card, nonce: str, thread: str | None) -> None:
        """For all to see, in the thread where it was asked for."""
        await self._once(await self._our_own(id_), card, nonce, thread)

    async def respond(self, url: str, card: Card, extra: Extra = ()) -> None:
        """To the `response_url` of a click or a slash command: works too where the bot is not in the channel."""
        await self._workspace.respond(url, fallback(card), self._drawn(card, extra))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _drawn(self, card: Card, extra: Extra = (), mentions: Sequence[str] = ()) -> Blocks:
        return blocks(card, self._allows, extra, mentions)

    async def _our_own(self, address_: str) -> str:
        """The channel's id. Raises ChannelGone where outsiders would read along."""
        id_ = channel_of(address_)
        if (await self._workspace.place(id_)).shared:
            raise ChannelGone("the channel is shared with another organisation, which would read the cards")
        return id_

    async def _once(
        self, id_: str, card: Card, nonce: str, thread: str | None = None, *, broadcast: bool = False,
        extra: Extra = (), mentions: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Unless it is there already."""
        if await self._posted.find(id_, nonce, thread) is None:
            drawn = self._drawn(card, extra, mentions)
            await self._post(id_, drawn, card, nonce, thread, broadcast=broadcast)

    async def _post(
        self, id_: str, drawn: Blocks, card: Card, nonce: str, thread: str | None = None, *, broadcast: bool = False
    ) -> str:
        given: dict[str, Any] = {"channel": id_, "metadata": metadata(nonce), **_QUIET}
        if thread is not None:
            given |= {"thread_ts": thread, "reply_broadcast": broadcast}
        post = self._workspace.client.chat_postMessage
        try:
            told = await self._workspace.call(post, text=fallback(card), blocks=drawn, **given)
        except Refused as refused:
            if refused.error not in TOO_MUCH:
                raise
            log.warning("drawing refused, the words are posted", channel=id_, why=refused.error, nonce=nonce)
            told = await self._workspace.call(post, text=words(card), **given)
        return str(told["ts"])

    async def _edit(self, id_: str, reference: str, drawn: Blocks, card: Card) -> None:
        update = self._workspace.client.chat_update
        given: dict[str, Any] = {"channel": id_, "ts": reference, "parse": "none", "link_names": False}
        try:
            await self._workspace.call(update, text=fallback(card), blocks=drawn, **given)
        except Refused as refused:
            if refused.error not in TOO_MUCH:
                raise
            log.warning("drawing refused, the words are shown", channel=id_, why=refused.error)
            await self._workspace.call(update, text=words(card), blocks=[], **given)


def account_of(person: Person) -> str:
    """Their member id. Raises ChannelGone where they have none here."""
    found = _account(person)
    if found is None:
        raise ChannelGone(f"{person.name} has no Slack account in the settings")
    return found


def _account(person: Person) -> str | None:
    return next((account.id for account in person.accounts if account.platform == PLATFORM), None)
