"""How many rows one answer lists."""

from __future__ import annotations

from ..kit.http import Request

DEFAULT = 20
MOST = 100
"""More than this comes by the export, which streams."""


def limit(request: Request) -> int:
    """The number in `?limit=`, at most MOST."""
    return min(int(request.query.get("limit", DEFAULT)), MOST)
