"""A short form of what `make torture` does for minutes: journeys on real servers that are cut, shaken and killed."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.faults.system import cut_journeys, every_cut, flaky_journeys, killed_journeys, seeded_kills, system
from tests.faults.tally import Tally

SEED = 20260302


@pytest.mark.timeout(300)
async def test_whatever_is_cut_or_killed_every_journey_has_the_same_end(tmp_path: Path) -> None:
    random = Random(SEED)
    async with system(tmp_path / "demo", "web") as on:
        (await cut_journeys(on, random.sample(every_cut(), 3))).is_clean()
        (await flaky_journeys(on, 1, 0.1, SEED)).is_clean()
        (await killed_journeys(on, islice(seeded_kills(random), 1))).is_clean()
        audit = Tally("audit")
        await on.audit(audit)
        assert not audit.faults
