"""Carries what a person typed, clicked or filled in through the door: durable before the ack, answered after it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from adapters.chat.delivery import ELSEWHERE, Deliveries, Delivery, not_to_be_shared, refusal, share_of, shared
from adapters.slack.channel import SlackChannel
from adapters.slack.drawing import Extra, leads_to, new_deployment, share
from adapters.slack.setup import PLATFORM, Setup, address
from adapters.slack.tasks import Tasks
from adapters.slack.view import View
from adapters.slack.workspace import Workspace
from core.cards import Card
from core.commands import Help
from core.people import Account
from core.ports import ChannelDown, ChannelGone, Door, Incoming

log = structlog.get_logger("ashat.slack")

_ASKING = 2.0
"""Seconds that Slack may take to say who somebody is: the ack is due within three."""


@dataclass(frozen=True)
class Said(Delivery):
    """`channel` is empty on the Home tab; `respond_to` is Slack's `response_url`."""

    thread: str | None = None
    respond_to: str | None = None

    @property
    def account(self) -> Account:
        return Account(PLATFORM, self.user)

    @property
    def alone(self) -> bool:
        """Whether it was said where nobody else reads."""
        return not self.channel or self.channel.startswith("D")


class Desk:
    def __init__(
        self, setup: Setup, workspace: Workspace, channel: SlackChannel, door: Door, view: View, tasks: Tasks
    ) -> None:
        self._setup = setup
        self._workspace = workspace
        self._channel = channel
        self._door = door
        self._view = view
        self._tasks = tasks
        self._heard = Deliveries()

    def later(self, said: Said, card: Card, extra: Extra = ()) -> None:
        """Tell the asker, after the ack."""
        self._tasks.start(self.tell(said, card, extra))

    async def accept(self, said: Said) -> None:
        """To be awaited before the ack. Raises what the store raises: then Slack says so, or sends it again."""
        if said.delivery in self._heard:
            return
        problem = await self.problem(said)
        if problem is not None:
            self._heard.add(said.delivery)
            self.later(said, refusal(problem))
            return
        message = self._incoming(said)
        fresh = await self._door.submit(message)
        self._heard.add(said.delivery)
        if fresh:
            self._tasks.start(self._carry_out(said, message))

    async def share(self, said: Said) -> None:
        """Show the answer to a question to everybody in the channel; asked anew, as this person may ask it."""
        if said.delivery in self._heard:
            return
        problem = await self.problem(said) or not_to_be_shared(said, self._setup.channels)
        self._heard.add(said.delivery)
        if problem is not None:
            self.later(said, refusal(problem))
        else:
            self._tasks.start(self._shared(said))

    async def problem(self, said: Said) -> str | None:
        """Why this is not for us to hear, or None. Who or where it was is asked of Slack, and doubt refuses."""
        try:
            async with asyncio.timeout(_ASKING):
                refusal = await self._unknown(said.user) or await self._overheard(said)
        except (ChannelDown, TimeoutError):
            refusal = "Slack could not say who you are in time, and nothing was changed. Try again in a moment."
        if refusal is not None:
            return refusal
        if not said.alone and said.channel not in self._setup.channels and said.writes:
            return ELSEWHERE
        return None

    async def _unknown(self, user: str) -> str | None:
        """Why this account is nobody's that may ask. Raises ChannelDown where nobody can say."""
        try:
            full = (await self._workspace.member(user)).full
        except ChannelGone as gone:
            return f"Slack does not tell Ashat who you are ({gone}), and nothing was changed. `ashat doctor` says more."
        return (
            None if full else "Ashat is for full members of this workspace: guests and bots can neither look nor act."
        )

    async def _overheard(self, said: Said) -> str | None:
        """Why this is no place to ask. Raises ChannelDown where nobody can say."""
        if said.alone:
            return None
        try:
            shared = (await self._workspace.place(said.channel)).shared
        except ChannelGone:
            return "Ashat is not in this channel, and nothing was changed. /invite it, or write to it directly."
        return "This channel is shared with another organisation; use one that is yours alone." if shared else None

    async def answer(self, said: Said) -> Card:
        """The answer to a question, for the Home tab."""
        return (await self._door.answer(self._incoming(said))).card

    async def tell(self, said: Said, card: Card, extra: Extra = ()) -> None:
        """The asker alone: by the response URL, else in the channel, else directly."""
        try:
            if said.respond_to is not None:
                return await self._channel.respond(said.respond_to, card, extra)
            if not said.alone:
                return await self._channel.ephemeral(said.channel, said.user, card, said.thread, extra)
        except (ChannelGone, ChannelDown) as error:
            log.info("answered directly", user=said.user, channel=said.channel, why=str(error))
        try:
            await self._channel.direct_to(said.user, card, f"answer-{said.delivery}", extra)
        except (ChannelGone, ChannelDown) as error:
            log.warning("answer not delivered", user=said.user, delivery=said.delivery, why=str(error))

    # -- after the ack -------------------------------------------------------------------------------------------------

    async def _carry_out(self, said: Said, message: Incoming) -> None:
        reply = await self._door.answer(message)
        if reply.outcome != "ignored":
            await self.tell(said, reply.card, self._extra(said) if reply.outcome == "done" else ())

    async def _shared(self, said: Said) -> None:
        reply = await self._door.answer(self._incoming(said))
        person = await self._view.person(said.account)
        if reply.outcome != "done" or person is None:
            return await self.tell(said, reply.card)
        try:
            await self._channel.share(said.channel, shared(reply.card, person), share_of(said), said.thread)
        except (ChannelGone, ChannelDown) as error:
            return await self.tell(said, refusal(f"It could not be shared: {error}."))
        return await self.tell(said, Card("Shared."))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _incoming(self, said: Said) -> Incoming:
        """What is said where no cards go, as in a direct message, counts as said in the home channel."""
        listed = said.channel in self._setup.channels
        where = address(said.channel) if listed else self._setup.home_address
        return Incoming(PLATFORM, said.delivery, said.account, where, said.text, said.seen)

    def _extra(self, said: Said) -> Extra:
        """What an answer offers besides: to share what was found, to begin, or to see a card that is elsewhere."""
        if said.pushes and said.channel not in self._setup.channels:
            return (leads_to(self._setup.team, self._setup.home),)
        begin = (new_deployment(),) if isinstance(said.parsed, Help) and said.parsed.topic is None else ()
        shown = (share(said.text),) if said.asks and said.channel in self._setup.channels else ()
        return (*begin, *shown)
