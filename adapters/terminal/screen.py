"""Where lines are printed: wrapped to the width, coloured on a terminal only, and never across a prompt."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from adapters.terminal.wrapping import wrapped
from core.cards import Tone

_COLOURS: dict[Tone | str, str] = {"moving": "36", "asking": "33", "good": "32", "bad": "31", "faint": "2"}
"""SGR parameters (ECMA-48). They repeat what the words say."""
_NARROWEST = 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, `indent` columns in; where it is too long it goes on `hang` columns further in.

    A `whole` one is left to the terminal to wrap: what is copied from there has no line breaks in it.
    """

    text: str
    indent: int = 0
    hang: int = 0
    tone: Tone | str = "neutral"
    whole: bool = False


class Screen:
    """One stream that several write to. Each block of lines is printed whole, above the prompt if there is one."""

    def __init__(self, stream: TextIO, width: int | None = None, prompt: Callable[[], str] | None = None) -> None:
        """`width` None: that of the terminal, 80 where there is none. `prompt` gives what stands in its line now."""
        self._stream = stream
        self._width = width
        self._prompt = prompt
        self._terminal = stream.isatty()
        self._lock = threading.Lock()

    @property
    def width(self) -> int:
        return max(self._width or shutil.get_terminal_size((80, 24)).columns, _NARROWEST)

    def show(self, lines: Sequence[Line]) -> None:
        """Print `lines`, whose texts are safe to show."""
        text = "".join(f"{self._painted(row, line.tone)}\n" for line in lines for row in self._rows(line))
        with self._lock:
            self._stream.write(self._around(text))
            self._stream.flush()

    def _rows(self, line: Line) -> list[str]:
        if line.whole:
            return [" " * line.indent + line.text]
        return wrapped(line.text, self.width, line.indent, line.hang)

    def _painted(self, row: str, tone: Tone | str) -> str:
        colour = _COLOURS.get(tone) if self._terminal else None
        return f"\x1b[{colour}m{row}\x1b[0m" if colour and row else row

    def _around(self, text: str) -> str:
        """On a terminal the line with the prompt is cleared first, and drawn again below."""
        standing = self._prompt() if self._prompt else ""
        return f"\r\x1b[K{text}{standing}" if standing else text
