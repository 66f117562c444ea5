"""The front door as a process: `python -m agent.door --listen 127.0.0.1:8080 --folder F`.

Imports asyncio and h11 alone, so that it stays small.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
from pathlib import Path

from agent.door.place import LISTENING, STATUS_SOCKET, status_address
from agent.door.proxy import Door

_GRACE = 5.0
"""Seconds for what is in flight to end after SIGTERM."""


async def run(host: str, port: int, folder: Path) -> None:
    """Serve until SIGTERM; then finish what is in flight, for a few seconds."""
    door = Door(folder)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await door.listen(host, port)
    _write(folder / LISTENING, {"port": server.sockets[0].getsockname()[1]})
    status = await _status_server(door, folder)
    await stopped.wait()
    server.close()
    status.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE):
            await door.upstreams.quiet.wait()
    door.close()


async def _status_server(door: Door, folder: Path) -> asyncio.Server:
    (folder / STATUS_SOCKET).unlink(missing_ok=True)
    with status_address(folder) as address:
        return await asyncio.start_unix_server(door.tell, address)


def _write(path: Path, data: dict[str, int]) -> None:
    scratch = path.with_name(f".{path.name}")
    scratch.write_text(json.dumps(data))
    scratch.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="agent.door", description="The front door of one host.")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--folder", required=True, type=Path, help="where the route table is")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    asyncio.run(run(host.strip("[]"), int(port), options.folder))


if __name__ == "__main__":
    main()
