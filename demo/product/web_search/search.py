"""Finding notes by a word."""

from __future__ import annotations

import sqlite3
from html import escape

from ..kit.database import connected
from ..kit.http import Request, Response, json_response
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot
from ..web.notes import items


def found(slot: Slot, query: str) -> list[sqlite3.Row]:
    """The notes that hold `query`, newest first; none for an empty query."""
    with connected(slot.database) as connection:
        rows = connection.execute("SELECT id, text, author, at FROM notes ORDER BY id DESC").fetchall()
    return [row for row in rows if query and query.casefold() in row["text"].casefold()]


def feature(slot: Slot) -> Feature:
    """The page /search and /search.json, both with `?q=`."""

    def searched(request: Request) -> Response:
        query = request.query.get("q", "").strip()
        results = f'<section class="card">{items(found(slot, query))}</section>' if query else ""
        return page(slot, "Search", _form(query) + results)

    def listed(request: Request) -> Response:
        query = request.query.get("q", "").strip()
        return json_response({"query": query, "notes": [dict(row) for row in found(slot, query)]})

    routes = (Route("GET", "/search", searched), Route("GET", "/search.json", listed))
    return Feature(routes, link=("Search", "/search"))


def _form(query: str) -> str:
    return (
        '<section class="card"><form class="row" method="get" action="/search" role="search">'
        f'<input name="q" type="search" aria-label="Search the notes" value="{escape(query)}">'
        "<button>Search</button></form></section>"
    )
