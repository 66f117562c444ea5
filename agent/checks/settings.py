"""What an agent's own settings say about checks: commands never come over the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from core.release.manifest import Command, Name


def _is_not_of_the_release(command: tuple[str, ...]) -> tuple[str, ...]:
    """A relative program would be looked up in the slot's folder, and so be a program of the release under test."""
    if "/" in command[0] and not command[0].startswith("/"):
        raise ValueError("must start with an absolute path or a bare name, like /usr/bin/trivy or trivy")
    return command


HostCommand = Annotated[Command, AfterValidator(_is_not_of_the_release)]


class CheckSettings(BaseModel):
    """The `[checks]` section of an agent's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commands: dict[Name, HostCommand] = {}
    """Commands that a `command` check may name: argument lists, run in the slot's folder; exit status 0 passes."""
    scanner: HostCommand | None = None
    """A scanner for the security check, run in the slot's folder; exit status 0 is clean."""
    ca_file: Path | None = None
    """PEM file of a private certificate authority, trusted in addition to the system's."""
    headers: dict[str, str] = {}
    """Response headers that every release must send: name to the text that the value must contain ("" for any)."""
