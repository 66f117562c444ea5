"""How long property tests look: a moment by default, an hour's worth with HYPOTHESIS_PROFILE=long. Databases. Order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.stores import database_url, migrated, new_database_url, postgres

__all__ = ["database_url", "migrated", "new_database_url", "postgres"]

settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_LONG_FIRST = ("stories", "faults", "fuzz", "demo")
"""Folders whose files each take long: begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in _LONG_FIRST)
