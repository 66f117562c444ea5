"""What Slack answers instead of yes, as the two things that the rest of the bot tells apart: gone, or down for now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from core.ports import ChannelDown, ChannelGone

GONE = {
    "channel_not_found": "the channel does not exist, or is private and the bot is not in it",
    "not_in_channel": "the bot is not in the channel: /invite it",
    "is_archived": "the channel is archived",
    "is_inactive": "the channel is archived",
    "restricted_action": "the workspace does not let the bot post there",
    "restricted_action_read_only_channel": "the channel is read-only",
    "cannot_dm_bot": "bots take no direct messages",
    "user_not_found": "Slack knows no such person",
    "user_disabled": "the account is deactivated",
    "user_not_visible": "the person is not visible to the bot",
    "user_not_in_channel": "the person is not in the channel",
    "users_not_found": "Slack knows no such person",
    "invalid_auth": "the bot's token is not valid",
    "not_authed": "the bot has no token",
    "account_inactive": "the bot's token belongs to a deleted user or workspace",
    "token_revoked": "the bot's token was revoked: install the app again",
    "token_expired": "the bot's token has expired",
    "missing_scope": "the bot's token lacks a scope",
    "team_access_not_granted": "the app may not use this workspace",
    "access_denied": "the workspace refuses the app",
}
"""Slack's error to what it means. None of these gets better by asking again."""
TOO_MUCH = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long"})
"""Slack refuses the drawing: the words alone may still pass."""


class Refused(ChannelDown):
    """Slack's own word for why not, for those who know what to do about it."""

    def __init__(self, error: str, retry_after: float | None = None) -> None:
        super().__init__(f"Slack answered {error}", retry_after)
        self.error = error


class Gone(ChannelGone):
    """Refused for good; `error` is Slack's own word."""

    def __init__(self, error: str, sentence: str) -> None:
        super().__init__(sentence)
        self.error = error


@contextmanager
def translated() -> Iterator[None]:
    """Raises Gone or Refused where Slack refuses, ChannelDown where it cannot be reached."""
    try:
        yield
    except SlackApiError as error:
        raise _of_answer(error) from error
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ChannelDown(f"Slack cannot be reached: {type(error).__name__}") from error


def _of_answer(error: SlackApiError) -> ChannelDown | ChannelGone:
    response = error.response
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    word = str(data.get("error", "")) if isinstance(data, dict) else ""
    if status == 429 or word in ("ratelimited", "rate_limited"):
        return Refused("ratelimited", _seconds(response.headers.get("Retry-After")))
    if word in GONE:
        needed = f" ({data['needed']})" if isinstance(data, dict) and data.get("needed") else ""
        return Gone(word, f"{GONE[word]}{needed}")
    return Refused(word or f"status {status}")


def _seconds(header: str | None) -> float:
    """What `Retry-After` asks for; a second where it is no number."""
    return float(header) if header and header.isdigit() else 1.0
