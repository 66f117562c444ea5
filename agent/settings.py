"""The settings of one agent, from a TOML file. Secrets are in files or the environment, never in it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)

from core.release.complaints import KeyPath, key_path, like, phrase
from core.release.manifest import Command, Name
from core.release.toml_lines import line_of
from core.release.wire import Role

TOKEN_VARIABLE = "ASHAT_AGENT_TOKEN"  # noqa: S105 - the name of the variable, not its content
MIN_TOKEN = 16
"""Characters: what is shorter could be guessed."""
MIB = 1024 * 1024

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]
PublicKeyText = Annotated[
    str, like(r"[0-9a-f]{64}", "should be an Ed25519 public key of 64 lower-case hexadecimal digits")
]
Sha256 = Annotated[str, like(r"[0-9a-f]{64}", "should be a SHA-256 of 64 lower-case hexadecimal digits")]
Address = Annotated[
    str, like(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}", 'should be host and port, like "127.0.0.1:9101"')
]
Url = Annotated[
    str,
    like(r"https?://[^\s@/]+(/\S*)?", 'should be like "https://omega.example.com": http or https, and no credentials'),
]
Prefix = Annotated[str, like(r"/[^\s\x00-\x1f\\]{0,499}", 'should be a path, like "/" or "/api"')]


class SettingsError(ValueError):
    """Wrong settings. `problems` has one sentence for each; `str(error)` is those, a line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Section(BaseModel):
    """The text below a key is its comment in agent.example.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _prefixes_are_distinct(routes: dict[str, str]) -> dict[str, str]:
    if len(set(routes.values())) != len(routes):
        raise ValueError("should give each component a prefix of its own")
    return routes


class Front(_Section):
    """The front door: where people see what is current."""

    listen: Address = "127.0.0.1:8080"
    """Host and port of the front door; put your TLS proxy before it."""
    routes: Annotated[dict[Name, Prefix], AfterValidator(_prefixes_are_distinct)] = {"main": "/"}
    """Component to path prefix; the longest prefix wins, and a release sees the whole path."""


class Trust(_Section):
    """Whose word this agent takes, and its own key."""

    bot_keys: tuple[PublicKeyText, ...] = ()
    """The public keys whose signed releases are installed, as `ashat keys new` prints them; none means nothing is."""
    bot_token_file: Path | None = Field(default=None, examples=["bot-token"])
    """The file with the token by which the bot is known; this, its SHA-256, or the environment's ASHAT_AGENT_TOKEN."""
    bot_token_sha256: Sha256 | None = Field(default=None, examples=["0" * 64])
    """The token's SHA-256 instead; a mainframe needs no token of the bot's, and one that has none lets no bot in."""
    key_file: Path | None = Field(default=None, examples=["/var/lib/ashat-agent/agent.key"])
    """The agent's own Ed25519 key (PEM), made at the first start; default: agent.key in the data folder."""


class Limits(_Section):
    """Bounds on what releases may take here. 0 switches a limit of the processes off."""

    artifact_bytes: Positive = 2048 * MIB
    """The largest artifact that is taken."""
    extracted_bytes: Positive = 8192 * MIB
    """The most bytes that an artifact may unpack to."""
    files: Positive = 100_000
    """The most files and folders in an artifact."""
    ratio: Positive = 200
    """The most bytes that one byte of an artifact may unpack to."""
    log_bytes: Annotated[int, Field(ge=4096)] = 10 * MIB
    """How long the log of a release may grow before it is begun anew."""
    memory_bytes: Annotated[int, Field(ge=0)] = 4096 * MIB
    """The address space of each process of a release."""
    open_files: Annotated[int, Field(ge=0)] = 4096
    """The files and connections that each process of a release may have open."""
    processes: Annotated[int, Field(ge=0)] = 512
    """Counted by the system over all processes of `slot_user`, so it is not set where slots run as the agent's."""
    keep: Annotated[int, Field(ge=0)] = 5
    """Artifacts kept besides those in use."""
    drain: Seconds = 30.0
    """How many seconds a switch waits for requests in flight on what it replaced."""
    warm: Seconds = 900.0
    """How many seconds what a switch replaced goes on running, where its manifest says `warm`."""
    stop: Seconds = 10.0
    """Seconds from the request to stop until the process is killed."""
    migrate: Seconds = 600.0
    """How many seconds a `migrate` command may take."""


def _is_the_hosts(command: tuple[str, ...]) -> tuple[str, ...]:
    """Anything else would be looked up in the slot's folder, and so be a program of the release under test."""
    if "/" in command[0] and not command[0].startswith("/"):
        raise ValueError(f"should begin with an absolute path, or a bare name looked up in PATH, not {command[0]!r}")
    return command


def _is_a_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"should be a regular expression ({error})") from error
    return text


