"""What servers really serve: asked over HTTP, as anybody who opens the product's pages would."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from demo.cast import ROUTES

_PATIENCE = 10.0
"""Seconds for one answer, on a busy machine."""


def client() -> httpx.AsyncClient:
    """Straight to loopback, whatever proxy the environment names."""
    return httpx.AsyncClient(timeout=_PATIENCE, trust_env=False)


async def served(http: httpx.AsyncClient, front: str) -> dict[str, str]:
    """Component to the id of the update that the pages behind `front` are of; what is offline is left out."""
    found = {component: await _id_at(http, front, prefix) for component, prefix in ROUTES.items()}
    return {component: id_ for component, id_ in found.items() if id_ is not None}


async def slot_serves(http: httpx.AsyncClient, url: str, component: str) -> str | None:
    """The id of the update in a slot of its own; None where nobody listens any more."""
    try:
        return await _id_at(http, url.rstrip("/"), ROUTES[component])
    except httpx.ConnectError:
        return None


async def _id_at(http: httpx.AsyncClient, front: str, prefix: str) -> str | None:
    """The front door answers 503 for a component that runs nowhere, 404 for a path that is nobody's."""
    answer = await http.get(f"{front}{prefix.rstrip('/')}/version")
    if answer.status_code in (404, 503):
        return None
    said: Mapping[str, object] = answer.raise_for_status().json()
    page = await http.get(f"{front}{prefix}")
    if str(said["version"]) not in page.raise_for_status().text:
        return f"{said['id']} (but its page does not show version {said['version']})"
    return str(said["id"])
