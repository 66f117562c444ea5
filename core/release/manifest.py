"""`release.toml`, the manifest inside every artifact: what the release is, how it starts, and what proves it well."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from core.release.toml_lines import line_of

MANIFEST_NAME = "release.toml"
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""Update ids, component and region names: safe as a folder name, in a URL and in every chat."""

Name = Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN}$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[^\s\x00-\x1f\\]*$", max_length=500)]
Argument = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Command = Annotated[tuple[Argument, ...], Field(min_length=1, max_length=64)]


class ManifestError(ValueError):
    """A wrong `release.toml`. `str(error)` is one sentence for a person and names the line where it is known."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _stays_on_the_host(path: str) -> str:
    """A declared path is relative to the slot: `//host/x`, or a `..` segment, would lead a check elsewhere."""
    if path.startswith("//") or any(segment == ".." for segment in re.split(r"[/?#]", path)):
        raise ValueError("must be a path on the release itself, like /healthz")
    return path


class Run(_Part):
    """How the release runs in its slot: argument lists, started in the slot's folder with PORT in the environment."""

    start: Command
    """The command that serves on HOST and PORT, in the foreground."""
    stop: Command | None = None
    """The command that ends it; without one its process gets SIGTERM."""
    migrate: Command | None = None
    """The command that is run once before the start, to bring the database up to date; it must exit with 0."""
    start_timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Seconds from start until the health path must answer 200."""


class Health(_Part):
    """What tells that the release is up: asked after each start until it does, and by the Health Check."""

    path: UrlPath = "/healthz"
    """The path that must answer 200."""

    _path = field_validator("path")(_stays_on_the_host)


class Modules(_Part):
    """The endpoint answers `{"modules": [{"name": str, "loaded": bool, "error": str?}, …]}`."""

    path: UrlPath
    """The path of that endpoint."""
    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=200)]
    """The modules that must be loaded."""

    _path = field_validator("path")(_stays_on_the_host)


class Endpoint(_Part):
    """One declared API path. `schema` is a JSON Schema that the JSON body must satisfy."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    path: UrlPath
    """The path that is asked for."""
    method: Literal["GET", "HEAD"] = "GET"
    """Either GET or HEAD."""
    status: Annotated[int, Field(ge=100, le=599)] = 200
    """The status that it must answer with."""
    body_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    """The JSON Schema of its body; without one any body will do."""

    _path = field_validator("path")(_stays_on_the_host)


class Database(_Part):
    """The app's own probe: 200 with `{"ok": true}` once it has read and written its database."""

    path: UrlPath
    """The path of the probe."""

    _path = field_validator("path")(_stays_on_the_host)


class Performance(_Part):
    """What is measured, in turn with production's release on the same host; the Security Scan asks there too."""

    path: UrlPath = "/"
    """The path that is asked for again and again."""

    _path = field_validator("path")(_stays_on_the_host)


class Manifest(_Part):
    """A validated `release.toml`."""

    component: Name = "main"
    """The part of the product that the update replaces; components never affect each other."""
    level: Literal["standard", "server-owner"] = "standard"
    """Either `standard`, or `server-owner`, which goes only to mainframes of owners with that tier."""
    irreversible: bool = False
    """Whether a rollback would not bring its data back; it then takes two people."""
    contains: Annotated[tuple[Name, ...], Field(max_length=200)] = ()
    """Ids of the updates that this one includes, so that pushing it over them undoes nothing."""
    warm: bool = True
    """Keep what it replaces running for a while after a switch, so that going back is instant."""
    run: Run
    health: Health = Health()
    modules: Modules | None = None
    api: Annotated[tuple[Endpoint, ...], Field(max_length=100)] = ()
    database: Database | None = None
    performance: Performance = Performance()

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Manifest:
        if self.modules and len(set(self.modules.names)) != len(self.modules.names):
            raise ValueError("modules.names lists a module twice")
        return self


def parse_manifest(text: str) -> Manifest:
    """Read a `release.toml`. Raises ManifestError with the line, what is wrong, and what was expected."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"{MANIFEST_NAME} is not TOML: {error}") from error
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(first["loc"])
        line = line_of(text, path)
        where = f"{MANIFEST_NAME} line {line}" if line else MANIFEST_NAME
        name = ".".join(str(part) for part in path) or "the file"
        raise ManifestError(f"{where}: {name}: {first['msg'].removeprefix('Value error, ')}") from error
