"""The sections of the settings, validated and immutable. The text below a key is its comment in config.example.toml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.settings.values import (
    AccountId,
    ApiUrl,
    ChannelAddress,
    Cron,
    Days,
    DiscordApp,
    DiscordId,
    DiscordKey,
    DiscordRole,
    GatewayUrl,
    Grantee,
    HostPattern,
    Listen,
    NotEmpty,
    Origin,
    PositiveSeconds,
    PublicKeyText,
    Seconds,
    SlackApp,
    SlackChannelId,
    SlackGroupId,
    SlackTeam,
    TimeZone,
    Uid,
    VariableName,
    Version,
)
from core.people import Account, Pings, Role
from core.release.manifest import Name
from core.stages import Stage

Text = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Ashat(Section):
    """The bot itself. `{data}` stands for the data folder; relative paths start at this file's folder."""

    data: Path = Path("data")
    """The folder that holds the bot's state."""
    database_url: SecretStr = SecretStr("sqlite:///{data}/ashat.db")
    """SQLite, or postgresql://… for several replicas; one with a password goes into ASHAT_ASHAT__DATABASE_URL."""
    artifacts: Path = Path("{data}/artifacts")
    """The folder with the bytes of what was pushed, by digest; replicas share one, as they share key and ALPHA."""
    socket: Path = Path("{data}/ashat.sock")
    """The Unix socket on which `ashat deploy …` talks to the running bot."""
    key_file: Path = Path("{data}/bot.key.pem")
    """The bot's private key, made by `ashat keys new`; servers act only on what it signed."""
    home_channel: Text = "deployments"
    """The channel that gets the cards."""
    time_zone: TimeZone = "UTC"
    """The time zone of texts for everyone, by its IANA name."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """Either text, json, or auto: text on a terminal and JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged: debug, info, warning or error."""


class Alpha(Section):
    """ALPHA, where updates come from."""

    folder: Path = Path("alpha")
    """The folder with the updates: `<id>.tar.gz`, `<id>.tar.zst` or `<id>.zip`."""
    name: Text = "ALPHA"
    """What it is called."""


class Servers(Section):
    """What `deploy configure` may connect to; the servers themselves are configured by that command."""

    allowed_hosts: tuple[HostPattern, ...] = ("localhost", "127.0.0.1", "::1")
    """The hosts that servers may be on: exact names or addresses, or "*.example.com" for all names below it."""
    allow_http_omega: bool = False
    """Whether OMEGA may be on plain http off this machine."""
    min_platform_version: Version | None = Field(default=None, examples=["9.4.0"])
    """The lowest version of the product's platform that a server may have."""
    ca_file: Path | None = Field(default=None, examples=["private-ca.pem"])
    """The certificates (PEM) of a private authority that servers are checked against, besides the public ones."""

    def allows(self, host: str) -> bool:
        """Whether a server may be on `host`, a name or an address as it stands in the URL."""
        wanted = host.lower().strip("[]")
        return any(
            wanted.endswith(pattern[1:].lower()) if pattern.startswith("*.") else wanted == pattern.lower()
            for pattern in self.allowed_hosts
        )


class Agent(Section):
    """How the bot shows itself to one server. The token belongs to the origin: another URL gets none."""

    origin: Origin = Field(examples=["http://127.0.0.1:9101"])
    """Scheme, host and port of the server; https unless it is on this machine."""
    token_file: Path | None = Field(default=None, examples=["public.token"])
    """The file that holds the token, readable by the bot's user only; this or token_env."""
    token_env: VariableName | None = Field(default=None, examples=["ASHAT_PUBLIC_TOKEN"])
    """The environment variable that holds the token; this or token_file."""
    public_key: PublicKeyText | None = Field(default=None, examples=["0" * 64])
    """The agent's public key, 64 hexadecimal digits; its reports must be signed with it."""

    @model_validator(mode="after")
    def _one_token(self) -> Agent:
        if self.token_file is not None and self.token_env is not None:
            raise ValueError("should name the token once: by token_file or by token_env")
        if self.token_file is None and self.token_env is None:
            raise ValueError("should say where the token is: token_file, or token_env")
        return self


