"""Performance Baseline: the candidate's p95 against production's release, on the same host and in the same run.

The two are asked in turns, so that whatever else the host is doing slows both alike.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import httpx

from agent.checks.context import CheckContext, Finding, Passed, Unmet
from agent.checks.fetch import new_client
from agent.checks.options import PerformanceOptions
from agent.checks.target import Target

WARM_UP = 10
"""Requests to each side that are not counted: connections open, caches fill."""


async def run(context: CheckContext, options: PerformanceOptions) -> Finding:
    """Raises Unmet where the candidate is too slow, or does not answer its performance path."""
    path = context.target.manifest.performance.path
    async with new_client() as ours, new_client() as theirs:
        candidate = _Lane(ours, context.target, path)
        await candidate.warm_up()
        baseline, warning = await _baseline(context, theirs, path)
        await _measure(context, options.requests, candidate, baseline)
    times = baseline.milliseconds if baseline else None
    return judged(candidate.milliseconds, times, options, f"GET {path}", warning)


class _Lane:
    """One side of the comparison: a connection that is kept, and the times of its answers."""

    def __init__(self, client: httpx.AsyncClient, target: Target, path: str) -> None:
        self._client = client
        self._url = target.url.rstrip("/") + path
        self._where = f"GET {path}"
        self.milliseconds: list[float] = []

    async def warm_up(self) -> None:
        for _ in range(WARM_UP):
            await self._ask()

    async def measure(self) -> None:
        self.milliseconds.append(await self._ask())

    async def _ask(self) -> float:
        """Milliseconds to the last byte of one answer. Raises Unmet where it is no success."""
        started = time.perf_counter()
        try:
            async with self._client.stream("GET", self._url) as response:
                async for _ in response.aiter_raw():
                    pass  # the bytes are counted in time only
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unmet("an HTTP answer", f"none: {error or type(error).__name__}", self._where) from error
        if not response.is_success:
            raise Unmet("200", str(response.status_code), self._where)
        return (time.perf_counter() - started) * 1000


async def _baseline(context: CheckContext, client: httpx.AsyncClient, path: str) -> tuple[_Lane | None, str | None]:
    """The other side where there is one, else the warning that says why there is none."""
    if context.baseline is None:
        return None, "no release of production runs here to compare with, so an absolute limit was used"
    context.place.where = f"GET {path} of production's release"
    lane = _Lane(client, context.baseline, path)
    try:
        await lane.warm_up()
    except Unmet as failure:
        return None, f"production's release answers {path} with {failure.seen}, so an absolute limit was used"
    return lane, None


async def _measure(context: CheckContext, requests: int, candidate: _Lane, baseline: _Lane | None) -> None:
    """Ask in turns; who goes first changes with every turn, for a first request may pay for a pause."""
    context.place.where = f"GET {context.target.manifest.performance.path}"
    lanes = [candidate] if baseline is None else [candidate, baseline]
    for done in range(requests):
        context.place.seen = f"{done} of {requests} requests answered"
        for lane in lanes if done % 2 else reversed(lanes):
            await lane.measure()


def judged(
    candidate: Sequence[float],
    baseline: Sequence[float] | None,
    options: PerformanceOptions,
    where: str,
    warning: str | None = None,
) -> Finding:
    """The verdict over times in milliseconds. Raises Unmet."""
    p95 = quantile(candidate, 0.95)
    measured = {
        "requests": float(len(candidate)),
        "p50_ms": round(quantile(candidate, 0.5), 3),
        "p95_ms": round(p95, 3),
    }
    where = f"{where}, {len(candidate)} requests"
    if baseline is None:
        if p95 > options.limit_ms:
            expected = f"p95 of at most {options.limit_ms:g} ms"
            raise Unmet(expected, f"{p95:.1f} ms", where, warning=warning, measured=measured)
        return Passed(warning, measured)
    theirs = quantile(baseline, 0.95)
    ratio = p95 / theirs if theirs > 0 else math.inf
    measured |= {"baseline_p50_ms": round(quantile(baseline, 0.5), 3), "baseline_p95_ms": round(theirs, 3)}
    if math.isfinite(ratio):
        measured["ratio"] = round(ratio, 3)
    if ratio > options.ratio and p95 - theirs > options.floor_ms:
        expected = f"p95 of at most {options.ratio:g} × production's {theirs:.1f} ms"
        raise Unmet(expected, f"{p95:.1f} ms ({ratio:.1f} ×)", where, warning=warning, measured=measured)
    return Passed(warning, measured)


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile: a value that was really measured. `values` is not empty."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
