"""The signed statements that make servers act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.release.signing import Signs, sign
from core.release.wire import LeftOut, Release

OFFLINE = "0" * 64
"""The subject's digest in a statement that takes a component offline: an in-toto subject cannot be without one."""


def release_statement(signer: Signs, release: Release, also: Sequence[Signs] = ()) -> dict[str, Any]:
    """The envelope that an agent wants; the same one for the same release. `also`: older keys that are still valid."""
    return sign(signer, "release/v1", {release.deployment: release.digest or OFFLINE}, release, also)


def left_out_statement(
    signer: Signs, release: Release, order: int, names: Sequence[str], also: Sequence[Signs] = ()
) -> dict[str, Any]:
    """The envelope that keeps these mainframes as they are while OMEGA distributes `release`."""
    said = LeftOut(component=release.component, generation=release.generation, order=order, mainframes=tuple(names))
    return sign(signer, "left-out/v1", {release.deployment: release.digest or OFFLINE}, said, also)
