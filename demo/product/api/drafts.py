"""Drafts: titles of notes that are still to be written."""

from __future__ import annotations

from http import HTTPStatus

from ..kit.database import connected, now_text
from ..kit.http import Request, RequestError, Response, json_response
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET and POST /api/drafts."""

    def listed(_: Request) -> Response:
        with connected(slot.database) as connection:
            rows = connection.execute("SELECT id, title, at FROM drafts ORDER BY id").fetchall()
        return json_response({"drafts": [dict(row) for row in rows]})

    def made(request: Request) -> Response:
        title = request.json().get("title")
        if not isinstance(title, str) or not 0 < len(title) <= 120:
            raise RequestError(HTTPStatus.BAD_REQUEST, "title must be a text of 1 to 120 characters.")
        with connected(slot.database) as connection:
            insert = "INSERT INTO drafts (title, at) VALUES (?, ?) RETURNING id, title, at"
            row = connection.execute(insert, (title, now_text())).fetchone()
        return json_response(dict(row), HTTPStatus.CREATED)

    return Feature((Route("GET", "/api/drafts", listed), Route("POST", "/api/drafts", made)))