HostCommand = Annotated[Command, AfterValidator(_is_the_hosts)]
Pattern = Annotated[str, AfterValidator(_is_a_pattern)]


class CheckSettings(_Section):
    """What the checks of a verification may use on this host; of use on Public."""

    commands: dict[Name, HostCommand] = {}
    """Named argument lists for checks of the kind `command`; they run as `slot_user`, in the slot's folder."""
    scanner: HostCommand | None = Field(default=None, examples=[["/usr/bin/grype", "dir:."]])
    """Run by the security check, in the same way; any exit status but 0 fails it."""
    ca_file: Path | None = Field(default=None, examples=["private-ca.pem"])
    """The certificates (PEM) of a private authority that Public's own certificate is checked against."""
    headers: dict[str, Pattern] = {}
    """Response headers that a release must send, with a regular expression for each value."""


class OmegaLink(_Section):
    """How a mainframe reaches OMEGA. Only a mainframe has this, and it must."""

    url: Url = Field(examples=["https://omega.example.com:9101"])
    """The address of OMEGA's agent; https unless it is on the same machine."""
    token_file: Path = Field(examples=["omega-token"])
    """The file with this mainframe's own token, whose SHA-256 OMEGA has in its registry."""
    ca_file: Path | None = Field(default=None, examples=["private-ca.pem"])
    """The certificates (PEM) of a private authority that OMEGA is checked against."""


def _has_an_offset(until: datetime | None) -> datetime | None:
    if until is not None and until.tzinfo is None:
        raise ValueError("should have an offset from UTC, like 2027-01-31T00:00:00Z")
    return until


class MainframeEntry(_Section):
    """A licensed server in OMEGA's registry. `ashat agent --show-key` prints there what its last two keys here hold."""

    name: Name = Field(examples=["mf-1"])
    """The mainframe's name, as its own settings have it."""
    owner: Annotated[str, StringConstraints(min_length=1, max_length=80)] = Field(examples=["Acme Ltd"])
    """Who holds the licence."""
    tier: Annotated[str, StringConstraints(min_length=1, max_length=40)] = "standard"
    """Its tier; "server-owner" also gets what only that tier gets."""
    licence_until: Annotated[datetime | None, AfterValidator(_has_an_offset)] = Field(
        default=None, examples=["2027-01-31T00:00:00Z"]
    )
    """When the licence expires, with an offset from UTC; default: never."""
    revoked: bool = False
    """Whether the licence is withdrawn: nothing is given to it, nor taken from it."""
    public_key: PublicKeyText = Field(examples=["0" * 64])
    """The mainframe's public key: its receipts must be signed with it."""
    token_sha256: Sha256 = Field(examples=["0" * 64])
    """The SHA-256 of the token in its [omega] token_file."""


def _ports_rise(ports: tuple[int, int] | None) -> tuple[int, int] | None:
    if ports is not None and ports[0] > ports[1]:
        raise ValueError("should be the first port and the last, in this order")
    return ports


def _names_are_distinct(entries: tuple[MainframeEntry, ...]) -> tuple[MainframeEntry, ...]:
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"should have each name once; twice there is {', '.join(twice)}")
    return entries


