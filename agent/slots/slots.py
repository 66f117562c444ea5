"""Slots: a release in a folder, a process and a port of its own, from its artifact to the first healthy answer."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from agent.checks.target import Target
from agent.errors import Refused
from agent.files import sync_folder
from agent.logs import get_logger
from agent.processes.kept import Ending, Keepers, NotStarted, Plan, alive, ending
from agent.processes.words import last_words
from agent.settings import AgentSettings
from agent.slots.artifacts import ArtifactFolder
from agent.slots.environment import read_env_file, resource_limits, user_named
from agent.slots.extract import UNPACKING, extract
from agent.slots.old_logs import OldLogs
from agent.slots.ports import NoPort, Ports
from agent.slots.probe import status_of
from agent.slots.records import Records, SlotRecord
from core.release.archive import Bounds
from core.release.manifest import Manifest

_LOOK = 0.05
"""Seconds between two looks at a release that is starting."""
_PROBE = 5.0
"""Seconds for one health request while it starts; a longer one is a no."""
_PORT_TRIES = 3
"""A free port can be taken by another program between our look and the release's start."""

log = get_logger(__name__)


class SlotFailed(Exception):
    """A release did not become healthy. `str(error)` is for a person."""


class Superseded(Exception):
    """The caller no longer wants this release up."""


