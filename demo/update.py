"""What an update of the demo is: what it changes in another one, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Component = Literal["web", "api", "docs"]
Format = Literal["tar.gz", "tar.zst", "zip"]
Check = Literal["health", "modules", "api", "database", "performance", "security"]

TITLES: Mapping[Component, str] = {"web": "RaOS Console", "api": "RaOS API", "docs": "RaOS Docs"}


@dataclass(frozen=True)
class Endpoint:
    """A path that the manifest declares, with what its JSON must look like."""

    path: str
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Update:
    """One update: what it changes in `builds_on`, and what it says of itself.

    `layer` is a folder of demo/product whose files replace or add to the component's. `fails` is the one check that it
    fails alone.
    """

    id: str
    component: Component
    version: str
    notes: str
    """Markdown below the heading: the first paragraph is the summary."""
    builds_on: Update | None = None
    layer: str | None = None
    adds: tuple[str, ...] = ()
    """Modules."""
    drops: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    """Paths that come with `adds`."""
    format: Format = "tar.gz"
    level: Literal["standard", "server-owner"] = "standard"
    irreversible: bool = False
    leaks: bool = field(default=False, repr=False)
    """Ships a private key (of nothing)."""
    fails: Check | None = None

    @property
    def lineage(self) -> tuple[Update, ...]:
        """This update and all that it builds on, oldest first."""
        return (*(self.builds_on.lineage if self.builds_on else ()), self)

    @property
    def contains(self) -> tuple[str, ...]:
        """Ids that it includes, so that putting it over them undoes nothing."""
        return tuple(update.id for update in self.lineage[:-1])

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(update.layer for update in self.lineage if update.layer)

    @property
    def modules(self) -> tuple[str, ...]:
        """In the order in which they are loaded, and shown in the navigation."""
        dropped = {name for update in self.lineage for name in update.drops}
        return tuple(name for update in self.lineage for name in update.adds if name not in dropped)

    @property
    def declared(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for update in self.lineage for endpoint in update.endpoints)
