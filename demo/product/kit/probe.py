"""Proves that the database can be written and read."""

from __future__ import annotations

import secrets
import sqlite3
import time
from http import HTTPStatus

from ..kit.database import connected, now_text
from ..kit.http import Request, Response, json_response
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET /probe."""

    def probed(_: Request) -> Response:
        started = time.perf_counter()
        try:
            round_trip(slot)
        except (sqlite3.Error, RuntimeError) as error:
            return json_response({"ok": False, "error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
        return json_response({"ok": True, "milliseconds": round((time.perf_counter() - started) * 1000, 3)})

    return Feature(routes=(Route("GET", f"{slot.prefix}/probe", probed),))


def round_trip(slot: Slot) -> None:
    """Write a value that no one can guess and read it back. Raises sqlite3.Error, or RuntimeError where it differs."""
    value = secrets.token_hex(8)
    with connected(slot.database) as connection:
        connection.execute("INSERT OR REPLACE INTO probe (id, value, at) VALUES (1, ?, ?)", (value, now_text()))
    with connected(slot.database) as connection:
        row = connection.execute("SELECT value FROM probe WHERE id = 1").fetchone()
    if row is None or row["value"] != value:
        raise RuntimeError("The database did not keep what was written.")