class AgentSettings(_Section):
    """Everything that an agent is told at its start."""

    role: Role = Field(examples=["public"])
    """What this server is: public, omega or mainframe."""
    name: Name = Field(examples=["staging-1"])
    """What it is called; a mainframe has the name that it has in OMEGA's registry."""
    region: Name | None = Field(default=None, examples=["eu"])
    """The region of an OMEGA, where there are several."""
    listen: Address = "127.0.0.1:9101"
    """Host and port on which the agent answers; on another than loopback give it a certificate, or a TLS proxy."""
    data: Path = Field(examples=["/var/lib/ashat-agent"])
    """The folder with all of its state; relative paths start at this file's folder."""
    url: Url | None = Field(default=None, examples=["https://www.example.com"])
    """The front door as people see it; default: the address it listens on."""
    platform_version: str | None = Field(default=None, examples=["9.4.0"])
    """The version of the product's platform on this host; the bot's settings may ask for a lowest one."""
    tls_certificate: Path | None = Field(default=None, examples=["agent.crt"])
    """The certificate (PEM) with which the agent answers by https; together with tls_key."""
    tls_key: Path | None = Field(default=None, examples=["agent.tls.key"])
    """The certificate's private key (PEM), in a file of mode 0600."""
    slot_host: str = "127.0.0.1"
    """The address on which releases listen."""
    slot_address: str | None = Field(default=None, examples=["staging.example.com"])
    """The host name under which people open slots; default: `slot_host`."""
    slot_ports: Annotated[tuple[Port, Port] | None, AfterValidator(_ports_rise)] = Field(
        default=None, examples=[[20000, 20099]]
    )
    """First and last port for slots; default: any free one."""
    slot_user: str | None = Field(default=None, examples=["ashat-slot"])
    """The user of this host that releases run as, so that they cannot read the agent's key; one without a login."""
    allow_same_user: bool = False
    """Instead of `slot_user`, slots run as the agent's own and could read its key; for demonstrations only."""
    slot_path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    """PATH of the slots' processes."""
    env_file: Path | None = Field(default=None, examples=["product.env"])
    """KEY=value lines that every slot's process gets: the product's own settings on this host."""
    keep_warm: bool = True
    """Whether what a switch replaced may go on running for a while, so that going back is instant."""
    switch_command: Command | None = Field(default=None, examples=[["/usr/local/bin/switch-proxy"]])
    """For a host with its own proxy, instead of the front door: run with COMPONENT and URL (empty: offline)."""
    online_within: PositiveSeconds = 90.0
    """Seconds without a poll after which OMEGA counts a mainframe as asleep."""
    receipt_timeout: PositiveSeconds = 300.0
    """Seconds after which OMEGA counts a mainframe that is online without a receipt as failed."""
    front: Front = Front()
    trust: Trust = Trust()
    limits: Limits = Limits()
    checks: CheckSettings = CheckSettings()
    omega: OmegaLink | None = None
    mainframes: Annotated[tuple[MainframeEntry, ...], AfterValidator(_names_are_distinct)] = ()

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
    """Read settings. Raises SettingsError with every problem, each with its key and line."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where} is not TOML: {error}.") from error
    try:
        settings = AgentSettings.model_validate(data)
    except ValidationError as error:
        wrong = [(key_path(each), phrase(each, AgentSettings)) for each in error.errors(include_url=False)]
        raise _problems(text, where, [*wrong, *_not_together(data)]) from error
    if problems := list(_not_together(dict(settings))):
        raise _problems(text, where, problems)
    return settings


def _not_together(given: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What must hold between keys: the path of the one to change, and a phrase that follows its name."""
    if not given.get("slot_user") and not given.get("allow_same_user"):
        yield ("slot_user",), "is missing: name the user that releases run as, so that they cannot read the agent's key"
    for one, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if given.get(other) and not given.get(one):
            yield (one,), f"is missing: it goes together with {other}; give both or none"
    if given.get("role") == "mainframe" and not given.get("omega"):
        yield ("omega",), "is missing: a mainframe needs [omega] with url and token_file"
    if given.get("role") in ("public", "mainframe") and given.get("mainframes"):
        yield ("mainframes",), "is no setting of this role: only an OMEGA has a registry"


def _problems(text: str, where: str, problems: Iterable[tuple[KeyPath, str]]) -> SettingsError:
    """A sentence for each, with its place."""

    def sentence(path: KeyPath, phrase: str) -> str:
        line = line_of(text, path)
        place = f"{where} line {line}" if line else where
        return f"{place}: {'.'.join(map(str, path))} {phrase}."

    return SettingsError(*(sentence(*each) for each in problems))


def load_settings(path: Path) -> AgentSettings:
    """Read the settings file; relative paths in it are relative to its folder. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(f"{path} does not exist: copy agent.example.toml there, or name your own file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the settings {path}: {error}") from error
    return _anchored(parse_settings(text, str(path)), path.resolve().parent)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; an IPv6 address stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def bot_token_hash(settings: AgentSettings, environ: Mapping[str, str]) -> str | None:
    """SHA-256 of the bot's token, hexadecimal; None on a mainframe that has none, for nobody needs to call it.

    Raises SettingsError where none is set that must be, or one is too short.
    """
    trust = settings.trust
    if trust.bot_token_sha256:
        return trust.bot_token_sha256
    if token := environ.get(TOKEN_VARIABLE, ""):
        return token_hash(_long_enough(token, f"the environment's {TOKEN_VARIABLE}"))
    if trust.bot_token_file is not None:
        return token_hash(read_token(trust.bot_token_file))
    if settings.role == "mainframe":
        return None
    raise SettingsError(
        f"the bot's token is missing: set trust.bot_token_file, trust.bot_token_sha256 or {TOKEN_VARIABLE}; "
        "the bot's settings have the same token, under [[agents]]"
    )


def read_token(path: Path) -> SecretStr:
    """A token from a file of its own. Raises SettingsError where it cannot be read, or is too short."""
    try:
        return _long_enough(path.read_text(encoding="utf-8").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the token file {path}: {error}") from error


def token_hash(token: SecretStr) -> str:
    """As settings carry it: the token's SHA-256, 64 hexadecimal digits."""
    from hashlib import sha256

    return sha256(token.get_secret_value().encode()).hexdigest()


def _long_enough(token: str, where: str) -> SecretStr:
    if len(token) < MIN_TOKEN:
        raise SettingsError(f"the token in {where} is shorter than {MIN_TOKEN} characters; take `openssl rand -hex 32`")
    return SecretStr(token)


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
