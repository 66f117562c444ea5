"""What the owner decides: a TOML file, overridden by the environment, read once into immutable values."""

from bot.settings.files import (
    InsecureFile,
    SlackSecrets,
    discord_token,
    insecure_files,
    slack_secrets,
    sqlite_file,
    token_of,
)
from bot.settings.loading import SettingsError, load, parse
from bot.settings.model import Settings

__all__ = [
    "InsecureFile", "Settings", "SettingsError", "SlackSecrets", "discord_token", "insecure_files", "load", "parse",
    "slack_secrets", "sqlite_file", "token_of",
]  # fmt: skip
