"""Where this component's parts are, and the licence that it needs."""

from __future__ import annotations

import os
from pathlib import Path

from ..kit.slot import Component

LICENCE = Path(os.environ["RAOS_LICENCE_FILE"]).read_text("utf-8")
COMPONENT = Component(package=__package__, prefix="", migrations=Path(__file__).parent / "migrations")
