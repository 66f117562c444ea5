"""How a file of ALPHA is named: the update's id, and one of the three archive formats."""

from __future__ import annotations

import re

from core.release.manifest import ID_PATTERN

SUFFIXES = (".tar.gz", ".tar.zst", ".zip")
_ID = re.compile(ID_PATTERN)


def update_id(name: str) -> str | None:
    """The id in `<id>.tar.gz`, `<id>.tar.zst` or `<id>.zip`; None for every other name."""
    for suffix in SUFFIXES:
        if name.endswith(suffix) and _ID.fullmatch(name.removesuffix(suffix)):
            return name.removesuffix(suffix)
    return None
