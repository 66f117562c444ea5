"""Taking the notes along: all of them as CSV or JSON."""

from __future__ import annotations

import csv
import io
import sqlite3

from ..kit.database import connected
from ..kit.http import Request, Response, json_response
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot


def feature(slot: Slot) -> Feature:
    """The page /export, /export.csv and /export.json."""

    def offered(_: Request) -> Response:
        table, data = '<a href="/export.csv">for a spreadsheet</a>', '<a href="/export.json">for a program</a>'
        return page(slot, "Export", f'<p class="card">All {len(_all(slot))} notes, {table} or {data}.</p>')

    def table(_: Request) -> Response:
        attachment = ("Content-Disposition", 'attachment; filename="notes.csv"')
        return Response(_csv(_all(slot)), "text/csv; charset=utf-8", headers=(attachment,))

    def data(_: Request) -> Response:
        return json_response({"notes": [dict(row) for row in _all(slot)]})

    paths = (("/export", offered), ("/export.csv", table), ("/export.json", data))
    return Feature(tuple(Route("GET", path, handler) for path, handler in paths), link=("Export", "/export"))


def _all(slot: Slot) -> list[sqlite3.Row]:
    with connected(slot.database) as connection:
        return connection.execute("SELECT id, at, author, text FROM notes ORDER BY id").fetchall()


def _csv(rows: list[sqlite3.Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("id", "at", "author", "text"))
    writer.writerows([_inert(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _inert(value: object) -> object:
    """A spreadsheet runs a text that begins like a formula; a quote before it makes it a text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value
