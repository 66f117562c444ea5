"""Ports for the demo's servers: the same ones each time where they are free, others where they are not."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """A port that must be this one belongs to another program. `str(error)` is one sentence."""


@contextmanager
def reserved(wanted: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """A free port for each name: the wanted one, or the next that is free.

    They stay reserved until the block ends, so that two demos that start at once take different ones: a port is bound,
    but not listened on, which keeps others out and lets in a server that asks for address reuse.
    """
    with ExitStack() as stack:
        yield {name: _bound(stack, range(port, 65536)) for name, port in wanted.items()}


@contextmanager
def reserved_again(ports: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """The very same ports as before, also while old connections to them fade away. Raises PortTakenError."""
    with ExitStack() as stack:
        for name, port in ports.items():
            try:
                _bound(stack, [port], reuse=True)
            except PortTakenError as error:
                raise PortTakenError(
                    f"Port {port} of {name} is in use: stop the program that has it, or start without --keep."
                ) from error
        yield dict(ports)


def _bound(stack: ExitStack, candidates: Iterable[int], *, reuse: bool = False) -> int:
    for port in candidates:
        probe = stack.enter_context(socket.socket())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            probe.close()
            continue
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        return port
    raise PortTakenError("No port is free.")
