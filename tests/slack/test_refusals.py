"""The peer refuses what Slack refuses, by the same codes: each row is a call that an app may not make, and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack.echo import BUTTON, CARD, CONFIRM, MODAL, session_client
from tests.slack.peer.refused import Json
from tests.slack.peer.slack import Slack

HERE = "C0DEPLOY"


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Json:
    return {"type": "section", "text": mrkdwn(text)}


def acts(*elements: Json) -> list[Json]:
    return [{"type": "actions", "elements": [*elements]}]


def buttons(count: int) -> list[Json]:
    return [{**BUTTON, "action_id": f"go{number}"} for number in range(count)]


DIVIDER = {"type": "divider"}
BLOCKS = [
    ("51 blocks", [DIVIDER] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    ("a section over 3000", [section("x" * 3001)], "less than 3001 characters [json-pointer:/blocks/0/text/text]"),
    ("an empty section", [section("")], "must be more than 0 characters"),
    ("a section of nothing", [{"type": "section"}], "must have either `text` or `fields`"),
    ("eleven fields", [{"type": "section", "fields": [mrkdwn("x")] * 11}], "no more than 10 items allowed"),
    ("a field over 2000", [{"type": "section", "fields": [mrkdwn("x" * 2001)]}], "less than 2001 characters"),
    ("a header over 150", [{"type": "header", "text": plain("x" * 151)}], "less than 151 characters"),
    ("a header in mrkdwn", [{"type": "header", "text": mrkdwn("x")}], "must be plain_text"),
    ("eleven in a context", [{"type": "context", "elements": [mrkdwn("x")] * 11}], "no more than 10 items allowed"),
    ("26 buttons", acts(*buttons(26)), "no more than 25 items allowed"),
    ("no buttons", acts(), "must have at least 1 item"),
    ("the same action twice", acts(BUTTON, BUTTON), "already exists in this block"),
    ("the same block_id twice", [{**DIVIDER, "block_id": "b"}] * 2, "`block_id` 'b' already exists"),
    ("a block_id over 255", [{**DIVIDER, "block_id": "b" * 256}], "less than 256 characters"),
    ("an action_id over 255", acts({**BUTTON, "action_id": "a" * 256}), "less than 256 characters"),
    ("a button's text over 75", acts({**BUTTON, "text": plain("x" * 76)}), "less than 76 characters"),
    ("a button's value over 2000", acts({**BUTTON, "value": "x" * 2001}), "less than 2001 characters"),
    ("a button in mrkdwn", acts({**BUTTON, "text": mrkdwn("x")}), "must be plain_text"),
    ("a style that is none", acts({**BUTTON, "style": "loud"}), "must be one of: primary, danger"),
    ("a link that is none", acts({**BUTTON, "url": "javascript:x"}), "invalid url"),
    ("a dialog's title over 100", acts({**BUTTON, "confirm": {**CONFIRM, "title": plain("x" * 101)}}),
     "less than 101 characters"),
    ("a dialog's text over 300", acts({**BUTTON, "confirm": {**CONFIRM, "text": plain("x" * 301)}}),
     "less than 301 characters"),
    ("a dialog's button over 30", acts({**BUTTON, "confirm": {**CONFIRM, "deny": plain("x" * 31)}}),
     "less than 31 characters"),
    ("101 options", acts({"type": "static_select", "action_id": "s", "placeholder": plain("x"),
     "options": [{"text": plain(str(n)), "value": str(n)} for n in range(101)]}), "no more than 100 items"),
    ("an option's value over 150", acts({"type": "static_select", "action_id": "s", "placeholder": plain("x"),
     "options": [{"text": plain("x"), "value": "x" * 151}]}), "less than 151 characters"),
    ("an image without words", [{"type": "image", "image_url": "https://x.example/y.png"}],
     "missing required field: alt_text"),
    ("a key that is none", [{**DIVIDER, "colour": "red"}], "invalid additional property: colour"),
    ("a type that is none", [{"type": "progress"}], "unsupported type: progress"),
]  # fmt: skip

POSTS: list[tuple[str, Json, str]] = [
    ("nothing to say", {"channel": HERE}, "no_text"),
    ("blanks", {"channel": HERE, "text": "  "}, "no_text"),
    ("a text over 40,000", {"channel": HERE, "text": "x" * 40_001}, "msg_too_long"),
    ("blocks over 13,200 in all", {"channel": HERE, "text": "x", "blocks": [section("x" * 3000)] * 5},
     "msg_blocks_too_long"),
    ("blocks that are no JSON", {"channel": HERE, "blocks": "[{"}, "invalid_blocks_format"),
    ("a channel that is none", {"channel": "C404", "text": "x"}, "channel_not_found"),
    ("a channel by its name", {"channel": "#nowhere", "text": "x"}, "channel_not_found"),
    ("a channel it is not in", {"channel": "C0RANDOM", "text": "x"}, "not_in_channel"),
    ("a private channel it is not in", {"channel": "G0SECRET", "text": "x"}, "channel_not_found"),
    ("an archived channel", {"channel": "C0ATTIC", "text": "x"}, "is_archived"),
    ("a thread that is none", {"channel": HERE, "text": "x", "thread_ts": "1.000001"}, "cannot_reply_to_message"),
    ("metadata without a type", {"channel": HERE, "text": "x", "metadata": {"event_payload": {}}},
     "invalid_metadata_format"),
    ("too much metadata", {"channel": HERE, "text": "x",
     "metadata": {"event_type": "t", "event_payload": {"x": "x" * 9000}}}, "metadata_too_large"),
    ("a bot's direct messages", {"channel": "U0CI", "text": "x"}, "cannot_dm_bot"),
    ("someone deleted", {"channel": "U0DEE", "text": "x"}, "user_disabled"),
]  # fmt: skip

CALLS: list[tuple[str, str, Json, str]] = [
    ("an edit of nothing", "chat.update", {"channel": HERE, "ts": "1.000001", "text": "x"}, "message_not_found"),
    ("an edit in an archive", "chat.update", {"channel": "C0ATTIC", "ts": "1.000001", "text": "x"}, "is_inactive"),
    ("a deletion of nothing", "chat.delete", {"channel": HERE, "ts": "1.000001"}, "message_not_found"),
    ("a whisper to no member", "chat.postEphemeral", {"channel": "G0LEADS", "user": "U0VI", "text": "x"},
     "user_not_in_channel"),
    ("a whisper to nobody", "chat.postEphemeral", {"channel": HERE, "user": "U404", "text": "x"}, "user_not_found"),
    ("a thread that is none", "conversations.replies", {"channel": HERE, "ts": "1.000001"}, "thread_not_found"),
    ("history from outside", "conversations.history", {"channel": "C0RANDOM"}, "not_in_channel"),
    ("a stranger", "users.info", {"user": "U404"}, "user_not_found"),
    ("a group that is none", "usergroups.users.list", {"usergroup": "S404"}, "no_such_subteam"),
    ("a direct message to nobody", "conversations.open", {"users": "U404"}, "user_not_found"),
    ("a view with a made-up trigger", "views.open", {"trigger_id": "1.2.3", "view": MODAL}, "invalid_trigger_id"),
    ("a view that is gone", "views.update", {"view_id": "V404", "view": MODAL}, "not_found"),
    ("a method that is none", "chat.shout", {}, "unknown_method"),
    ("a bot's token for a socket", "apps.connections.open", {}, "not_allowed_token_type"),
]  # fmt: skip

VIEWS: list[tuple[str, Json, str]] = [
    ("a title over 24", {"title": plain("x" * 25)}, "less than 25 characters [json-pointer:/view/title/text]"),
    ("a submit over 24", {"submit": plain("x" * 25)}, "less than 25 characters [json-pointer:/view/submit/text]"),
    ("private_metadata over 3000", {"private_metadata": "x" * 3001}, "less than 3001 characters"),
    ("101 blocks", {"blocks": [DIVIDER] * 101}, "no more than 100 items allowed [json-pointer:/view/blocks]"),
    ("a key that is none", {"icon": "x"}, "invalid additional property: icon"),
    ("inputs without a submit", {"submit": None}, "missing required field: submit"),
]  # fmt: skip

SCOPES = [
    ("chat:write", "chat.postMessage", {"channel": HERE, "text": "x"}),
    ("channels:history", "conversations.history", {"channel": HERE}),
    ("groups:history", "conversations.history", {"channel": "G0LEADS"}),
    ("channels:read", "conversations.info", {"channel": HERE}),
    ("users:read", "users.info", {"user": "U0BO"}),
    ("usergroups:read", "usergroups.users.list", {"usergroup": "S0SEC"}),
    ("im:write", "conversations.open", {"users": "U0BO"}),
    ("files:write", "files.getUploadURLExternal", {"filename": "x", "length": 1}),
]


@pytest.fixture
async def client(slack: Slack) -> AsyncIterator[AsyncWebClient]:
    async with session_client(slack) as made:
        yield made


async def refused(client: AsyncWebClient, method: str, args: Json) -> Any:
    """What the call was answered with."""
    with pytest.raises(SlackApiError) as error:
        await client.api_call(method, json=args)
    return error.value.response


def ids(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


@pytest.mark.parametrize(("what", "blocks", "words"), BLOCKS, ids=ids(BLOCKS))
async def test_blocks(client: AsyncWebClient, what: str, blocks: list[Json], words: str) -> None:
    answer = await refused(client, "chat.postMessage", {"channel": HERE, "text": what, "blocks": blocks})
    assert answer["error"] == "invalid_blocks"
    assert any(words in message for message in answer["response_metadata"]["messages"]), answer.data


@pytest.mark.parametrize(("what", "args", "error"), POSTS, ids=ids(POSTS))
async def test_posts(client: AsyncWebClient, what: str, args: Json, error: str) -> None:
    assert (await refused(client, "chat.postMessage", args))["error"] == error, what


@pytest.mark.parametrize(("what", "method", "args", "error"), CALLS, ids=ids(CALLS))
async def test_calls(client: AsyncWebClient, what: str, method: str, args: Json, error: str) -> None:
    assert (await refused(client, method, args))["error"] == error, what


@pytest.mark.parametrize(("what", "change", "words"), VIEWS, ids=ids(VIEWS))
async def test_views(slack: Slack, client: AsyncWebClient, what: str, change: Json, words: str) -> None:
    view = {key: value for key, value in {**MODAL, **change}.items() if value is not None}
    trigger = slack.workspace.trigger(slack.alice.id)
    answer = await refused(client, "views.open", {"trigger_id": trigger, "view": view})
    assert answer["error"] == "invalid_arguments", what
    assert any(words in message for message in answer["response_metadata"]["messages"]), answer.data


@pytest.mark.parametrize(("scope", "method", "args"), SCOPES, ids=[f"{row[0]} for {row[1]}" for row in SCOPES])
async def test_scopes(slack: Slack, client: AsyncWebClient, scope: str, method: str, args: Json) -> None:
    assert (await client.api_call(method, json=args))["ok"]
    slack.installation.scopes.discard(scope)
    answer = await refused(client, method, args)
    assert (answer["error"], answer["needed"]) == ("missing_scope", scope)


@pytest.mark.parametrize("error", ["account_inactive", "token_revoked"])
async def test_tokens(slack: Slack, client: AsyncWebClient, error: str) -> None:
    slack.installation.revoked = error
    assert (await refused(client, "auth.test", {}))["error"] == error
    client.token = "xoxb-another"
    assert (await refused(client, "auth.test", {}))["error"] == "invalid_auth"


async def test_an_edit_of_what_somebody_else_said_or_that_is_too_long(slack: Slack, client: AsyncWebClient) -> None:
    slack.installation.events.clear()
    await slack.alice.types("hello")
    theirs: Json = {"channel": HERE, "ts": slack.alice.said().ts}
    assert (await refused(client, "chat.update", {**theirs, "text": "x"}))["error"] == "cant_update_message"
    assert (await refused(client, "chat.delete", theirs))["error"] == "cant_delete_message"
    mine = await client.chat_postMessage(channel=HERE, text="x" * 4001)
    longer = {"channel": HERE, "ts": mine["ts"], "text": "x" * 4001}
    assert (await refused(client, "chat.update", longer))["error"] == "msg_too_long"


async def test_a_trigger_opens_one_view_within_three_seconds(client: AsyncWebClient, slack: Slack) -> None:
    used = slack.workspace.trigger(slack.alice.id)
    await client.views_open(trigger_id=used, view=MODAL)
    again = await refused(client, "views.open", {"trigger_id": used, "view": MODAL})
    assert again["error"] == "exchanged_trigger_id"
    late = slack.workspace.trigger(slack.alice.id)
    slack.workspace.triggers[late].at -= 3.1
    assert (await refused(client, "views.open", {"trigger_id": late, "view": MODAL}))["error"] == "expired_trigger_id"


async def test_posting_faster_than_slack_lets_a_channel_be_posted_to() -> None:
    at = 1_000_000.0
    async with Slack(now=lambda: at) as slack, session_client(slack) as client:
        for _ in range(5):
            await client.chat_postMessage(channel=HERE, text="x")
        answer = await refused(client, "chat.postMessage", {"channel": HERE, "text": "x"})
        assert (answer.status_code, answer["error"], answer.headers["Retry-After"]) == (429, "ratelimited", "1")
        await client.chat_postMessage(channel="C0OPS", text="x")
        at += 1
        await client.chat_postMessage(channel=HERE, text="x")


async def test_a_response_url_is_used_five_times_within_half_an_hour(slack: Slack, client: AsyncWebClient) -> None:
    name = slack.workspace.response_url(slack.alice.id, HERE)
    session = client.session
    assert session is not None

    async def responds(body: Json) -> int:
        async with session.post(f"{slack.site.origin}/response/{name}", json=body) as answer:
            return answer.status

    assert await responds({}) == 400
    assert [await responds({"text": "x"}) for _ in range(5)] == [200, 200, 200, 200, 404]
    name = slack.workspace.response_url(slack.alice.id, HERE)
    slack.workspace.response_urls[name].at -= 1801
    assert await responds({"text": "x"}) == 404


async def test_what_is_allowed_is_taken_and_told_as_slack_tells_it(slack: Slack, client: AsyncWebClient) -> None:
    """Metadata, threads, broadcasts, pages of history, guests and strangers."""
    known = {"event_type": "card", "event_payload": {"outbox": 7}}
    card = await client.chat_postMessage(channel=HERE, text="card", blocks=CARD, metadata=known)
    await client.chat_postMessage(channel=HERE, text="one", thread_ts=card["ts"])
    await client.chat_postMessage(channel=HERE, text="two", thread_ts=card["ts"], reply_broadcast=True)
    bare = await client.conversations_replies(channel=HERE, ts=card["ts"])
    told = await client.conversations_replies(channel=HERE, ts=card["ts"], include_all_metadata=True, limit=2)
    assert "metadata" not in bare["messages"][0]
    assert [message["text"] for message in told["messages"]] == ["card", "one"]
    assert told["messages"][0]["metadata"] == known
    assert told["has_more"]
    history = await client.conversations_history(channel=HERE)
    assert [message["text"] for message in history["messages"]] == ["two", "card"]
    assert history["messages"][1]["reply_count"] == 2
    guest, stranger = await client.users_info(user="U0MO"), await client.users_info(user="U0FAY")
    assert guest["user"]["is_ultra_restricted"]
    assert stranger["user"]["is_stranger"]
    assert (await client.conversations_info(channel="C0SHARED"))["channel"]["is_ext_shared"]
