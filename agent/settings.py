"""The settings of one agent, from a TOML file. Secrets are in files or the environment, never in it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from core.release.manifest import Command, Name, UrlPath
from core.release.toml_lines import line_of
from core.release.wire import Digest, Role

TOKEN_VARIABLE = "ASHAT_AGENT_TOKEN"  # noqa: S105 - the name of the variable, not its content
MIB = 1024 * 1024

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
PublicKeyText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@/]+(/\S*)?$")]


class SettingsError(ValueError):
    """Wrong settings. `str(error)` is one sentence with the file and, where it is known, the line."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Front(_Section):
    """The front door: where people see what is current."""

    listen: Address = "127.0.0.1:8080"
    routes: dict[Name, UrlPath] = {"main": "/"}
    """Component to path prefix. The longest prefix wins, and a release sees the whole path."""

    @field_validator("routes")
    @classmethod
    def _prefixes_are_distinct(cls, routes: dict[str, str]) -> dict[str, str]:
        if len(set(routes.values())) != len(routes):
            raise ValueError("two components have the same prefix; give each its own")
        return routes


class Trust(_Section):
    """Whose word this agent takes, and its own key."""

    bot_keys: tuple[PublicKeyText, ...] = ()
    """Public keys whose signed releases are installed."""
    bot_token_file: Path | None = None
    bot_token_sha256: Digest | None = None
    """The bot's bearer token: a file that holds it, or its SHA-256; or the environment's ASHAT_AGENT_TOKEN."""
    key_file: Path | None = None
    """The agent's own Ed25519 key (PEM), made at the first start; default `agent.key` in the data folder."""


class Limits(_Section):
    """Bounds on what releases may take here. 0 switches a limit of the processes off."""

    artifact_bytes: Positive = 2048 * MIB
    extracted_bytes: Positive = 8192 * MIB
    files: Positive = 100_000
    ratio: Positive = 200
    """The most bytes that one byte of an artifact may unpack to."""
    log_bytes: Annotated[int, Field(ge=4096)] = 10 * MIB
    memory_bytes: Annotated[int, Field(ge=0)] = 4096 * MIB
    open_files: Annotated[int, Field(ge=0)] = 4096
    processes: Annotated[int, Field(ge=0)] = 512
    """Counted by the system over all processes of `slot_user`, so it is not set where slots run as the agent's."""
    keep: Annotated[int, Field(ge=0)] = 5
    """Artifacts kept besides those in use."""
    drain: Seconds = 30.0
    """How long a switch waits for requests in flight on what it replaced."""
    warm: Seconds = 900.0
    """How long what a switch replaced goes on running, where its manifest says `warm`."""
    stop: Seconds = 10.0
    """From the request to stop until the process is killed."""
    migrate: Seconds = 600.0
    """How long a `migrate` command may take."""


def _is_the_hosts(command: tuple[str, ...]) -> tuple[str, ...]:
    """Anything else would be looked up in the slot's folder, and so be a program of the release under test."""
    if "/" in command[0] and not command[0].startswith("/"):
        raise ValueError(f"{command[0]} must be an absolute path, or a bare name that is looked up in PATH")
    return command


def _is_a_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


HostCommand = Annotated[Command, AfterValidator(_is_the_hosts)]
Pattern = Annotated[str, AfterValidator(_is_a_pattern)]


class CheckSettings(_Section):
    """What the checks of a verification may use on this host."""

    commands: dict[Name, HostCommand] = {}
    """Named argument lists for checks of the kind `command`. They run as `slot_user`, in the slot's folder."""
    scanner: HostCommand | None = None
    """Run by the security check, in the same way; any exit status but 0 fails it."""
    ca_file: Path | None = None
    headers: dict[str, Pattern] = {}
    """Response headers that a release must send, with a regular expression for each value."""


class OmegaLink(_Section):
    """How a mainframe reaches OMEGA."""

    url: Url
    token_file: Path
    ca_file: Path | None = None


class MainframeEntry(_Section):
    """One licensed server in OMEGA's registry."""

    name: Name
    owner: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    tier: Annotated[str, StringConstraints(min_length=1, max_length=40)] = "standard"
    licence_until: datetime | None = None
    """With an offset from UTC; None does not expire."""
    revoked: bool = False
    public_key: PublicKeyText
    token_sha256: Digest

    @field_validator("licence_until")
    @classmethod
    def _has_an_offset(cls, until: datetime | None) -> datetime | None:
        if until is not None and until.tzinfo is None:
            raise ValueError("needs an offset from UTC, like 2027-01-31T00:00:00Z")
        return until


