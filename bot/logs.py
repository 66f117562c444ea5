"""Structured logs: readable on a terminal, JSON lines elsewhere, and never with a secret in them.

`structlog.get_logger()` is how modules log. What libraries log by the standard library goes through the same pipe.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO

import structlog
from pydantic import Secret, SecretBytes, SecretStr
from structlog.typing import EventDict, Processor

from bot.settings.values import names_a_secret

HIDDEN = "[hidden]"
_REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32 without 0 and 1, which people read as O and I."""
_SECRET_TEXTS = (
    (re.compile(r"(\b(?:bearer|basic)\s+)[^\s'\",]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"), rf"\1{HIDDEN}"),
    (
        re.compile(r"(\b(?:token|secret|password)['\"]?\s?[=:]\s?)(?:'[^']*'|\"[^\"]*\"|[^\s'\",;)&]+)", re.I),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\bx(?:ox[a-z]|app)-[\w-]{6,}"), HIDDEN),
    (re.compile(r"(\bticket=)[^\s'\"&]+"), rf"\1{HIDDEN}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), HIDDEN),
)
_CHATTY = ("httpx", "httpcore", "apscheduler", "uvicorn.access", "asyncio", "alembic", "slack_bolt", "slack_sdk")
"""Libraries that log every request or tick at the level of information."""
_TELLTALE = {"discord": logging.WARNING, "discord.http": logging.ERROR}
"""Libraries that log whole addresses and messages, tokens and all, below these levels: never, if ever so wanted."""


def configure(
    log_format: Literal["auto", "text", "json"] = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Set up the process's logging, once at start. `stream` is standard error unless told; `auto` asks it for a tty."""
    out = stream or sys.stderr
    text = log_format == "text" or (log_format == "auto" and out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(text=text, colours=text and out.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _route_libraries(verbose=level == "debug")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def deployment(name: str) -> AbstractContextManager[None]:
    """Every line logged within, in this task and those it starts, carries the deployment (`<id>#<attempt>`)."""
    return structlog.contextvars.bound_contextvars(deployment=name)


def reference() -> str:
    """A short id that a person can read out, and that finds the line of an unexpected error in the log."""
    return "".join(secrets.choice(_REFERENCE_LETTERS) for _ in range(5))


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A processor that hides secrets: by type wherever they are, then by the key's name, then by their look."""
    return {
        key: HIDDEN if names_a_secret(key) and value is not None else _without_secrets(value)
        for key, value in event.items()
    }


def _without_secrets(value: Any) -> Any:
    match value:
        case SecretStr() | SecretBytes() | Secret():
            return HIDDEN
        case None | bool() | int() | float():
            return value
        case str():
            return _masked(value)
        case bytes() | bytearray():
            return f"<{len(value)} bytes>"
        case Mapping():
            return redact(None, "", {str(key): below for key, below in value.items()})
        case list() | tuple() | set() | frozenset():
            return [_without_secrets(each) for each in value]
        case _:
            return _masked(str(value))


def _masked(text: str) -> str:
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def _printable(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Servers and people write into logs: nothing of it may move the cursor, colour, or turn the text round."""
    return {key: _escaped(value, "\n\t" if key == "exception" else "") for key, value in event.items()}


def _escaped(value: Any, allowed: str) -> Any:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(
        letter if letter.isprintable() or letter in allowed else letter.encode("unicode_escape").decode()
        for letter in value
    )


def _shared() -> list[Processor]:
    """What happens to every line, ours and the libraries'. Tracebacks are text before secrets are looked for."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]


def _formatter(*, text: bool, colours: bool) -> logging.Formatter:
    final: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if text:
        plain = structlog.dev.plain_traceback  # others print local variables, and secrets with them
        final += [_printable, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]
    else:
        final.append(structlog.processors.JSONRenderer(sort_keys=True))
    return structlog.stdlib.ProcessorFormatter(processors=final, foreign_pre_chain=_shared())


def _route_libraries(*, verbose: bool) -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET if verbose else logging.WARNING)
    for name, level in _TELLTALE.items():
        logging.getLogger(name).setLevel(level)