class Slots:
    """All slots of this host. One step at a time per slot; different slots do not wait for each other."""

    def __init__(
        self,
        settings: AgentSettings,
        artifacts: ArtifactFolder,
        keepers: Keepers,
        changed: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._artifacts = artifacts
        self._keepers = keepers
        self._clock = clock
        self._user = user_named(settings.slot_user)
        self._ports = Ports(settings.slot_host, settings.slot_ports)
        self._old_logs = OldLogs(settings.data / "logs")
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.records = Records(settings.data / "slots", SlotRecord, "slot.json", changed)
        for folder in self.records.unrecorded:
            shutil.rmtree(folder)
        for scratch in (settings.data / "slots").glob(f"*/{UNPACKING}*"):
            shutil.rmtree(scratch)

    def alive(self, name: str) -> bool:
        return alive(self._run(name))

    def has_files(self, name: str) -> bool:
        """Whether anything of it is still unpacked, or runs."""
        return self._files(name).is_dir() or self.alive(name)

    def address(self, name: str) -> str | None:
        """`host:port` on which this host reaches the slot's process; None where it does not run."""
        record = self.records.get(name)
        if record is None or record.port is None or not self.alive(name):
            return None
        return f"{self._reachable_host()}:{record.port}"

    def url(self, name: str) -> str | None:
        """Where people can open it; None where it does not run."""
        record = self.records.get(name)
        if self.address(name) is None or record is None:
            return None
        return f"http://{self._settings.slot_address or self._reachable_host()}:{record.port}/"

    def target(self, name: str) -> Target | None:
        """What the checks look at; None where the slot is not healthy."""
        record, address = self.records.get(name), self.address(name)
        if record is None or record.manifest is None or address is None or record.status != "healthy":
            return None
        files = self._files(name)
        return Target(f"http://{address}", files, files, record.manifest, record.digest)

    def ended_words(self, name: str) -> str:
        """What is known of a process that has ended: how, and its last lines."""
        how = ending(self._run(name)) or "ended, and nobody was there to see how"
        return _sentence(f"The process {how}", self._words(name))

    def mark(self, record: SlotRecord, **changes: object) -> SlotRecord:
        """Record changes; `since` moves with the status."""
        if changes.get("status", record.status) != record.status:
            changes["since"] = self._clock()
        changed = record.model_copy(update=changes)
        if (changed.status, changed.error) != (record.status, record.error):
            log.info("slot", slot=record.name, status=changed.status, error=changed.error)
        return self.records.put(record.name, changed)

    async def bring_up(self, name: str, check_wanted: Callable[[], None]) -> None:
        """Unpack, migrate, start and wait until healthy; what was done before is not done again.

        `check_wanted` raises Superseded where the caller has changed its mind; it is asked between the steps.
        Raises SlotFailed, after which the process is stopped.
        """
        async with self._locks[name]:
            try:
                await self._unpack(self._record(name))
                check_wanted()
                await self._migrate(self._record(name))
                check_wanted()
                await self._start_and_wait(name, check_wanted)
            except (Refused, NotStarted, OSError) as error:
                raise SlotFailed(str(error)) from error

    async def stop(self, name: str) -> None:
        """End the slot's processes and keep its folder."""
        async with self._locks[name]:
            await self._stop(name)

    async def remove(self, name: str) -> None:
        """End the slot's processes, and remove its files and its record."""
        async with self._locks[name]:
            await self._stop(name)
            await asyncio.to_thread(self._old_logs.keep, name, self._log(name))
            self.records.drop(name)
            await asyncio.to_thread(_remove_tree, self.records.folder(name))
            sync_folder(self.records.folder(name).parent)

    async def clear_withdrawn(self, name: str) -> None:
        """End the slot's processes and remove its files, if it is (still) withdrawn; its record stays."""
        async with self._locks[name]:
            if self._record(name).status == "withdrawn":
                await self._stop(name)
                await asyncio.to_thread(self._put_log_away, name)
                await self._clear(name)

    def _put_log_away(self, name: str) -> None:
        self._old_logs.keep(name, self._log(name))
        for part in self.records.folder(name).glob("log*"):
            part.unlink()

    async def _clear(self, name: str) -> None:
        for path in (self._files(name), self._run(name, "migrate"), self._run(name)):
            await asyncio.to_thread(_remove_tree, path)

    async def _stop(self, name: str) -> None:
        for run in (self._run(name, "migrate"), self._run(name)):
            await self._keepers.stop(run, grace=self._settings.limits.stop + 10)

    def _record(self, name: str) -> SlotRecord:
        record = self.records.get(name)
        if record is None:
            raise Superseded
        return record

    async def _unpack(self, record: SlotRecord) -> None:
        if record.manifest is not None:
            return
        await self._stop(record.name)
        await self._clear(record.name)  # of an earlier try, or of a crash between the unpacking and its record
        files = self._files(record.name)
        limits = self._settings.limits
        bounds = Bounds(limits.extracted_bytes, limits.files, limits.ratio)
        owner = (self._user.uid, self._user.gid) if self._user else None
        artifact = self._artifacts.path(record.digest)
        try:
            manifest = await asyncio.to_thread(extract, artifact, record.digest, files, bounds, owner)
        except Refused as refused:
            if refused.kind == "wrong_digest":
                self._artifacts.discard(record.digest)  # so that it is sent again
            raise
        if manifest.component != record.release.component:
            raise Refused(
                "refused",
                f"the artifact is of the component {manifest.component}, but the release of {record.release.component}",
            )
        self.mark(self._record(record.name), manifest=manifest, status="starting")

    async def _migrate(self, record: SlotRecord) -> None:
        manifest = _manifest(record)
        if manifest.run.migrate is None or record.migrated:
            return
        run = self._run(record.name, "migrate")
        if ending(run) is None:
            await self._keepers.start(run, self._plan(record, manifest.run.migrate, port=record.port or 0))
        limit = time.monotonic() + self._settings.limits.migrate
        while alive(run):
            if time.monotonic() > limit:
                await self._keepers.stop(run, grace=20.0)
                raise SlotFailed(f"migrate did not end within {self._settings.limits.migrate:g} s and was stopped")
            await asyncio.sleep(_LOOK)
        outcome = ending(run)
        if outcome != Ending(0, 0):
            await asyncio.to_thread(_remove_tree, run)  # another try begins anew
            raise SlotFailed(_sentence(f"migrate {outcome or 'was killed'}", self._words(record.name)))
        self.mark(self._record(record.name), migrated=True)

    async def _start_and_wait(self, name: str, check_wanted: Callable[[], None]) -> None:
        for remaining in reversed(range(_PORT_TRIES)):
            await self._start(self._record(name))
            try:
                await self._until_healthy(self._record(name), check_wanted)
            except SlotFailed:
                await self._stop(name)
                if remaining and not self._ports.is_free(self._record(name).port or 0):
                    continue  # somebody else has the port: not the release's fault
                raise
            self.mark(self._record(name), status="healthy", error=None)
            return

    async def _start(self, record: SlotRecord) -> None:
        if self.alive(record.name):
            return
        manifest = _manifest(record)
        record = self.mark(record, status="starting", error=None, port=self._choose_port(record))
        await self._keepers.start(self._run(record.name), self._plan(record, manifest.run.start, record.port or 0))
        log.info("slot process started", slot=record.name, port=record.port)

    async def _until_healthy(self, record: SlotRecord, check_wanted: Callable[[], None]) -> None:
        manifest = _manifest(record)
        limit = time.monotonic() + manifest.run.start_timeout
        seen: int | None = None
        while (left := limit - time.monotonic()) > 0:
            check_wanted()
            if not self.alive(record.name):
                raise SlotFailed(self.ended_words(record.name))
            host = self._reachable_host()
            seen = await status_of(host, record.port or 0, manifest.health.path, min(_PROBE, max(left, _LOOK)))
            if seen == 200 and self.alive(record.name):
                return
            await asyncio.sleep(_LOOK)
        answer = f"answered {seen}" if seen else "did not answer"
        text = f"{manifest.health.path} {answer} where 200 was expected within {manifest.run.start_timeout:g} s"
        raise SlotFailed(_sentence(text, self._words(record.name)))

    def _plan(self, record: SlotRecord, argv: tuple[str, ...], port: int) -> Plan:
        limits, files = self._settings.limits, self._files(record.name)
        manifest = _manifest(record)
        return Plan(
            argv=argv,
            cwd=str(files),
            env=self._environment(files, port),
            log=str(self._log(record.name)),
            log_bytes=limits.log_bytes,
            stop=manifest.run.stop,
            stop_seconds=limits.stop,
            limits=resource_limits(limits, own_user=self._user is not None),
            user=self._user,
        )

    def _environment(self, files: Path, port: int) -> dict[str, str]:
        """The host's env file and the slot's own; nothing of the agent's environment."""
        own = {
            "PORT": str(port),
            "HOST": self._settings.slot_host,
            "HOME": str(files),
            "PATH": self._settings.slot_path,
        }
        return {"LANG": "C.UTF-8", **read_env_file(self._settings.env_file), **own}

    def _words(self, name: str) -> str:
        return last_words(self._log(name), read_env_file(self._settings.env_file).values())

    def _choose_port(self, record: SlotRecord) -> int:
        """Raises SlotFailed where none is left."""
        taken = {other.port for other in self.records.all() if other.port and self.alive(other.name)}
        try:
            return self._ports.choose(record.port, taken)
        except NoPort as error:
            raise SlotFailed(str(error)) from error

    def _reachable_host(self) -> str:
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._settings.slot_host, self._settings.slot_host)  # noqa: S104 - compared, not bound

    def _files(self, name: str) -> Path:
        return self.records.folder(name) / "files"

    def _log(self, name: str) -> Path:
        return self.records.folder(name) / "log"

    def _run(self, name: str, what: str = "run") -> Path:
        return self.records.folder(name) / what


def _sentence(what: str, words: str) -> str:
    return f"{what}. Its last words: {words}" if words else f"{what}, and it printed nothing."


def _manifest(record: SlotRecord) -> Manifest:
    if record.manifest is None:
        raise SlotFailed("the release is not unpacked")
    return record.manifest


def _remove_tree(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
