"""`make story`: the guide's Examples 1 to 3 word for word, then a rollback of what was completed, all of it checked.

After each step every server is asked over HTTP what it serves: Public behind its front door and in every slot, OMEGA,
and each mainframe. Only the servers' addresses differ from the guide. Exit status 0: everything held.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import httpx

from bot import logs
from core.stages import Stage
from core.state import PUBLIC
from demo.cast import LICENCES, REGION
from demo.servers import Servers, start
from demo.serving import client, served, slot_serves
from demo.session import Session, StoryBroken, session

UNLICENSED = tuple(name for name, licence in LICENCES.items() if licence.lasts.total_seconds() < 0)
LICENSED = tuple(name for name in LICENCES if name not in UNLICENSED)


@dataclass(frozen=True)
class Then:
    """What must be so after a step: what production serves, and which updates stand in slots on Public."""

    stage: Stage | None = None
    """Of the deployment that the step was about."""
    production: dict[str, str] = field(default_factory=dict)
    """Component to id."""
    slots: tuple[str, ...] = ()
    frozen: dict[str, dict[str, str]] = field(default_factory=dict)
    """Mainframe to what it serves instead, component to id."""


@dataclass(frozen=True)
class Step:
    speaker: str
    line: str
    then: Then


def examples(servers: Servers) -> Sequence[tuple[str, Sequence[Step]]]:
    """Each example's title and steps; people with the right roles speak them."""
    return (
        ("Example 1: Security Patch Deployment", _security_patch(servers)),
        ("Example 2: Feature Update with Rollback", _feature_with_rollback()),
        ("Example 3: Multiple Parallel Deployments", _in_parallel()),
        ("And a rollback of a completed deployment", _rollback()),
        ("And a mainframe that is frozen", _frozen()),
    )


def _security_patch(servers: Servers) -> Sequence[Step]:
    patch, nothing = "security-patch-001", Then()
    after = {"web": patch}
    what = "'Critical security fixes for authentication module'"
    return (
        Step("eve", f"deploy configure public {servers.urls['public']} Staging", nothing),
        Step("eve", f"deploy configure omega {servers.urls['omega']} Production --region {REGION}", nothing),
        Step("alice", f"deploy push {patch} {what}", Then(Stage.STAGED, {}, (patch,))),
        Step("alice", f"deploy verify {patch}", Then(Stage.AWAITING_APPROVAL, {}, (patch,))),
        Step("bo", f"deploy approve {patch}", Then(Stage.COMPLETED, after)),
        Step("alice", "deploy history", Then(None, after)),
    )


def _feature_with_rollback() -> Sequence[Step]:
    first, fixed, before = "feature-2024-q1", "feature-2024-q1-fixed", {"web": "security-patch-001"}
    return (
        Step("alice", f"deploy push {first} 'New dashboard and analytics features'",
             Then(Stage.STAGED, before, (first,))),
        Step("alice", f"deploy verify {first}", Then(Stage.FAILED, before, (first,))),
        Step("alice", f"deploy rollback {first}", Then(Stage.ROLLED_BACK, before)),
        Step("alice", f"deploy push {fixed} 'Dashboard features (fixed)'", Then(Stage.STAGED, before, (fixed,))),
        Step("alice", f"deploy verify {fixed}", Then(Stage.AWAITING_APPROVAL, before, (fixed,))),
        Step("bo", f"deploy approve {fixed}", Then(Stage.COMPLETED, {"web": fixed})),
    )  # fmt: skip


def _in_parallel() -> Sequence[Step]:
    hotfix, feature, docs = "hotfix-001", "feature-update", "docs-update"
    before = {"web": "feature-2024-q1-fixed"}
    with_hotfix = {**before, "api": hotfix}
    both = {"web": feature, "api": hotfix}
    return (
        Step("alice", f"deploy push {hotfix} 'Critical bug fix'", Then(Stage.STAGED, before, (hotfix,))),
        Step("alice", f"deploy push {feature} 'New feature'", Then(Stage.STAGED, before, (hotfix, feature))),
        Step("alice", f"deploy push {docs} 'Documentation updates'",
             Then(Stage.STAGED, before, (hotfix, feature, docs))),
        Step("alice", "deploy status", Then(None, before, (hotfix, feature, docs))),
        Step("alice", f"deploy verify {hotfix}", Then(Stage.AWAITING_APPROVAL, before, (hotfix, feature, docs))),
        Step("bo", f"deploy approve {hotfix}", Then(Stage.COMPLETED, with_hotfix, (feature, docs))),
        Step("alice", f"deploy verify {feature}", Then(Stage.AWAITING_APPROVAL, with_hotfix, (feature, docs))),
        Step("cy", f"deploy approve {feature}", Then(Stage.COMPLETED, both, (docs,))),
    )  # fmt: skip


