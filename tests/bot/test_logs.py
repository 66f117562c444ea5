"""Logs: one pipe for our lines and the libraries', readable or JSON, and no secret in either."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import structlog
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from bot import logs

SECRET = "s3cr3t-0123456789abcdef"


@dataclass
class Held:
    token: str


class Model(BaseModel):
    token: SecretStr


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging is the process's own: leave it as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*logs._CHATTY, *logs._TELLTALE)}
    yield
    root.handlers, root.level = handlers, level
    for name, each in levels.items():
        logging.getLogger(name).setLevel(each)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def start(log_format: Literal["auto", "text", "json"], level: str = "info") -> tuple[io.StringIO, Any]:
    stream = io.StringIO()
    logs.configure(log_format, level, stream)
    return stream, structlog.get_logger("bot.test")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_elsewhere_and_text_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, log = start("auto")
    log.info("staged", size=3)
    assert lines(stream)[0] | {"timestamp": ""} == {
        "event": "staged", "size": 3, "level": "info", "logger": "bot.test", "timestamp": "",
    }  # fmt: skip
    terminal = Terminal()
    logs.configure("auto", "info", terminal)
    structlog.get_logger("bot.test").info("staged", size=3)
    assert "\x1b[" in terminal.getvalue()
    assert "staged" in terminal.getvalue()


def test_lines_within_a_deployment_carry_it() -> None:
    stream, log = start("json")
    with logs.deployment("v1#2"):
        log.info("staged")
        logging.getLogger("alembic").warning("from a library with %s", "arguments")
    log.info("after")
    first, second, third = lines(stream)
    assert first["deployment"] == second["deployment"] == "v1#2"
    assert (second["event"], second["logger"]) == ("from a library with arguments", "alembic")
    assert "deployment" not in third


def test_what_discords_library_says_of_its_requests_is_never_logged() -> None:
    """Their addresses hold the tokens of interactions."""
    stream, _ = start("json", "debug")
    logging.getLogger("discord.http").warning("We are being rate limited. POST /webhooks/1/aW50secret")
    logging.getLogger("discord.gateway").debug("event %s", {"token": "aW50secret"})
    assert stream.getvalue() == ""


def test_what_is_below_the_level_is_not_logged_and_chatty_libraries_are_quiet() -> None:
    stream, log = start("json", "info")
    log.debug("fine")
    logging.getLogger("httpx").info("HTTP Request: GET …")
    logging.getLogger("uvicorn.access").info("GET /healthz")
    logging.getLogger("uvicorn.error").info("Started")
    assert [line["event"] for line in lines(stream)] == ["Started"]


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "value",
    [
        {"given": SecretStr(SECRET)},
        {"given": SecretBytes(SECRET.encode())},
        {"given": Secret[str](SECRET)},
        {"given": {SecretStr(SECRET): {SecretStr(SECRET)}}},
        {"given": [{"deep": (SecretStr(SECRET),)}]},
        {"given": Model(token=SecretStr(SECRET))},
        {"given": Held(SECRET)},
        {"given": SECRET.encode()},
        {"token": SECRET},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"headers": {"x-api-key": SECRET}},
        {"slack_signing_secret": SECRET},
        {"given": f"connect with xoxb-{SECRET}"},
        {"given": f"wss://wss.slack.example/link/?ticket={SECRET}&app_id=1"},
        {"database_password": SECRET},
        {"given": f"sent Bearer {SECRET} to it"},
        {"given": f"postgresql://ashat:{SECRET}@db/ashat"},
        {"given": f"https://x.example/?token={SECRET}&a=b"},
        {"given": f"-----BEGIN PRIVATE KEY-----\n{SECRET}"},
    ],
    ids=lambda value: f"{next(iter(value))} {type(next(iter(value.values()))).__name__}",
)
def test_no_secret_reaches_a_log(log_format: Literal["text", "json"], value: dict[str, Any]) -> None:
    stream, log = start(log_format)
    log.warning("connected", **value)
    assert "connected" in stream.getvalue()
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_reaches_a_traceback(log_format: Literal["text", "json"]) -> None:
    stream, log = start(log_format)

    def fail(hidden_local: str) -> None:
        raise RuntimeError(f"refused: Authorization: Bearer {hidden_local}")

    try:
        fail(SECRET)
    except RuntimeError:
        log.exception("failed", reference="7F3K2")
        logging.getLogger("apscheduler").exception("failed too")
    said = stream.getvalue()
    assert said.count("RuntimeError: refused") == 2
    assert "7F3K2" in said
    assert SECRET not in said


@pytest.mark.parametrize("text", ["\x1b[2J", "a\rb", "a\nb", "\u202eabc", "\x9b1m", "\u2028"])
def test_nothing_logged_moves_the_cursor_or_turns_text_round(text: str) -> None:
    stream, log = start("text")
    log.info("said", by=text)
    log.info(text)
    said = stream.getvalue()
    assert said.count("\n") == 2
    assert all(letter.isprintable() or letter == "\n" for letter in said)


def test_what_helps_is_not_hidden() -> None:
    stream, log = start("json")
    log.info("x", token_file="/etc/token", count=3, none=None, ok=True, monkey="b", secretary="c", path="a/b")
    line = lines(stream)[0]
    assert (line["token_file"], line["count"], line["none"], line["ok"]) == ("/etc/token", 3, None, True)
    assert (line["monkey"], line["secretary"], line["path"]) == ("b", "c", "a/b")


def test_references_can_be_read_out_and_differ() -> None:
    made = {logs.reference() for _ in range(200)}
    assert len(made) > 195
    assert all(4 <= len(each) <= 6 and not set(each) & set("01OILU") for each in made)
