"""The slot that a release runs in, and the modules that it is made of."""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..kit.http import Request, Response

Handler = Callable[[Request], Response]


@dataclass(frozen=True)
class About:
    """Which release this is: written into the artifact when ALPHA builds it."""

    id: str
    component: str
    version: str
    title: str
    modules: tuple[str, ...]
    notes: str = ""

    @property
    def summary(self) -> str:
        """The first paragraph of the notes, below their heading."""
        return next((block for block in self.notes.split("\n\n") if block and not block.startswith("#")), "")

    @classmethod
    def read(cls, folder: Path) -> About:
        """Raises OSError, ValueError or TypeError where the artifact is not complete."""
        data = json.loads((folder / "about.json").read_text("utf-8"))
        notes = (folder / "NOTES.md").read_text("utf-8")
        return cls(**{**data, "modules": tuple(data["modules"])}, notes=notes)


@dataclass(frozen=True)
class Route:
    """One method on one path; a `{name}` segment of the path matches any value."""

    method: str
    path: str
    handler: Handler


@dataclass(frozen=True)
class Feature:
    """What a module adds: its routes, its entry in the navigation, its panel on the first page."""

    routes: tuple[Route, ...] = ()
    link: tuple[str, str] | None = None
    panel: Callable[[], str] | None = None
    before: Callable[[Request], None] | None = None
    """Runs before each request is answered."""


@dataclass(frozen=True)
class Loaded:
    """How one module of the release fared at start: its feature, or the error."""

    name: str
    feature: Feature | None
    error: str | None = None


@dataclass(frozen=True)
class Component:
    """What sets one component apart from the others."""

    package: str
    """Where its modules are imported from."""
    prefix: str
    """The first segment of its paths; the front door passes paths on unchanged."""
    migrations: Path


def _nobody(_: Request) -> str | None:
    return None


@dataclass
class Slot:
    """A release in its folder. `modules` is filled at start, in the order of `about.modules`."""

    folder: Path
    prefix: str
    about: About
    started: float = field(default_factory=time.monotonic)
    modules: list[Loaded] = field(default_factory=list)
    visitor: Callable[[Request], str | None] = _nobody
    """Who sent a request; the module that signs people in sets it."""

    @property
    def database(self) -> Path:
        return self.folder / "data" / f"{self.about.component}.db"

    @property
    def features(self) -> list[Feature]:
        return [loaded.feature for loaded in self.modules if loaded.feature]

    def load(self, package: str) -> None:
        """Import the release's modules from `package`; one that fails is reported and leaves the others working."""
        for name in self.about.modules:
            self.modules.append(self._loaded(package, name))

    def _loaded(self, package: str, name: str) -> Loaded:
        try:
            module = importlib.import_module(f"{package}.{name}")
            feature: Feature = module.feature(self)
        except Exception as error:  # noqa: BLE001 - whatever a module raises, the endpoint of modules has to report it
            sys.stderr.write(f"Module {name} did not load:\n{traceback.format_exc()}")
            return Loaded(name, None, f"{type(error).__name__}: {error}")
        return Loaded(name, feature)
