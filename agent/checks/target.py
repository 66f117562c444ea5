"""What a check looks at: a release that runs on this host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.release.manifest import Manifest


@dataclass(frozen=True)
class Target:
    """A running release, as the checks see it.

    `url` is where the release itself answers on this host, without the front door (`http://127.0.0.1:<port>`).
    `folder` is the slot's folder, in which its process and the scanner run; `artifact` is the folder that holds the
    artifact's files as they were unpacked. The two may be the same. `digest` is the artifact's SHA-256, hexadecimal.
    """

    url: str
    folder: Path
    artifact: Path
    manifest: Manifest
    digest: str
