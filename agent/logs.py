"""The agent's log: a line per decision and effect, readable in a terminal, JSON elsewhere, on standard error.

Made of the standard library alone: what a library for it would import takes a quarter of the time in which an agent
starts.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from core.release.text import clean

_FACTS = "facts"
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m"}


class Log:
    """Events with facts: `log.info("switched", component="main", generation=3)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, **facts: Any) -> None:
        self._logger.info(event, extra={_FACTS: facts})

    def warning(self, event: str, **facts: Any) -> None:
        self._logger.warning(event, extra={_FACTS: facts})

    def exception(self, event: str, **facts: Any) -> None:
        """With the exception that is being handled, and how it came about."""
        self._logger.exception(event, extra={_FACTS: facts})


def get_logger(name: str) -> Log:
    return Log(name)


class _Lines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, agent: str) -> None:
        super().__init__()
        self._agent = agent

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": _time(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_facts(record),
            "agent": self._agent,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class _Readable(logging.Formatter):
    """For a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={clean(str(value))}" for name, value in _facts(record).items())
        colour = _COLOURS.get(record.levelname, "")
        line = f"{_time(record)} {colour}{record.levelname.lower():8}{record.getMessage():32}\x1b[0m {facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    """Those of `Log`; records of libraries have none."""
    return dict(getattr(record, _FACTS, {}))


def configure_logs(name: str) -> None:
    """Once, at the start of the program. What libraries say through the standard library comes out the same way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Readable() if sys.stderr.isatty() else _Lines(name))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("uvicorn.access").disabled = True
    for chatty in ("httpx", "httpcore"):  # a line for each request that a check or a poll makes
        logging.getLogger(chatty).setLevel(logging.WARNING)