class Workflow(Section):
    """The way to production. Durations are seconds, or texts like "90s", "10m", "24h"."""

    poll_seconds: PositiveSeconds = 2.0
    """How often servers are asked how far they are."""
    staging_timeout: PositiveSeconds = 600.0
    """An update that is not staged by then has failed."""
    verification_timeout: PositiveSeconds = 600.0
    """A verification that has not finished by then has failed."""
    deploy_timeout: PositiveSeconds = 600.0
    """A release that is not healthy on OMEGA by then has failed."""
    receipt_timeout: PositiveSeconds = 300.0
    """A mainframe that is online and has sent no receipt by then counts as failed."""
    online_within: PositiveSeconds = 120.0
    """A mainframe seen within this time is online; others converge later."""
    watch: Seconds = 900.0
    """How long OMEGA is probed after a completion; 0 for not at all."""
    verification_ttl: PositiveSeconds = 86400.0
    """How long a passed verification is valid."""
    reminder_after: Seconds = 14400.0
    """When approvers whose vote is still missing are asked once more; 0 for never."""
    escalate_after: Seconds = 0.0
    """When the next group of escalate_to is asked for its votes, one after another; 0 for never."""
    escalate_to: tuple[Name, ...] = ()
    """The groups that are asked, in their order, like ["leads", "management"]."""
    own_push: bool = False
    """Whether people may approve what they pushed themselves."""
    quorum: Positive = 1
    """How many different people must approve."""
    quorum_by_component: dict[Name, Positive] = {}
    """Another quorum for single components, like { api = 2 }."""
    groups: tuple[Name, ...] = ()
    """Groups that must be among the votes, each by another person, like ["security", "ops"]."""
    countersign_within: PositiveSeconds = 86400.0
    """How long an emergency waits for another's countersignature before everyone on its routes is told again."""
    max_failed_mainframes: Positive = 1
    """A distribution with this many failed mainframes is held, and a person is asked."""
    max_active_per_person: Positive = 10
    """How many deployments of one person may be under way."""
    max_commands_per_minute: Positive = 30
    """How many commands one person may give in a minute."""
    max_staged_bytes: Positive = 4 * 1024**3
    """How many bytes of one person's updates may be staged."""


class CheckSettings(Section):
    """One of the standard checks."""

    enabled: bool = True
    """Whether it is run."""
    timeout: PositiveSeconds
    """When it is a failure for lack of an answer."""
    name: Text
    """What it is called."""
    options: dict[str, Any] = {}
    """What tunes it; each kind of check has its own options."""


class Checks(Section):
    """The standard checks, in the order in which they are shown."""

    health: CheckSettings = CheckSettings(name="Health Check", timeout=30)
    """Health answers 200, several times running. Options: within (seconds for each answer), times."""
    modules: CheckSettings = CheckSettings(name="Module Load Test", timeout=30)
    """Every declared module is loaded. No options: the manifest says all."""
    api: CheckSettings = CheckSettings(name="API Endpoint Test", timeout=60)
    """Every declared path answers as declared. No options: the manifest says all."""
    database: CheckSettings = CheckSettings(name="Database Connection", timeout=30)
    """The release's own probe reads and writes its database. No options: the manifest says all."""
    performance: CheckSettings = CheckSettings(name="Performance Baseline", timeout=120)
    """The 95th percentile against production's release. Options: requests, ratio, floor_ms, limit_ms."""
    security: CheckSettings = CheckSettings(name="Security Scan", timeout=60)
    """Certificate, headers, exposed files, secrets in the artifact. Options: min_days, headers, ignore."""

    @field_validator("*", mode="before")
    @classmethod
    def _keeps_other_defaults(cls, value: object, info: ValidationInfo) -> object:
        default = cls.model_fields[info.field_name or ""].default
        return {"name": default.name, "timeout": default.timeout, **value} if isinstance(value, dict) else value

    def by_kind(self) -> Iterator[tuple[str, CheckSettings]]:
        """Kind and settings of each, in the order in which they are shown."""
        for kind in type(self).model_fields:
            yield kind, getattr(self, kind)


class AddedCheck(Section):
    """A check of your own, run after the standard ones."""

    name: Text = Field(examples=["Licence Page"])
    """What it is called."""
    kind: Literal["url", "command"] = Field(examples=["url"])
    """Either url, what an address of the release answers; or command, one of those in Public's agent's settings."""
    timeout: PositiveSeconds = 60.0
    """When it is a failure for lack of an answer."""
    options: dict[str, Any] = Field(default={}, examples=[{"path": "/licence", "status": 200}])
    """What it does; each kind of check has its own options."""
    components: tuple[Name, ...] = ()
    """The components that it is run for; none named means all."""


class Component(Section):
    """What one component must always pass, and who must agree."""

    minimum_checks: tuple[Text, ...] = ("health",)
    """Checks that must apply and pass, whatever a release says: standard ones by key, added ones by name."""
    quorum: Positive | None = Field(default=None, examples=[2])
    """How many different people must approve it, where it is another number than [workflow] quorum."""
    groups: tuple[Name, ...] | None = Field(default=None, examples=[["security", "ops"]])
    """Groups that must be among its votes, where they are others than [workflow] groups."""


