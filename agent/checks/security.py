"""Security Scan: Public's TLS, the slot's headers and what it exposes, secrets in the files, the host's scanner."""

from __future__ import annotations

import asyncio
import threading

from agent.checks.command import run_clean
from agent.checks.context import CheckContext, Finding, Passed, Unmet, all_of, joined
from agent.checks.exposure import headers_are_sent, nothing_is_exposed
from agent.checks.options import SecurityOptions
from agent.checks.secrets import scan
from agent.checks.tls import tls_is_sound

_NAMED = 3
"""Files that one report names."""


async def run(context: CheckContext, options: SecurityOptions) -> Finding:
    """Looks at every part, so that one report names everything that is wrong. Raises Unmet."""
    warnings: list[str] = []
    failures: list[Unmet] = []
    for part in (tls_is_sound, headers_are_sent, nothing_is_exposed, no_secret_in_the_files, the_scanner_is_content):
        try:
            warnings += await part(context, options)
        except Unmet as failure:
            failures.append(failure)
    if failures:
        raise all_of(failures, warnings)
    return Passed(joined(warnings))


async def no_secret_in_the_files(context: CheckContext, options: SecurityOptions) -> list[str]:
    """Raises Unmet with the path and kind of what was found, never the secret itself."""
    context.place.where, context.place.seen = "the artifact's files", "still reading"
    stop = threading.Event()
    try:
        result = await asyncio.to_thread(scan, context.target.artifact, options.ignore, stop.is_set)
    finally:
        stop.set()  # a thread cannot be cancelled, so at the deadline it is asked to end
    if result.found:
        named = [f"{found.path} looks like {found.kind}" for found in result.found[:_NAMED]]
        more = len(result.found) - _NAMED
        seen = "; ".join(named) + (f"; and {more} more" if more > 0 else "")
        raise Unmet("no private key or token in the artifact", seen, "the artifact's files")
    warnings = [f"{result.unread} large files were not read to their end"] if result.unread else []
    return warnings + ([f"{result.ignored} files were left out by settings"] if result.ignored else [])


async def the_scanner_is_content(context: CheckContext, options: SecurityOptions) -> list[str]:
    """The agent's settings may name a scanner; without one this part has nothing to run. Raises Unmet."""
    if context.settings.scanner is not None:
        await run_clean(context, context.settings.scanner, "the scanner")
    return []
