"""`ashat keys`: the keys with which the bot signs what servers act on, and how they are changed without a gap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.common import DEFAULT_CONFIG, Config, explained

if TYPE_CHECKING:
    from bot.keys import KnownKey

group = typer.Typer(no_args_is_help=True)


@group.command()
def new(
    path: Annotated[Path | None, typer.Argument(help="The file; [ashat] key_file of the settings unless told.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Make a private key with mode 0600, the first or a newer one; prints the public half for the agents' settings.

    The bot signs with the newest from then on, without a restart. Older ones sign releases along with it until they
    are retired, so agents may learn the newest one after the other.
    """
    from bot import keys, wiring
    from bot.settings import load

    with explained():
        target = path or load(config).ashat.key_file
        first = path is not None or not target.exists()
        now = wiring.SystemClock().now()
        public = keys.new(target, now) if first else keys.rotate(target, now)
        trusted = [public] if first else [row.public for row in keys.known(target) if row.retired is None]
    typer.echo(f"The private key is in {target}; keep a backup, it cannot be made again.")
    listed = ", ".join(f'"{one}"' for one in trusted)
    if first:
        typer.echo(f"Put its public half into each agent's settings, under [trust]: bot_keys = [{listed}]")
        return
    typer.echo("The older keys sign releases along with it, so every agent goes on as before. Now:")
    typer.echo(f"1. Every agent, mainframes too: under [trust] set bot_keys = [{listed}], then restart it.")
    typer.echo("2. `ashat doctor` says which servers do not know the newest key yet.")
    typer.echo("3. `ashat keys retire <id>` for each older key; then take it out of the agents' settings.")


@group.command("list")
def list_(config: Config = DEFAULT_CONFIG) -> None:
    """List every key that the bot has or had, newest first: id, age, whether it signs, and its public half."""
    from bot import keys, wiring
    from bot.settings import load

    with explained():
        path = load(config).ashat.key_file
        rows = keys.known(path)
        now = wiring.SystemClock().now()
        for row in reversed(rows):
            age = f"{(now - row.since).days} days old" if row.since else "of unknown age"
            typer.echo(f"{row.short}  {_state(row, row is rows[-1], keys.has_private_half(path, row))}, {age}")
            typer.echo(f"{'':14}{row.public}")


def _state(row: KnownKey, newest: bool, private: bool) -> str:
    if row.retired is not None:
        return f"retired since {row.retired:%Y-%m-%d %H:%M} UTC, what it signed before is believed"
    if newest:
        return "newest, the bot signs with it"
    return "signs releases besides the newest" if private else "its private half is not here"


@group.command()
def retire(
    key: Annotated[str, typer.Argument(metavar="ID", help="What `ashat keys list` shows, or how it begins.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Stop an older key for good: it signs nothing more, and what it signed until now stays valid."""
    from bot import keys, wiring
    from bot.settings import load

    with explained():
        retired = keys.retire(load(config).ashat.key_file, key, wiring.SystemClock().now())
    typer.echo(f"{retired.short} is retired, and its private half is removed; take it out of backups too.")
    typer.echo(f'Now take "{retired.public}" out of [trust] bot_keys on every agent: it would believe a thief of it.')
