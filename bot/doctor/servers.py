"""What the doctor asks servers: whether each answers, knows the bot, is what it was configured as, and keeps time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from bot import keys
from bot.doctor.certificate import certificate_finding
from bot.doctor.finding import Finding, fail, ok, warn
from bot.settings import Settings
from bot.settings.values import origin_of
from core.ports import Agents, Clock, ServerFault
from core.release.wire import State
from core.state import Server

_MAX_SKEW = 5.0
"""Seconds that two clocks may differ: a verdict's and a receipt's times are compared."""
_LITTLE = 1024**3
"""Bytes free on a server below which the next release may not fit."""


async def server_findings(settings: Settings, agents: Agents, servers: Sequence[Server], clock: Clock) -> list[Finding]:
    """Of all configured servers, at once; an origin in the settings that no server uses is named too.

    A server of another role than configured, one that does not know the token, or no agent at all is a ServerFault, by
    the port's own sentence.
    """
    groups = await asyncio.gather(*(_of(settings, agents, server, clock) for server in servers))
    return [*_missing(servers), *(finding for group in groups for finding in group), *_unused(settings, servers)]


def _missing(servers: Sequence[Server]) -> Iterator[Finding]:
    for role in ("public", "omega"):
        if not any(server.role == role for server in servers):
            yield warn(f"Servers: {role} is not configured.", f"`deploy configure {role} <url> <name>`")


def _unused(settings: Settings, servers: Sequence[Server]) -> Iterator[Finding]:
    used = {origin_of(server.url) for server in servers}
    for agent in settings.agents:
        if agent.origin not in used:
            yield warn(
                f"Settings: no configured server is at {agent.origin}.", "configure it, or remove its [[agents]]"
            )


async def _of(settings: Settings, agents: Agents, server: Server, clock: Clock) -> list[Finding]:
    return [finding async for finding in _looked_at(settings, agents, server, clock)]


async def _looked_at(settings: Settings, agents: Agents, server: Server, clock: Clock) -> AsyncIterator[Finding]:
    subject = f"{server.name} ({server.url})"
    host = urlsplit(server.url).hostname or ""
    if not settings.servers.allows(host):
        yield fail(f"{subject}: its host is not allowed.", f'add "{host}" to [servers] allowed_hosts')
        return
    if urlsplit(server.url).scheme == "https":
        yield await certificate_finding(server.name, server.url, settings.servers.ca_file, clock.now())
    if settings.agent_at(server.url) is None:
        yield fail(f"{subject}: there is no token for it.", f'add [[agents]] with origin = "{origin_of(server.url)}"')
        return
    asked = clock.now()
    try:
        state = await agents.at(server).state()
    except ServerFault as fault:
        yield fail(f"{str(fault).rstrip('.')}.", f"check that {server.url} is its address, that it runs, and its token")
        return
    for finding in _of_state(settings, server, state, asked, clock.now()):
        yield finding


def _of_state(
    settings: Settings, server: Server, state: State, asked: datetime, answered: datetime
) -> Iterator[Finding]:
    about = state.about
    yield ok(f"{server.name}: answers as {about.role}, version {about.version}, and knows the bot's token.")
    yield from _identity(settings, server, about.public_key)
    yield from _trust(settings, server, state.bot_keys)
    yield _clock(server, about.now, asked, answered)
    if about.role == "omega" and not state.leaves_out:
        why = "its agent cannot leave frozen mainframes out, so nothing goes there while one is frozen"
        yield warn(f"{server.name}: {why}.", "update its agent")
    if state.free_bytes < _LITTLE:
        yield warn(f"{server.name}: {state.free_bytes / _LITTLE:.1f} GiB are free there.", "make room on that host")


def _identity(settings: Settings, server: Server, answered: str) -> Iterator[Finding]:
    """Nothing that it signs would be believed: better said now than at the end of a verification."""
    agent = settings.agent_at(server.url)
    expected = (agent and agent.public_key) or server.public_key
    if expected and expected != answered:
        yield fail(f"{server.name}: its key is {answered[:12]}…, expected {expected[:12]}….",
                   "find out why; then set public_key in its [[agents]], or configure it again")  # fmt: skip


def _trust(settings: Settings, server: Server, trusted: Sequence[str]) -> Iterator[Finding]:
    """Whether the server takes what the bot signs now, and will go on to once older keys are retired."""
    try:
        rows = keys.known(settings.ashat.key_file)
    except keys.KeyFileError:
        return  # said of the key itself
    newest, valid = rows[-1], [row for row in rows if row.retired is None]
    if not trusted:
        yield warn(f"{server.name}: it does not say which keys it trusts.", "update its agent")
    elif newest.public in trusted:
        yield ok(f"{server.name}: it knows the bot's newest key, {newest.short}.")
    else:
        mend = f'add "{newest.public}" to [trust] bot_keys of its agent, and restart that'
        if any(row.public in trusted for row in valid):
            yield warn(f"{server.name}: it does not know the bot's newest key, {newest.short}.", mend)
        else:
            yield fail(f"{server.name}: it knows none of the bot's keys, so it does nothing that the bot asks.", mend)
    for row in rows:
        if row.retired is not None and row.public in trusted:
            mend = f'take "{row.public}" out of [trust] bot_keys of its agent, and restart that'
            yield warn(f"{server.name}: it still trusts {row.short}, which is retired.", mend)


def _clock(server: Server, there: datetime, asked: datetime, answered: datetime) -> Finding:
    """The agent read its clock somewhere between question and answer; only what is beyond both counts."""
    skew = max((asked - there).total_seconds(), (there - answered).total_seconds(), 0.0)
    if skew > _MAX_SKEW:
        return warn(f"{server.name}: its clock and this one differ by {skew:.0f} s.", "let NTP set both clocks")
    return ok(f"{server.name}: its clock agrees with this one.")
