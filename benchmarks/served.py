"""`python -m benchmarks.served omega|echo FOLDER COUNT`: a server to measure; its first line is its port."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

BOT = "bench-bot"


def token_of(name: str) -> str:
    return f"token-of-{name}"


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def now() -> datetime:
    return datetime.now(UTC)


async def omega(folder: Path, count: int) -> Starlette:
    """OMEGA's API with its registry of `count` licensed mainframes."""
    from agent.api.app import build_app
    from agent.api.auth import Doorman
    from agent.errors import Refused
    from agent.fleet.distributions import Patience
    from agent.fleet.omega import Fleet
    from agent.fleet.registry import Licence
    from agent.fleet.routes import fleet_endpoints
    from agent.slots.artifacts import ArtifactFolder
    from core.release.signing import new_key, public_text, signer_from_pem

    def trusted(envelope: object, name: str, model: object) -> NoReturn:
        raise Refused("refused", "nothing is distributed here")

    key = public_text(signer_from_pem(new_key()))
    names = [f"m{number}" for number in range(count)]
    licences = [Licence(name, "Ada", "standard", None, False, key, hashed(token_of(name))) for name in names]
    patience = Patience(online_within=timedelta(seconds=90), receipt_timeout=timedelta(seconds=300))
    artifacts = ArtifactFolder(folder / "omega", 1 << 30)
    fleet = await Fleet.open(folder / "fleet.sqlite3", licences, artifacts, trusted, now, patience)
    return build_app(fleet_endpoints(fleet), Doorman(hashed(BOT), {name: hashed(token_of(name)) for name in names}))


async def echo(folder: Path, count: int) -> Starlette:
    """Says what it is told, after one durable update; it knows nobody, and checks nothing."""
    c = sqlite3.connect(folder / "echo.db", isolation_level=None)
    c.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE seen (name TEXT PRIMARY KEY, at TEXT);"
    )
    c.executemany("INSERT INTO seen VALUES (?, '')", [(f"token-of-m{number}",) for number in range(count)])

    async def said(request: Request) -> JSONResponse:
        name = request.headers["authorization"].removeprefix("Bearer ")
        c.execute("UPDATE seen SET at = ? WHERE name = ?", (now().isoformat(), name))
        return JSONResponse(await request.json())

    return Starlette(routes=[Route("/v1/poll", said, methods=["POST"])])


async def main(kind: str, folder: Path, count: int) -> None:
    app = await (omega if kind == "omega" else echo)(folder, count)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listening.getsockname()[1], flush=True)
    await uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None)).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
