"""What the commands share: where the settings are, and how an expected error is told."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.keys import Trust

DONE, REFUSED, USAGE, NO_BOT = 0, 1, 2, 3
"""Exit statuses."""

Config = Annotated[
    Path, typer.Option("--config", metavar="F", envvar="ASHAT_CONFIG", help="The settings file.", show_default=True)
]
DEFAULT_CONFIG = Path("config.toml")


def complain(*sentences: str) -> None:
    """To standard error, a line each, without anything that a terminal would obey."""
    from core.plain import safe

    for sentence in sentences:
        for line in sentence.splitlines():
            typer.echo(f"ashat: {safe(line)}", err=True)


def trusted(given: list[str] | None, config: Path) -> Trust:
    """The bot's public keys: those that were typed, else those of the settings' key file, retired ones too.

    Raises KeyFileError, SettingsError.
    """
    from bot import keys
    from bot.settings import SettingsError, load
    from core.release.signing import public_key

    if not given:
        try:
            return keys.trust(keys.known(load(config).ashat.key_file))
        except (SettingsError, keys.KeyFileError):
            complain("No public key is known here: give it by --key HEX, or the bot's settings by --config.")
            raise
    try:
        return keys.Trust(tuple(public_key(text) for text in given), {})
    except ValueError as error:
        complain("--key should be an Ed25519 public key of 64 hexadecimal digits, as `ashat keys list` shows it.")
        raise typer.Exit(USAGE) from error


_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
"""What the system says of a file or folder that is another user's, read-only, or of another kind."""


@contextmanager
def explained() -> Iterator[None]:
    """Errors that the user can mend become their sentences and an exit status, never a traceback."""
    from bot import wiring
    from bot.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        complain(*error.problems)
        raise typer.Exit(USAGE) from error
    except wiring.expected() as error:
        complain(str(error))
        raise typer.Exit(REFUSED) from error
    except OSError as error:
        if error.errno not in _NOT_OURS or error.filename is None:
            raise
        complain(f"{error.filename} cannot be used: {error.strerror}.")
        raise typer.Exit(REFUSED) from error
