"""Lines that a person types or a file holds, one after the other, while the rest of the program goes on."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

_REMEMBERED = 500
"""Lines of history that are kept."""


async def file_lines() -> AsyncIterator[str]:
    """The lines of standard input, to its end; each is read when the one before has been dealt with."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


class Keyboard:
    """A prompt with completion and history. Its thread waits for the person, and the program for nobody."""

    def __init__(self, prompt: Callable[[], str], complete: Callable[[str], list[str]], history: Path) -> None:
        self._prompt = prompt
        self._complete = complete
        self._history = history
        self._waiting = False

    def standing(self) -> str:
        """What stands in the prompt's line just now, to be drawn again below what was printed."""
        if not self._waiting:
            return ""
        with contextlib.suppress(ImportError):
            import readline

            return self._prompt() + readline.get_line_buffer()
        return self._prompt()

    async def lines(self) -> AsyncIterator[str]:
        """Until the end of input (Ctrl-D). The prompt comes again when the line before has been dealt with."""
        loop = asyncio.get_running_loop()
        with _restored_terminal(), self._editing():
            while True:
                answer: asyncio.Future[str | None] = loop.create_future()
                threading.Thread(target=self._ask, args=(loop, answer), name="keyboard", daemon=True).start()
                line = await answer
                if line is None:
                    return
                yield line

    def _ask(self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[str | None]) -> None:
        self._waiting = True
        try:
            line: str | None = input(self._prompt())
        except EOFError:
            sys.stdout.write("\n")
            line = None
        finally:
            self._waiting = False
        with contextlib.suppress(RuntimeError):  # the program has ended meanwhile
            loop.call_soon_threadsafe(_give, answer, line)

    @contextlib.contextmanager
    def _editing(self) -> Iterator[None]:
        """Completion and history, where this Python has readline."""
        try:
            import readline
        except ImportError:
            yield
            return
        with contextlib.suppress(OSError):  # none yet
            readline.read_history_file(self._history)
        readline.set_completer(self._completer)
        readline.set_completer_delims(" \t")
        libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
        try:
            yield
        finally:
            readline.set_completer(None)
            readline.set_history_length(_REMEMBERED)
            with contextlib.suppress(OSError):  # a folder that is gone keeps no history
                readline.write_history_file(self._history)
                self._history.chmod(0o600)

    def _completer(self, word: str, state: int) -> str | None:
        import readline

        if state == 0:
            self._found = self._complete(readline.get_line_buffer()[: readline.get_endidx()])
        return f"{self._found[state]} " if state < len(self._found) else None


def _give(answer: asyncio.Future[str | None], line: str | None) -> None:
    if not answer.done():
        answer.set_result(line)


@contextlib.contextmanager
def _restored_terminal() -> Iterator[None]:
    """Whoever leaves while a line is being edited leaves the terminal as it was."""
    import termios

    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)
