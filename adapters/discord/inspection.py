"""What the doctor asks Discord: who the token is, its gateway, each server, and what the bot may do in each channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Literal

import aiohttp
import discord
import yarl

from adapters.discord.commands import NAME
from adapters.discord.invite import ADMINISTRATOR, PERMISSIONS
from adapters.discord.registration import PATH
from adapters.discord.rest import Rest
from adapters.discord.setup import Setup
from core.ports import ChannelDown, ChannelGone

Finding = tuple[Literal["ok", "warn", "fail"], str, str]
"""Level, what was found, and what mends it."""
_INVITE = "open the link that `ashat discord invite` prints"
_GREETING = 10.0
"""Seconds for the gateway's hello."""


async def inspect(rest: Rest, routed: Collection[str] = ()) -> Sequence[Finding]:
    """`routed`: channels that only follow."""
    setup = rest.setup
    try:
        application = await rest.call("GET", "/applications/@me")
        own = await rest.own_id()
    except ChannelGone as gone:
        return [("fail", f"Discord: {gone}.", "make a new token under Bot, Reset Token, and put it into the settings")]
    except ChannelDown as down:
        return [("fail", f"Discord: {down}.", "check the network and [discord] api_url")]
    findings = list(_application(application, setup))
    if setup.mode == "gateway":
        findings.append(await _gateway(rest))
    roles: dict[str, Mapping[str, int]] = {}
    for guild in sorted(setup.guilds):
        findings += [finding async for finding in _guild(rest, guild, own, roles)]
    for channel in sorted(setup.channels.union(routed)):
        findings.append(await _channel(rest, channel, own, roles))
    return findings


def _application(told: Mapping[str, Any], setup: Setup) -> Sequence[Finding]:
    if str(told.get("id")) != setup.application:
        what = f"Discord: the token is of application {told.get('id')}, expected {setup.application}."
        return [("fail", what, "set [discord] application")]
    if setup.mode == "http" and str(told.get("verify_key", "")).lower() != setup.public_key.lower():
        return [("fail", "Discord: the public key is another one than the application's.", "set [discord] public_key")]
    if setup.mode == "http" and not told.get("interactions_endpoint_url"):
        return [("fail", "Discord: the application has no Interactions Endpoint URL.", "set it: see docs/discord.md")]
    if setup.mode == "gateway" and told.get("interactions_endpoint_url"):
        what = "Discord: clicks go to the Interactions Endpoint URL, and none to the gateway."
        return [("fail", what, "remove it under General Information, or set [discord] mode to http")]
    return [("ok", f"Discord: the token is of application {setup.application}.", "")]


async def _gateway(rest: Rest) -> Finding:
    """Whether it is there and greets. No session is begun."""
    url = str(yarl.URL(rest.setup.gateway_url).with_query(v=10, encoding="json"))
    try:
        async with asyncio.timeout(_GREETING):
            socket = await rest.client.ws_connect(url)
            hello = await socket.receive_json()
            await socket.close(code=1000)
    except (OSError, TimeoutError, ValueError, TypeError, aiohttp.ClientError, discord.DiscordException) as error:
        what = f"Discord: its gateway cannot be reached: {type(error).__name__}."
        return "fail", what, "check the network and [discord] gateway_url; the bot tries again by itself"
    if hello.get("op") != 10:  # https://discord.com/developers/docs/events/gateway, Hello
        return "fail", "Discord: what answers as its gateway does not greet as one.", "check [discord] gateway_url"
    return "ok", "Discord: its gateway answers.", ""


async def _guild(rest: Rest, guild: str, own: str, roles: dict[str, Mapping[str, int]]) -> AsyncIterator[Finding]:
    about = f"Discord server {guild}"
    try:
        told = await rest.call("GET", "/guilds/{guild_id}/roles", guild_id=guild)
        member = await rest.member(guild, own)
    except (ChannelGone, ChannelDown) as error:
        yield "fail", f"{about}: {error}.", f"check the id in [discord] guilds; {_INVITE}"
        return
    every = {str(role["id"]): int(role["permissions"]) for role in told}
    mine = {guild, *(str(role) for role in (member or {}).get("roles") or ())}
    roles[guild] = {id_: bits for id_, bits in every.items() if id_ in mine}
    yield "ok", f"{about}: the bot is in it.", ""
    try:
        commands = await rest.call("GET", PATH, application_id=rest.setup.application, guild_id=guild)
    except (ChannelGone, ChannelDown) as error:
        yield "fail", f"{about}: its slash commands cannot be read: {error}.", _INVITE
        return
    if any(command.get("name") == NAME for command in commands):
        yield "ok", f"{about}: /{NAME} is registered.", ""
    else:
        yield "warn", f"{about}: /{NAME} is not registered yet.", "start the bot, which registers it"


async def _channel(rest: Rest, channel: str, own: str, roles: Mapping[str, Mapping[str, int]]) -> Finding:
    about = f"Discord channel {channel}{' (home)' if channel == rest.setup.home else ''}"
    try:
        told = await rest.call("GET", "/channels/{channel_id}", channel_id=channel)
    except (ChannelGone, ChannelDown) as error:
        return "fail", f"{about}: {error}.", "check the id in [discord], and let the bot View Channel there"
    guild = str(told.get("guild_id") or "")
    if guild not in rest.setup.guilds:
        return "fail", f"{about}: it is of a server that [discord] guilds does not list.", "list it, or use another one"
    if told.get("type") not in (0, 5):  # text, announcement
        return "fail", f"{about}: #{told.get('name')} is no text channel.", "use a text channel"
    held = permissions(guild, own, roles.get(guild, {}), told.get("permission_overwrites") or ())
    missing = [name for name, (bit, _) in PERMISSIONS.items() if not held & bit]
    if missing:
        words = ", ".join(f"{name} (to {PERMISSIONS[name][1]})" for name in missing)
        return "fail", f"{about}: in #{told.get('name')} the bot lacks {words}.", f"allow it there; or {_INVITE}"
    return "ok", f"{about}: #{told.get('name')} can be posted to.", ""


def permissions(guild: str, own: str, roles: Mapping[str, int], overwrites: Sequence[Mapping[str, Any]]) -> int:
    """What a member with `roles` (id to permissions, @everyone's with the guild's id) may do in a channel.

    In the order of https://discord.com/developers/docs/topics/permissions#permission-overwrites.
    """
    held = 0
    for bits in roles.values():
        held |= bits
    if held & ADMINISTRATOR:
        return ~0
    found = {str(one["id"]): (int(one["allow"]), int(one["deny"])) for one in overwrites}
    allow, deny = found.get(guild, (0, 0))
    held = held & ~deny | allow
    of_roles = [bits for id_, bits in found.items() if id_ in roles and id_ != guild]
    for _, denied in of_roles:
        held &= ~denied
    for allowed, _ in of_roles:
        held |= allowed
    allow, deny = found.get(own, (0, 0))
    return held & ~deny | allow
