"""Proves that the database can be written and read, over a connection of its own."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from http import HTTPStatus

from ..kit.database import now_text
from ..kit.http import Request, Response, json_response
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET /probe."""
    address = f"{slot.database.as_uri()}?mode=ro"

    def probed(_: Request) -> Response:
        try:
            with closing(sqlite3.connect(address, uri=True)) as connection, connection:
                row = (secrets.token_hex(8), now_text())
                connection.execute("INSERT OR REPLACE INTO probe (id, value, at) VALUES (1, ?, ?)", row)
        except sqlite3.Error as error:
            return json_response({"ok": False, "error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
        return json_response({"ok": True})

    return Feature((Route("GET", f"{slot.prefix}/probe", probed),))
