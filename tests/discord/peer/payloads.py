"""The objects of REST answers and gateway events, as Discord writes them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.discord.peer import guilds
from tests.discord.peer.guilds import APP, Account, Channel, Guild, Interaction, Message, State
from tests.discord.peer.refused import Json


@dataclass
class Payloads:
    state: State

    def account(self, id_: str) -> Json:
        return self.state.accounts[id_].describe()

    def member(self, guild: Guild, account: str, *, within: Channel | None = None) -> Json:
        made: Json = {
            "user": self.account(account), "nick": None, "avatar": None, "banner": None, "roles":
            sorted(guild.members[account]), "joined_at": "2024-01-01T00:00:00+00:00", "premium_since": None,
            "deaf": False, "mute": False, "flags": 0, "pending": account in guild.pending,
            "communication_disabled_until": None,
        }  # fmt: skip
        return made | ({"permissions": str(self.state.allowed(within, account))} if within else {})

    def channel(self, one: Channel) -> Json:
        made: Json = {"id": one.id, "type": guilds.TYPES[one.kind], "flags": 0, "last_message_id": None}
        if one.kind == "dm":
            return made | {"recipients": [self.account(str(one.person))]}
        made |= {"guild_id": one.guild, "name": one.name, "parent_id": one.parent, "rate_limit_per_user": 0}
        if one.kind == "text":
            overwrites = [
                {"id": o.target, "type": int(o.member), "allow": str(o.allow), "deny": str(o.deny)}
                for o in one.overwrites
            ]
            return made | {"position": 0, "topic": None, "nsfw": False, "permission_overwrites": overwrites}
        said = len(self.state.standing(one.id))
        metadata = {"archived": one.archived, "locked": one.locked, "auto_archive_duration": one.auto_archive,
                    "archive_timestamp": one.made_at, "create_timestamp": one.made_at}  # fmt: skip
        return made | {"owner_id": APP, "thread_metadata": metadata, "message_count": said, "member_count": 1,
                       "total_message_sent": said}  # fmt: skip

    def message(self, one: Message, *, heard: bool = True) -> Json:
        """`heard` False: as a bot without the message content intent gets what is not meant for it."""
        made: Json = {
            "id": one.id, "channel_id": one.channel, "author": self.account(one.author), "type": one.type,
            "content": one.content if heard else "", "timestamp": self.state.stamp(one.at),
            "edited_timestamp": self.state.stamp(one.edits[-1]) if one.edits else None, "tts": False,
            "mention_everyone": "everyone" in one.pings, "mentions":
            [self.account(id_) for id_ in one.pings if id_ in self.state.accounts],
            "mention_roles": [id_ for id_ in one.pings if id_ not in self.state.accounts and id_ != "everyone"],
            "attachments": one.attachments if heard else [], "embeds": one.embeds if heard else [], "pinned": False,
            "flags": one.flags, "components": one.components if heard else [],
        }  # fmt: skip
        if one.nonce is not None:
            made["nonce"] = one.nonce
        if one.webhook:
            made |= {"webhook_id": one.webhook, "application_id": one.webhook}
        if one.replies_to:
            made["message_reference"] = {
                "type": int(one.forward),
                "channel_id": one.channel,
                "message_id": one.replies_to,
            }
        if one.interaction:
            made["interaction_metadata"] = self._metadata(one.interaction)
        if one.thread and one.thread in self.state.channels:
            made["thread"] = self.channel(self.state.channels[one.thread])
        return made

    def _metadata(self, one: Interaction) -> Json:
        made: Json = {"id": one.id, "type": one.type, "user": self.account(one.user),
                      "authorizing_integration_owners": _owners(one)}  # fmt: skip
        if one.type == 3 and one.source:
            made["interacted_message_id"] = one.source.id
        if one.type == 5 and one.parent:
            made["triggering_interaction_metadata"] = self._metadata(one.parent)
        return made

    def event(self, one: Message, *, heard: bool = True) -> Json:
        """A message, as the gateway tells of it."""
        channel = self.state.channels[one.channel]
        made = {**self.message(one, heard=heard), "channel_type": guilds.TYPES[channel.kind]}
        if channel.guild:
            guild = self.state.guilds[channel.guild]
            made["guild_id"] = channel.guild
            if not one.webhook and one.author in guild.members:
                made["member"] = {
                    k: v for k, v in self.member(guild, one.author).items() if k not in ("user", "banner")
                }
        return made

    def guild(self, one: Guild) -> Json:
        """GUILD_CREATE: with all that a bot with the intent `guilds` sees of it."""
        if one.unavailable:
            return {"id": one.id, "unavailable": True}
        visible = [
            c for c in self.state.channels.values()
            if c.guild == one.id and self.state.allowed(c, APP) and not c.archived
        ]  # fmt: skip
        return {
            **self.plain_guild(one), "joined_at": "2024-01-01T00:00:00+00:00", "large": False, "unavailable": False,
            "member_count": len(one.members), "voice_states": [], "members": [self.member(one, APP)],
            "channels": [self.channel(c) for c in visible if c.kind == "text"], "presences": [],
            "threads": [self.channel(c) for c in visible if c.kind == "thread"], "stage_instances": [],
            "guild_scheduled_events": [], "soundboard_sounds": [],
        }  # fmt: skip

    def plain_guild(self, one: Guild) -> Json:
        """As GET /guilds/{id} gives it."""
        return {
            "id": one.id, "name": one.name, "icon": None, "description": None, "home_header": None, "splash": None,
            "discovery_splash": None, "features": [], "banner": None, "owner_id": next(iter(one.members)),
            "application_id": None, "region": "deprecated", "afk_channel_id": None, "afk_timeout": 300,
            "system_channel_id": None, "system_channel_flags": 0, "widget_enabled": False, "widget_channel_id": None,
            "verification_level": 0, "roles": [role.describe() for role in one.roles.values()],
            "default_message_notifications": 0, "mfa_level": 0, "explicit_content_filter": 0, "max_presences": None,
            "max_members": 250000, "max_stage_video_channel_users": 50, "max_video_channel_users": 25,
            "vanity_url_code": None, "premium_tier": 0, "premium_subscription_count": 0, "preferred_locale": "en-US",
            "rules_channel_id": None, "safety_alerts_channel_id": None, "public_updates_channel_id": None,
            "premium_progress_bar_enabled": False, "nsfw": False, "nsfw_level": 0, "emojis": [], "stickers": [],
            "incidents_data": None,
        }  # fmt: skip

    def interaction(self, one: Interaction) -> Json:
        """INTERACTION_CREATE."""
        channel = self.state.channels[one.channel]
        made: Json = {
            "id": one.id, "application_id": APP, "type": one.type, "data": one.data, "token": one.token, "version": 1,
            "channel_id": one.channel, "channel": {**self.channel(channel), "permissions":
            str(self.state.allowed(channel, one.user))}, "app_permissions": str(self.state.allowed(channel, APP)),
            "locale": "en-US", "entitlements": [], "authorizing_integration_owners": _owners(one),
            "context": 0 if one.guild else 1, "attachment_size_limit": 10485760,
        }  # fmt: skip
        if one.source:
            made["message"] = self.message(one.source)
        if one.guild is None:
            return made | {"user": self.account(one.user)}
        guild = self.state.guilds[one.guild]
        return made | {
            "guild_id": one.guild, "guild": {"id": one.guild, "locale": "en-US", "features": []},
            "guild_locale": "en-US", "member": self.member(guild, one.user, within=channel),
        }  # fmt: skip

    def application(self) -> Json:
        owner = next(one for one in self.state.accounts.values() if not one.bot)
        return {
            "id": APP, "name": "Ashat", "icon": None, "description": "", "type": None, "verify_key": "00" * 32,
            "flags": 0, "flags_new": "0", "redirect_uris": [], "interactions_endpoint_url": None,
            "role_connections_verification_url": None, "owner": owner.describe(), "approximate_guild_count":
            len(self.state.guilds), "approximate_user_install_count": 0, "approximate_user_authorization_count": 0,
            "explicit_content_filter": 0, "team": None, "eligible_oauth2_scopes": [], "bot_public": False,
            "bot_require_code_grant": False, "integration_types_config": {}, "event_webhooks_status": 1, "rpc_origins":
            [], "bot": self.account(APP),
        }  # fmt: skip

    def me(self) -> Json:
        account: Account = self.state.accounts[APP]
        return account.describe() | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}


def _owners(one: Interaction) -> Json:
    return {"0": one.guild or "0"}
