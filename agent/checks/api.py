"""API Endpoint Test: every declared endpoint answers with its status and, where declared, the shape of its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from agent.checks.context import CheckContext, Finding, NotApplicable, Passed, Unmet, all_of
from agent.checks.fetch import fetch, new_client
from agent.checks.options import ApiOptions
from agent.checks.schema import violations
from core.release.manifest import Endpoint


@dataclass(frozen=True)
class _Shaped:
    """A body that came with the right status and has still to be held against its schema."""

    where: str
    schema: dict[str, Any]
    body: Any


async def run(context: CheckContext, options: ApiOptions) -> Finding:
    """Asks all of them, so that one report names everything that is wrong. Raises Unmet."""
    endpoints = context.target.manifest.api
    if not endpoints:
        return NotApplicable("The release declares no [[api]] endpoints, so there is none to test")
    failures: list[Unmet] = []
    shaped: list[_Shaped] = []
    async with new_client() as client:
        for endpoint in endpoints:
            try:
                shaped += await _asked(client, context, endpoint)
            except Unmet as failure:
                failures.append(failure)
    context.place.where = "the JSON Schemas of [[api]]"
    found = await violations([(one.schema, one.body) for one in shaped])
    failures += [
        Unmet(wrong.expected, wrong.seen, one.where) for one, wrong in zip(shaped, found, strict=True) if wrong
    ]
    if failures:
        raise all_of(failures)
    return Passed(measured={"endpoints": len(endpoints)})


async def _asked(client: httpx.AsyncClient, context: CheckContext, endpoint: Endpoint) -> list[_Shaped]:
    answer = await fetch(client, context.place, context.target.url, endpoint.path, endpoint.method)
    answer.must_be(endpoint.status)
    if endpoint.body_schema is None:
        return []
    return [_Shaped(answer.where, endpoint.body_schema, answer.json())]
