"""One check from start to report: its kind, its deadline, and whatever goes wrong, in words that may be shown."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import assert_never

from agent.checks import api, command, database, health, modules, performance, security, url
from agent.checks.context import CheckContext, Finding, NotApplicable, Passed, Unmet
from agent.checks.options import (
    ApiOptions,
    CommandOptions,
    DatabaseOptions,
    HealthOptions,
    ModulesOptions,
    PerformanceOptions,
    SecurityOptions,
    UrlOptions,
    options_of,
)
from core.release.text import clean
from core.release.wire import CheckReport, CheckWanted

log = logging.getLogger(__name__)


async def run_check(context: CheckContext, wanted: CheckWanted) -> CheckReport:
    """Run one check within its own deadline. Never raises but for cancellation: what cannot be proven has failed."""
    report = CheckReport(name=wanted.name, state="running", started_at=context.clock())
    try:
        async with asyncio.timeout(wanted.timeout) as deadline:
            finding = await _found(context, wanted)
        done = _answered(report, finding)
    except Unmet as failure:
        done = _failed(report, failure)
    except TimeoutError as error:
        done = _late(report, context, wanted) if deadline.expired() else _faulty(report, error)
    except Exception as error:  # noqa: BLE001 - whatever broke, the release is unproven and the run goes on
        done = _faulty(report, error)
    return done.model_copy(update={"finished_at": context.clock()})


async def _found(context: CheckContext, wanted: CheckWanted) -> Finding:
    match options_of(wanted):
        case HealthOptions() as options:
            return await health.run(context, options)
        case ModulesOptions() as options:
            return await modules.run(context, options)
        case ApiOptions() as options:
            return await api.run(context, options)
        case DatabaseOptions() as options:
            return await database.run(context, options)
        case PerformanceOptions() as options:
            return await performance.run(context, options)
        case SecurityOptions() as options:
            return await security.run(context, options)
        case UrlOptions() as options:
            return await url.run(context, options)
        case CommandOptions() as options:
            return await command.run(context, options)
        case unknown:
            assert_never(unknown)


def _answered(report: CheckReport, finding: Finding) -> CheckReport:
    match finding:
        case Passed(warning, measured):
            update = {"state": "passed", "warning": _shown(warning), "measured": dict(measured)}
        case NotApplicable(reason):
            update = {"state": "not_applicable", "warning": _shown(reason)}
        case unknown:
            assert_never(unknown)
    return report.model_copy(update=update)


def _failed(report: CheckReport, failure: Unmet) -> CheckReport:
    return report.model_copy(
        update={
            "state": "timed_out" if failure.timed_out else "failed",
            "expected": clean(failure.expected),
            "seen": clean(failure.seen),
            "where": clean(failure.where),
            "warning": _shown(failure.warning),
            "measured": dict(failure.measured),
        }
    )


def _late(report: CheckReport, context: CheckContext, wanted: CheckWanted) -> CheckReport:
    place = context.place
    expected = f"an answer within {wanted.timeout:g} s"
    return _failed(report, Unmet(expected, place.seen, place.where, timed_out=True))


def _faulty(report: CheckReport, error: Exception) -> CheckReport:
    """The agent could not carry the check out. The reference finds the log line, which has the details."""
    reference = uuid.uuid4().hex[:8]
    log.error("check %r could not be carried out, reference %s", report.name, reference, exc_info=error)
    seen = f"a fault of the agent ({type(error).__name__}), reference {reference} in its log"
    return _failed(report, Unmet("a check that can be carried out", seen, "the agent"))


def _shown(text: str | None) -> str | None:
    return None if text is None else clean(text)
