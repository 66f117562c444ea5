"""The machine's own time zone, by its name: what a terminal's reader lives in."""

from __future__ import annotations

import os
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def local_zone() -> str | None:
    """The IANA name in TZ, or of what /etc/localtime links to; None where neither is one."""
    linked = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    name = os.environ.get("TZ", "").lstrip(":") or linked
    try:
        return ZoneInfo(name).key if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
