"""Carries what a person typed, clicked or filled in through the door: durable before it is acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass

import structlog

from adapters.chat.delivery import ELSEWHERE, Deliveries, Delivery, not_to_be_shared, refusal, share_of, shared
from adapters.discord import buttons
from adapters.discord.buttons import Clicked
from adapters.discord.channel import DiscordChannel
from adapters.discord.drawing import Extra
from adapters.discord.interaction import Interaction
from adapters.discord.rest import Rest
from adapters.discord.setup import PLATFORM, Setup, address
from adapters.discord.tasks import Tasks
from adapters.discord.view import View
from core.cards import Card
from core.commands import Help
from core.people import Account
from core.ports import ChannelDown, ChannelGone, Door, Incoming
from core.ports import Reply as Answer

log = structlog.get_logger("ashat.discord")

_ASKING = 1.5
"""Seconds that Discord, or the store, may take to say what an answer needs: the first one is due within three."""
_SOON = 1.0
"""Seconds after which somebody who asked is told that Ashat is thinking; an answer that is there by then is all."""
_TRIES = 3
_AGAIN = 0.5
"""Seconds between tries to put an answer in its place."""


Shown = tuple[Card, Extra]
"""What somebody sees, with buttons of Discord's own."""


@dataclass(frozen=True)
class Said(Delivery):
    """`channel` is empty in a direct conversation; `place` is the channel, or its thread."""

    place: str = ""
    interaction: Interaction | None = None
    message: str | None = None
    """Of a typed one, its message."""

    @property
    def account(self) -> Account:
        return Account(PLATFORM, self.user)

    @property
    def alone(self) -> bool:
        """Whether it was said where nobody else reads."""
        return not self.channel


