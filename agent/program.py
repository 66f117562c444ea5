"""One agent from its settings to its end: which parts its role has, and in which order they start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Never, assert_never

import structlog
import uvicorn
from securesystemslib.signer import CryptoSigner
from starlette.applications import Starlette

from agent import __version__
from agent.api.app import build_app
from agent.api.auth import Doorman
from agent.api.endpoint import Endpoint
from agent.api.endpoints import desired_endpoints, download_endpoint, host_endpoints, slot_endpoints, upload_endpoints
from agent.api.openapi import openapi_endpoint
from agent.host import Host
from agent.settings import AgentSettings, SettingsError, bot_token_hash, split_address
from agent.slots.environment import user_named
from core.release.signing import new_key, public_text, signer_from_pem
from core.release.wire import About

_GRACE = 3
"""Seconds for requests to end when the agent stops; a long poll is cut then."""

log = structlog.get_logger()


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Parts:
    """What every role has."""

    settings: AgentSettings
    host: Host
    signer: CryptoSigner

    def about(self) -> About:
        return About(
            version=__version__,
            role=self.settings.role,
            name=self.settings.name,
            region=self.settings.region,
            platform_version=self.settings.platform_version,
            public_key=public_text(self.signer),
            now=utc_now(),
        )


def own_key(path: Path) -> CryptoSigner:
    """The agent's key, made at the first start. Raises SettingsError for a file that is no such key."""
    with contextlib.suppress(FileExistsError):  # it was made at an earlier start
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
    try:
        return signer_from_pem(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"the key {path} cannot be used: {error}") from error


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Only one agent works in a data folder. Raises SettingsError."""
    data.mkdir(parents=True, exist_ok=True, mode=0o711)
    handle = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise SettingsError(f"data: another agent works in {data}; stop it, or give this one its own folder") from error
    finally:
        os.close(handle)


def bound_socket(address: str) -> socket.socket:
    """Raises SettingsError where the address is taken or is not this machine's."""
    host, port = split_address(address)
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise SettingsError(f"listen: cannot listen on {address}: {error.strerror or error}") from error


async def serve(settings: AgentSettings, environ: Mapping[str, str], *, end_slots: bool) -> None:
    """Until SIGTERM or SIGINT. `end_slots`: every process that this agent started ends with it, however it ends."""
    doorman = _doorman(settings, environ)
    with locked(settings.data), contextlib.closing(bound_socket(settings.listen)) as listening:
        parts = Parts(settings, Host(settings, utc_now, tied=end_slots), own_key(settings.key_path))
        async with AsyncExitStack() as running:
            running.push_async_callback(parts.host.close, end=end_slots)
            await parts.host.start()
            duties = await _duties(parts, running)
            parts.host.tend()
            app = build_app([*duties.endpoints, openapi_endpoint(duties.endpoints)], doorman)
            log.info("agent serves", role=settings.role, listen=settings.listen, front_door=parts.host.url)
            await _run(_Server(_server_config(app, settings), duties.stopping), listening, duties.beside)
    log.info("agent stopped", slots="ended" if end_slots else "go on")


def _doorman(settings: AgentSettings, environ: Mapping[str, str]) -> Doorman:
    mainframes = {entry.name: entry.token_sha256 for entry in settings.mainframes}
    revoked = [entry.name for entry in settings.mainframes if entry.revoked]
    return Doorman(bot_token_hash(settings.trust, environ), mainframes, revoked)


def _nothing() -> None:
    """What most roles do at the signal to stop."""


@dataclass(frozen=True)
class Duties:
    """What a role does: `stopping` is called at the signal, before requests are waited for; `beside` never ends."""

    endpoints: Sequence[Endpoint]
    stopping: Callable[[], None] = _nothing
    beside: Coroutine[Any, Any, Never] | None = None


async def _duties(parts: Parts, running: AsyncExitStack) -> Duties:
    """What one role alone needs is imported here, so that the others start fast."""
    host, settings = parts.host, parts.settings
    common = (*host_endpoints(host, parts.about), *upload_endpoints(host))
    match settings.role:
        case "public":
            staging = await _verifying(parts, running)
            return Duties((*common, download_endpoint(host), *desired_endpoints(host), *staging))
        case "omega":
            from agent.fleet.routes import fleet_endpoints
            from agent.fleet.start import open_fleet

            fleet = await open_fleet(settings, host, utc_now)
            running.push_async_callback(fleet.close)
            host.keep(fleet.digests_in_use)
            return Duties((*common, *desired_endpoints(host), *fleet_endpoints(fleet)), fleet.stop)
        case "mainframe":
            return Duties((*common, download_endpoint(host)), beside=_follow_omega(parts))
    assert_never(settings.role)


async def _verifying(parts: Parts, running: AsyncExitStack) -> Sequence[Endpoint]:
    from agent.api.verification_endpoints import verification_endpoints
    from agent.checks.verifications import Verifications

    host, settings = parts.host, parts.settings
    run_as = user_named(settings.slot_user)
    verifications = Verifications(settings.data / "verifications", parts.signer, settings.checks, utc_now, run_as)
    await verifications.resume(host.slot_target_soon, host.current_target)
    running.push_async_callback(verifications.close)

    async def withdrawn(slot: str) -> None:
        await verifications.stop(slot, f"the slot {slot} was withdrawn")

    return (*slot_endpoints(host, withdrawn), *verification_endpoints(host, verifications))


def _follow_omega(parts: Parts) -> Coroutine[Any, Any, Never]:
    from agent.fleet.mainframe import run_mainframe

    return run_mainframe(parts.settings, parts.host, parts.signer)


class _Server(uvicorn.Server):
    """Uvicorn without its own way of ending: it would raise the signal again, and the process would die of it.

    `stopping` is called before it waits for the requests that are open, so that they can be answered.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


async def _run(server: uvicorn.Server, listening: socket.socket, following: Coroutine[Any, Any, Never] | None) -> None:
    """Serve until a signal. Where the loop beside the server dies, the agent ends and raises what it died of."""
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    beside = asyncio.create_task(following) if following is not None else None
    try:
        await asyncio.wait({serving, beside} if beside else {serving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await serving
        if beside is not None and beside.cancel():
            await asyncio.wait({beside})
    if beside is not None and not beside.cancelled():
        beside.result()


def _server_config(app: Starlette, settings: AgentSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=75,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
