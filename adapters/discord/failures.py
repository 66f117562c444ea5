"""What Discord answers instead of yes, as the two things that the rest of the bot tells apart: gone, or down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import discord

from core.ports import ChannelDown, ChannelGone

UNKNOWN_CHANNEL = 10003
UNKNOWN_GUILD = 10004
MISSING_ACCESS = 50001
NOT_THERE = frozenset({UNKNOWN_GUILD, MISSING_ACCESS})
"""Of a server: the bot is not in it."""
UNKNOWN_MEMBER = 10007
UNKNOWN_USER = 10013
UNKNOWN_MESSAGE = 10008
UNKNOWN_INTERACTION = 10062
TOO_OLD = 30046
"""The message is over an hour old and was edited often: https://discord.com/developers/docs/topics/opcodes-and-status-codes."""
TOO_FAST = 429
"""Ours, for what Discord says by its status."""
ACKNOWLEDGED = 40060
ARCHIVED = 50083
MALFORMED = 50035
THREAD_EXISTS = 160004
THREAD_LOCKED = 160005
GONE = {
    UNKNOWN_CHANNEL: "the channel does not exist any more",
    UNKNOWN_GUILD: "the server does not exist, or the bot is not in it",
    UNKNOWN_USER: "Discord knows no such person",
    40001: "the bot's token is not valid",
    MISSING_ACCESS: "the bot cannot see the channel: let it View Channel",
    50007: "the person takes no direct messages from the bot",
    50008: "this kind of channel holds no messages",
    50013: "the bot lacks a permission there: `ashat doctor` says which",
    50025: "the bot's token is not valid",
    50278: "the person shares no server with the bot",
}
"""Discord's code to what it means. None of these gets better by asking again."""
_STATUS = {401: "the bot's token is not valid", 403: "Discord refuses it"}


class Refused(ChannelDown):
    """Discord's own code for why not, for those who know what to do about it."""

    def __init__(self, code: int, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence, retry_after)
        self.code = code


class Gone(ChannelGone):
    """Refused for good; `code` is Discord's own, 0 where it gave none."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def translated() -> Iterator[None]:
    """Raises Gone or Refused where Discord refuses, ChannelDown where it cannot be reached."""
    try:
        yield
    except discord.RateLimited as limited:
        raise Refused(TOO_FAST, "Discord asks for patience", limited.retry_after) from limited
    except discord.HTTPException as error:
        raise _of_answer(error) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ChannelDown(f"Discord cannot be reached: {type(error).__name__}") from error


def _of_answer(error: discord.HTTPException) -> ChannelDown | ChannelGone:
    if error.status == 429:
        return Refused(TOO_FAST, "Discord asks for patience", _seconds(error))
    if error.code in GONE:
        return Gone(error.code, GONE[error.code])
    if error.status in _STATUS:
        return Gone(error.code, _STATUS[error.status])
    return Refused(error.code, f"Discord answered {error.status}" + (f", code {error.code}" if error.code else ""))


def _seconds(error: discord.HTTPException) -> float:
    """What `Retry-After` asks for; a second where it is no number."""
    try:
        return max(float(error.response.headers.get("Retry-After", "")), 0.1)
    except ValueError:
        return 1.0
