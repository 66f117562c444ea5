"""Which channels follow a deployment besides the one it began in: a subscription by component, stage and server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.stages import Stage
from core.state import Deployment


@dataclass(frozen=True, slots=True)
class Route:
    """`channel` is an address. What is empty means any."""

    channel: str
    components: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    servers: tuple[str, ...] = ()
    """`public`, or a region of OMEGA."""

    def takes(self, d: Deployment) -> bool:
        """Whether `d`, as it is now, is of interest."""
        return (
            (not self.components or d.component in self.components)
            and (not self.stages or d.stage in self.stages)
            and (not self.servers or any(place.server in self.servers for place in d.placements))
        )


def subscribed(d: Deployment, routes: Iterable[Route]) -> tuple[str, ...]:
    """The channels that are to show it from now on, each once, without its own. One that follows goes on to."""
    return tuple(dict.fromkeys(route.channel for route in routes if route.channel != d.home and route.takes(d)))
