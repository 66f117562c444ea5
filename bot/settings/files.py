"""The files that settings name: tokens, and whether anyone else could read what must stay private."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, SecretStr

from bot import keys
from bot.settings.loading import SettingsError
from bot.settings.model import Settings
from bot.settings.sections import Agent
from bot.settings.values import names_a_secret

_SQLITE = "sqlite:///"
MIN_TOKEN = 16
"""Characters: agents refuse shorter tokens."""


@dataclass(frozen=True, slots=True)
class InsecureFile:
    """A file that others than its owner could read, or change; `problem` and `mend` are phrases for a person."""

    path: Path
    problem: str
    mend: str


def token_of(agent: Agent) -> SecretStr:
    """The token for the agent's origin, read now, so that a changed one is noticed. Raises SettingsError."""
    if agent.token_env is not None:
        where, token = f"the environment's {agent.token_env}", os.environ.get(agent.token_env, "")
    else:
        assert agent.token_file is not None
        where, token = str(agent.token_file), _text_of(agent.token_file)
    if len(token) < MIN_TOKEN:
        raise SettingsError(
            f"The token for {agent.origin} is missing or shorter than {MIN_TOKEN} characters in {where}."
        )
    return SecretStr(token)


@dataclass(frozen=True, slots=True)
class SlackSecrets:
    """What Slack gave the app; empty where its mode needs none."""

    bot_token: SecretStr
    app_token: SecretStr
    signing_secret: SecretStr


def slack_secrets(settings: Settings) -> SlackSecrets | None:
    """Read now; None where there is no bot token, and so no Slack. Raises SettingsError for what else is missing."""
    slack = settings.slack
    bot = _secret(slack.bot_token_file, slack.bot_token_env)
    if not bot:
        return None
    app = _secret(slack.app_token_file, slack.app_token_env)
    signing = _secret(slack.signing_secret_file, slack.signing_secret_env)
    problems = [*_token_problems(bot, app, signing, slack.mode)]
    problems += [
        f"[slack] {key} is missing; docs/slack.md says where to find it." for key in ("team", "app", "home")
        if not getattr(slack, key)
    ]  # fmt: skip
    if problems:
        raise SettingsError(*problems)
    return SlackSecrets(SecretStr(bot), SecretStr(app), SecretStr(signing))


def discord_token(settings: Settings) -> SecretStr | None:
    """Read now; None where there is none, and so no Discord. Raises SettingsError for what else is missing."""
    discord = settings.discord
    token = _secret(discord.token_file, discord.token_env)
    if not token:
        return None
    wanted = ("application", "guilds", "home", *(("public_key",) if discord.mode == "http" else ()))
    problems = [
        f"[discord] {key} is missing; docs/discord.md says where to find it." for key in wanted
        if not getattr(discord, key)
    ]  # fmt: skip
    if token.count(".") != 2:
        problems.append("Discord's bot token is none: it has two dots. Copy it from Bot, Reset Token.")
    if problems:
        raise SettingsError(*problems)
    return SecretStr(token)


def _token_problems(bot: str, app: str, signing: str, mode: str) -> Iterator[str]:
    if not bot.startswith("xoxb-"):
        yield "Slack's bot token is none: it begins with xoxb-. Copy it from OAuth & Permissions."
    if mode == "socket" and not app.startswith("xapp-"):
        yield "Slack's app-level token is missing or none: it begins with xapp-. Make it under Basic Information."
    if mode == "http" and len(signing) < MIN_TOKEN:
        yield "Slack's signing secret is missing or too short. Copy it from Basic Information."


def _secret(file: Path | None, variable: str) -> str:
    return _text_of(file) if file is not None else os.environ.get(variable, "").strip()


def insecure_files(settings: Settings, config: Path | None = None) -> tuple[InsecureFile, ...]:
    """Files and folders with a mode or an owner that lets others read a secret or change what the bot does."""
    private = tuple(_private(settings))
    folders = {settings.ashat.data, settings.ashat.artifacts, *(path.parent for path in private)}
    looked = (
        *(_too_open(path, 0o077, "0600") for path in private),
        *(_too_open(folder, 0o022, "go-w") for folder in sorted(folders)),
        *(() if config is None else (_too_open(config, 0o022, "0644"),)),
    )
    return tuple(dict.fromkeys(each for each in looked if each is not None))


def sqlite_file(settings: Settings) -> Path | None:
    """The database file; None where it is another database, or one in memory."""
    url = settings.ashat.database_url.get_secret_value()
    path = url.removeprefix(_SQLITE)
    return Path(path) if url.startswith(_SQLITE) and path not in ("", ":memory:") else None


def _private(settings: Settings) -> Iterator[Path]:
    yield from keys.files(settings.ashat.key_file)
    yield settings.ashat.socket
    yield from secret_files(settings)
    database = sqlite_file(settings)
    if database is not None:
        yield from (database.with_name(database.name + end) for end in ("", "-wal", "-shm"))


def secret_files(part: BaseModel) -> Iterator[Path]:
    """Every file that a setting names as the place of a secret, like `token_file`, wherever in the settings it is."""
    for name, value in part:
        match value:
            case Path() if name.endswith("_file") and names_a_secret(name.removesuffix("_file")):
                yield value
            case BaseModel():
                yield from secret_files(value)
            case tuple():
                yield from (file for one in value if isinstance(one, BaseModel) for file in secret_files(one))
            case dict():
                yield from (file for one in value.values() if isinstance(one, BaseModel) for file in secret_files(one))


def _too_open(path: Path, forbidden: int, mode: str) -> InsecureFile | None:
    """None too where there is none: what is missing is not insecure. A sticky folder keeps each one's files theirs."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except PermissionError:
        return _barred(path)
    if found.st_uid not in (os.geteuid(), 0):
        return InsecureFile(path, f"belongs to user {found.st_uid}, who can change it", f"chown {os.geteuid()} {path}")
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return None
    if stat.S_IMODE(found.st_mode) & forbidden:
        return InsecureFile(path, f"has mode {stat.S_IMODE(found.st_mode):04o}, open to others", f"chmod {mode} {path}")
    return None


def _barred(path: Path) -> InsecureFile:
    """By the folder that does not let us in: what is there cannot be looked at, one by one."""
    if not os.access(path.parent, os.F_OK):
        return _barred(path.parent)
    owner = path.parent.stat().st_uid
    return InsecureFile(path.parent, f"belongs to user {owner}, and lets nobody else in", f"run this as user {owner}")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The token file {path} cannot be read: {error}.") from error
