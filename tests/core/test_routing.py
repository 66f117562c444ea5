"""A subscription by component, stage and server; what is not said means any."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.routing import Route, subscribed
from core.stages import Stage
from core.state import Deployment, ManifestFacts, Placement, Plan

HERE = "slack:C1"


@pytest.fixture
def d() -> Deployment:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return Deployment(
        "v1", 1, 1, Stage.DEPLOYING, at, "main", "Fixes", "ann", at, "slack:C0", "v1.tar.gz", 1,
        ManifestFacts("main"), Plan(("eu",), (), 1, None, ()), placements=(Placement("omega/eu", "running"),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("route", "follows"),
    [
        (Route(HERE), True),
        (Route("slack:C0"), False),
        (Route(HERE, components=("main",)), True),
        (Route(HERE, components=("api",)), False),
        (Route(HERE, stages=(Stage.DEPLOYING,)), True),
        (Route(HERE, stages=(Stage.COMPLETED,)), False),
        (Route(HERE, servers=("omega/eu",)), True),
        (Route(HERE, servers=("public",)), False),
        (Route(HERE, ("main",), (Stage.DEPLOYING,), ("omega/us",)), False),
    ],
)
def test_who_follows(d: Deployment, route: Route, follows: bool) -> None:
    assert (HERE in subscribed(d, [route])) is follows


def test_each_channel_once_and_never_its_own(d: Deployment) -> None:
    assert subscribed(d, [Route(HERE), Route(HERE), Route(d.home)]) == (HERE,)
    assert subscribed(replace(d, home=HERE), [Route(HERE)]) == ()
