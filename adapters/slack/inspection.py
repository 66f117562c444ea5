"""What the doctor asks Slack: who the token is, what it was granted, and each channel. It only looks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal

from adapters.slack.manifest import SCOPES
from adapters.slack.memberships import SlackMemberships
from adapters.slack.workspace import Identity, Workspace
from core import say
from core.ports import ChannelDown, ChannelGone

Finding = tuple[Literal["ok", "warn", "fail"], str, str]
"""Level, what was found, and what mends it."""


async def inspect(workspace: Workspace) -> Sequence[Finding]:
    try:
        identity = await workspace.identity()
    except ChannelGone as gone:
        return [("fail", f"Slack: {gone}.", "install the app again, and put its new bot token into the settings")]
    except ChannelDown as down:
        return [("fail", f"Slack: {down}.", "check the network and [slack] api_url")]
    setup = workspace.setup
    findings = list(_token(identity, setup.team))
    for channel in sorted(setup.channels):
        findings += [finding async for finding in _channel(workspace, channel, home=channel == setup.home)]
    for group in sorted(setup.groups):
        findings.append(await _group(workspace, group))
    return findings


async def _group(workspace: Workspace, group: str) -> Finding:
    about = f"Slack user group {group}"
    try:
        members = await SlackMemberships(workspace).members(group)
    except ChannelDown as down:
        return "fail", f"{about}: {down}.", "add the scope usergroups:read, or take the group out of [groups]"
    if not members:
        return "warn", f"{about}: nobody is in it, or it does not exist.", "check its id in [groups]"
    return "ok", f"{about}: {say.count(len(members), 'member')}.", ""


def _token(identity: Identity, team: str) -> Sequence[Finding]:
    if identity.team != team:
        return [("fail", f"Slack: the token is of workspace {identity.team}, expected {team}.", "set [slack] team")]
    missing = sorted(SCOPES.keys() - identity.scopes)
    if missing:
        words = ", ".join(f"{scope} (to {SCOPES[scope]})" for scope in missing)
        mend = "add them under OAuth & Permissions, and install the app again"
        return [("fail", f"Slack: the token lacks {words}.", mend)]
    extra = sorted(identity.scopes - SCOPES.keys())
    if extra:
        return [("warn", f"Slack: the token has more than is used: {', '.join(extra)}.", "remove those scopes")]
    return [("ok", f"Slack: the token is of {team}, with all {len(SCOPES)} scopes.", "")]


async def _channel(workspace: Workspace, channel: str, *, home: bool) -> AsyncIterator[Finding]:
    about = f"Slack channel {channel}{' (home)' if home else ''}"
    try:
        place = await workspace.ask_place(channel)
    except (ChannelGone, ChannelDown) as error:
        yield "fail", f"{about}: {error}.", "check the id in [slack], and /invite the bot there"
        return
    if place.archived:
        yield "fail", f"{about}: #{place.name} is archived.", "unarchive it, or take it out of the settings"
    elif place.shared:
        yield "fail", f"{about}: #{place.name} is shared with another organisation.", "use one that is yours alone"
    elif not place.joined:
        yield "fail", f"{about}: the bot is not in #{place.name}.", f"/invite @ashat in #{place.name}"
    else:
        yield "ok", f"{about}: #{place.name} can be posted to.", ""
