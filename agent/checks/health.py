"""Health Check: 200 in time, several times running."""

from __future__ import annotations

import asyncio

from agent.checks.context import CheckContext, Finding, Passed, Unmet
from agent.checks.fetch import fetch, new_client
from agent.checks.options import HealthOptions


async def run(context: CheckContext, options: HealthOptions) -> Finding:
    """Raises Unmet at the first answer that is late or not 200: one good answer may be luck."""
    path = context.target.manifest.health.path
    async with new_client() as client:
        for turn in range(1, options.times + 1):
            try:
                async with asyncio.timeout(options.within) as deadline:
                    answer = await fetch(client, context.place, context.target.url, path)
            except TimeoutError as error:
                if not deadline.expired():
                    raise
                expected = f"200 within {options.within:g} s"
                seen = f"no answer (request {turn} of {options.times})"
                raise Unmet(expected, seen, f"GET {path}", timed_out=True) from error
            answer.must_be(200)
    return Passed()
