"""The way of `ashat deploy …` to the bot that runs, with as few imports as it takes: people wait for each of them.

Where the bot listens is read from the settings file alone. Settings are read as a whole only where that does not tell.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.shell.wire import Answer

_DATA, _SOCKET = "data", "{data}/ashat.sock"
"""As the section [ashat] has them where the file says nothing."""


class NoBot(Exception):
    """No bot answers on the socket. `str(error)` is one sentence."""


def ask(socket: Path, words: Sequence[str], timeout: float | None = None) -> Answer:
    """Give a command to the bot that runs. Raises NoBot."""
    from adapters.shell import client

    try:
        return client.ask(socket, words, timeout)
    except client.NoBot as error:
        raise NoBot(str(error)) from error


def socket_of(config: Path) -> Path | None:
    """The socket of the bot whose settings are at `config`; None where only the settings' own reader can tell."""
    if any(name.upper().startswith("ASHAT_ASHAT") for name in os.environ):
        return None
    try:
        own = tomllib.loads(config.read_text(encoding="utf-8")).get("ashat", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None
    match own:
        case dict():
            data, socket = own.get("data", _DATA), own.get("socket", _SOCKET)
        case _:
            return None
    if not (isinstance(data, str) and isinstance(socket, str)):
        return None
    folder = config.absolute().parent
    data = os.path.normpath(folder / Path(data).expanduser())
    return Path(os.path.normpath(folder / Path(socket.replace("{data}", data)).expanduser()))