def _rollback() -> Sequence[Step]:
    before = {"web": "feature-2024-q1-fixed", "api": "hotfix-001"}
    freeze = "deploy freeze 'Trade fair' --mainframe m1"
    return (
        Step("eve", freeze, Then(None, {**before, "web": "feature-update"}, ("docs-update",))),
        Step("bo", "deploy rollback feature-update", Then(Stage.ROLLED_BACK, before, ("docs-update",))),
    )


def _frozen() -> Sequence[Step]:
    """The rollback has reached it. What goes forward does not, until its freeze is lifted."""
    docs, before = "docs-update", {"web": "feature-2024-q1-fixed", "api": "hotfix-001"}
    after = {**before, "docs": docs}
    return (
        Step("alice", f"deploy verify {docs}", Then(Stage.AWAITING_APPROVAL, before, (docs,))),
        Step("bo", f"deploy approve {docs}", Then(Stage.COMPLETED, after, frozen={"m1": before})),
        Step("eve", "deploy unfreeze --mainframe m1", Then(None, after)),
    )


# -- playing and checking ----------------------------------------------------------------------------------------------


async def tell(servers: Servers, stream: TextIO) -> None:
    """All of it. Raises StoryBroken at the first step after which something is not as it must be."""
    async with session(servers, stream) as now, client() as http:
        for title, steps in examples(servers):
            now.chat.tell("", f"— {title} —")
            for step in steps:
                await now.done(step.speaker, step.line)
                now.chat.tell(*await _checked(now, http, step))


async def _checked(now: Session, http: httpx.AsyncClient, step: Step) -> Sequence[str]:
    """What was found, in words. Raises StoryBroken with everything that is not as it must be."""
    wrong = [*await _stage(now, step), *await _production(now, http, step.then), *await _slots(now, http, step.then)]
    if wrong:
        raise StoryBroken(f"after `{step.line}`: {'; '.join(wrong)}")
    runs = ", ".join(f"{component} {id_}" for component, id_ in step.then.production.items()) or "nothing"
    slots = f"; in slots on Public: {', '.join(step.then.slots)}" if step.then.slots else ""
    others = ", ".join(name for name in LICENSED if name not in step.then.frozen)
    frozen = "".join(f", {name} what it served before" for name in step.then.frozen)
    return (f"  checked over HTTP: Public, OMEGA and {others} serve {runs}, m6 nothing{frozen}{slots}",)


async def _stage(now: Session, step: Step) -> Sequence[str]:
    if step.then.stage is None:
        return ()
    id_ = step.line.split()[2]
    d = await now.app.parts.store.deployment(id_)
    found = d.stage if d else "nowhere"
    return () if found == step.then.stage else (f"{id_} is {found}, not {step.then.stage}",)


async def _production(now: Session, http: httpx.AsyncClient, then: Then) -> Sequence[str]:
    """Public's front door shows what production runs, to compare with."""
    wrong = []
    for name, front in now.servers.fronts.items():
        expected = {} if name in UNLICENSED else then.frozen.get(name, then.production)
        found = await served(http, front)
        if found != expected:
            wrong.append(f"{name} serves {found or 'nothing'}, not {expected or 'nothing'}")
    return wrong


async def _slots(now: Session, http: httpx.AsyncClient, then: Then) -> Sequence[str]:
    """Every slot that there ever was serves its own update, or is gone."""
    wrong = []
    for d in (await now.app.parts.store.history(50)).deployments:
        place = d.placement(PUBLIC)
        if place is None or place.url is None:
            continue
        found = await slot_serves(http, place.url, d.component)
        expected = d.id if d.id in then.slots else None
        if found != expected:
            wrong.append(f"the slot of {d.id} serves {found or 'nothing'}, not {expected or 'nothing'}")
    return wrong


def main() -> int:
    logs.configure("auto", "warning")
    with tempfile.TemporaryDirectory(prefix="ashat-story-") as folder:
        servers = start(Path(folder) / "demo")
        try:
            asyncio.run(tell(servers, sys.stdout))
        except StoryBroken as broken:
            print(f"The story is broken {broken}", file=sys.stderr)  # noqa: T201 - for the person who started it
            return 1
        finally:
            servers.stop()
    print("Everything held.")  # noqa: T201 - for the person who started it
    return 0


if __name__ == "__main__":
    sys.exit(main())
