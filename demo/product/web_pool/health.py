"""Says that the process answers and that its database does, over connections that are kept open."""

from __future__ import annotations

import sqlite3
from queue import Queue

from ..kit.http import Request, Response, json_response
from ..kit.slot import Feature, Route, Slot

POOL = 2
PATIENCE_SECONDS = 0.1
"""How long a check waits for a connection."""


def feature(slot: Slot) -> Feature:
    """GET /healthz."""
    pool: Queue[sqlite3.Connection] = Queue(POOL)
    for _ in range(POOL):
        pool.put(sqlite3.connect(slot.database, check_same_thread=False))

    def healthy(_: Request) -> Response:
        connection = pool.get(timeout=PATIENCE_SECONDS)
        connection.execute("SELECT 1").fetchone()
        return json_response({"status": "ok", "release": slot.about.id})

    return Feature((Route("GET", f"{slot.prefix}/healthz", healthy),))
