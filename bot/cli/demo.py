"""`ashat demo`: everything on this machine, with one deployment played."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the data of the last demo.")] = False,
    servers_only: Annotated[
        bool, typer.Option("--servers-only", help="Only the servers and ALPHA, with a settings file to start from.")
    ] = False,
    data: Annotated[Path, typer.Option(metavar="DIR", help="The folder for its data.")] = Path("demo-data"),
) -> None:
    """Start servers and a bot on this machine, play a deployment, then take commands. Ctrl-C ends everything."""
    from demo.play import play

    raise typer.Exit(play(data, keep=keep, servers_only=servers_only))
