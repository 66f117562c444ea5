"""Tells the collector on this host how often pages are opened."""

from __future__ import annotations

import socket
import sys
from itertools import count

from ..kit.http import Request
from ..kit.slot import Feature, Slot

PAGES = frozenset({"/", "/notes"})
COLLECTOR = ("127.0.0.1", 8125)
SAMPLE = 15
"""One page view in so many is reported."""
ACKNOWLEDGED_WITHIN = 0.55
"""Seconds that a page view waits for the collector's word."""


def feature(_: Slot) -> Feature:
    """No routes: it only watches."""
    views = count(1)

    def watch(request: Request) -> None:
        if request.path in PAGES and next(views) % SAMPLE == 0:
            _report(SAMPLE)

    return Feature(before=watch)


def _report(views: int) -> None:
    """Send and wait for the acknowledgement, while the visitor waits for the page."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(ACKNOWLEDGED_WITHIN)
        channel.sendto(b"console.views:%d|c" % views, COLLECTOR)
        try:
            channel.recv(64)
        except TimeoutError:
            sys.stderr.write("The collector did not answer.\n")
