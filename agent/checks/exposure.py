"""What the slot must not serve, and the headers that it must send."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from urllib.parse import quote

import httpx

from agent.checks.context import CheckContext, Unmet, all_of
from agent.checks.fetch import Answer, fetch, new_client
from agent.checks.options import SecurityOptions

MAX_FOLDERS = 20
"""Folders of the artifact that are asked for a listing."""

_PRIVATE = {
    "/.git/HEAD": re.compile(rb"\A(?:ref: |[0-9a-f]{40})"),
    "/.git/config": re.compile(rb"^[ \t]{0,20}\[core\]", re.MULTILINE),
    "/.env": re.compile(rb"^[ \t]{0,20}(?:export )?[A-Za-z_][A-Za-z0-9_]{0,99} {0,9}=", re.MULTILINE),
}
"""Paths that nobody may read, and what their content looks like in an app that answers every path with a page."""
_LISTING = re.compile(rb"<(?:title|h1)[^>]{0,200}>\s*(?:Index of|Directory listing for|Listing directory)\b", re.I)


async def headers_are_sent(context: CheckContext, options: SecurityOptions) -> list[str]:
    """Raises Unmet naming each required header that is missing or says something else."""
    required = {**context.settings.headers, **options.headers}
    if not required:
        return []
    async with new_client() as client:
        path = context.target.manifest.performance.path
        answer = await fetch(client, context.place, context.target.url, path)
    failures = [failure for name, pattern in required.items() if (failure := _header_fault(answer, name, pattern))]
    if failures:
        raise all_of(failures)
    return []


def _header_fault(answer: Answer, name: str, pattern: str) -> Unmet | None:
    value = answer.headers.get(name)
    try:
        if value is not None and re.search(pattern, value, re.IGNORECASE):
            return None
    except re.error as error:
        return Unmet(f"a regular expression for the header {name}", f"{pattern!r}: {error}", "the settings")
    expected = f"response header {name}" + (f" like {pattern!r}" if pattern else "")
    return Unmet(expected, f"no {name}" if value is None else f"{name}: {value}", answer.where)


async def nothing_is_exposed(context: CheckContext, options: SecurityOptions) -> list[str]:
    """Raises Unmet naming what of `.git`, `.env` and folder listings the slot serves."""
    async with new_client() as client:
        page = await fetch(client, context.place, context.target.url, f"/{uuid.uuid4().hex}")
        failures = []
        for path, looks in _PRIVATE.items():
            answer = await fetch(client, context.place, context.target.url, path)
            if _is_served(answer, page, looks):
                failures.append(Unmet("404", f"{answer.status} with its content", answer.where))
        failures += await _listings(client, context)
    if failures:
        raise all_of(failures)
    return []


def _is_served(answer: Answer, page: Answer, looks: re.Pattern[bytes]) -> bool:
    """An app that answers even a made-up path with a page serves nothing private by that, unless it looks so."""
    if not 200 <= answer.status < 300:
        return False
    answers_everything = 200 <= page.status < 300
    return bool(looks.search(answer.body)) if answers_everything else True


async def _listings(client: httpx.AsyncClient, context: CheckContext) -> list[Unmet]:
    failures = []
    for path in ["/", "/.git/", *_folders(context.target.artifact)]:
        answer = await fetch(client, context.place, context.target.url, path)
        if _LISTING.search(answer.body):
            failures.append(Unmet("no directory listing", "one", answer.where))
    return failures


def _folders(artifact: Path) -> list[str]:
    """The artifact's top folders, as a visitor would guess them."""
    names = sorted(entry.name for entry in artifact.iterdir() if entry.is_dir() and not entry.is_symlink())
    return [f"/{quote(name)}/" for name in names[:MAX_FOLDERS]]
