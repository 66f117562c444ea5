"""Where this component's parts are."""

from __future__ import annotations

from pathlib import Path

from ..kit.slot import Component

COMPONENT = Component(package=__package__, prefix="/docs", migrations=Path(__file__).parent / "migrations")
