"""What the doctor says: one line for each thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` is a sentence that begins with what was looked at; `mend` says what to do, where not all is well."""

    level: Level
    what: str
    mend: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<4}  {self.what}"
        return f"{line} Mend: {self.mend}" if self.mend else line


def ok(what: str) -> Finding:
    return Finding("ok", what)


def warn(what: str, mend: str) -> Finding:
    """It works, and will not for long, or not as safely as it should."""
    return Finding("warn", what, mend)


def fail(what: str, mend: str) -> Finding:
    """The bot cannot do its work with this."""
    return Finding("fail", what, mend)
