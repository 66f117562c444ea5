from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.checks.context import Passed, Unmet
from agent.checks.options import PerformanceOptions
from agent.checks.performance import WARM_UP, judged, quantile
from tests.agent.checks.app import App, Route, check

OPTIONS = PerformanceOptions()
FEW = 20


def test_quantiles_are_values_that_were_measured() -> None:
    assert quantile([3.0], 0.95) == 3.0
    assert quantile([float(n) for n in range(1, 101)], 0.95) == 95.0
    assert quantile([2.0, 1.0, 3.0], 0.5) == 2.0


@pytest.mark.parametrize(
    ("candidate", "baseline"),
    [
        (10.0, 10.0),
        (15.0, 10.0),  # the ratio is the limit itself
        (5.9, 1.0),  # six times slower, within the floor
        (1.0, 10.0),
        (5.0, 0.0),
    ],
)
def test_fast_enough(candidate: float, baseline: float) -> None:
    finding = judged([candidate] * 50, [baseline] * 50, OPTIONS, "GET /")
    assert isinstance(finding, Passed)
    assert finding.measured["p95_ms"] == candidate
    assert finding.measured["baseline_p95_ms"] == baseline


@pytest.mark.parametrize(("candidate", "baseline"), [(15.1, 10.0), (6.1, 1.0), (5.1, 0.0)])
def test_too_slow_beside_production(candidate: float, baseline: float) -> None:
    with pytest.raises(Unmet) as failure:
        judged([candidate] * 50, [baseline] * 50, OPTIONS, "GET /")
    assert failure.value.expected == f"p95 of at most 1.5 × production's {baseline:.1f} ms"
    assert failure.value.seen.startswith(f"{candidate:.1f} ms (")
    assert failure.value.measured["requests"] == 50


def test_a_few_slow_answers_are_not_the_p95() -> None:
    assert isinstance(judged([10.0] * 96 + [900.0] * 4, [10.0] * 100, OPTIONS, "GET /"), Passed)
    with pytest.raises(Unmet):
        judged([10.0] * 94 + [900.0] * 6, [10.0] * 100, OPTIONS, "GET /")


def test_an_absolute_limit_without_a_baseline() -> None:
    assert judged([500.0] * 20, None, OPTIONS, "GET /", "why") == Passed(
        "why", {"requests": 20.0, "p50_ms": 500.0, "p95_ms": 500.0}
    )
    with pytest.raises(Unmet, match=r"expected p95 of at most 500 ms, got 500\.1 ms"):
        judged([500.1] * 20, None, OPTIONS, "GET /")


def noted(order: list[str], name: str) -> Callable[[str], Route]:
    def answer(path: str) -> Route:
        order.append(name)
        return Route()

    return answer


async def test_candidate_and_production_are_asked_in_turns(app: App, production: App) -> None:
    order: list[str] = []
    app.answer = noted(order, "candidate")
    production.answer = noted(order, "production")
    options = {"requests": 50, "floor_ms": 60_000}  # how fast they are is not what this is about
    report = await check(app.target(), "performance", options, baseline=production.target())
    assert report.state == "passed"
    assert report.measured["requests"] == 50
    counted = order[2 * WARM_UP :]
    turns = list(zip(counted[::2], counted[1::2], strict=True))
    assert turns == [("production", "candidate"), ("candidate", "production")] * 25
    assert {*report.measured} == {"requests", "p50_ms", "p95_ms", "baseline_p50_ms", "baseline_p95_ms", "ratio"}


async def test_slower_than_production_fails(app: App, production: App) -> None:
    app.routes["/"] = Route(delay=0.08)
    report = await check(app.target(), "performance", {"requests": FEW, "ratio": 1}, baseline=production.target())
    assert (report.state, report.where) == ("failed", "GET /, 20 requests")
    assert report.measured["ratio"] > 1
    assert report.measured["p50_ms"] >= 80


async def test_a_difference_below_the_floor_is_noise(app: App, production: App) -> None:
    app.routes["/"] = Route(delay=0.04)
    options = {"requests": FEW, "ratio": 1, "floor_ms": 20_000}
    report = await check(app.target(), "performance", options, baseline=production.target())
    assert (report.state, report.warning) == ("passed", None)
    assert report.measured["ratio"] > 1


async def test_without_production_the_limit_is_absolute_and_says_so(app: App) -> None:
    app.routes["/"] = Route(delay=0.02)
    report = await check(app.target(), "performance", {"requests": FEW, "limit_ms": 15})
    assert (report.state, report.expected) == ("failed", "p95 of at most 15 ms")
    assert report.warning == "no release of production runs here to compare with, so an absolute limit was used"
    app.routes["/"] = Route()
    report = await check(app.target(), "performance", {"requests": FEW, "limit_ms": 20_000})
    assert report.state == "passed"
    assert report.warning is not None


async def test_a_page_that_production_does_not_have(app: App, production: App) -> None:
    app.routes["/new"] = Route()
    candidate = app.target({"performance": {"path": "/new"}})
    report = await check(candidate, "performance", {"requests": FEW}, baseline=production.target())
    assert report.state == "passed"
    assert report.warning == "production's release answers /new with 404, so an absolute limit was used"


async def test_a_fast_error_is_no_performance(app: App, production: App) -> None:
    app.answer = lambda _: Route(500 if len(app.asked) > 25 else 200)
    report = await check(app.target(), "performance", {"requests": FEW}, baseline=production.target())
    assert (report.state, report.expected, report.seen) == ("failed", "200", "500")


async def test_a_time_out_says_how_far_it_came(app: App, production: App) -> None:
    app.answer = lambda _: Route(hangs=len(app.asked) > WARM_UP + 5)
    report = await check(app.target(), "performance", {"requests": FEW}, baseline=production.target(), timeout=5)
    assert (report.state, report.seen, report.where) == ("timed_out", "5 of 20 requests answered", "GET /")
