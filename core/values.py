"""One argument's text as the value of its kind, or one sentence that says why it cannot be."""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import urlsplit

from core import times
from core.commands import SPECS, Argument
from core.release.manifest import ID_PATTERN
from core.stages import Stage
from core.text import clean, nearest

Value: TypeAlias = str | int | float

_ID = re.compile(ID_PATTERN)
_ATTEMPT = re.compile(rf"{ID_PATTERN}(?:#[1-9][0-9]{{0,5}})?")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d{1,3})?)s)?", re.ASCII)
_SECONDS = (86_400, 3_600, 60, 1)
LONGEST_WAIT = 7 * 86_400.0
"""Seconds. A wait is a connection that somebody holds open; a week is more than anybody means."""


class ArgumentError(ValueError):
    """The text is no such argument. `str(error)` is one sentence: what is wrong, and what was expected."""


def shown(text: str) -> str:
    """What a person typed, short enough to repeat to them."""
    return f"`{clean(text.replace('`', ''), 40)}`"


def read(argument: Argument, text: str) -> Value:
    """The value of `text`, which is one clean line. Raises ArgumentError."""
    if not text:
        raise ArgumentError(f"The {argument.label} is empty; it is {argument.summary}.")
    if argument.kind != "count" and len(text) > argument.limit:
        raise ArgumentError(f"The {argument.label} has {len(text)} characters; at most {argument.limit} fit.")
    match argument.kind:
        case "text":
            return text
        case "id" | "update":
            return _id(argument, text)
        case "name" | "component" | "region" | "mainframe":
            return _name(argument, text)
        case "url":
            return _url(text)
        case "choice":
            return _choice(argument, text)
        case "stage":
            return _stage(text)
        case "duration":
            return _duration(text)
        case "time":
            return _time(text)
        case "count":
            return _count(argument, text)
        case "command":
            return text.lower().removeprefix("/").removeprefix("deploy ")


def _id(argument: Argument, text: str) -> str:
    if (_ATTEMPT if argument.kind == "id" else _ID).fullmatch(text):
        return text
    if re.fullmatch(r"[<\[].*[>\]]", text):
        raise ArgumentError(f"{shown(text)} stands for an id of your own; type the update's id in its place.")
    if argument.kind == "update" and _ATTEMPT.fullmatch(text):
        plain = text.partition("#")[0]
        raise ArgumentError(
            f"{shown(text)} names an attempt; push takes the id alone ({shown(plain)}) and counts attempts."
        )
    raise ArgumentError(
        f"{shown(text)} is not an id: expected up to 64 letters, digits, dots, dashes and underscores, "
        "a letter or digit first."
    )


def _name(argument: Argument, text: str) -> str:
    if argument.kind != "name" and not _ID.fullmatch(text):
        raise ArgumentError(
            f"{shown(text)} is not a {argument.kind}: expected letters, digits, dots, dashes and underscores, "
            "a letter or digit first."
        )
    return text


def _url(text: str) -> str:
    """An address alone. What hosts and schemes are allowed where is policy's to say."""
    try:
        parts = urlsplit(text)
        host, credentials, _ = parts.hostname, parts.username or parts.password, parts.port
    except ValueError as error:
        raise ArgumentError(f"{shown(text)} is not a URL; expected one like https://omega.example.com.") from error
    if credentials is not None:
        raise ArgumentError("The URL carries credentials; leave them out, tokens belong in the settings.")
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s<>\"\\]", text):
        raise ArgumentError(f"{shown(text)} is not a URL; expected http:// or https:// and a host.")
    if parts.query or parts.fragment:
        raise ArgumentError(f"{shown(text)} has a query or fragment; expected the server's address alone.")
    return text


def _choice(argument: Argument, text: str) -> str:
    chosen = text.lower()
    if chosen in argument.choices:
        return chosen
    raise ArgumentError(f"{shown(text)} is not {argument.summary}; expected {' or '.join(argument.choices)}.")


def _stage(text: str) -> str:
    stage = re.sub(r"[\s-]+", "_", text.lower())
    if stage in tuple(Stage):
        return stage
    likely = nearest(stage, (stage.value for stage in Stage))
    hint = f"nearest: {likely}" if likely else f"expected one of {', '.join(Stage)}"
    raise ArgumentError(f"{shown(text)} is not a stage; {hint}.")


def _duration(text: str) -> float:
    match = _DURATION.fullmatch(text.lower())
    if match is None:
        raise ArgumentError(f"{shown(text)} is not a duration; expected one like 90s, 10m or 1h30m.")
    seconds = sum(float(number) * unit for number, unit in zip(match.groups(), _SECONDS, strict=True) if number)
    if not 0 < seconds <= LONGEST_WAIT:
        raise ArgumentError(
            f"{shown(text)} is not between a second and seven days; expected one like 90s, 10m or 1h30m."
        )
    return round(seconds, 3)


def _time(text: str) -> str:
    try:
        return times.check(text)
    except times.TimeProblem as problem:
        raise ArgumentError(str(problem)) from problem


def _count(argument: Argument, text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= argument.limit:
        return int(text)
    raise ArgumentError(f"{shown(text)} is not a count; expected a whole number from 1 to {argument.limit}.")


def command_names(*, shell: bool) -> tuple[str, ...]:
    """The commands that can be given here."""
    return tuple(spec.name for spec in SPECS if shell or spec.where == "everywhere")
