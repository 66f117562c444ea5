"""What Discord sends, whether by gateway or by HTTP: each payload is translated, made durable, and acknowledged.

The payloads are read as they come: discord.py's own dispatch forgets a click on a button that it has no view for, needs
roles in a cache, and ends the process where one is malformed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from adapters.chat.delivery import refusal
from adapters.discord import buttons, commands, forms
from adapters.discord.buttons import Clicked
from adapters.discord.desk import Desk, Said
from adapters.discord.drawing import draw
from adapters.discord.interaction import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction, Request
from adapters.discord.memberships import groups_of
from adapters.discord.rest import Rest
from adapters.discord.setup import PLATFORM, Setup
from adapters.discord.view import View
from core.cards import Card
from core.completion import CompletionContext
from core.people import Account
from core.ports import ChannelDown, ChannelGone

log = structlog.get_logger("ashat.discord")

Payload = Mapping[str, Any]
_PLAIN, _REPLY = 0, 19
"""Types of messages that a person writes."""
_NO_PERSON = ("webhook_id", "application_id", "interaction_metadata", "edited_timestamp", "message_snapshots")
"""Fields of a message that somebody, or something, did not simply write just now."""
_OFFERING = 1.0
"""Seconds that the store and ALPHA may take to say what can be chosen."""
_DRAFTS = 1_000


class Listening:
    def __init__(self, setup: Setup, rest: Rest, desk: Desk, view: View) -> None:
        self._setup = setup
        self._rest = rest
        self._desk = desk
        self._view = view
        self._drafts: OrderedDict[str, dict[str, str]] = OrderedDict()
        """By person, what was filled in and did not pass: the next form begins with it."""

    # -- interactions --------------------------------------------------------------------------------------------------

    def is_ours(self, payload: Payload) -> bool:
        """That Discord sent it is known; that it is about our application is still to be seen."""
        return str(payload.get("application_id")) == self._setup.application

    async def interaction(self, payload: Payload, asked: Request | None = None) -> None:
        """Returns once it is durable and acknowledged. Nothing is raised: who did it is told."""
        if not self.is_ours(payload):
            log.warning("interaction of another application refused")
            return
        try:
            interaction = Interaction.read(payload, self._rest, asked)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("malformed interaction left out", why=f"{type(error).__name__}: {error}")
            return
        if interaction.full and interaction.guild in self._setup.guilds:
            groups = groups_of(interaction.guild, interaction.roles)
            self._view.hears(_account(interaction), f"{interaction.guild}/", groups)
        try:
            await self._dispatched(interaction)
        except Exception:
            if interaction.type == AUTOCOMPLETE:
                log.exception("nothing offered", user=interaction.user)  # what is typed can be sent all the same
            else:
                await self._desk.failed(_said(interaction, ""))

    async def _dispatched(self, interaction: Interaction) -> None:
        match interaction.type:
            case kind if kind == COMMAND:
                await self._command(interaction)
            case kind if kind == COMPONENT:
                await self._clicked(interaction)
            case kind if kind == AUTOCOMPLETE:
                await self._completed(interaction)
            case kind if kind == MODAL:
                await self._filled_in(interaction)
            case other:
                log.warning("interaction of an unknown type left out", type=other)

    async def _command(self, interaction: Interaction) -> None:
        found = commands.chosen(interaction.data)
        if found is None:
            await self._tell(interaction, "Discord offers a command that Ashat no longer has. Type /deploy help.")
        elif found.line:
            await self._desk.accept(_said(interaction, found.line))
        elif found.lacks and found.spec.name == "push":
            await self._push(interaction, found.given)
        elif found.lacks:
            await self._reason(interaction, Clicked("why", f"{found.spec.name} {found.given.get('id', '')}"))
        else:
            await self._tell(interaction, found.problem)

    async def _clicked(self, interaction: Interaction) -> None:
        try:
            click = buttons.read(str(interaction.data.get("custom_id", "")))
        except ValueError:
            await self._tell(interaction, "That button is not known any more. `deploy status` shows what can be done.")
            return
        said = _said(interaction, click)
        match click.kind:
            case "say":
                await self._desk.accept(said)
            case "yes":
                await self._desk.accept(said, in_place=True)
            case "no":
                await interaction.update(draw(Card("Nothing was changed.")))
            case "sure":
                await self._desk.ask(said, click)
            case "why" | "maybe":
                await self._reason(interaction, click, await self._desk.consequences(said, click))
            case "share":
                await self._desk.share(said)
            case "new":
                await self._push(interaction, self._drafts.get(interaction.user, {}))

    async def _push(self, interaction: Interaction, given: Mapping[str, str | Sequence[str]]) -> None:
        """Open its form; it offers what is on ALPHA, so whoever may not be heard sees none."""
        said = _said(interaction, "")
        problem = await self._desk.problem(said)
        if problem is not None:
            await self._desk.tell(said, refusal(problem))
        else:
            await interaction.open(forms.push_form(given, await self._updates(interaction)))

    async def _reason(self, interaction: Interaction, about: Clicked, consequences: str = "") -> None:
        try:
            form = forms.reason_form(about, consequences)
        except ValueError:
            await self._tell(interaction, f"Type it: `deploy {about.command}`, with the reason behind it.")
        else:
            await interaction.open(form)

    async def _filled_in(self, interaction: Interaction) -> None:
        values = forms.values_of(interaction.data.get("components") or ())
        about = str(interaction.data.get("custom_id", ""))
        if about == forms.PUSH:
            line, problem = forms.push_line(values)
            again = buttons.new_deployment()
            self._draft(interaction.user, values if problem else None)
        else:
            click = buttons.read(about)
            line, problem = forms.reason_line(click, values)
            again = buttons.made(click.kind, "Try again", click.command, click.seen)
        if problem:
            await self._tell(interaction, problem, (again,))
        else:
            seen = buttons.read(about).seen if about != forms.PUSH else None
            await self._desk.accept(_said(interaction, Clicked("say", line, seen)))

    async def _completed(self, interaction: Interaction) -> None:
        """Who may not look is offered nothing, and neither is who would have to wait."""
        context = CompletionContext()
        if interaction.guild in self._setup.guilds and interaction.full:
            try:
                async with asyncio.timeout(_OFFERING):
                    context = await self._view.completion(_account(interaction))
            except TimeoutError:
                log.info("nothing offered, it took too long", user=interaction.user)
        await interaction.offer(commands.completed(interaction.data, context))

    async def _updates(self, interaction: Interaction) -> Sequence[str]:
        try:
            async with asyncio.timeout(_OFFERING):
                return await self._view.updates(_account(interaction))
        except TimeoutError:
            return ()

    def _draft(self, user: str, values: dict[str, str] | None) -> None:
        self._drafts.pop(user, None)
        if values is not None:
            self._drafts[user] = values
        while len(self._drafts) > _DRAFTS:
            self._drafts.popitem(last=False)

    async def _tell(self, interaction: Interaction, sentence: str, extra: Sequence[dict[str, Any]] = ()) -> None:
        await self._desk.tell(_said(interaction, ""), refusal(sentence), extra)

    # -- typed ---------------------------------------------------------------------------------------------------------

    async def message(self, payload: Payload) -> None:
        """Only where the mention begins it: elsewhere people talk about the bot, not to it. Nothing is raised."""
        try:
            said = await self._said_in(payload)
            if said is not None:
                await self._desk.accept(said)
        except (ChannelGone, ChannelDown) as error:
            log.warning("message not heard", message=payload.get("id"), why=str(error))
        except Exception:
            log.exception("message failed", message=payload.get("id"))

    async def _said_in(self, payload: Payload) -> Said | None:
        """What it says to the bot; None where it is not for us."""
        if not by_person(payload):
            return None
        text = str(payload.get("content", "")).lstrip()
        guild, place = str(payload.get("guild_id") or ""), str(payload["channel_id"])
        id_, user = str(payload["id"]), str(payload["author"]["id"])
        own = await self._rest.own_id()
        start = next((one for one in (f"<@{own}>", f"<@!{own}>") if text.startswith(one)), "")
        if not guild:
            return Said(id_, user, text.removeprefix(start).strip(), message=id_, place=place)
        if not start or guild not in self._setup.guilds:
            return None
        channel = (await self._rest.place(place)).parent
        return Said(id_, user, f"/deploy {text.removeprefix(start).strip()}", channel, place=place, message=id_)


def by_person(payload: Payload) -> bool:
    """A new message that a person wrote: no bot's or webhook's, no edit, no forwarded one."""
    author = payload.get("author") or {}
    forwarded = (payload.get("message_reference") or {}).get("type", 0) != 0
    machine = author.get("bot") or author.get("system") or any(payload.get(field) for field in _NO_PERSON)
    return bool(author.get("id")) and not machine and not forwarded and payload.get("type", _PLAIN) in (_PLAIN, _REPLY)


def _account(interaction: Interaction) -> Account:
    return Account(PLATFORM, interaction.user)


def _said(interaction: Interaction, what: str | Clicked) -> Said:
    text, seen = (what, None) if isinstance(what, str) else (what.command, what.seen)
    one, channel = interaction, interaction.channel if interaction.guild else ""
    return Said(one.id, one.user, text, channel, seen, one.source, one.place, one)
