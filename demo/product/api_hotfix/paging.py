"""How many rows one answer lists."""

from __future__ import annotations

from http import HTTPStatus

from ..kit.http import Request, RequestError

DEFAULT = 20
MOST = 100
"""More than this comes by the export, which streams."""


def limit(request: Request) -> int:
    """The number in `?limit=`, at most MOST. Raises RequestError where it is no number of 1 or more."""
    text = request.query.get("limit", str(DEFAULT))
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"limit must be a number from 1 to {MOST}.")
    return min(int(text), MOST)