class PersonSettings(Section):
    """A person. Whoever is not listed here has the roles of [roles] default."""

    name: Text = Field(examples=["Alice Ng"])
    """What others read."""
    shell: Uid | None = Field(default=None, examples=[0])
    """The user who runs the bot, by name or number: the shell hears nobody else, so others vote by Slack or Discord."""
    slack: AccountId | None = Field(default=None, examples=["U024BE7LH"])
    """The Slack member id."""
    discord: AccountId | None = Field(default=None, examples=["80351110224678912"])
    """The Discord user id."""
    roles: tuple[Role, ...] = ("viewer",)
    """Of viewer, deployer, approver, admin (who configures servers); each includes viewer and nothing else."""
    groups: tuple[Name, ...] = ()
    """The groups that they belong to."""
    time_zone: TimeZone | None = Field(default=None, examples=["Europe/Paris"])
    """Their time zone, where it is another than [ashat] time_zone."""
    pings: Pings = "direct"
    """How they are told what they should do: direct, by a message to them alone; or thread, by name in the thread."""
    shared: bool = False
    """Whether several people use these accounts; a shared person cannot vote."""

    def accounts(self) -> tuple[Account, ...]:
        ids = {"shell": self.shell, "slack": self.slack, "discord": self.discord}
        return tuple(Account(platform, str(id_)) for platform, id_ in ids.items() if id_ is not None)


class GrantSettings(Section):
    """Roles for some components and servers, beside those that people hold everywhere."""

    to: Annotated[tuple[Grantee, ...], NotEmpty] = Field(examples=[["alice", "@security"]])
    """People by their key under [people], and groups: "@security"."""
    roles: Annotated[tuple[Role, ...], NotEmpty] = Field(examples=[["approver"]])
    """Of viewer, deployer, approver, admin; each includes viewer."""
    components: tuple[Name, ...] = ()
    """Only for these components."""
    servers: tuple[Name, ...] = ()
    """Only for what concerns these: "public", or a region of OMEGA."""


class WindowSettings(Section):
    """When production may change: a window that opens again and again, right across changes of the clocks."""

    name: Name = Field(examples=["low-traffic"])
    """What it is called: `deploy approve <id> --window low-traffic`."""
    opens: Cron = Field(examples=["0 2 * * mon-fri"])
    """When it opens, as a cron expression: minute, hour, day of the month, month, day of the week."""
    lasts: PositiveSeconds = Field(examples=["3h"])
    """How long it stays open."""
    time_zone: TimeZone | None = Field(default=None, examples=["Europe/Paris"])
    """Its time zone, where it is another than [ashat] time_zone."""
    components: tuple[Name, ...] = ()
    """The components that it is for; none named means all."""
    required: bool = True
    """Whether their production changes in such windows only; false: a window that approvers may choose."""


class HolidaySettings(Section):
    """Whole days on which production does not change."""

    name: Text = Field(examples=["Christmas"])
    """What it is called."""
    days: Annotated[tuple[Days, ...], NotEmpty] = Field(examples=[["12-25", "2026-12-28/2027-01-02"]])
    """Days of each year ("12-25"), of one year ("2026-12-24"), or from and to, with a slash between."""
    time_zone: TimeZone | None = Field(default=None, examples=["Europe/Paris"])
    """Its time zone, where it is another than [ashat] time_zone."""
    components: tuple[Name, ...] = ()
    """The components that it is for; none named means all."""


class GroupSettings(Section):
    """Whoever is in it on a platform has its roles besides their own; asked when it counts, and doubt gives nothing."""

    roles: tuple[Role, ...] = ()
    """The roles of its members, besides their own."""
    slack: tuple[SlackGroupId, ...] = Field(default=(), examples=[["S0615G0KT"]])
    """The ids of Slack's user groups whose members are in it."""
    discord: tuple[DiscordRole, ...] = Field(default=(), examples=[["81384788765712384/165511591545143296"]])
    """Discord's roles whose members are in it, each as guild id/role id."""

    def places(self) -> frozenset[tuple[str, str]]:
        """Platform, and the group's own id there."""
        return frozenset((platform, id_) for platform in ("slack", "discord") for id_ in getattr(self, platform))


class Roles(Section):
    """What people may do who are not listed."""

    default: tuple[Role, ...] = ()
    """Their roles; with none they may do nothing."""


