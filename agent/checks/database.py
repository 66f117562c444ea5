"""Database Connection: the app's own probe, which reads and writes its database."""

from __future__ import annotations

from agent.checks.context import CheckContext, Finding, NotApplicable, Passed, Unmet
from agent.checks.fetch import fetch, new_client
from agent.checks.options import DatabaseOptions


async def run(context: CheckContext, options: DatabaseOptions) -> Finding:
    """Raises Unmet unless the probe answers 200 with `{"ok": true}`."""
    declared = context.target.manifest.database
    if declared is None:
        return NotApplicable("The release declares no [database], so there is no probe to ask")
    async with new_client() as client:
        answer = await fetch(client, context.place, context.target.url, declared.path)
    if answer.status != 200:
        raise Unmet('200 with {"ok": true}', str(answer.status), answer.where)
    report = answer.json()
    if not isinstance(report, dict) or report.get("ok") is not True:
        error = report.get("error") if isinstance(report, dict) else None
        seen = "200 without it" + (f": {error}" if isinstance(error, str) else "")
        raise Unmet('200 with {"ok": true}', seen, answer.where)
    return Passed()
