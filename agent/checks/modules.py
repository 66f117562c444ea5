"""Module Load Test: every declared module is loaded, as the running app reports it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool, StrictStr, ValidationError

from agent.checks.context import CheckContext, Finding, NotApplicable, Passed, Unmet
from agent.checks.fetch import fetch, new_client
from agent.checks.options import ModulesOptions


class _Module(BaseModel):
    name: StrictStr
    loaded: StrictBool
    error: StrictStr | None = None


class _Modules(BaseModel):
    modules: Annotated[tuple[_Module, ...], Field(max_length=10_000)]


async def run(context: CheckContext, options: ModulesOptions) -> Finding:
    """Raises Unmet naming each declared module that is not loaded, with the app's own reason."""
    declared = context.target.manifest.modules
    if declared is None:
        return NotApplicable("The release declares no [modules], so there is nothing to ask it for")
    async with new_client() as client:
        answer = await fetch(client, context.place, context.target.url, declared.path)
    answer.must_be(200)
    try:
        reported = _Modules.model_validate(answer.json()).modules
    except ValidationError as error:
        shape = '{"modules": [{"name": …, "loaded": true or false}]}'
        raise Unmet(shape, "JSON of another shape", answer.where) from error
    missing = [problem for name in declared.names if (problem := _problem(name, reported))]
    if missing:
        raise Unmet(f"all {len(declared.names)} declared modules loaded", "; ".join(missing), answer.where)
    return Passed(measured={"modules": len(declared.names)})


def _problem(name: str, reported: tuple[_Module, ...]) -> str | None:
    found = [module for module in reported if module.name == name]
    if not found:
        return f"{name} is not reported"
    for module in found:
        if not module.loaded:
            return f"{name} is not loaded" + (f" ({module.error})" if module.error else "")
    return None
