"""How what is recorded and what runs is shown: to the bot as states, to the front door as routes."""

from __future__ import annotations

from collections.abc import Iterable

from agent.door.front import FrontDoor
from agent.door.routes import Route
from agent.settings import AgentSettings, split_address
from agent.slots.crashes import Crashes
from agent.slots.records import ComponentRecord, SlotRecord
from agent.slots.slots import Slots
from core.release.wire import ComponentState, SlotState


class Views:
    """Only looks; changes nothing."""

    def __init__(self, settings: AgentSettings, slots: Slots, crashes: Crashes, door: FrontDoor) -> None:
        self._settings = settings
        self._slots = slots
        self._crashes = crashes
        self._door = door

    def component(self, record: ComponentRecord) -> ComponentState:
        """A crash of what is current is the news, unless a switch is on its way to end it."""
        running = record.running_release
        down = self._crashes.down(record.running) if record.running else None
        crashed = down is not None and record.status != "switching"
        return ComponentState(
            component=record.component,
            generation=record.release.generation,
            wanted=record.release.digest,
            running=record.running_digest,
            deployment=f"{running.deployment}#{running.attempt}" if running else None,
            replaced=record.replaced,
            status="crashed" if crashed else record.status,
            url=self._component_url(record),
            error=down if crashed else record.error,
            since=record.since,
        )

    def slot(self, record: SlotRecord) -> SlotState:
        return SlotState(
            slot=record.name,
            component=record.release.component,
            digest=record.digest,
            deployment=record.release.deployment,
            attempt=record.release.attempt,
            status=record.status,
            url=self._slots.url(record.name),
            error=record.error,
            nonce=record.release.nonce,
            since=record.since,
        )

    def front_url(self) -> str | None:
        if self._settings.url is not None:
            return self._settings.url.rstrip("/") + "/"
        if self._settings.switch_command is not None or self._door.port is None:
            return None
        return f"http://{split_address(self._settings.front.listen)[0]}:{self._door.port}/"

    def routes(self, components: Iterable[ComponentRecord]) -> list[Route]:
        """One for each component that has a prefix; without an upstream where nothing of it runs."""
        known = {record.component: record for record in components}
        return [self._route(name, prefix, known.get(name)) for name, prefix in self._settings.front.routes.items()]

    def _route(self, component: str, prefix: str, record: ComponentRecord | None) -> Route:
        running = record.running if record is not None else None
        upstream = self._slots.address(running) if running else None
        if upstream is not None:
            return Route(prefix, component, upstream)
        says = "has ended and is being started again" if running else "is offline: no release of it is in production"
        return Route(prefix, component, None, f"{component} {says}.")

    def _component_url(self, record: ComponentRecord) -> str | None:
        if record.running is None:
            return None
        prefix, front = self._settings.front.routes.get(record.component), self.front_url()
        return self._slots.url(record.running) if prefix is None or front is None else front.rstrip("/") + prefix
