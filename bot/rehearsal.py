"""`ashat alpha test`: an update's checks on this machine, by the same agent that Public runs, started for it alone."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bot import keys, wiring
from bot.settings import Settings
from bot.settings.sections import Agent as AgentEntry
from core.changes import plain
from core.events import SYSTEM, TestedOnAlpha, kind
from core.facts import ASHAT
from core.journal import Draft
from core.ports import Agent, AlphaFile, ArtifactProblem, ArtifactStore, Change, ServerFault
from core.release.manifest import Manifest
from core.release.wire import CheckReport, CheckWanted, Release, Report, SlotState, VerificationWanted
from core.state import Check, Server

Say = Callable[[str], None]
HOST = "127.0.0.1"
_MAX_BYTES = 4 << 30
_POLL = 0.2
_AGENT_STARTS = 60.0
"""Seconds within which an agent answers, on a busy machine."""
_AGENT_ENDS = 30.0
_MARKS = {"passed": "✅", "failed": "❌", "timed_out": "❌", "skipped": "⏭", "not_applicable": "➖"}


class RehearsalFailed(Exception):
    """The checks could not be run. `str(error)` is one sentence."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A Public server of this machine's own, for one update."""

    agent: Agent
    url: str


async def rehearse(settings: Settings, id: str, say: Say) -> bool:  # noqa: A002 - the word of the domain
    """Whether the update passed, which is then recorded. Raises ArtifactProblem, RehearsalFailed."""
    source = wiring.source_of(settings)
    file = await _file(settings, id)
    manifest = await source.manifest(file)
    with tempfile.TemporaryDirectory(prefix="ashat-alpha-") as folder:
        own = _own_settings(settings, Path(folder))
        artifacts = wiring.artifacts_of(own)
        digest, _ = await artifacts.add(source.read(file), _MAX_BYTES)
        async with _stage(own, artifacts, Path(folder)) as stage:
            try:
                say(f"{file.name}, sha256 {digest[:12]}…: starting it in a slot of this machine")
                passed = await _checked(settings, stage, id, digest, manifest, say)
            except (ServerFault, TimeoutError) as fault:
                raise RehearsalFailed(f"the checks could not be run: {fault}") from fault
    if passed:
        await _record(settings, id, digest)
        say(f"{id} passed here; a push of exactly these bytes will say so.")
    else:
        say(f"{id} did not pass; nothing was recorded.")
    return passed


async def _file(settings: Settings, id: str) -> AlphaFile:  # noqa: A002 - the word of the domain
    found = await wiring.source_of(settings).find(id)
    if len(found) != 1:
        names = ", ".join(file.name for file in found)
        why = f"has {id} in {len(found)} formats ({names}); keep one" if found else f"has no {id}"
        raise ArtifactProblem(f"{settings.alpha.name} {why}")
    return found[0]


# -- the agent ---------------------------------------------------------------------------------------------------------


def _own_settings(settings: Settings, folder: Path) -> Settings:
    """The bot's settings, with state and key of their own: production's key signs nothing here."""
    own = settings.ashat.model_copy(update={"data": folder / "bot", "key_file": folder / "bot.key.pem"})
    return settings.model_copy(update={"ashat": own, "agents": ()})


@asynccontextmanager
async def _stage(own: Settings, artifacts: ArtifactStore, folder: Path) -> AsyncIterator[Stage]:
    public_key = keys.new(own.ashat.key_file)
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_urlsafe(32), "ascii")
    agent_port, front_port = _free_ports(2)
    config = folder / "agent.toml"
    config.write_text(_agent_settings(agent_port, front_port, public_key, token), "utf-8")
    url = f"http://{HOST}:{agent_port}"
    entry = AgentEntry(origin=url, token_file=token)
    agents = wiring.agents_of(own.model_copy(update={"agents": (entry,)}), artifacts)
    server = Server("public", "main", "this machine", url, ASHAT, datetime.now(UTC))
    with (folder / "agent.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent", "--config", str(config), "--end-slots", stdout=log, stderr=log
        )
        try:
            key = await _key(agents.at(server), process, folder / "agent.log")
            yield Stage(agents.at(replace(server, public_key=key)), url)
        finally:
            await agents.close()
            await _end(process)


def _agent_settings(port: int, front: int, bot_key: str, token: Path) -> str:
    """On the machine of whoever wrote the update, which runs as themselves here as it does in their hands."""
    return "\n".join((
        'role = "public"', 'name = "alpha-test"', 'data = "agent"', "allow_same_user = true",
        f'listen = "{HOST}:{port}"', f"slot_path = {json.dumps(_path())}",
        "[front]", f'listen = "{HOST}:{front}"',
        "[trust]", f'bot_keys = ["{bot_key}"]', f"bot_token_file = {json.dumps(str(token))}", "",
    ))  # fmt: skip


