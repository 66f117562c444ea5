"""The signed statements that make servers act."""

from __future__ import annotations

from typing import Any

from securesystemslib.signer import CryptoSigner

from core.release.signing import sign
from core.release.wire import Release

OFFLINE = "0" * 64
"""The subject's digest in a statement that takes a component offline: an in-toto subject cannot be without one."""


def release_statement(signer: CryptoSigner, release: Release) -> dict[str, Any]:
    """The envelope that an agent wants; the same one for the same release."""
    return sign(signer, "release/v1", {release.deployment: release.digest or OFFLINE}, release)
