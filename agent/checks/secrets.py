"""Files of an artifact that look like a private key or a token. What is found is named, and never shown."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

MAX_FILE = 4 * 1024 * 1024
"""Bytes of one file that are read."""
MAX_ENV = 256 * 1024
"""Bytes of a settings file that are searched line by line."""
MAX_TOTAL = 512 * 1024 * 1024
"""Bytes that are read altogether."""
_WINDOW, _OVERLAP = 256 * 1024, 1024
"""Bytes that one search looks at."""


@dataclass(frozen=True)
class Found:
    """`path` is relative to the artifact; `kind` says what it looks like."""

    path: str
    kind: str


@dataclass(frozen=True)
class Scan:
    found: tuple[Found, ...]
    unread: int
    """Files that were too large to be read to their end, or came after the limit on all of them."""
    ignored: int


@dataclass(frozen=True)
class _Shape:
    """`marker` is searched first: a plain substring is found far faster than a pattern."""

    kind: str
    marker: bytes
    pattern: re.Pattern[bytes]


def _shape(kind: str, marker: bytes, pattern: bytes) -> _Shape:
    return _Shape(kind, marker, re.compile(pattern))


# The shapes are the issuers' own, as they publish them for secret scanning.
_SHAPES = (
    _shape(
        "a private key", b"PRIVATE KEY",
        rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,300}?[A-Za-z0-9+/]{40}",
    ),
    _shape("an AWS access key", b"AKIA", rb"\bAKIA[A-Z0-9]{16}\b"),
    _shape("an AWS access key", b"ASIA", rb"\bASIA[A-Z0-9]{16}\b"),
    _shape("a GitHub token", b"gh", rb"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    _shape("a GitHub token", b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    _shape("a GitLab token", b"glpat-", rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    _shape("a Slack token", b"xox", rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    _shape("a Slack token", b"xapp-", rb"\bxapp-\d-[A-Za-z0-9-]{20,}"),
    _shape("a Slack webhook", b"hooks.slack.com", rb"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{20,}"),
    _shape("a Discord webhook", b"/api/webhooks/", rb"discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w-]{60,}"),
    _shape("a Discord bot token", b".", rb"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}"),
    _shape("a Google API key", b"AIza", rb"\bAIza[A-Za-z0-9_-]{35}"),
    _shape("a Stripe key", b"k_live_", rb"\b[sr]k_live_[A-Za-z0-9]{20,}"),
    _shape("an Anthropic key", b"sk-ant-", rb"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    _shape("an OpenAI key", b"sk-proj-", rb"\bsk-proj-[A-Za-z0-9_-]{20,}"),
    _shape("an npm token", b"npm_", rb"\bnpm_[A-Za-z0-9]{36}"),
    _shape("a PyPI token", b"pypi-AgE", rb"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
)  # fmt: skip
_SAMPLES = (".example", ".sample", ".template", ".dist")
# Every repetition is bounded: a file made to be slow must not keep the agent busy.
_SETTING = re.compile(
    rb"^[ \t]{0,20}(?:export )?\w{0,60}(?:SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL)"
    rb"\w{0,60}[ \t]{0,20}=[ \t]{0,20}[\"']?(?!\$|<|changeme|xxx|your)[^\s\"'#]{4}"
    rb"|^[^#\n]{0,300}://[^\s:/@]{1,100}:[^\s/@$<]{4,200}@",
    re.IGNORECASE | re.MULTILINE,
)


def scan(artifact: Path, ignore: Sequence[str], stopped: Callable[[], bool]) -> Scan:
    """Read the regular files under `artifact`, following no link. Blocks: call it in a thread; `stopped` ends it early.

    Raises OSError where a file cannot be read: what was not looked at was not found clean.
    """
    found: list[Found] = []
    unread = ignored = read = 0
    for path in _files(artifact):
        if stopped():
            break
        name = path.relative_to(artifact).as_posix()
        if any(fnmatchcase(name, pattern) for pattern in ignore):
            ignored += 1
            continue
        content, whole = _head(path, min(MAX_FILE, MAX_TOTAL - read))
        read += len(content)
        unread += not whole
        found += [Found(name, kind) for kind in kinds(path.name, content)]
    return Scan(tuple(found), unread, ignored)


def kinds(name: str, content: bytes) -> list[str]:
    """What secrets a file's content looks like, each kind once."""
    seen = [
        shape.kind
        for window in _windows(content)
        for shape in _SHAPES
        if shape.marker in window and shape.pattern.search(window)
    ]
    if _is_env(name) and _SETTING.search(content, 0, MAX_ENV):
        seen.append("a settings file with a secret")
    return list(dict.fromkeys(seen))


def _windows(content: bytes) -> Iterator[bytes]:
    """Pieces that overlap by more than any shape is long; between two of them the agent's other work gets its turn."""
    for start in range(0, len(content), _WINDOW):
        yield content[start : start + _WINDOW + _OVERLAP]


def _is_env(name: str) -> bool:
    lower = name.lower()
    return (lower == ".env" or lower.startswith(".env.") or lower.endswith(".env")) and not lower.endswith(_SAMPLES)


def _files(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=False):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names))


def _head(path: Path, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes, and whether that is all. Anything but a regular file has no content to scan."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return b"", True
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        content = file.read(limit)
        return content, os.fstat(file.fileno()).st_size <= len(content)