def _path() -> str:
    """The programs that the writer of the update has."""

    return os.environ.get("PATH", os.defpath)


def _free_ports(count: int) -> tuple[int, ...]:
    """Ports that nobody has just now, each another."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = tuple(each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return ports


async def _key(agent: Agent, process: asyncio.subprocess.Process, log: Path) -> str:
    """The public key of the agent, made just now, once it answers."""
    async with asyncio.timeout(_AGENT_STARTS):
        while True:
            if process.returncode is not None:
                raise RehearsalFailed(f"the agent ended at its start: {await asyncio.to_thread(_last_line, log)}")
            try:
                return (await agent.about()).public_key
            except ServerFault as fault:
                if not fault.temporary:
                    raise
                await asyncio.sleep(_POLL)


def _last_line(log: Path) -> str:
    words = log.read_text("utf-8", "replace").strip().splitlines()
    return words[-1] if words else "it left no word"


async def _end(process: asyncio.subprocess.Process) -> None:
    """It ends its slots and its front door with it."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_AGENT_ENDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


# -- the checks --------------------------------------------------------------------------------------------------------


async def _checked(settings: Settings, stage: Stage, id: str, digest: str, manifest: Manifest, say: Say) -> bool:  # noqa: A002
    agent, slot = stage.agent, f"{id}.1"
    await agent.upload(digest, lambda _done, _total: None)
    release = Release(
        purpose="stage", component=manifest.component, digest=digest, generation=0, deployment=id, attempt=1,
        nonce=secrets.token_urlsafe(18), issued_at=datetime.now(UTC),
    )  # fmt: skip
    state = await agent.stage(slot, release)
    while state.status in ("preparing", "starting"):
        await asyncio.sleep(_POLL)
        state = await _slot(agent, slot)
    if state.status != "healthy":
        say(f"❌ It did not start: {state.error or state.status}")
        return False
    checks = wiring.policy_of(settings).checks_for(manifest.component)
    wanted = VerificationWanted(
        digest=digest, deployment=id, attempt=1, run=1, nonce=secrets.token_urlsafe(18), address=stage.url,
        checks=tuple(_wanted(check) for check in checks),
    )  # fmt: skip
    return _passed(checks, await _watched(agent, slot, wanted, say))


async def _slot(agent: Agent, name: str) -> SlotState:
    return next(slot for slot in (await agent.state()).slots if slot.slot == name)


def _wanted(check: Check) -> CheckWanted:
    return CheckWanted.model_validate(
        {"name": check.name, "kind": check.kind, "timeout": check.timeout, "options": check.options}
    )


async def _watched(agent: Agent, slot: str, wanted: VerificationWanted, say: Say) -> Report:
    """The finished report; each check is said as it finishes."""
    report = await agent.verify(slot, wanted)
    told: set[str] = set()
    while True:
        for row in report.checks:
            if row.state in _MARKS and row.name not in told:
                told.add(row.name)
                say(_line(row))
        if report.finished:
            return report
        await asyncio.sleep(_POLL)
        report = await agent.report(slot, wanted.run) or report


def _line(row: CheckReport) -> str:
    head = f"{_MARKS[row.state]} {row.name}"
    if row.state in ("failed", "timed_out"):
        return f"{head}: expected {row.expected}, got {row.seen}" + (f" at {row.where}" if row.where else "")
    words = "" if row.state == "passed" else f" {row.state.replace('_', ' ')}"
    return f"{head}{words}" + (f" ({row.warning})" if row.warning else "")


def _passed(checks: tuple[Check, ...], report: Report) -> bool:
    """By the rule of a verification: nothing bad, and something passed."""
    states = {row.name: row.state for row in report.checks}
    done = [replace(check, state=states.get(check.name, "failed")) for check in checks]
    return any(check.state == "passed" for check in done) and not any(check.bad for check in done)


async def _record(settings: Settings, id: str, digest: str) -> None:  # noqa: A002 - the word of the domain
    store = await wiring.store_of(settings, wiring.SystemClock())
    try:
        event = TestedOnAlpha(id, digest)
        entry = Draft(SYSTEM, kind(event), plain(event), datetime.now(UTC), ASHAT, "shell")
        await store.commit(Change(entries=(entry,), tested=((id, digest),)))
    finally:
        await store.close()
