"""What a release's process is given: its environment, its user, and its limits. Nothing of the agent's."""

from __future__ import annotations

import pwd
from pathlib import Path

from agent.processes.kept import User
from agent.settings import Limits, SettingsError


def read_env_file(path: Path | None) -> dict[str, str]:
    """KEY=value lines; empty lines and those that begin with # do not count. Quotes around a value are taken off."""
    if path is None:
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key.strip(): _unquoted(value.strip()) for key, _, value in pairs}


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def user_named(name: str | None) -> User | None:
    """Raises SettingsError where this host has no such user."""
    if name is None:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise SettingsError(f"slot_user: there is no user {name} on this host; make one, without a login") from error
    return User(entry.pw_uid, entry.pw_gid, (entry.pw_gid,))


def resource_limits(limits: Limits, *, own_user: bool) -> dict[str, int]:
    """Only those that are set. The number of processes is counted per user, so it needs a user of its own."""
    chosen = {"RLIMIT_AS": limits.memory_bytes, "RLIMIT_NOFILE": limits.open_files}
    if own_user:
        chosen["RLIMIT_NPROC"] = limits.processes
    return {"RLIMIT_CORE": 0, **{name: limit for name, limit in chosen.items() if limit}}
