"""The board's notes: read by everyone, written by those who are signed in."""

from __future__ import annotations

import sqlite3
from html import escape
from http import HTTPStatus

from ..kit.database import connected, now_text
from ..kit.http import Request, RequestError, Response, json_response, see_other
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot

MAX_TEXT = 500
NEWEST = 50
"""How many notes a page shows."""


def newest(slot: Slot, count: int) -> list[sqlite3.Row]:
    """The `count` newest notes, newest first."""
    with connected(slot.database) as connection:
        query = "SELECT id, text, author, at FROM notes ORDER BY id DESC LIMIT ?"
        return connection.execute(query, (count,)).fetchall()


def items(rows: list[sqlite3.Row]) -> str:
    """Notes as a list in HTML."""
    if not rows:
        return '<p class="quiet">Nothing here yet.</p>'
    return '<ul class="plain">' + "".join(_item(row) for row in rows) + "</ul>"


def feature(slot: Slot) -> Feature:
    """The page /notes, POST /notes, /notes.json, and the panel of the newest."""

    def read(request: Request) -> Response:
        body = f'<section class="card">{items(newest(slot, NEWEST))}</section>'
        return page(slot, "Notes", _form(slot.visitor(request)) + body)

    def write(request: Request) -> Response:
        author = slot.visitor(request)
        text = request.form().get("text", "").strip()
        if not author:
            raise RequestError(HTTPStatus.FORBIDDEN, "Sign in before you write a note.")
        if not 0 < len(text) <= MAX_TEXT:
            raise RequestError(HTTPStatus.BAD_REQUEST, f"A note has 1 to {MAX_TEXT} characters.")
        with connected(slot.database) as connection:
            connection.execute("INSERT INTO notes (text, author, at) VALUES (?, ?, ?)", (text, author, now_text()))
        return see_other("/notes")

    def listed(_: Request) -> Response:
        return json_response({"notes": [dict(row) for row in newest(slot, NEWEST)]})

    def panel() -> str:
        return f"<h2>Newest notes</h2>{items(newest(slot, 3))}"

    routes = (Route("GET", "/notes", read), Route("POST", "/notes", write), Route("GET", "/notes.json", listed))
    return Feature(routes, link=("Notes", "/notes"), panel=panel)


def _item(row: sqlite3.Row) -> str:
    day = row["at"][:16].replace("T", " ")
    return f"<li>{escape(row['text'])}<br><small>{escape(row['author'])}, {escape(day)} UTC</small></li>"


def _form(author: str | None) -> str:
    if not author:
        return '<p class="card"><a href="/auth">Sign in</a> to write a note.</p>'
    return (
        f'<section class="card"><form method="post" action="/notes"><label>A note from {escape(author)}'
        f'<textarea name="text" rows="3" required maxlength="{MAX_TEXT}"></textarea></label>'
        "<button>Add note</button></form></section>"
    )
