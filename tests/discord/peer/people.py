"""People in front of Discord: they send commands, write, click and fill in modals."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.discord.peer import forms
from tests.discord.peer.components import nested
from tests.discord.peer.guilds import BITS, Account, Channel, Interaction, Message
from tests.discord.peer.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL
from tests.discord.peer.refused import Json

if TYPE_CHECKING:
    from tests.discord.peer.discord import Discord


@dataclass
class Human:
    """One account. `in_` is `#channel`, or `@ashat` for direct messages to the app."""

    discord: Discord
    account: Account
    asked: list[Interaction] = field(default_factory=list)
    """All that they did to the app, the oldest first."""

    @property
    def id(self) -> str:
        return self.account.id

    # -- commands ------------------------------------------------------------------------------------------------------

    async def slash(
        self, path: str, /, *, in_: str = "#deployments", thread: Message | None = None, **options: Any
    ) -> Interaction:
        """`/deploy PATH` with options by name. Raises NotAnswered where Discord says "did not respond"."""
        room = self._room(in_, thread)
        return await self._does(COMMAND, self._command(room, path, options, None), room)

    async def looks_for(
        self, path: str, option: str, typed: str = "", /, *, in_: str = "#deployments", **others: Any
    ) -> list[str]:
        """Type into an option with autocomplete: what it offers."""
        room = self._room(in_)
        data = self._command(room, path, {**others, option: typed}, option)
        return [choice["name"] for choice in (await self._does(AUTOCOMPLETE, data, room)).choices]

    def _command(self, room: Channel, path: str, given: dict[str, Any], typing: str | None) -> Json:
        commands = self.discord.commands
        assert room.guild, "commands are registered for guilds"
        root, within, leaf = forms.command([*commands.all(room.guild), *commands.all("")], path)
        hidden = int(root["default_member_permissions"] or 0)
        assert self.discord.state.allowed(room, self.id) & hidden == hidden, f"{self.account.name} does not see /{path}"
        plain = {name: value.id if isinstance(value, Human) else value for name, value in given.items()}
        sent = forms.options(leaf, plain, typing=typing)
        if typing:
            assert any(o["name"] == typing and o.get("autocomplete") for o in leaf["options"]), (
                f"{typing} offers nothing"
            )
        for one in reversed(within):
            sent = [{"name": one["name"], "type": one["type"], "options": sent}]
        data = {"id": root["id"], "name": root["name"], "type": 1, "options": sent, "guild_id": room.guild}
        people = [value for value in given.values() if isinstance(value, Human)]
        if people:
            data["resolved"] = {"users": {one.id: one.account.describe() for one in people}}
        return data

    # -- clicking ------------------------------------------------------------------------------------------------------

    async def clicks(self, label: str, on: Message | Interaction) -> Interaction:
        """Click the button that says `label`: of a message, or of what an interaction was answered."""
        message = _message(on)
        return await self.presses(forms.button(message.components, label), message)

    async def presses(self, component: Json, on: Message, values: list[str] | None = None) -> Interaction:
        """Use a component that was seen earlier, as on a screen that has not been brought up to date."""
        assert on.to in (None, self.id), "somebody else sees this message"
        data: Json = {"custom_id": component["custom_id"], "component_type": component["type"], "id": component["id"]}
        if values is not None:
            data["values"] = values
        return await self._does(COMPONENT, data, self.discord.state.channels[on.channel], source=on)

    async def chooses(self, value: str, on: Message | Interaction) -> Interaction:
        """Choose an option, by its label, of the select of a message."""
        message = _message(on)
        for one in nested(message.components):
            for option in one.get("options") or []:
                if option["label"] == value:
                    return await self.presses(one, message, [option["value"]])
        raise AssertionError(f"nothing offers {value!r}")

    # -- modals --------------------------------------------------------------------------------------------------------

    @property
    def modal(self) -> Json:
        """The modal before them."""
        assert self.asked, f"{self.account.name} did nothing yet"
        assert self.asked[-1].modal, f"{self.account.name} has no modal before them"
        return self.asked[-1].modal

    async def submits(self, opened: Interaction | None = None, /, **answers: Any) -> Interaction:
        """Fill in by label and submit."""
        by = opened or self.asked[-1]
        assert by.modal, "it was answered with no modal"
        data = {"custom_id": by.modal["custom_id"], "components": forms.filled(by.modal, answers)}
        room = self.discord.state.channels[by.channel]
        return await self._does(MODAL, data, room, source=by.source, parent=by)

    async def _does(
        self, kind: int, data: Json, room: Channel, source: Message | None = None, parent: Interaction | None = None
    ) -> Interaction:  # fmt: skip
        state = self.discord.state
        may = state.allowed(room, self.id)
        assert may & BITS["view_channel"], f"{self.account.name} does not see {room.name or 'these messages'}"
        assert kind != COMMAND or may & BITS["use_application_commands"], "no commands there"
        made = state.interaction(kind, self.id, room, data, source, parent)
        if kind != AUTOCOMPLETE:
            self.asked.append(made)
        await self.discord.delivers(made)
        return made

    # -- writing -------------------------------------------------------------------------------------------------------

    async def says(
        self, text: str, in_: str = "#deployments", thread: Message | None = None, *, to: Message | None = None
    ) -> Message:
        """A message; `thread`: in that of this message; `to`: as a reply, which notifies its author."""
        room = self._room(in_, thread)
        state = self.discord.state
        message = Message(state.snowflake(), room.id, self.id, [(state.now(), self._typed(text), [])])
        message.pings = _mentioned(message.content)
        if to is not None:
            message.replies_to, message.type = to.id, 19
            message.pings = [*dict.fromkeys([*message.pings, to.author])]
        return await self._posted(message)

    async def forwards(self, message: Message, in_: str = "#deployments") -> Message:
        """What somebody said, once more, there."""
        state = self.discord.state
        version = (state.now(), "", list[Json]())
        made = Message(state.snowflake(), self._room(in_).id, self.id, [version], replies_to=message.id, forward=True)
        return await self._posted(made)

    async def _posted(self, message: Message) -> Message:
        room = self.discord.state.channels[message.channel]
        if room.archived:
            await self.discord.reopened(room)
        self.discord.state.messages[message.id] = message
        await self.discord.told("MESSAGE_CREATE", message)
        return message

    async def edits(self, message: Message, text: str) -> None:
        """Change what they said."""
        state = self.discord.state
        message.versions.append((state.now(), self._typed(text), []))
        message.pings = _mentioned(message.content)
        await self.discord.told("MESSAGE_UPDATE", message)

    async def deletes(self, message: Message) -> None:
        """A message of theirs, or as a moderator anyone's."""
        message.deleted = True
        await self.discord.told("MESSAGE_DELETE", message)

    def _typed(self, text: str) -> str:
        """As a client sends what people type: names become mentions."""
        for name, id_ in self.discord.names.items():
            text = re.sub(rf"{re.escape(name)}\b", f"<@{id_}>" if name[0] == "@" else f"<#{id_}>", text, flags=re.I)
        return text

    def _room(self, in_: str, thread: Message | None = None) -> Channel:
        state = self.discord.state
        if in_.lower() == "@ashat":
            return state.direct(self.id)
        room = self.discord.room(in_)
        if thread is not None:
            assert thread.thread, "no thread was started from this message"
            room = state.channels[thread.thread]
        assert state.allowed(room, self.id) & BITS["view_channel"], f"{self.account.name} does not see {in_}"
        return room


def _message(on: Message | Interaction) -> Message:
    if isinstance(on, Message):
        return on
    assert on.original is not None, "it was answered with no message"
    return on.original


def _mentioned(text: str) -> list[str]:
    return [*dict.fromkeys(re.findall(r"<@!?(\d+)>", text))]
