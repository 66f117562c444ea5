"""`ashat attest`: the signed statement that each completed deployment carries."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.common import DEFAULT_CONFIG, REFUSED, Config, complain, explained, trusted

if TYPE_CHECKING:
    from core.attestation import Attestation

group = typer.Typer(no_args_is_help=True)
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="HEX", help="A public key of the bot, 64 digits, instead of those found here."),
]


@group.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A completed deployment, v1 or v1#2.")],  # noqa: A002 - the domain's word
    envelope: Annotated[
        bool, typer.Option("--envelope", help="The signed DSSE envelope, to keep or to check.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Print what the bot states of a deployment; --envelope prints it as it was signed."""
    signed = _of_deployment(id, config)
    if envelope:
        typer.echo(json.dumps(signed, ensure_ascii=False, separators=(",", ":")))
        return
    from base64 import b64decode

    typer.echo(json.dumps(json.loads(b64decode(signed["payload"])), indent=2, ensure_ascii=False))


@group.command()
def verify(
    what: Annotated[str, typer.Argument(metavar="FILE|ID", help="An envelope in a file, or a completed deployment.")],
    key: Keys = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Check a statement's signature, and say what it states. Exit status 1 where it is not the bot's.

    Any DSSE verifier that has the bot's public key can do the same.
    """
    from bot.attestations import checked
    from core.plain import safe
    from core.release.signing import SignatureRefused

    with explained():
        trust = trusted(key, config)
    signed = _in_file(Path(what)) if Path(what).is_file() else _of_deployment(what, config)
    try:
        stated = checked(signed, trust)
    except SignatureRefused as refused:
        complain(f"{what} proves nothing: {refused}.")
        raise typer.Exit(REFUSED) from refused
    for line in _words(stated.says):
        typer.echo(safe(line))
    typer.echo(f"The signature is right: key {', '.join(one[:12] for one in stated.keys)}.")


def _words(says: Attestation) -> list[str]:
    run = says.verification
    passed = sum(check.result == "passed" for check in run.checks)
    rest = [f"{check.name} {check.result.replace('_', ' ')}" for check in run.checks if check.result != "passed"]
    lines = [
        f"{says.deployment}#{says.attempt} ({says.component}), sha256 {says.digest}",
        f"pushed by {says.pushed_by} at {says.pushed_at:%Y-%m-%d %H:%M:%S} UTC: {says.description}",
        f"verification run {run.run}: {passed} of {len(run.checks)} checks passed"
        + (f"; {', '.join(rest)}" if rest else ""),
    ]
    lines += [f"approved by {vote.person} at {vote.at:%Y-%m-%d %H:%M:%S} UTC" for vote in says.votes]
    for region in says.regions:
        counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in region.mainframes.items())
        lines.append(f"OMEGA {region.region}: {region.receipts} receipts" + (f" ({counts})" if counts else ""))
        lines += [f"left out, frozen by {one.by}: {one.mainframe} (“{one.why}”)" for one in region.left_out]
    return [*lines, f"completed at {says.completed_at:%Y-%m-%d %H:%M:%S} UTC, generation {says.generation}"]


def _in_file(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        complain(f"{file} cannot be read as JSON: {error}.")
        raise typer.Exit(REFUSED) from error
    if not isinstance(found, dict):
        complain(f"{file} is no DSSE envelope.")
        raise typer.Exit(REFUSED)
    return found


def _of_deployment(typed: str, config: Path) -> dict[str, Any]:
    from bot import wiring
    from bot.attestations import NoStatement, found
    from bot.settings import load

    async def looked() -> dict[str, Any]:
        store = await wiring.store_of(load(config), wiring.SystemClock())
        try:
            return await found(store, typed)
        finally:
            await store.close()

    with explained():
        try:
            return asyncio.run(looked())
        except NoStatement as error:
            complain(str(error))
            raise typer.Exit(REFUSED) from error
