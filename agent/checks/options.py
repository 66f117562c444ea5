"""How each kind of check can be tuned. Wrong options are refused before a run begins, not found out during it."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Annotated, Any, assert_never
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agent.errors import Refused
from core.release.manifest import Name, UrlPath
from core.release.wire import CheckWanted

_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


def is_web_address(text: str) -> bool:
    """Whether it is an http or https URL with a host and without credentials."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port  # reading the port judges its number
        named = bool(_HOST_NAME.fullmatch(host)) or bool(IPv6Address(host))
    except ValueError:
        return False
    return named and port != 0 and url.scheme in ("http", "https") and "@" not in url.netloc and text.isprintable()


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class HealthOptions(_Options):
    within: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds for each answer."""
    times: Annotated[int, Field(ge=1, le=20)] = 3
    """Good answers running."""


class ModulesOptions(_Options):
    """Nothing to tune: the manifest says all."""


class ApiOptions(_Options):
    """Nothing to tune: the manifest says all."""


class DatabaseOptions(_Options):
    """Nothing to tune: the manifest says all."""


class PerformanceOptions(_Options):
    requests: Annotated[int, Field(ge=20, le=10_000)] = 300
    """Counted requests to the candidate, and as many to the baseline."""
    ratio: Annotated[float, Field(ge=1, le=100)] = 1.5
    """The candidate's p95 may be this many times the baseline's."""
    floor_ms: Annotated[float, Field(ge=0, le=60_000)] = 5.0
    """Milliseconds of difference that are noise, whatever the ratio."""
    limit_ms: Annotated[float, Field(gt=0, le=600_000)] = 500.0
    """Milliseconds of p95 where there is no baseline."""


class SecurityOptions(_Options):
    min_days: Annotated[int, Field(ge=0, le=3650)] = 14
    """Days for which Public's certificate must still be valid."""
    headers: dict[str, str] = {}
    """Required beside those of the agent's settings: name of the header to a regular expression for its value."""
    ignore: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """Patterns of files that hold no real secret (`tests/keys/*.pem`); they are counted in a warning."""


class UrlOptions(_Options):
    path: UrlPath | None = None
    """On the slot."""
    url: str | None = None
    """Anywhere else, by http or https."""
    status: Annotated[int, Field(ge=100, le=599)] = 200
    contains: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    body_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    """A JSON Schema that the JSON body must satisfy."""

    @field_validator("url")
    @classmethod
    def _is_a_web_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not is_web_address(url):
            raise ValueError("must be http or https, with a host and without credentials")
        return url

    @model_validator(mode="after")
    def _says_where(self) -> UrlOptions:
        if (self.path is None) == (self.url is None):
            raise ValueError("expected exactly one of path (on the slot) and url (anywhere else)")
        return self


class CommandOptions(_Options):
    name: Name
    """A command of the agent's settings, `[checks] commands`."""


Options = (
    HealthOptions
    | ModulesOptions
    | ApiOptions
    | DatabaseOptions
    | PerformanceOptions
    | SecurityOptions
    | UrlOptions
    | CommandOptions
)


def options_of(wanted: CheckWanted) -> Options:
    """The validated options of a check. Raises Refused("bad_request") with the check, the option and what is wrong."""
    try:
        return _model_of(wanted).model_validate(wanted.options)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        option = ".".join(str(part) for part in first["loc"])
        where = f"option {option}" if option else "options"
        what = first["msg"].removeprefix("Value error, ")
        raise Refused("bad_request", f"Check {wanted.name!r} ({wanted.kind}), {where}: {what}") from error


def _model_of(wanted: CheckWanted) -> type[Options]:
    match wanted.kind:
        case "health":
            return HealthOptions
        case "modules":
            return ModulesOptions
        case "api":
            return ApiOptions
        case "database":
            return DatabaseOptions
        case "performance":
            return PerformanceOptions
        case "security":
            return SecurityOptions
        case "url":
            return UrlOptions
        case "command":
            return CommandOptions
        case _:
            assert_never(wanted.kind)
