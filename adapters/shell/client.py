"""The asking side. It imports nothing but the standard library and core, so that a command answers at once."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Sequence
from pathlib import Path

from adapters.shell.wire import LONGEST_LINE, Answer, BadLine, Request, answer_of, encoded

_TRIES = 2
"""A connection that is cut is made once more, with the same id: the command acts once."""


class NoBot(Exception):
    """No bot answers. `str(error)` is one sentence."""


def ask(path: Path, words: Sequence[str], timeout: float | None = None) -> Answer:
    """Give a command to the bot that listens at `path`. `timeout` in seconds for the answer; None waits for it.

    Raises NoBot.
    """
    request = Request(uuid.uuid4().hex, tuple(words))
    for _ in range(_TRIES):
        with _connected(path) as connection:
            connection.settimeout(timeout)
            answer = _exchanged(connection, encoded(request), timeout)
            if answer is not None:
                return answer
    raise NoBot("The bot ended before it answered; `ashat deploy status` tells what came of it once it runs again.")


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except PermissionError as error:
        connection.close()
        raise NoBot(f"{path} belongs to another user; only the one who runs the bot may use it.") from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        connection.close()
        raise NoBot(f"No bot runs at {path}; start it with `ashat run`.") from error
    except OSError as error:
        connection.close()
        raise NoBot(f"No bot can be reached at {path}: {error.strerror or error}.") from error
    return connection


def _exchanged(connection: socket.socket, line: bytes, timeout: float | None) -> Answer | None:
    """The answer, or None where the connection was cut before it came."""
    try:
        connection.sendall(line)
        with connection.makefile("rb") as stream:
            answer = stream.readline(LONGEST_LINE)
    except TimeoutError as error:
        raise NoBot(f"The bot has not answered within {timeout:g} s; it may still do what was asked.") from error
    except ConnectionError:
        return None
    if not answer.endswith(b"\n"):
        return None
    try:
        return answer_of(answer)
    except BadLine as error:
        raise NoBot(f"{str(error).capitalize()}.") from error