class Desk:
    def __init__(self, setup: Setup, rest: Rest, channel: DiscordChannel, door: Door, view: View, tasks: Tasks) -> None:
        self._setup = setup
        self._rest = rest
        self._channel = channel
        self._door = door
        self._view = view
        self._tasks = tasks
        self._heard = Deliveries()

    async def accept(self, said: Said, *, in_place: bool = False) -> None:
        """Durable, and then acknowledged: with its answer, where that is there soon. Raises what the store raises.

        `in_place`: the answer takes the place of the message that was clicked.
        """
        if said.delivery in self._heard:
            return
        self._heard.add(said.delivery)
        problem = await self.problem(said)
        if problem is not None:
            await self.tell(said, refusal(problem))
            return
        message = self._incoming(said)
        if said.interaction is None:
            await self._door.submit(message)
            self._tasks.start(self._guarded(said, self._answered(said, message)))
        else:
            carrying_out = self._carried_out(said, message)  # durable with what it decides
            await self._give(said, said.interaction, carrying_out, message, in_place=in_place)

    async def ask(self, said: Said, about: Clicked) -> None:
        """Tell the consequences of a click before it counts. What is not offered any more is never carried out."""
        problem = await self.problem(said)
        if problem is not None:
            return await self.tell(said, refusal(problem))
        assert said.interaction is not None
        return await self._give(said, said.interaction, self._question(said, about))

    async def consequences(self, said: Said, about: Clicked) -> str:
        """What a click would do, for the dialog that asks why; nothing where that would keep the dialog waiting."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ASKING):
                card = None if await self.problem(said) else await self._view.card(about.command.partition(" ")[2])
                offered = [one.confirm for one in card.buttons if one.command == about.command] if card else []
                return next((text for text in offered if text), "")
        return ""

    async def share(self, said: Said) -> None:
        """Show the answer to a question to everybody in the channel; asked anew, as this person may ask it."""
        if said.delivery in self._heard:
            return None
        problem = await self.problem(said) or not_to_be_shared(said, self._setup.channels)
        self._heard.add(said.delivery)
        if problem is not None:
            return await self.tell(said, refusal(problem))
        assert said.interaction is not None
        return await self._give(said, said.interaction, self._shared(said))

    async def problem(self, said: Said) -> str | None:
        """Why this is not for us to hear, or None. What nobody can say in time refuses."""
        full = said.interaction.full if said.interaction is not None else None
        if said.interaction is not None and said.interaction.guild not in ("", *self._setup.guilds):
            return "Ashat does not serve this server."
        if full is None:
            try:
                async with asyncio.timeout(_ASKING):
                    full = bool(await self._rest.listed(said.user))
            except (ChannelDown, TimeoutError):
                return "Discord could not say who you are in time, and nothing was changed. Try again in a moment."
            except ChannelGone as gone:
                return f"Discord does not tell Ashat who you are ({gone}). `ashat doctor` says more."
        if not full:
            return "Ashat is for full members of its servers: guests and bots can neither look nor act."
        if not said.alone and said.channel not in self._setup.channels and said.writes:
            return ELSEWHERE
        return None

    async def _guarded(self, said: Said, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - it is logged, and who asked is told
            await self.failed(said)

    # -- what is found -------------------------------------------------------------------------------------------------

    async def _give(
        self, said: Said, interaction: Interaction, finding: Coroutine[None, None, Shown],
        keep: Incoming | None = None, *, in_place: bool = False,
    ) -> None:  # fmt: skip
        """What is found, as the first answer where it is there soon; else later, once `keep` is durable."""
        found = self._tasks.start(finding)
        await asyncio.wait({found}, timeout=max(_SOON - interaction.age, 0.0))
        if found.done() and await self._at_once(interaction, found.result(), in_place=in_place):
            return
        if keep is not None and not found.done():  # what was found is settled, or was never promised
            await self._door.submit(keep)
        await (interaction.defer_update() if in_place else interaction.defer())
        self._tasks.start(self._guarded(said, self._given(said, found)))

    async def _at_once(self, interaction: Interaction, found: Shown, *, in_place: bool) -> bool:
        """Whether that was all that Discord had to be told."""
        drawing = self._channel.drawn(*found, file=True)
        if drawing.whole is None:
            await (interaction.update(drawing) if in_place else interaction.say(drawing))
        return interaction.answered

    async def _given(self, said: Said, finding: Awaitable[Shown]) -> None:
        await self.tell(said, *await finding)

    async def _answered(self, said: Said, message: Incoming) -> None:
        """To a typed message; where nothing was asked, nothing is said."""
        answer = await self._door.answer(message)
        if answer.outcome != "ignored":
            await self.tell(said, answer.card, await self._extra(said, answer))

    async def _carried_out(self, said: Said, message: Incoming) -> Shown:
        """Something in any case, for something is awaited."""
        answer = await self._door.answer(message)
        if answer.outcome == "ignored":
            return refusal("Nothing was asked. `deploy help` says what can be."), ()
        return answer.card, await self._extra(said, answer)

    async def _question(self, said: Said, about: Clicked) -> Shown:
        card = await self._view.card(about.command.partition(" ")[2])
        if card is None or not (about.seen is None or any(buttons.shows(about.seen, one) for one in card.buttons)):
            return await self._carried_out(said, self._incoming(said))  # refused, with what happened since
        one = next((one for one in card.buttons if one.command == about.command and one.confirm), None)
        if one is None:
            why = "That is not offered any more, and nothing was changed. This is how it is now:"
            return Card(why, (card.title, *card.lines), card.buttons, tone="bad"), ()
        yes = buttons.made("yes", one.label, about.command, about.seen, buttons.STYLES[one.style])
        question = Card(one.confirm or "", (card.title, *card.lines), tone="asking")
        return question, (yes, buttons.made("no", "Not now"))

    async def _shared(self, said: Said) -> Shown:
        answer = await self._door.answer(self._incoming(said))
        person = await self._view.person(said.account)
        if answer.outcome != "done" or person is None:
            return answer.card, ()
        try:
            await self._channel.post(address(said.place), shared(answer.card, person), share_of(said))
        except (ChannelGone, ChannelDown) as error:
            return refusal(f"It could not be shared: {error}."), ()
        return Card("Shared."), ()

    # -- where it is told ----------------------------------------------------------------------------------------------

    async def tell(self, said: Said, card: Card, extra: Extra = ()) -> None:
        """The asker alone: in the interaction's place, else directly, else a short reply."""
        if said.interaction is not None and said.interaction.is_being_answered:
            self._tasks.start(self._told(said, card, extra))
            return
        if said.interaction is not None and await self._in_place(said.interaction, card, extra):
            return
        try:
            await self._channel.direct_to(said.user, card, f"answer-{said.delivery}", extra)
        except ChannelGone as gone:
            log.info("not told directly", user=said.user, why=str(gone))
            await self._shortly(said)
        except ChannelDown as down:
            log.warning("answer not delivered", user=said.user, delivery=said.delivery, why=str(down))

    async def failed(self, said: Said) -> None:
        """To be called while an exception is handled that nobody expected."""
        mark = said.delivery[-6:]
        log.exception("command failed", reference=mark, user=said.user)
        await self.tell(said, refusal(f"Our fault, reference {mark}. `deploy status` shows what is."))

    async def _told(self, said: Said, card: Card, extra: Extra) -> None:
        """Once the request's own answer, which promises another one, has gone out."""
        assert said.interaction is not None
        assert said.interaction.asked is not None
        await said.interaction.asked.arrives()
        await self.tell(said, card, extra)

    async def _in_place(self, interaction: Interaction, card: Card, extra: Extra) -> bool:
        """Whether the answer is where the asker looks for it."""
        if not interaction.answered:
            await interaction.say(self._channel.drawn(card, extra))
            return interaction.answered
        for _ in range(_TRIES):
            try:
                await self._channel.settle(interaction.token, card, extra)
            except ChannelGone as gone:
                log.info("answered directly", user=interaction.user, why=str(gone))
                return False
            except ChannelDown as down:
                log.info("answer not in its place yet", user=interaction.user, why=str(down))
                await asyncio.sleep(_AGAIN)
            else:
                return True
        return False

    async def _shortly(self, said: Said) -> None:
        """To somebody who takes no direct messages: that there is an answer, which is nobody else's."""
        if said.alone or said.message is None:
            return
        card = Card("I cannot write to you directly: allow direct messages from this server, or use /deploy.")
        try:
            await self._channel.answer_to(said.place, said.message, card, f"short-{said.delivery}")
        except (ChannelGone, ChannelDown) as error:
            log.warning("answer not delivered", user=said.user, delivery=said.delivery, why=str(error))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _incoming(self, said: Said) -> Incoming:
        """What is said where no cards go, as in a direct message, counts as said in the home channel."""
        listed = said.channel in self._setup.channels
        where = address(said.channel) if listed else self._setup.home_address
        return Incoming(PLATFORM, said.delivery, said.account, where, said.text, said.seen)

    async def _extra(self, said: Said, answer: Answer) -> Extra:
        """What an answer offers besides: to share what was found, to begin, or to see a card that is elsewhere."""
        if answer.outcome != "done":
            return ()
        if said.pushes and said.channel not in self._setup.channels:
            return await self._channel.leads_to(self._setup.home)
        begin = (buttons.new_deployment(),) if isinstance(said.parsed, Help) and said.parsed.topic is None else ()
        shown = buttons.share(said.text) if said.asks and said.channel in self._setup.channels else ()
        return (*begin, *shown)
