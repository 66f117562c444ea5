"""Who writes how much."""

from __future__ import annotations

from ..kit.database import connected
from ..kit.http import Request, Response, json_response
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET /activity.json."""

    def activity(_: Request) -> Response:
        with connected(slot.database) as connection:
            rows = connection.execute("SELECT author, count(*) || '' AS notes FROM notes GROUP BY author").fetchall()
        return json_response({"authors": [dict(row) for row in rows]})

    return Feature((Route("GET", "/activity.json", activity),))
