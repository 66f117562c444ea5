"""How an app answers what people do: one first answer within three seconds, then by a token for 15 minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.discord.peer import content, limits
from tests.discord.peer.commands import choice_faults
from tests.discord.peer.components import Checker, numbered
from tests.discord.peer.content import EPHEMERAL, LOADING, Upload
from tests.discord.peer.guilds import APP, TOKEN, Interaction, Message, State
from tests.discord.peer.messages import Messages
from tests.discord.peer.payloads import Payloads
from tests.discord.peer.refused import InvalidForm, Json, Refused, unknown

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
_ANSWERS = {COMMAND: (4, 5, 9), COMPONENT: (4, 5, 6, 7, 9), AUTOCOMPLETE: (8,), MODAL: (4, 5, 6, 7)}


@dataclass
class Interactions:
    state: State
    payloads: Payloads
    messages: Messages

    async def callback(
        self, id_: str, token: str, body: Json, uploads: Sequence[Upload], *, tells: bool
    ) -> Json | None:  # fmt: skip
        """POST /interactions/{id}/{token}/callback; `tells`: with_response."""
        one = self.state.interactions.get(id_)
        if one is None or one.token != token:
            raise unknown("interaction", 10062)
        await self.answer(one, body, uploads)
        return self._told(one, int(body["type"])) if tells else None

    async def answer(self, one: Interaction, body: Json, uploads: Sequence[Upload]) -> None:
        """The first answer. Raises 10062, 40060, InvalidForm."""
        if one.callback is not None:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        if one.expired or self.state.now() - one.at > limits.ANSWER_SECONDS:
            one.expired = True
            raise unknown("interaction", 10062)
        kind, data = body.get("type"), body.get("data") or {}
        allowed = _ANSWERS[one.type]
        if kind not in allowed or (kind in (6, 7) and one.source is None):
            raise InvalidForm({"type": ("INTERACTION_CALLBACK_TYPE_INVALID", f"Value must be one of {allowed}.")})
        match kind:
            case 4:
                content.check(self.state, data, uploads)
                one.original = self._made(one, data, uploads)
            case 5:
                flags = int(data.get("flags") or 0) & EPHEMERAL | LOADING
                one.original = self._made(one, {"flags": flags}, ())
            case 6:
                one.original = one.source
            case 7:
                await self._updated(one, data, uploads)
            case 8:
                one.choices = _choices(one, data)
            case 9:
                one.modal = _modal(data)
        one.callback = int(kind)
        if one.original and kind == 4 and one.original.to is None:
            await self.messages.tell("MESSAGE_CREATE", one.original)

    async def _updated(self, one: Interaction, data: Json, uploads: Sequence[Upload]) -> None:
        assert one.source is not None
        self.messages.check_edit(one.source, data, uploads)
        await self.messages.changed(one.source, data, uploads)
        one.original = one.source

    def _made(self, one: Interaction, body: Json, uploads: Sequence[Upload]) -> Message:
        message = self.messages.made(self.state.channels[one.channel], body, uploads, answers=one)
        message.webhook = APP
        message.type = 20 if one.type == COMMAND else 0
        return message

    def _told(self, one: Interaction, kind: int) -> Json:
        loading = kind == 5
        told: Json = {"id": one.id, "type": one.type}
        if one.original:
            told |= {"response_message_id": one.original.id, "response_message_loading": loading,
                     "response_message_ephemeral": one.original.to is not None}  # fmt: skip
        made: Json = {"interaction": told}
        if one.original and kind in (4, 5, 7):
            made["resource"] = {"type": 4 if kind == 5 else kind, "message": self.payloads.message(one.original)}
            if kind == 5:
                del made["resource"]
        return made

    # -- by the token --------------------------------------------------------------------------------------------------

    def _by_token(self, token: str) -> Interaction:
        """Raises 10015, 50027."""
        one = self.state.interactions.get(token.removeprefix(TOKEN))
        if one is None or one.callback is None:
            raise unknown("Webhook", 10015)
        if self.state.now() - one.at > limits.TOKEN_SECONDS:
            raise Refused(401, 50027, "Invalid Webhook Token")
        return one

    async def follow_up(self, token: str, body: Json, uploads: Sequence[Upload]) -> Json:
        """POST /webhooks/{id}/{token}. The first one after a deferral takes the place of "is thinking…"."""
        one = self._by_token(token)
        content.check(self.state, body, uploads)
        if one.loading and one.original:
            await self._settled(one.original, body, uploads)
            return self.payloads.message(one.original)
        message = self._made(one, body, uploads)
        one.follow_ups.append(message)
        if message.to is None:
            await self.messages.tell("MESSAGE_CREATE", message)
        return self.payloads.message(message)

    async def edit(self, token: str, id_: str, body: Json, uploads: Sequence[Upload]) -> Json:
        """PATCH /webhooks/{id}/{token}/messages/{id}."""
        message = self._message(token, id_)
        if message.flags & LOADING:
            content.check(self.state, body, uploads)
            await self._settled(message, body, uploads)
        else:
            self.messages.check_edit(message, body, uploads)
            await self.messages.changed(message, body, uploads)
        return self.payloads.message(message)

    async def _settled(self, message: Message, body: Json, uploads: Sequence[Upload]) -> None:
        await self.messages.changed(message, body, uploads)
        if message.to is None:
            await self.messages.tell("MESSAGE_CREATE", message)

    def read(self, token: str, id_: str) -> Json:
        return self.payloads.message(self._message(token, id_))

    async def delete(self, token: str, id_: str) -> None:
        message = self._message(token, id_)
        message.deleted = True
        if message.to is None:
            await self.messages.tell("MESSAGE_DELETE", message)

    def _message(self, token: str, id_: str) -> Message:
        one = self._by_token(token)
        mine = {m.id: m for m in one.follow_ups} | ({one.original.id: one.original} if one.original else {})
        found = one.original if id_ == "@original" else mine.get(id_)
        if found is None or found.deleted:
            raise unknown("Message", 10008)
        return found


def _choices(one: Interaction, data: Json) -> list[Json]:
    choices: list[Json] = data.get("choices") or []
    faults = {
        f"data.choices.{path}": fault for path, fault in choice_faults(choices, focused(one.data)["type"]).items()
    }
    if len(choices) > limits.COMMAND_CHOICES:
        faults["data.choices"] = ("BASE_TYPE_MAX_LENGTH", f"Must be {limits.COMMAND_CHOICES} or fewer in length.")
    if faults:
        raise InvalidForm(faults)
    return choices


def focused(data: Json) -> Json:
    """The option that the person types into."""
    for one in data.get("options") or []:
        found: Json = one if one.get("focused") else focused(one)
        if found:
            return found
    return {}


def _modal(data: Json) -> Json:
    checker = Checker("modal")
    checker.check(data.get("components"), "data.components")
    faults = checker.faults
    for key, most in (("custom_id", limits.CUSTOM_ID), ("title", limits.MODAL_TITLE)):
        if not 1 <= len(str(data.get(key) or "")) <= most:
            faults[f"data.{key}"] = ("BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")
    if faults:
        raise InvalidForm(faults)
    return {**data, "components": numbered(data["components"])}
