"""What went wrong on the way to a server, as one sentence: every failure of the network, TLS or HTTP has one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from socket import gaierror

import httpx

from adapters.servers.guard import HostRefused
from core.ports import ServerFault
from core.text import clean


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take, in seconds."""

    connect: float = 5.0
    silence: float = 30.0
    """Between two pieces of what it sends or takes."""
    answer: float = 60.0
    """For a whole answer, from the look-up of the name on; however slowly it drips."""
    stored: float = 300.0
    """From an upload's last byte to the answer: the server hashes and syncs what came."""

    def timeouts(self, read: float | None = None) -> httpx.Timeout:
        return httpx.Timeout(self.silence, connect=self.connect, read=read or self.silence)


class Declined(ServerFault):
    """The server answered with an error. `kind` is the stable word of its Problem, None where it gave none."""

    def __init__(self, sentence: str, status: int, kind: str | None, headers: Mapping[str, str]) -> None:
        super().__init__(sentence, temporary=status == 429 or status >= 500)
        self.status = status
        self.kind = kind
        self.headers = headers


class Garbled(ServerFault):
    """Something answered, but not as an agent does."""


def fault_of(error: Exception, name: str, patience: Patience) -> ServerFault:
    """The fault that a caller sees for what httpx, the guard or the operating system raised."""
    if isinstance(error, HostRefused):
        return ServerFault(f"{name} was not asked: {error}", temporary=False)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ServerFault(
                f"the certificate of {name} was not accepted: {clean(cause.verify_message, 120)}", temporary=False
            )
    kind = Garbled if isinstance(error, httpx.ProtocolError) else ServerFault
    return kind(f"{name} {_what(error, patience)}", temporary=True)


def _what(error: Exception, patience: Patience) -> str:
    match error:
        case httpx.ConnectTimeout():
            return f"did not accept a connection within {patience.connect:g} s"
        case httpx.ReadTimeout():
            return f"fell silent for {patience.silence:g} s before its answer was complete"
        case httpx.WriteTimeout():
            return f"took none of what was sent for {patience.silence:g} s"
        case httpx.PoolTimeout():
            return f"is being asked too much at once: no connection was free for {patience.silence:g} s"
        case TimeoutError():
            return f"did not complete its answer within {patience.answer:g} s"
        case httpx.ProtocolError():
            return "broke off, or answered with something that is not HTTP"
        case httpx.ConnectError() | OSError():
            return _no_connection(error)
        case _:
            return "broke off the connection"


def _no_connection(error: Exception) -> str:
    for cause in _causes(error):
        match cause:
            case ssl.SSLError():
                return "does not speak TLS as it must at this address"
            case ConnectionRefusedError():
                return "refuses connections: nothing listens at its address"
            case gaierror():
                return "has a host name that is not known"
    return "cannot be reached"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and everything that led to it, also inside exception groups."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
