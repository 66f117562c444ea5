"""People in front of Slack: they type, click, fill in modals and open the Home tab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.slack.peer import content, forms, limits
from tests.slack.peer.blocks import Checker
from tests.slack.peer.refused import Json, Refused
from tests.slack.peer.wording import as_sent, on_a_phone
from tests.slack.peer.workspace import Account, Conversation, Message, OpenView

if TYPE_CHECKING:
    from tests.slack.peer.slack import Slack


@dataclass
class Human:
    """One account. `in_` is `#channel`, or `@ashat` for direct messages to the app."""

    slack: Slack
    account: Account
    _offered: dict[str, list[Json]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.account.id

    # -- typing --------------------------------------------------------------------------------------------------------

    async def types(
        self, text: str, in_: str = "#deployments", thread: Message | None = None, *, phone: bool = False
    ) -> None:
        """A slash command, or a message. Raises NotAcknowledged where Slack would say that the app is silent."""
        room = self._room(in_)
        text = on_a_phone(text) if phone else text
        if text.startswith("/"):
            assert thread is None, "Slack has no slash commands in threads"
            await self._commands(room, text)
        else:
            await self._says(room, text, thread)

    async def _commands(self, room: Conversation, text: str) -> None:
        command, _, rest = text.partition(" ")
        sent = as_sent(rest.strip(), self.slack.names, labels=True) if self.slack.installation.should_escape else rest
        payload = self.slack.payloads.slash(self.account, room, command, sent)
        body = await self.slack.delivers("slash_commands", payload)
        if body.get("text") or body.get("blocks"):
            url = self.slack.workspace.response_urls[payload["response_url"].rpartition("/")[2]]
            self.slack.site.respond(url, body)

    async def _says(self, room: Conversation, text: str, thread: Message | None) -> Message:
        workspace = self.slack.workspace
        text = as_sent(text, self.slack.names, labels=False)
        version = (workspace.now(), text, list[Json]())
        root = (thread.thread_ts or thread.ts) if thread else None
        message = Message(room.id, workspace.ts(), self.id, [version], self.account.bot_id, root)
        workspace.messages.append(message)
        await self.slack.tells_of(self.account, room, message)
        return message

    async def edits(self, message: Message, text: str) -> None:
        """Change what they said: the app hears of it as it listens."""
        workspace = self.slack.workspace
        message.versions.append((workspace.now(), as_sent(text, self.slack.names, labels=False), []))
        await self.slack.tells_of(self.account, workspace.conversations[message.channel], message, edited=True)

    def said(self, in_: str = "#deployments") -> Message:
        """Their newest message there."""
        return [m for m in self.slack.workspace.standing(self._room(in_).id) if m.user == self.id][-1]

    def _room(self, in_: str) -> Conversation:
        if in_ == "@ashat":
            return self.slack.workspace.direct(self.id)
        room = self.slack.room(in_)
        leaving = self.account.deleted or self.account.team != self.slack.team  # what they sent may still arrive
        assert self.id in room.members or leaving, f"{self.account.name} is not in {in_}"
        return room

    # -- clicking ------------------------------------------------------------------------------------------------------

    async def clicks(self, label: str, on: Message | OpenView) -> str | None:
        """Click the button that says `label`, and confirm its dialog, whose text is given back."""
        blocks = on.blocks if isinstance(on, Message) else on.view["blocks"]
        return await self.presses(*forms.button(blocks, label), on)

    async def presses(self, block_id: str, element: Json, on: Message | OpenView) -> str | None:
        """Click a button that was seen earlier, as on a screen that has not been brought up to date."""
        if isinstance(on, Message):
            assert on.to in (None, self.id), f"only {on.to} sees this message"
        chosen: Json = {key: element[key] for key in ("type", "action_id", "text", "value", "style") if key in element}
        action = {**chosen, "block_id": block_id, "action_ts": f"{self.slack.workspace.now():.6f}"}
        await self._acts(action, on)
        confirm = element.get("confirm")
        return f"{confirm['title']['text']}\n{confirm['text']['text']}" if confirm else None

    async def _acts(self, action: Json, on: Message | OpenView) -> None:
        payloads = self.slack.payloads
        if isinstance(on, Message):
            payload = payloads.clicked(self.account, on, action)
        else:
            payload = payloads.clicked_in_view(self.account, on, action)
        await self.slack.delivers("interactive", payload)

    # -- modals --------------------------------------------------------------------------------------------------------

    @property
    def modal(self) -> OpenView:
        """The modal before them."""
        stack = self.slack.workspace.modals.get(self.id)
        assert stack, f"{self.account.name} has no modal before them"
        return stack[-1]

    async def looks_for(self, typed: str, field: str) -> list[str]:
        """Type into a live select of the modal: what it offers."""
        modal = self.modal
        block_id, block = forms.field_named(modal.view, field)
        element = block["element"]
        assert element["type"] == "external_select", f"{field} is a {element['type']}"
        payload = self.slack.payloads.suggestion(self.account, modal, block_id, element["action_id"], typed)
        body = await self.slack.delivers("interactive", payload)
        options = [*body.get("options", []), *(o for g in body.get("option_groups", []) for o in g["options"])]
        _check_options(options)
        self._offered[block_id] = options
        return [option["text"]["text"] for option in options]

    async def submits(self, modal: OpenView | None = None, /, **answers: str) -> Json:
        """Fill in by label and submit. Gives the errors by label that the app sent back: none where it took it."""
        shown = modal or self.modal
        shown.errors = {}
        values = forms.filled(shown.view, answers, self._offered)
        body = await self.slack.delivers("interactive", self.slack.payloads.submitted(self.account, shown, values))
        self._responded(shown, body)
        labels = {block_id: block["label"]["text"] for block_id, block in forms.inputs(shown.view)}
        return {labels[block_id]: words for block_id, words in shown.errors.items()}

    async def closes(self, modal: OpenView | None = None) -> None:
        """Cancel it."""
        shown = modal or self.modal
        self._stack.remove(shown)
        if shown.view.get("notify_on_close"):
            await self.slack.delivers("interactive", self.slack.payloads.closed(self.account, shown))

    @property
    def _stack(self) -> list[OpenView]:
        return self.slack.workspace.modals.setdefault(self.id, [])

    def _responded(self, shown: OpenView, body: Json) -> None:
        match body.get("response_action"):
            case None:
                self._stack.remove(shown)
            case "clear":
                self._stack.clear()
            case "errors":
                known = {block_id for block_id, _ in forms.inputs(shown.view)}
                assert body["errors"], "Slack takes no empty errors"
                assert body["errors"].keys() <= known, f"errors name blocks that are no inputs: {body['errors']}"
                shown.errors = body["errors"]
            case "update":
                with _refusal():
                    self.slack.views.replace(shown, content.view(body, "modal"))
            case "push":
                with _refusal():
                    self._stack.append(self.slack.views.made(content.view(body, "modal"), self.id))
            case other:
                raise AssertionError(f"Slack knows no response_action {other!r}")

    # -- Home ----------------------------------------------------------------------------------------------------------

    async def opens_home(self) -> None:
        room = self.slack.workspace.direct(self.id)
        event: Json = {"type": "app_home_opened", "user": self.id, "channel": room.id, "tab": "home"}
        shown = self.slack.workspace.homes.get(self.id)
        if shown:
            event["view"] = shown.describe()
        await self.slack.tells(event, self.account)

    @property
    def home(self) -> OpenView:
        """What their Home tab shows."""
        shown = self.slack.workspace.homes.get(self.id)
        assert shown, f"{self.account.name}'s Home tab is empty"
        return shown


@contextmanager
def _refusal() -> Iterator[None]:
    """What Slack would show as a failure of the app is a failure of the test."""
    try:
        yield
    except Refused as error:
        raise AssertionError(f"Slack refuses the app's answer: {error}") from error


def _check_options(options: Sequence[Json]) -> None:
    checker = Checker("modal")
    assert len(options) <= limits.OPTIONS, f"Slack takes at most {limits.OPTIONS} options"
    for number, option in enumerate(options):
        checker.option(option, f"/options/{number}")
    assert not checker.faults, f"Slack refuses these options: {checker.faults}"
