"""Discord's official OpenAPI document as a check of both sides: what the app asks, and what the peer answers.

Where the environment names a copy (DISCORD_OPENAPI) every exchange is held against it; where not, nothing of this runs.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from tests.discord.peer.refused import Json
from tests.discord.peer.site import Call

VARIABLE = "DISCORD_OPENAPI"


@dataclass
class Contract:
    document: Json
    _validators: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def faults(self, call: Call) -> list[str]:
        """What is wrong with a request, and with its answer; an answer that a test made up is not judged."""
        template = self._template(call.path)
        operation = self.document["paths"].get(template, {}).get(call.method.lower())
        if operation is None:
            return [f"{call.method} {call.path}: no such operation"]
        refused = call.status >= 400
        found = [] if refused else [f"request: {fault}" for fault in self._asked(template, operation, call)]
        if not call.hindered:
            found += [f"answer {call.status}: {fault}" for fault in self._answered(template, operation, call)]
        return [f"{call.method} {template}: {fault}" for fault in found]

    def _template(self, path: str) -> str:
        """The document's path for it: literal parts win over parameters."""
        steps = path.strip("/").split("/")
        best: tuple[list[bool], str] | None = None
        for template in self.document["paths"]:
            parts = template.strip("/").split("/")
            if len(parts) != len(steps):
                continue
            if all(part == step or part.startswith("{") for part, step in zip(parts, steps, strict=True)):
                literal = [part == step for part, step in zip(parts, steps, strict=True)]
                best = max(best, (literal, template)) if best else (literal, template)
        return best[1] if best else ""

    def _asked(self, template: str, operation: Json, call: Call) -> list[str]:
        known = {one["name"] for one in operation.get("parameters", []) if one.get("in") == "query"}
        found = [f"unknown query {name}" for name in call.query if name not in known]
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            return found if call.body in (None, {}) else [*found, "it takes no body"]
        kind = call.kind if call.kind in content else "application/json"
        schema = content[kind]["schema"]
        body = _readable(call.body) if call.body is not None else {}
        return found + self._judged((template, call.method, kind), schema, body)

    def _answered(self, template: str, operation: Json, call: Call) -> list[str]:
        answers = operation["responses"]
        expected = answers.get(str(call.status)) or answers.get(f"{call.status // 100}XX")
        if expected is None:
            return [f"only {[*answers]} are expected"]
        if "$ref" in expected:
            expected = self.document["components"]["responses"][expected["$ref"].rpartition("/")[2]]
        content = expected.get("content", {}).get("application/json")
        if content is None:
            return [] if call.answer is None else ["it has no body"]
        answer = _numbered(call.answer) if call.status >= 400 else call.answer
        return self._judged((template, call.method, str(call.status), "answer"), content["schema"], answer)

    def _judged(self, key: tuple[str, ...], schema: Json, value: Any) -> list[str]:
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        return [
            f"{[*error.instance_path]}: {error.message[:300]}" for error in self._validators[key].iter_errors(value)
        ]


def _readable(body: Any) -> Any:
    """discord.py writes some ids as integers, the document wants strings; Discord takes both."""
    if isinstance(body, dict):
        made = {key: _readable(value) for key, value in body.items()}
        if isinstance(made.get("recipient_id"), int):
            made["recipient_id"] = str(made["recipient_id"])
        if isinstance(made.get("attachments"), list):
            made["attachments"] = [{**one, "id": str(one["id"])} if "id" in one else one for one in made["attachments"]]
        return made
    return [_readable(one) for one in body] if isinstance(body, list) else body


def _numbered(body: Any) -> Any:
    """The document wants numbers as the codes of a form's faults; Discord, and its reference, has words there."""
    if isinstance(body, dict):
        return {k: 0 if k == "code" and isinstance(v, str) else _numbered(v) for k, v in body.items()}
    return [_numbered(one) for one in body] if isinstance(body, list) else body


@cache
def contract() -> Contract | None:
    """From the copy that the environment names."""
    named = os.environ.get(VARIABLE)
    return Contract(json.loads(Path(named).read_text())) if named else None


@dataclass
class Watch:
    """All calls of a peer, and their faults where there is a contract."""

    calls: list[Call] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __call__(self, call: Call) -> None:
        self.calls.append(call)
        held = contract()
        if held is not None:
            self.faults += held.faults(call)