class AgentSettings(_Section):
    """Everything that an agent is told at its start."""

    role: Role
    name: Name
    region: Name | None = None
    listen: Address = "127.0.0.1:9101"
    data: Path
    url: Url | None = None
    """The front door as people see it; default: the address it listens on."""
    platform_version: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    slot_host: str = "127.0.0.1"
    slot_address: str | None = None
    """The host name under which people open slots; default: `slot_host`."""
    slot_ports: tuple[Port, Port] | None = None
    """First and last port for slots; default: any free one."""
    slot_user: str | None = None
    allow_same_user: bool = False
    """Slots run as the agent's own user and could read its key. For demonstrations only."""
    slot_path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    """PATH of the slots' processes."""
    env_file: Path | None = None
    """KEY=value lines that every slot's process gets: the product's own settings on this host."""
    keep_warm: bool = True
    switch_command: Command | None = None
    """For a host with its own proxy, instead of the front door: run with COMPONENT and URL (empty: offline)."""
    front: Front = Front()
    trust: Trust = Trust()
    limits: Limits = Limits()
    checks: CheckSettings = CheckSettings()
    omega: OmegaLink | None = None
    mainframes: tuple[MainframeEntry, ...] = ()
    online_within: Annotated[float, Field(gt=0)] = 90.0
    """Seconds without a poll after which a mainframe counts as asleep."""
    receipt_timeout: Annotated[float, Field(gt=0)] = 300.0
    """Seconds after which a mainframe that is online without a receipt counts as failed."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.slot_user is None and not self.allow_same_user:
            raise ValueError("slot_user: name the user that releases run as, so that they cannot read the agent's key")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together; give both or none")
        if self.slot_ports is not None and self.slot_ports[0] > self.slot_ports[1]:
            raise ValueError("slot_ports: the first port is above the last")
        if self.role == "mainframe" and self.omega is None:
            raise ValueError("omega: a mainframe needs [omega] with url and token_file")
        if self.role != "omega" and self.mainframes:
            raise ValueError("mainframes: only an agent of role omega has a registry")
        names = [entry.name for entry in self.mainframes]
        if len(set(names)) != len(names):
            raise ValueError("mainframes: two entries have the same name")
        return self

    @property
    def private_files(self) -> tuple[Path, ...]:
        """What nobody but the agent's user may read."""
        token = self.omega.token_file if self.omega else None
        named = (self.key_path, self.trust.bot_token_file, token, self.tls_key, self.env_file)
        return tuple(path for path in named if path is not None)

    @property
    def key_path(self) -> Path:
        return self.trust.key_file or self.data / "agent.key"


def parse_settings(text: str, where: str = "the settings") -> AgentSettings:
    """Read settings. Raises SettingsError that names the key and its line."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where} is not TOML: {error}") from error
    try:
        return AgentSettings.model_validate(data)
    except ValidationError as error:
        raise SettingsError(_sentence(text, where, error)) from error


def load_settings(path: Path) -> AgentSettings:
    """Read the settings file; relative paths in it are relative to its folder. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the settings {path}: {error}") from error
    return _anchored(parse_settings(text, str(path)), path.resolve().parent)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; an IPv6 address stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def bot_token_hash(trust: Trust, environ: Mapping[str, str]) -> str:
    """SHA-256 of the bot's token, hexadecimal. Raises SettingsError where none is set, or one is too short."""
    from hashlib import sha256

    if trust.bot_token_sha256:
        return trust.bot_token_sha256
    token = environ.get(TOKEN_VARIABLE, "")
    if not token and trust.bot_token_file is not None:
        token = read_token(trust.bot_token_file).get_secret_value()
    if len(token) < 16:
        raise SettingsError(
            f"the bot's token is missing or shorter than 16 characters: set trust.bot_token_file or {TOKEN_VARIABLE}"
        )
    return sha256(token.encode()).hexdigest()


def read_token(path: Path) -> SecretStr:
    """A token from a file of its own. Raises SettingsError."""
    try:
        return SecretStr(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the token file {path}: {error}") from error


def _sentence(text: str, where: str, error: ValidationError) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    path = tuple(first["loc"])
    if not path and ":" in message:
        path = (message.partition(":")[0],)
    line = line_of(text, path)
    place = f"{where} line {line}" if line else where
    if first["type"] == "extra_forbidden":
        message = "there is no such setting; look for a typing error"
    name = ".".join(str(part) for part in first["loc"])
    return f"{place}: {name}: {message}" if name else f"{place}: {message}"


def _anchored(settings: AgentSettings, base: Path) -> AgentSettings:
    """Paths relative to the settings file become absolute, at any depth."""

    def anchor(model: BaseModel) -> BaseModel:
        changes: dict[str, object] = {}
        for name in type(model).model_fields:
            match getattr(model, name):
                case Path() as path:
                    changes[name] = Path(os.path.normpath(base / path.expanduser()))
                case BaseModel() as section:
                    changes[name] = anchor(section)
        return model.model_copy(update=changes)

    anchored = anchor(settings)
    assert isinstance(anchored, AgentSettings)
    return anchored
