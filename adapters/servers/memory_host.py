"""The twin's host: artifacts, staged slots and current releases of one server, without a process behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from core.ports import ArtifactProblem, Clock, Progress, ServerFault
from core.release.wire import ComponentState, Release, SlotState

_ENDED = ("failed", "crashed", "withdrawn")


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that changed on a server. What is asked again and is so already is no effect.

    `what` is upload, stage, withdraw, desire, switch, verify, distribute, hold, grant or receipt; `key` says of what.
    """

    what: str
    key: tuple[object, ...]


class MemoryHost:
    """Keeps what an agent keeps and refuses what it refuses. Asked for, things are under way; `work` finishes them."""

    def __init__(self, name: str, origin: str, clock: Clock, content: Callable[[str], bytes]) -> None:
        self.name = name
        self.artifacts: set[str] = set()
        self.effects: list[Effect] = []
        self.start_errors: dict[str | None, str] = {}
        """What staged releases say that do not become healthy, by digest; None is for all others."""
        self.switch_errors: dict[str | None, str] = {}
        """The same for desired releases."""
        self._origin = origin
        self._clock = clock
        self._content = content
        self._slots: dict[str, tuple[Release, SlotState]] = {}
        self._components: dict[str, tuple[Release, ComponentState]] = {}

    def now(self) -> datetime:
        return self._clock.now()

    def took_hold(self, what: str, *key: object) -> None:
        self.effects.append(Effect(what, key))

    def refuse(self, problem: str) -> NoReturn:
        raise ServerFault(f"{self.name}: {problem}", temporary=False)

    @property
    def components(self) -> tuple[ComponentState, ...]:
        return tuple(state for _, state in self._components.values())

    @property
    def slots(self) -> tuple[SlotState, ...]:
        return tuple(state for _, state in self._slots.values() if state.status != "withdrawn")

    def component(self, component: str) -> ComponentState | None:
        return self._components[component][1] if component in self._components else None

    def slot(self, slot: str) -> tuple[Release, SlotState] | None:
        return self._slots.get(slot)

    def upload(self, digest: str, progress: Progress) -> None:
        if digest in self.artifacts:
            return
        try:
            content = self._content(digest)
        except ArtifactProblem as problem:
            raise ServerFault(str(problem), temporary=False) from problem
        came = hashlib.sha256(content).hexdigest()
        if came != digest:
            self.refuse(f"the bytes have the digest {came}, not {digest}; send it again")
        progress(len(content), len(content))
        self.artifacts.add(digest)
        self.took_hold("upload", digest)

    def stage(self, slot: str, release: Release) -> SlotState:
        if release.purpose != "stage" or release.digest is None:
            self.refuse(f"the statement is for {release.purpose}, and only a staged release goes into a slot")
        if slot != f"{release.deployment}.{release.attempt}":
            self.refuse(f"the statement is for the slot {release.deployment}.{release.attempt}, not {slot}")
        known = self._slots.get(slot)
        if known is not None and known[0].nonce == release.nonce:
            return known[1]
        if known is not None and known[1].digest != release.digest and known[1].status not in _ENDED:
            self.refuse(f"the slot {slot} has another digest; withdraw it first")
        self._require(release.digest)
        state = SlotState(
            slot=slot,
            component=release.component,
            digest=release.digest,
            deployment=release.deployment,
            attempt=release.attempt,
            status="preparing",
            nonce=release.nonce,
            since=self.now(),
        )
        self._slots[slot] = (release, state)
        self.took_hold("stage", slot, release.nonce)
        return state

    def withdraw(self, slot: str) -> None:
        """What stays is a tombstone, so that a statement that was on its way does not bring it back."""
        release, state = self._slots.get(slot) or (None, None)
        if release is None or state is None or state.status == "withdrawn":
            return
        changes = {"status": "withdrawn", "url": None, "error": None, "since": self.now()}
        self._slots[slot] = (release, state.model_copy(update=changes))
        self.took_hold("withdraw", slot, release.nonce)

    def desire(self, release: Release) -> ComponentState:
        if release.purpose != "desired":
            self.refuse(f"the statement is for {release.purpose}, and only a desired release becomes current")
        known = self._components.get(release.component)
        if known is not None and self._is_repeated(*known, release):
            return known[1]
        if release.digest is not None:
            self._require(release.digest)
        before = known[1] if known else None
        state = ComponentState(
            component=release.component,
            generation=release.generation,
            wanted=release.digest,
            running=before.running if before else None,
            deployment=before.deployment if before else None,
            replaced=before.replaced if before else None,
            status="switching",
            url=before.url if before else None,
            since=self.now(),
        )
        self._components[release.component] = (release, state)
        self.took_hold("desire", release.component, release.generation, release.nonce)
        return state

    def work(self) -> None:
        """Finish what is under way."""
        for slot, (release, state) in self._slots.items():
            if state.status in ("preparing", "starting"):
                self._slots[slot] = (release, self._started(state))
        for component, (release, wanted) in self._components.items():
            if wanted.status == "switching":
                self._components[component] = (release, self._switched(release, wanted))

    def crash(self, component: str, error: str) -> None:
        """The current release dies."""
        release, state = self._components[component]
        changes = {"status": "crashed", "error": error, "since": self.now()}
        self._components[component] = (release, state.model_copy(update=changes))

    def recover(self, component: str) -> None:
        """It was restarted and is healthy."""
        release, state = self._components[component]
        changes = {"status": "healthy", "error": None, "since": self.now()}
        self._components[component] = (release, state.model_copy(update=changes))

    def crash_slot(self, slot: str, error: str) -> None:
        release, state = self._slots[slot]
        changes = {"status": "crashed", "error": error, "url": None, "since": self.now()}
        self._slots[slot] = (release, state.model_copy(update=changes))

    def _require(self, digest: str) -> None:
        if digest not in self.artifacts:
            self.refuse(f"the artifact {digest[:12]} is not complete here; upload it first")

    def _is_repeated(self, known: Release, state: ComponentState, release: Release) -> bool:
        """Whether nothing is to be done; what failed is tried again where another nonce asks for it."""
        if release.generation < known.generation:
            self.refuse(f"generation {release.generation} of {release.component} is older than {known.generation}")
        if release.generation > known.generation:
            return False
        if release.digest != known.digest:
            self.refuse(f"generation {release.generation} of {release.component} is of another digest here")
        return state.status != "failed" or release.nonce == known.nonce

    def _started(self, state: SlotState) -> SlotState:
        error = _error(self.start_errors, state.digest)
        if error is not None:
            changes: dict[str, object] = {"status": "failed", "error": error}
        else:
            changes = {"status": "healthy", "url": f"{self._origin}/slots/{state.slot}/"}
        return state.model_copy(update={**changes, "since": self.now()})

    def _switched(self, release: Release, state: ComponentState) -> ComponentState:
        error = _error(self.switch_errors, release.digest) if release.digest else None
        if error is not None:
            return state.model_copy(update={"status": "failed", "error": error, "since": self.now()})
        changes: dict[str, object] = {"status": "healthy" if release.digest else "offline", "since": self.now()}
        if state.running != release.digest:
            changes |= {"running": release.digest, "replaced": state.running}
            self.took_hold("switch", release.component, release.generation)
        deployment = f"{release.deployment}#{release.attempt}" if release.digest else None
        changes |= {"deployment": deployment, "url": f"{self._origin}/" if release.digest else None}
        return state.model_copy(update=changes)


def _error(errors: dict[str | None, str], digest: str) -> str | None:
    return errors.get(digest, errors.get(None))
