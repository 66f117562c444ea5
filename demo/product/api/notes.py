"""Notes: made, read, changed and deleted over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from ..api.paging import limit
from ..kit.database import connected, now_text
from ..kit.http import Request, RequestError, Response, json_response
from ..kit.slot import Feature, Route, Slot

MAX_TITLE = 120
MAX_BODY = 10_000


class Notes:
    """The handlers of /api/notes."""

    def __init__(self, slot: Slot) -> None:
        self._database = slot.database

    def listed(self, request: Request) -> Response:
        count = limit(request)
        with connected(self._database) as connection:
            rows = connection.execute("SELECT * FROM notes ORDER BY at DESC, id DESC LIMIT ?", (count,)).fetchall()
            total = connection.execute("SELECT count(*) FROM notes").fetchone()[0]
        return json_response({"notes": [dict(row) for row in rows], "total": total})

    def made(self, request: Request) -> Response:
        title, body = _note(request)
        with connected(self._database) as connection:
            insert = "INSERT INTO notes (title, body, at) VALUES (?, ?, ?) RETURNING *"
            row = connection.execute(insert, (title, body, now_text())).fetchone()
        return json_response(dict(row), HTTPStatus.CREATED)

    def read(self, request: Request) -> Response:
        with connected(self._database) as connection:
            row = connection.execute("SELECT * FROM notes WHERE id = ?", (_id(request),)).fetchone()
        return json_response(_known(row))

    def changed(self, request: Request) -> Response:
        title, body = _note(request)
        with connected(self._database) as connection:
            update = "UPDATE notes SET title = ?, body = ? WHERE id = ? RETURNING *"
            row = connection.execute(update, (title, body, _id(request))).fetchone()
        return json_response(_known(row))

    def deleted(self, request: Request) -> Response:
        with connected(self._database) as connection:
            row = connection.execute("DELETE FROM notes WHERE id = ? RETURNING *", (_id(request),)).fetchone()
        return json_response({"deleted": _known(row)["id"]})

    def exported(self, _: Request) -> Response:
        return Response(content_type="application/x-ndjson", chunks=self._lines())

    def _lines(self) -> Iterator[bytes]:
        with connected(self._database) as connection:
            for row in connection.execute("SELECT * FROM notes ORDER BY id"):
                yield json.dumps(dict(row), ensure_ascii=False).encode() + b"\n"


def feature(slot: Slot) -> Feature:
    """/api/notes, /api/notes/{id}, and the streamed /api/export."""
    notes = Notes(slot)
    return Feature((
        Route("GET", "/api/notes", notes.listed),
        Route("POST", "/api/notes", notes.made),
        Route("GET", "/api/notes/{id}", notes.read),
        Route("PUT", "/api/notes/{id}", notes.changed),
        Route("DELETE", "/api/notes/{id}", notes.deleted),
        Route("GET", "/api/export", notes.exported),
    ))  # fmt: skip


def _note(request: Request) -> tuple[str, str]:
    data = request.json()
    title, body = data.get("title"), data.get("body", "")
    if not isinstance(title, str) or not 0 < len(title) <= MAX_TITLE:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"title must be a text of 1 to {MAX_TITLE} characters.")
    if not isinstance(body, str) or len(body) > MAX_BODY:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"body must be a text of at most {MAX_BODY} characters.")
    return title, body


def _id(request: Request) -> int:
    text = request.parts["id"]
    if not text.isdecimal() or len(text) > 18:
        raise RequestError(HTTPStatus.NOT_FOUND, "There is no such note.")
    return int(text)


def _known(row: Any) -> dict[str, Any]:
    if row is None:
        raise RequestError(HTTPStatus.NOT_FOUND, "There is no such note.")
    return dict(row)
