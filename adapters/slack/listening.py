"""What Slack sends, as slack-bolt dispatches it: each listener translates, has it made durable, and acknowledges.

`process_before_response` makes the ack wait for the listener and for nothing else; so listeners only commit, and what
takes longer goes on after them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from adapters.chat.delivery import refusal
from adapters.slack import forms
from adapters.slack.desk import Desk, Said
from adapters.slack.drawing import read_says, read_value
from adapters.slack.home import Home
from adapters.slack.setup import Setup
from adapters.slack.tasks import Tasks
from adapters.slack.view import View
from adapters.slack.workspace import Workspace
from core.cards import Card
from core.ports import ChannelDown, ChannelGone

log = structlog.get_logger("ashat.slack")

Body = dict[str, Any]
_NO_PERSON = ("bot_id", "app_id", "subtype", "edited", "bot_profile")
"""Fields of a message that somebody, or something, did not simply write just now."""


class Heard(AsyncApp):
    """Bolt's application, for payloads of our own app and workspace. What follows an ack waits while one is heard."""

    def __init__(self, setup: Setup, tasks: Tasks, **given: Any) -> None:
        super().__init__(**given)
        self._setup = setup
        self._tasks = tasks

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """A signature proves that Slack sent it; that it is about our app and workspace is still to be seen."""
        if not is_ours(req.body, self._setup):
            log.warning("payload of another app or workspace refused", type=req.body.get("type"))
            return BoltResponse(status=403)
        with self._tasks.hearing():
            return await super().async_dispatch(req)


class Listening:
    """`app` is the Bolt application that both transports feed."""

    def __init__(self, setup: Setup, workspace: Workspace, desk: Desk, home: Home, view: View, tasks: Tasks) -> None:
        self._setup = setup
        self._workspace = workspace
        self._desk = desk
        self._home = home
        self._view = view
        self._tasks = tasks
        self.app = self._made()

    def _made(self) -> AsyncApp:
        app = Heard(
            self._setup, self._tasks,
            client=AsyncWebClient(base_url=self._setup.api_url),  # without a token: it never calls
            authorize=_fixed(self._setup), process_before_response=True,
            request_verification_enabled=False, ssl_check_enabled=False, ignoring_self_events_enabled=False,
            attaching_function_token_enabled=False, attaching_conversation_kwargs_enabled=False,
        )  # fmt: skip
        app.command("/deploy")(self._command)
        app.event("app_mention")(self._mention)
        app.event("message")(self._message)
        app.event("app_home_opened")(self._home_opened)
        app.action(re.compile("^say:"))(self._say)
        app.action(re.compile("^ask:"))(self._ask)
        app.action("share")(self._share)
        app.action("new")(self._new)
        app.action("open")(_acknowledged)
        app.view("push")(self._pushed)
        app.view("reason")(self._reasoned)
        app.options("update")(self._options)
        return app

    # -- typed ---------------------------------------------------------------------------------------------------------

    async def _command(self, body: Body, ack: AsyncAck) -> None:
        said = Said(
            body["trigger_id"], body["user_id"], f"/deploy {body.get('text', '')}", body["channel_id"],
            respond_to=body.get("response_url"),
        )  # fmt: skip
        given = forms.lacking(said.text)
        if given is None:
            await self._desk.accept(said)
        else:
            asked = forms.Asked("push", said.channel)
            self._open(said, body["trigger_id"], forms.push_form(asked, given))
        await ack()

    async def _mention(self, body: Body, event: Body, ack: AsyncAck) -> None:
        """Only where the mention begins the message: elsewhere people talk about the bot, not to it."""
        start = f"<@{(await self._workspace.identity()).user}>"
        text = str(event.get("text", "")).lstrip()
        if by_person(event) and text.startswith(start) and not body.get("is_ext_shared_channel"):
            typed = f"/deploy {text.removeprefix(start).strip()}"
            await self._desk.accept(
                Said(body["event_id"], event["user"], typed, event["channel"], thread=event.get("thread_ts"))
            )
        await ack()

    async def _message(self, body: Body, event: Body, ack: AsyncAck) -> None:
        if event.get("channel_type") == "im" and by_person(event):
            start = f"<@{(await self._workspace.identity()).user}>"
            text = str(event.get("text", "")).lstrip().removeprefix(start).lstrip()
            await self._desk.accept(Said(body["event_id"], event["user"], text, event["channel"]))
        await ack()

    async def _home_opened(self, body: Body, event: Body, ack: AsyncAck) -> None:
        if event.get("tab") == "home":
            self._tasks.start(self._shown(Said(body["event_id"], event["user"], "")))
        await ack()

    async def _shown(self, opened: Said) -> None:
        try:
            await self._home.show(opened)
        except (ChannelGone, ChannelDown) as error:
            log.warning("home tab not drawn", user=opened.user, why=str(error))

    # -- clicked -------------------------------------------------------------------------------------------------------

    async def _say(self, body: Body, action: Body, ack: AsyncAck) -> None:
        await self._desk.accept(clicked(body, action))
        await ack()

    async def _share(self, body: Body, action: Body, ack: AsyncAck) -> None:
        await self._desk.share(clicked(body, action))
        await ack()

    async def _ask(self, body: Body, action: Body, ack: AsyncAck) -> None:
        said = clicked(body, action)
        asked = forms.Asked(said.text, said.channel, said.thread, said.seen)
        needed = str(action["action_id"]).startswith("ask:needed")
        says = read_says(str(action["value"]))
        self._open(said, body["trigger_id"], forms.reason_form(asked, needed=needed, says=says))
        await ack()

    async def _new(self, body: Body, action: Body, ack: AsyncAck) -> None:
        channel = (body.get("channel") or {}).get("id", "")
        said = Said(body["trigger_id"], body["user"]["id"], "push", channel, respond_to=body.get("response_url"))
        self._open(said, body["trigger_id"], forms.push_form(forms.Asked("push", channel), {}))
        await ack()

    def _open(self, said: Said, trigger: str, view: Body) -> None:
        """A trigger is good for three seconds, so it is used at once; the ack does not wait for it."""
        self._tasks.start_now(self._opened(said, trigger, view))

    async def _opened(self, said: Said, trigger: str, view: Body) -> None:
        problem = await self._desk.problem(said)
        if problem is not None:
            return await self._desk.tell(said, refusal(problem))
        try:
            await self._workspace.call(self._workspace.client.views_open, trigger_id=trigger, view=view)
        except (ChannelGone, ChannelDown) as error:
            sentence = (
                f"The form could not be opened ({error}). Type it: `/deploy {said.text.removeprefix('/deploy ')}`"
            )
            await self._desk.tell(said, Card(sentence, tone="bad", summary=sentence))

    # -- filled in -----------------------------------------------------------------------------------------------------

    async def _pushed(self, body: Body, view: Body, ack: AsyncAck) -> None:
        line, wrong = forms.push_line(forms.push_fields(view))
        await self._submitted(body, view, line, wrong, ack)

    async def _reasoned(self, body: Body, view: Body, ack: AsyncAck) -> None:
        line, wrong = forms.reason_line(view, forms.Asked.read(view["private_metadata"]))
        await self._submitted(body, view, line, wrong, ack)

    async def _submitted(self, body: Body, view: Body, line: str, wrong: Mapping[str, str], ack: AsyncAck) -> None:
        if wrong:
            await ack(response_action="errors", errors=dict(wrong))
            return
        asked = forms.Asked.read(view["private_metadata"])
        delivery = f"{view['id']}-{view.get('hash', '')}"
        user = body["user"]["id"]
        await self._desk.accept(Said(delivery, user, line, asked.channel, asked.seen, thread=asked.thread))
        await ack()

    async def _options(self, body: Body, ack: AsyncAck) -> None:
        """Who may not look, or not be heard, is offered nothing."""
        asking = Said("", body["user"]["id"], "")
        updates = () if await self._desk.problem(asking) else await self._view.updates(asking.account)
        await ack(forms.options(updates, str(body.get("value", ""))))


