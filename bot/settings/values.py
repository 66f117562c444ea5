"""The types of single values in the settings: durations, time zones, origins, keys, users of this machine."""

from __future__ import annotations

import pwd
import re
from datetime import UTC, date, datetime
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from core.policy.calendar import cron_problem
from core.release.complaints import like
from core.release.manifest import ID_PATTERN

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?) ?(ms|[smhd])")
_DURATION = re.compile(rf"(?:{_PART.pattern} ?)+")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:token|secret|password|passwd|passphrase|api[_-]?key|private[_-]?key|authorization|cookie|credential)s?$",
    re.IGNORECASE,
)


def names_a_secret(key: str) -> bool:
    """Whether a value under this key is a secret by its name. `token_file` and `token_env` only say where one is."""
    return _SECRET_KEY.search(key) is not None


def to_seconds(value: object) -> object:
    """A number counts seconds; a text has units: "90s", "10m", "1h 30m", "24h", "7d", "500ms". Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError('should be a duration: seconds, or a text like "10m"')  # noqa: TRY004 - pydantic reads it
    if not isinstance(value, str) or re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return value
    text = value.strip().lower()
    if not _DURATION.fullmatch(text):
        raise ValueError('should be a duration: seconds, or a text like "90s", "10m", "1h 30m" or "7d"')
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def to_text(seconds: float) -> str:
    """The shortest text of a duration that `to_seconds` reads back exactly."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{int(seconds / _UNITS[unit])}{unit}" if (unit, seconds) != ("d", 86400.0) else "24h"
    return f"{seconds:g}s"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError('should be a time zone by its IANA name, like "Europe/Paris"') from error
    return name


def to_uid(value: object) -> object:
    """A user of this machine, by name or number. Sockets tell the number of their peer, so that is what is kept."""
    if not isinstance(value, str) or value.isdecimal():
        return value
    try:
        return pwd.getpwnam(value).pw_uid
    except KeyError as error:
        raise ValueError("should be a user of this machine, by name or number") from error


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of a URL, in lower case and without the scheme's own port. Raises ValueError."""
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ValueError('should be like "https://public.example.com": http or https, a host, and no credentials')
    shown = f"[{host}]" if ":" in host else host
    own = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, own) else "")


def _token_may_go_to(url: str) -> str:
    origin = origin_of(url)
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f'should be an origin without a path, like "{origin}"')
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("should be https: a token never crosses plain http to another host")
    return origin


def _api_may_be_at(url: str) -> str:
    """Tokens go there, so it is https off this machine."""
    origin_of(url)
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("should be https: a token never crosses plain http to another host")
    return url if url.endswith("/") else f"{url}/"


def _gateway_may_be_at(url: str) -> str:
    """The token goes there too, so it is wss off this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.username is not None:
        raise ValueError('should be like "wss://gateway.discord.gg": ws or wss, a host, and no credentials')
    if parts.scheme == "ws" and parts.hostname not in _LOOPBACK:
        raise ValueError("should be wss: a token never crosses a plain connection to another host")
    return url


def _usable_key(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("should be an Ed25519 public key of 64 hexadecimal digits, as `ashat agent --show-key` shows")
    return text.lower()


def _cron(text: str) -> str:
    problem = cron_problem(text, datetime(2026, 1, 1, tzinfo=UTC))
    if problem is not None:
        raise ValueError(f'should be a cron expression, like "0 2 * * mon-fri" ({problem.lower()})')
    return text


def _days(text: str) -> str:
    try:
        for part in text.split("/"):
            date.fromisoformat(part if len(part) > len("12-25") else f"2028-{part}")
    except ValueError as error:
        raise ValueError('should be like "12-25", "2026-12-24" or "2026-12-24/2027-01-02"') from error
    if text.count("/") > 1 or len({len(part) for part in text.split("/")}) > 1:
        raise ValueError('should be a day, or from and to in the same form, like "2026-12-24/2027-01-02"')
    return text


def _not_empty(values: tuple[object, ...]) -> tuple[object, ...]:
    if not values:
        raise ValueError("should name at least one")
    return values


NotEmpty = AfterValidator(_not_empty)
Seconds = Annotated[float, BeforeValidator(to_seconds), Field(ge=0, allow_inf_nan=False)]
"""A duration that may be zero."""
PositiveSeconds = Annotated[float, BeforeValidator(to_seconds), Field(gt=0, allow_inf_nan=False)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
Uid = Annotated[int, BeforeValidator(to_uid), Field(ge=0)]
Origin = Annotated[str, AfterValidator(_token_may_go_to)]
ApiUrl = Annotated[str, AfterValidator(_api_may_be_at)]
PublicKeyText = Annotated[str, AfterValidator(_usable_key)]
AccountId = Annotated[str, like(r"[A-Za-z0-9]{1,64}", "should be the platform's own id, letters and digits")]
Cron = Annotated[str, AfterValidator(_cron)]
Days = Annotated[str, AfterValidator(_days)]
Grantee = Annotated[str, like(rf"@?{ID_PATTERN}", 'should be a person\'s key under [people], or a group: "@security"')]
SlackTeam = Annotated[str, like(r"(T[A-Z0-9]{2,})?", 'should be the workspace\'s id, like "T024BE7LD"')]
SlackApp = Annotated[str, like(r"(A[A-Z0-9]{2,})?", 'should be the app\'s id, like "A024BE7LG"')]
SlackChannelId = Annotated[str, like(r"[CG][A-Z0-9]{2,}", 'should be a channel\'s id, like "C024BE7LR", not its name')]
DiscordId = Annotated[str, like(r"\d{5,20}", "should be Discord's own id, of digits, in quotes")]
DiscordApp = Annotated[str, like(r"(\d{5,20})?", 'should be the application\'s id, like "80351110224678912"')]
GatewayUrl = Annotated[str, AfterValidator(_gateway_may_be_at)]
DiscordKey = Annotated[
    str, like(r"([0-9a-fA-F]{64})?", "should be the application's public key of 64 hexadecimal digits")
]
SlackGroupId = Annotated[str, like(r"S[A-Z0-9]{2,}", 'should be a user group\'s id, like "S0615G0KT", not its name')]
DiscordRole = Annotated[str, like(r"\d{1,20}/\d{1,20}", "should be guild id/role id, both numbers")]
ChannelAddress = Annotated[str, like(r"[a-z]+:[^\s:]{1,80}", 'should be like "slack:C024BE7LR": platform and channel')]
Listen = Annotated[
    str, like(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}", 'should be host and port, like "127.0.0.1:8080"')
]
VariableName = Annotated[str, like(r"ASHAT_[A-Z0-9_]+", "should be a variable's name that begins with ASHAT_")]
Version = Annotated[str, like(r"\d+(\.\d+){0,3}", 'should be a version like "9.4.0"')]
HostPattern = Annotated[
    str,
    like(
        r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*",
        'should be a host without scheme and port, or "*.example.com"',
    ),
]
