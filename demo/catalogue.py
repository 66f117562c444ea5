"""The updates that ALPHA holds in the demo. Each differs from the one that it builds on by real files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from demo.update import Endpoint, Update

_KIT = ("health", "probe", "release")
"""Modules that every component has."""


def _object(**properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """A JSON Schema: an object with at least these properties."""
    return {"type": "object", "required": list(properties), "properties": properties}


_TEXT = {"type": "string"}
_NUMBER = {"type": "integer", "minimum": 0}
_LIST = {"type": "array"}


def _each(**properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "array", "items": _object(**properties)}


_VERSION = _object(id=_TEXT, component=_TEXT, version=_TEXT)
_NOTES = _object(notes=_each(id=_NUMBER, text=_TEXT, author=_TEXT, at=_TEXT))


def _console() -> Iterator[Update]:
    """The console's history, then what goes wrong with it."""
    first = Update(
        id="v1.0.0",
        component="web",
        version="1.0.0",
        notes="The first console: a board of notes, and the state of the release beside it.",
        adds=(*_KIT, "board", "notes", "auth"),
        endpoints=(
            Endpoint("/version", _VERSION),
            Endpoint("/status.json", _object(release=_TEXT, notes=_NUMBER)),
            Endpoint("/notes.json", _NOTES),
        ),
    )
    search = Update(
        id="v1.2.2",
        component="web",
        version="1.2.2",
        notes="Notes can be searched.\n\n- Search finds any part of a note, in upper and lower case.",
        builds_on=first,
        layer="web_search",
        adds=("search",),
        endpoints=(Endpoint("/search.json?q=backups", _NOTES),),
        format="zip",
    )
    patch = Update(
        id="patch-v1.2.3",
        component="web",
        version="1.2.3",
        notes="Security fixes and performance improvements: a search is bounded.\n\n"
        "- CVE-2024-001: a very long search no longer keeps a thread busy; at most 100 characters are taken.\n"
        "- The database stops reading after 50 notes.",
        builds_on=search,
        layer="web_search_bounded",
        format="tar.zst",
    )
    security = Update(
        id="security-patch-001",
        component="web",
        version="1.2.4",
        notes="Critical security fixes for the authentication module.\n\n- Signatures are compared in constant time."
        "\n- A session ends after twelve hours.\n- The cookie is HttpOnly and SameSite=Strict.",
        builds_on=patch,
        layer="web_sessions",
    )
    first_try = Update(
        id="feature-2024-q1",
        component="web",
        version="1.3.0",
        notes="New dashboard and analytics: notes per day, as a page, a panel and JSON.",
        builds_on=security,
        layer="web_analytics_first",
        adds=("analytics",),
        endpoints=(Endpoint("/analytics.json", _object(days=_each(day=_TEXT, notes=_NUMBER))),),
        format="zip",
    )
    fixed = Update(
        id="feature-2024-q1-fixed",
        component="web",
        version="1.3.1",
        notes="New dashboard and analytics, with the setting of the window read by its right name.",
        builds_on=first_try,
        layer="web_analytics",
        format="tar.zst",
    )
    feature = Update(
        id="feature-update",
        component="web",
        version="1.4.0",
        notes="Notes can be taken along.\n\n- All notes as CSV for a spreadsheet, or as JSON for a program.",
        builds_on=fixed,
        layer="web_export",
        adds=("export",),
        endpoints=(Endpoint("/export.json", _NOTES),),
    )
    yield from (first, search, patch, security, first_try, fixed, feature)
    yield Update(
        id="owner-level-001",
        component="web",
        version="1.5.0",
        notes="The owner's panel: requests, processor time and threads of this console. For server owners only.",
        builds_on=feature,
        layer="web_owner",
        adds=("owner",),
        endpoints=(Endpoint("/owner.json", _object(requests=_NUMBER, uptime_seconds=_NUMBER)),),
        format="tar.zst",
        level="server-owner",
    )
    yield Update(
        id="slow-update",
        component="web",
        version="1.4.1",
        notes="A console waits at start until the one before it has surely written its notes: six seconds.",
        builds_on=feature,
        layer="web_lease",
        adds=("lease",),
    )
    yield Update(
        id="crashes-at-start",
        component="web",
        version="1.4.2",
        notes="The console reads its licence at start. It does not start where there is none.",
        builds_on=feature,
        layer="web_licence",
        adds=("licence",),
        endpoints=(Endpoint("/licence", _object(holder=_TEXT)),),
        format="zip",
    )
    yield from _failing(feature)