async def _acknowledged(ack: AsyncAck) -> None:
    """A click on a link."""
    await ack()


def _fixed(setup: Setup) -> Callable[..., Awaitable[AuthorizeResult]]:
    """Asking Slack who the bot is would happen many times when many payloads come at once."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=setup.team, bot_token=setup.bot_token.get_secret_value())

    return authorize


def is_ours(body: Body, setup: Setup) -> bool:
    """Whether app, workspace and the person's own workspace are those of the settings."""
    if body.get("type") == "url_verification":
        return True
    team = body.get("team_id") or (body.get("team") or {}).get("id")
    user = body.get("user")
    event = body.get("event") or {}
    theirs = user.get("team_id", team) if isinstance(user, dict) else team
    from_teams = {event.get(key) or setup.team for key in ("team", "user_team", "source_team")}
    return body.get("api_app_id") == setup.app and team == setup.team == theirs and from_teams == {setup.team}


def by_person(event: Body) -> bool:
    """A new message that a person wrote: no bot's, workflow's or webhook's, no edit, no forwarded one."""
    forwarded = any(one.get("is_share") or one.get("is_msg_unfurl") for one in event.get("attachments") or ())
    return bool(event.get("user")) and not any(event.get(field) for field in _NO_PERSON) and not forwarded


def clicked(body: Body, action: Body) -> Said:
    """What a button stands for. Raises ValueError where it is none of ours."""
    command, seen = read_value(str(action.get("value", "")))
    container = body.get("container") or {}
    thread = container.get("thread_ts") or (body.get("message") or {}).get("thread_ts")
    return Said(
        body["trigger_id"], body["user"]["id"], command, (body.get("channel") or {}).get("id", ""), seen,
        str(container.get("message_ts", "")), thread, body.get("response_url"),
    )  # fmt: skip