class Slack(Section):
    """Slack; switched on by its bot token. `ashat slack manifest` prints the app to make there; see docs/slack.md."""

    bot_token_file: Path | None = Field(default=None, examples=["slack.bot-token"])
    """The file that holds the bot token, xoxb-…; instead of bot_token_env."""
    bot_token_env: VariableName = "ASHAT_SLACK_BOT_TOKEN"  # noqa: S105 - the name of a variable
    """The environment variable that holds the bot token."""
    app_token_file: Path | None = Field(default=None, examples=["slack.app-token"])
    """The file that holds the app-level token, xapp-…, for Socket Mode; instead of app_token_env."""
    app_token_env: VariableName = "ASHAT_SLACK_APP_TOKEN"  # noqa: S105 - the name of a variable
    """The environment variable that holds the app-level token."""
    signing_secret_file: Path | None = Field(default=None, examples=["slack.signing-secret"])
    """The file that holds the signing secret, for HTTP; instead of signing_secret_env."""
    signing_secret_env: VariableName = "ASHAT_SLACK_SIGNING_SECRET"  # noqa: S105 - the name of a variable
    """The environment variable that holds the signing secret."""
    mode: Literal["socket", "http"] = "socket"
    """Either socket, which needs no public address; or http, at /slack/events of [http] listen."""
    team: SlackTeam = ""
    """The workspace's id, T…; what comes from another one is refused."""
    app: SlackApp = ""
    """The app's id, A…; what is meant for another one is refused."""
    home: SlackChannelId | None = Field(default=None, examples=["C024BE7LR"])
    """The id of the channel that gets cards of what is begun directly, and is told of locks, freezes and servers."""
    channels: tuple[SlackChannelId, ...] = ()
    """The ids of the other channels in which changes may be asked for."""
    api_url: ApiUrl = "https://slack.com/api/"
    """Where Slack's Web API is: another one for GovSlack or a proxy."""


class Discord(Section):
    """Discord; switched on by its bot token. `ashat discord invite` prints the link to let it in; docs/discord.md."""

    token_file: Path | None = Field(default=None, examples=["discord.token"])
    """The file that holds the bot's token; instead of token_env."""
    token_env: VariableName = "ASHAT_DISCORD_TOKEN"  # noqa: S105 - the name of a variable
    """The environment variable that holds the bot's token."""
    application: DiscordApp = ""
    """The application's id; what is meant for another one is refused."""
    guilds: tuple[DiscordId, ...] = ()
    """The ids of the servers on which it may be used; the others are refused."""
    home: DiscordId | None = Field(default=None, examples=["80351110224678912"])
    """The id of the channel that gets cards of what is begun directly, and is told of locks, freezes and servers."""
    channels: tuple[DiscordId, ...] = ()
    """The ids of the other channels in which changes may be asked for."""
    mode: Literal["gateway", "http"] = "gateway"
    """Either gateway, which needs no public address; or http, at /discord/interactions of [http] listen."""
    public_key: DiscordKey = ""
    """The application's public key, for http: what is not signed with it is refused."""
    api_url: ApiUrl = "https://discord.com/api/v10/"
    """Where Discord's REST API is: another one for a proxy."""
    gateway_url: GatewayUrl = "wss://gateway.discord.gg"
    """Where Discord's gateway is: another one for a proxy."""


class Http(Section):
    """Where the bot itself listens, while a platform calls it or `health` says so."""

    listen: Listen = "127.0.0.1:8080"
    """Host and port; put your TLS proxy before it."""
    health: bool = False
    """Whether it listens also where no platform calls it: /healthz says ok, /healthz/discord whether it is heard."""


class RouteSettings(Section):
    """A channel that gets the cards, besides the one in which a deployment began. What is not said means any."""

    channel: ChannelAddress = Field(examples=["slack:C024BE7LR"])
    """Platform and channel id."""
    components: tuple[Name, ...] = ()
    """Only of these components."""
    stages: tuple[Stage, ...] = ()
    """Only from when one of these stages is reached, like "deploying"."""
    servers: tuple[Name, ...] = ()
    """Only from when one of these is touched: "public", or a region of OMEGA."""


class Proof(Section):
    """What holds the journal against whoever has this machine: an anchor elsewhere. See docs/security.md."""

    anchor_channel: ChannelAddress | None = Field(default=None, examples=["slack:C024BE7LT"])
    """The channel that gets the hash of signed checkpoints, a line each; best one that the bot's admins cannot edit."""
    anchor_every: PositiveSeconds = 3600.0
    """The least time between two such lines; there are none while nothing happens."""


class About(Section):
    """Where `ashat help` and `deploy help` send people."""

    docs: str = ""
    """The address of your documentation."""
    support: str = ""
    """Whom to ask."""
