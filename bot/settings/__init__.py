"""What the owner decides: a TOML file, overridden by the environment, read once into immutable values."""

from bot.settings.files import InsecureFile, insecure_files, sqlite_file, token_of
from bot.settings.loading import SettingsError, load, parse
from bot.settings.model import Settings

__all__ = ["InsecureFile", "Settings", "SettingsError", "insecure_files", "load", "parse", "sqlite_file", "token_of"]
