"""Analytics: how many notes were written on each of the last days."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..kit.database import connected
from ..kit.http import Request, Response, json_response
from ..kit.page import page
from ..kit.slot import Feature, Route, Slot

_COUNT = "SELECT substr(at, 1, 10) AS day, count(*) AS notes FROM notes WHERE at >= ? GROUP BY day"


def feature(slot: Slot) -> Feature:
    """The page /analytics, /analytics.json, and a panel on the first page."""
    settings = json.loads((Path(__file__).parent / "analytics.json").read_text("utf-8"))
    window = timedelta(days=settings["window"])

    def shown(_: Request) -> Response:
        return page(slot, "Analytics", f'<section class="card">{_chart(counted(slot, window))}</section>')

    def figures(_: Request) -> Response:
        return json_response({"days": [{"day": day, "notes": notes} for day, notes in counted(slot, window).items()]})

    def panel() -> str:
        return f"<h2>Notes per day</h2>{_chart(counted(slot, window))}"

    routes = (Route("GET", "/analytics", shown), Route("GET", "/analytics.json", figures))
    return Feature(routes, link=("Analytics", "/analytics"), panel=panel)


def counted(slot: Slot, window: timedelta) -> dict[str, int]:
    """Notes by day (ISO 8601, UTC) over `window` up to today; a day without notes is 0."""
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=back)).isoformat() for back in range(window.days)][::-1]
    with connected(slot.database) as connection:
        rows = {row["day"]: int(row["notes"]) for row in connection.execute(_COUNT, (days[0],))}
    return {day: rows.get(day, 0) for day in days}


def _chart(days: dict[str, int]) -> str:
    """Bars of the counts. A text beside it says the same for those who do not see it."""
    highest = max(*days.values(), 1)
    step = 280 / len(days)
    bars = "".join(
        f'<rect x="{index * step:.1f}" y="{80 - 70 * notes / highest:.1f}" width="{step * 0.7:.1f}" rx="2" '
        f'height="{max(70 * notes / highest, 1):.1f}"><title>{day}: {notes}</title></rect>'
        for index, (day, notes) in enumerate(days.items())
    )
    first, last = min(days), max(days)
    total = sum(days.values())
    return (
        f'<svg viewBox="0 0 280 96" role="img" aria-label="Notes per day from {first} to {last}">{bars}'
        f'<text x="0" y="93">{first}</text><text x="280" y="93" text-anchor="end">{last}</text></svg>'
        f'<p class="quiet">{total} in {len(days)} days, at most {max(days.values())} on one.</p>'
    )
