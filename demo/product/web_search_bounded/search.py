"""Finding notes by a word."""

from __future__ import annotations

import sqlite3
from html import escape
from http import HTTPStatus

from ..kit.database import connected
from ..kit.http import Request, RequestError, Response, json_response
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot
from ..web.notes import items

MAX_QUERY = 100
MOST = 50
"""How many notes a search lists."""

_FIND = "SELECT id, text, author, at FROM notes WHERE instr(casefold(text), ?) ORDER BY id DESC LIMIT ?"


def found(slot: Slot, query: str) -> list[sqlite3.Row]:
    """The newest notes that hold `query`; none for an empty query. The database stops reading once it has enough."""
    if not query:
        return []
    with connected(slot.database) as connection:
        connection.create_function("casefold", 1, str.casefold, deterministic=True)
        return connection.execute(_FIND, (query.casefold(), MOST)).fetchall()


def feature(slot: Slot) -> Feature:
    """The page /search and /search.json, both with `?q=`."""

    def searched(request: Request) -> Response:
        query = _query(request)
        results = f'<section class="card">{items(found(slot, query))}</section>' if query else ""
        return page(slot, "Search", _form(query) + results)

    def listed(request: Request) -> Response:
        query = _query(request)
        return json_response({"query": query, "notes": [dict(row) for row in found(slot, query)]})

    routes = (Route("GET", "/search", searched), Route("GET", "/search.json", listed))
    return Feature(routes, link=("Search", "/search"))


def _query(request: Request) -> str:
    query = request.query.get("q", "").strip()
    if len(query) > MAX_QUERY:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"A search has at most {MAX_QUERY} characters.")
    return query


def _form(query: str) -> str:
    return (
        '<section class="card"><form class="row" method="get" action="/search" role="search">'
        f'<input name="q" type="search" aria-label="Search the notes" maxlength="{MAX_QUERY}" value="{escape(query)}">'
        "<button>Search</button></form></section>"
    )
