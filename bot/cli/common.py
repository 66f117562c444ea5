"""What the commands share: where the settings are, and how an expected error is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

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
