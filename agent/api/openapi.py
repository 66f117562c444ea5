"""The OpenAPI 3.1 document, made from the route table and the models of its bodies: it cannot say anything else.

`python -m agent.api.openapi docs/agent-openapi.json` writes the document of all roles together.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import JSONResponse, Response

from agent.api.endpoint import Call, Endpoint
from core.release.wire import API_VERSION, Problem

Key = tuple[str, str]
"""Method and path."""
_DESCRIPTION = (
    "What runs on a server is changed only by releases that a trusted bot key has signed. "
    "Every error body is a Problem."
)
_REFERENCE = "#/components/schemas/{model}"
_STREAM = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def openapi_endpoint(endpoints: Sequence[Endpoint]) -> Endpoint:
    """The document of the agent that serves `endpoints`."""

    async def tell(call: Call) -> Response:
        return JSONResponse(openapi_document([*endpoints, itself]))

    itself = Endpoint("GET", "/v1/openapi.json", "This document", tell, callers=frozenset({"anyone"}))
    return itself


def openapi_document(endpoints: Iterable[Endpoint], roles: Mapping[Key, list[str]] | None = None) -> dict[str, Any]:
    """The document of `endpoints`; `roles` names, by method and path, the roles that have an endpoint."""
    table = list(endpoints)
    models = {model for endpoint in table for model in (endpoint.takes, endpoint.gives) if model} | {Problem}
    keys = [(model, _mode(model, table)) for model in sorted(models, key=lambda model: model.__name__)]
    _, schemas = models_json_schema(keys, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        operation = _operation(endpoint)
        if roles is not None:
            operation["x-roles"] = roles[endpoint.method, endpoint.path]
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ashat agent", "version": str(API_VERSION), "description": _DESCRIPTION},
        "paths": paths,
        "components": {"schemas": schemas["$defs"], "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _mode(model: type[BaseModel], table: Sequence[Endpoint]) -> Literal["validation", "serialization"]:
    """What is sent to us may leave out what has a default; what we send never does."""
    return "validation" if any(endpoint.takes is model for endpoint in table) else "serialization"


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": _operation_id(endpoint),
        "parameters": _parameters(endpoint),
        "security": [] if "anyone" in endpoint.callers else [{"token": []}],
        "x-callers": sorted(endpoint.callers),
        "responses": {**_success(endpoint), **_failures(endpoint)},
    }
    if endpoint.takes is not None:
        operation["requestBody"] = {"required": True, "content": _json(endpoint.takes)}
    elif endpoint.method == "PATCH":
        operation["requestBody"] = {"required": True, "content": _STREAM}
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"[a-z0-9]+", endpoint.path.removeprefix("/v1").lower())
    return "_".join([endpoint.method.lower(), *words])


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    names = ("Upload-Offset", "Upload-Length") if endpoint.method == "PATCH" else ()
    headers = [{"name": name, "in": "header", "required": True, "schema": {"type": "integer"}} for name in names]
    return [*path, *headers]


def _success(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.gives is not None:
        return {"200": {"description": "Done", "content": _json(endpoint.gives)}}
    match endpoint.method:
        case "PATCH":
            return {"204": {"description": "Kept", "headers": _upload_headers()}}
        case "HEAD":
            return {"200": {"description": "How much is here", "headers": _upload_headers()}}
        case _:
            return {"200": {"description": "Done"}}


def _upload_headers() -> dict[str, Any]:
    return {
        "Upload-Offset": {"schema": {"type": "integer"}},
        "Upload-Complete": {"schema": {"type": "string", "enum": ["?0", "?1"]}},
    }


def _failures(endpoint: Endpoint) -> dict[str, Any]:
    statuses = {500, *endpoint.problems}
    if endpoint.takes is not None or "{" in endpoint.path:
        statuses.add(400)
    if "{" in endpoint.path:
        statuses.add(404)  # what is in its place may be no name at all
    if endpoint.method not in ("GET", "HEAD"):
        statuses.add(507)
    if "anyone" not in endpoint.callers:
        statuses |= {401, 403}
    return {str(status): {"description": "Refused", "content": _json(Problem)} for status in sorted(statuses)}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}


class _Unasked:
    """Stands where an endpoint's host or fleet would: the document is made from the table, and calls nothing."""


def whole_document() -> dict[str, Any]:
    """The document of all roles together, as it is kept beside the documentation."""
    from agent.api.endpoints import (
        desired_endpoints,
        download_endpoint,
        host_endpoints,
        slot_endpoints,
        upload_endpoints,
    )
    from agent.api.verification_endpoints import verification_endpoints
    from agent.fleet.routes import fleet_endpoints

    unasked: Any = _Unasked()
    common = [*host_endpoints(unasked, unasked), *upload_endpoints(unasked)]
    common.append(openapi_endpoint(common))
    download = download_endpoint(unasked)
    desired = desired_endpoints(unasked)
    staging = [*slot_endpoints(unasked, unasked), *verification_endpoints(unasked, unasked)]
    by_role = {
        "public": [*common, download, *desired, *staging],
        "mainframe": [*common, download],
        "omega": [*common, *desired, *fleet_endpoints(unasked)],
    }
    table: dict[Key, Endpoint] = {}
    roles: dict[Key, list[str]] = {}
    for role, endpoints in by_role.items():
        for endpoint in endpoints:
            table[endpoint.method, endpoint.path] = endpoint
            roles.setdefault((endpoint.method, endpoint.path), []).append(role)
    return openapi_document(table.values(), roles)


def write_document(path: Path) -> None:
    """Keep the document at `path`, with keys in order, so that a change is seen as one."""
    path.write_text(json.dumps(whole_document(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_document(Path(sys.argv[1]))