def _failing(base: Update) -> Iterator[Update]:
    """One update for each check, which fails that check alone, by a mistake that people make."""
    yield Update(
        id="fails-health",
        component="web",
        version="1.4.3",
        notes="Health asks the database too, over a pool of connections. None is given back, so that it is soon empty.",
        builds_on=base,
        layer="web_pool",
        fails="health",
    )
    yield Update(
        id="fails-modules",
        component="web",
        version="1.4.4",
        notes="Weekly reports. Their template was forgotten, so that the module does not load.",
        builds_on=base,
        layer="web_reports",
        adds=("reports",),
        format="tar.zst",
        fails="modules",
    )
    yield Update(
        id="fails-api",
        component="web",
        version="1.4.5",
        notes="Who writes how much, as JSON. The counts are texts where the manifest promises numbers.",
        builds_on=base,
        layer="web_activity",
        adds=("activity",),
        endpoints=(Endpoint("/activity.json", _object(authors=_each(author=_TEXT, notes=_NUMBER))),),
        format="zip",
        fails="api",
    )
    yield Update(
        id="fails-database",
        component="web",
        version="1.4.6",
        notes="The database's probe has a connection of its own, which was opened for reading only.",
        builds_on=base,
        layer="web_readonly",
        fails="database",
    )
    yield Update(
        id="fails-performance",
        component="web",
        version="1.4.7",
        notes="Page views are reported to a collector. Every fifteenth visitor waits for one that is not there.",
        builds_on=base,
        layer="web_telemetry",
        adds=("telemetry",),
        format="tar.zst",
        fails="performance",
    )
    yield Update(
        id="fails-security",
        component="web",
        version="1.4.8",
        notes="Notes can be encrypted for the backup. The private key was packed along.",
        builds_on=base,
        leaks=True,
        fails="security",
    )


def _api() -> Iterator[Update]:
    note = _object(id=_NUMBER, title=_TEXT, body=_TEXT, at=_TEXT)
    first = Update(
        id="api-v1.0.0",
        component="api",
        version="1.0.0",
        notes="The first API: notes and drafts, figures, and an export.",
        adds=(*_KIT, "home", "notes", "stats", "drafts"),
        endpoints=(
            Endpoint("/api/version", _VERSION),
            Endpoint("/api", _object(release=_TEXT, routes=_LIST)),
            Endpoint("/api/notes", _object(notes={"type": "array", "items": note}, total=_NUMBER)),
            Endpoint("/api/notes/1", note),
            Endpoint("/api/stats", _object(notes=_NUMBER, characters=_NUMBER)),
        ),
    )
    hotfix = Update(
        id="hotfix-001",
        component="api",
        version="1.0.1",
        notes="Critical bug fix: a limit that is no number is answered with 400 and the reason, no longer with 500.",
        builds_on=first,
        layer="api_hotfix",
        format="zip",
    )
    yield from (first, hotfix)
    yield Update(
        id="irreversible-001",
        component="api",
        version="2.0.0",
        notes="Drafts become notes, for good: the table of drafts is dropped, and no way leads back.",
        builds_on=hotfix,
        layer="api_no_drafts",
        drops=("drafts",),
        format="tar.zst",
        irreversible=True,
    )


def _docs() -> Iterator[Update]:
    found = _object(query=_TEXT, results={**_each(name=_TEXT, title=_TEXT), "minItems": 1})
    first = Update(
        id="docs-v1.0.0",
        component="docs",
        version="1.0.0",
        notes="The first handbook: the console, the API and operations, with a search.",
        adds=(*_KIT, "pages"),
        endpoints=(
            Endpoint("/docs/version", _VERSION),
            Endpoint("/docs/search.json?q=backups", found),
            Endpoint("/docs/page/overview"),
        ),
    )
    yield first
    yield Update(
        id="docs-update",
        component="docs",
        version="1.1.0",
        notes="Documentation updates: how a release is deployed, and how it is taken back.",
        builds_on=first,
        layer="docs_deploying",
        endpoints=(Endpoint("/docs/page/deploying"),),
        format="tar.zst",
    )


def updates() -> tuple[Update, ...]:
    """All of ALPHA's updates, by component and in the order of their history."""
    return (*_console(), *_api(), *_docs())
