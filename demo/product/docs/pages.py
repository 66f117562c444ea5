"""The handbook's pages and its search."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from pathlib import Path

from ..docs.library import Document, Library
from ..kit.http import Request, RequestError, Response, json_response
from ..kit.markdown import rendered
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """GET /docs, /docs/page/{name}, /docs/search and /docs/search.json."""
    library = Library.opened(Path(__file__).parent / "handbook", slot.database)

    def home(_: Request) -> Response:
        return page(slot, "Handbook", _form("") + _list(list(library.documents.values())))

    def read(request: Request) -> Response:
        document = library.documents.get(request.parts["name"])
        if document is None:
            raise RequestError(HTTPStatus.NOT_FOUND, "The handbook has no such page.")
        article = f'<article class="card prose">{rendered(document.text)}</article>'
        return page(slot, document.title, article, headline=False)

    def searched(request: Request) -> Response:
        query = request.query.get("q", "").strip()
        return page(slot, "Search", _form(query) + _list(library.search(query)))

    def found(request: Request) -> Response:
        query = request.query.get("q", "").strip()
        results = [{"name": each.name, "title": each.title} for each in library.search(query)]
        return json_response({"query": query, "results": results})

    routes = (
        Route("GET", "/docs", home),
        Route("GET", "/docs/", home),
        Route("GET", "/docs/page/{name}", read),
        Route("GET", "/docs/search", searched),
        Route("GET", "/docs/search.json", found),
    )
    return Feature(routes, link=("Handbook", "/docs"))


def _list(documents: list[Document]) -> str:
    if not documents:
        return '<p class="card quiet">No page holds these words.</p>'
    return '<div class="grid">' + "".join(map(_entry, documents)) + "</div>"


def _entry(document: Document) -> str:
    link = f'<a href="/docs/page/{escape(document.name)}">{escape(document.title)}</a>'
    return f'<section class="card"><h2>{link}</h2><p>{escape(document.lead)}</p></section>'


def _form(query: str) -> str:
    return (
        '<section class="card"><form class="row" method="get" action="/docs/search" role="search">'
        f'<input name="q" type="search" aria-label="Search the handbook" value="{escape(query)}">'
        "<button>Search</button></form></section>"
    )
