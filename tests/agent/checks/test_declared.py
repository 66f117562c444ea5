"""Health, modules, API and database: what the manifest declares, asked of a real server that breaks one thing."""

from __future__ import annotations

from typing import Any

import pytest

from agent.checks.fetch import MAX_BODY
from tests.agent.checks.app import App, Route, check, json_route

MODULES = {"modules": {"path": "/modules", "names": ["search", "mail"]}}
DATABASE = {"database": {"path": "/db"}}
USERS = {
    "type": "object",
    "required": ["users"],
    "properties": {"users": {"type": "array", "items": {"type": "string", "maxLength": 5}}},
}
API = {"api": [{"path": "/users", "schema": USERS}, {"path": "/gone", "status": 410}]}


def loaded(**modules: object) -> Route:
    return json_route({"modules": [{"name": name, "loaded": value} for name, value in modules.items()]})


async def test_health_asks_several_times(app: App) -> None:
    report = await check(app.target(), "health", {"times": 4})
    assert report.state == "passed"
    assert app.asked == ["/healthz"] * 4
    assert report.started_at is not None
    assert report.finished_at is not None


async def test_health_at_the_declared_path(app: App) -> None:
    app.routes = {"/up": Route()}
    assert (await check(app.target({"health": {"path": "/up"}}), "health")).state == "passed"


async def test_health_fails_on_another_status(app: App) -> None:
    app.routes["/healthz"] = Route(500)
    report = await check(app.target(), "health")
    assert (report.state, report.expected, report.seen, report.where) == ("failed", "200", "500", "GET /healthz")


async def test_health_is_not_convinced_by_two_good_answers(app: App) -> None:
    app.answer = lambda _: Route(503 if len(app.asked) == 3 else 200)
    report = await check(app.target(), "health")
    assert (report.state, report.seen) == ("failed", "503")


async def test_health_does_not_follow_a_redirect(app: App) -> None:
    app.routes |= {"/healthz": Route(302, headers={"Location": "/"})}
    report = await check(app.target(), "health")
    assert (report.state, report.seen) == ("failed", "302")
    assert app.asked == ["/healthz"]


async def test_health_must_come_in_time(app: App) -> None:
    app.routes["/healthz"] = Route(hangs=True)
    report = await check(app.target(), "health", {"within": 0.05})
    assert (report.state, report.expected) == ("timed_out", "200 within 0.05 s")
    assert report.seen == "no answer (request 1 of 3)"


async def test_health_of_a_process_that_is_gone(app: App) -> None:
    await app.stop()
    report = await check(app.target(), "health")
    assert (report.state, report.expected, report.where) == ("failed", "an HTTP answer", "GET /healthz")
    assert report.seen is not None
    assert report.seen.startswith("none: ")


async def test_modules_all_loaded(app: App) -> None:
    app.routes["/modules"] = loaded(search=True, mail=True, more=False)
    report = await check(app.target(MODULES), "modules")
    assert (report.state, report.measured) == ("passed", {"modules": 2.0})


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (loaded(search=True), "mail is not reported"),
        (loaded(search=True, mail=False), "mail is not loaded"),
        (loaded(), "search is not reported; mail is not reported"),
        (loaded(search=True, mail="yes"), "JSON of another shape"),
        (json_route([]), "JSON of another shape"),
        (Route(body=b"<p>hi"), "5 bytes that are not JSON (no content type)"),
        (Route(body=b"[" * 100_000), "100000 bytes that are not JSON (no content type)"),
        (Route(body=b"1" * (MAX_BODY + 1)), "more"),
        (json_route({"modules": [
            {"name": "search", "loaded": True}, {"name": "mail", "loaded": True},
            {"name": "mail", "loaded": False, "error": "no key"}]}), "mail is not loaded (no key)"),
        (Route(404), "404"),
    ],
)  # fmt: skip
async def test_modules_that_are_not_proven_loaded(app: App, answer: Route, seen: str) -> None:
    app.routes["/modules"] = answer
    report = await check(app.target(MODULES), "modules")
    assert (report.state, report.seen, report.where) == ("failed", seen, "GET /modules")


async def test_an_error_of_the_app_is_cleaned_and_capped(app: App) -> None:
    error = "\x1b[31mred\x1b[0m\nline \u202eevil\x00 " + "x" * 1000
    app.routes["/modules"] = json_route({"modules": [{"name": "search", "loaded": False, "error": error}]})
    report = await check(app.target(MODULES), "modules")
    assert report.seen is not None
    assert report.seen.startswith("search is not loaded (red line evil xxx")
    assert len(report.seen) == 300
    assert report.seen.endswith("…")


async def test_database_probe(app: App) -> None:
    app.routes["/db"] = json_route({"ok": True})
    assert (await check(app.target(DATABASE), "database")).state == "passed"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (json_route({"ok": False, "error": "no such table: users"}), "200 without it: no such table: users"),
        (json_route({"ok": 1}), "200 without it"),
        (json_route(["ok"]), "200 without it"),
        (json_route({"ok": True}, status=503), "503"),
    ],
)
async def test_database_that_does_not_answer_well(app: App, answer: Route, seen: str) -> None:
    app.routes["/db"] = answer
    report = await check(app.target(DATABASE), "database")
    assert (report.state, report.expected, report.seen) == ("failed", '200 with {"ok": true}', seen)


async def test_api_answers_with_status_and_shape(app: App) -> None:
    app.routes |= {"/users": json_route({"users": ["ann"]}), "/gone": Route(410)}
    report = await check(app.target(API), "api")
    assert (report.state, report.measured) == ("passed", {"endpoints": 2.0})


@pytest.mark.parametrize(
    ("users", "gone", "expected", "seen", "where"),
    [
        ({"users": ["ann"]}, 200, "410", "200", "GET /gone"),
        ({}, 410, '$: required ["users"]', "an object without users", "GET /users"),
        ({"users": 3}, 410, '$.users: type "array"', "a number", "GET /users"),
        ({"users": ["ann", "secret-value"]}, 410, "$.users[1]: maxLength 5", "a string of 12 characters", "GET /users"),
    ],
)
async def test_api_says_what_is_wrong(app: App, users: Any, gone: int, expected: str, seen: str, where: str) -> None:
    app.routes |= {"/users": json_route(users), "/gone": Route(gone)}
    report = await check(app.target(API), "api")
    assert (report.state, report.expected, report.seen, report.where) == ("failed", expected, seen, where)
    assert "secret-value" not in report.model_dump_json()


async def test_api_names_every_endpoint_that_fails(app: App) -> None:
    app.routes |= {"/users": json_route({}), "/gone": Route(404)}
    report = await check(app.target(API), "api")
    assert (report.where, report.warning) == ("GET /gone", "also GET /users: an object without users")


@pytest.mark.parametrize(
    ("schema", "seen"),
    [
        ({"type": "nonsense"}, "one that is wrong at"),
        ({"pattern": "("}, "one that is wrong at $.pattern"),
        (
            {"$schema": "http://json-schema.org/draft-04/schema#", "patternProperties": {"(": {}}},
            "a pattern that is no regular expression",
        ),
    ],
)
async def test_api_with_a_schema_that_is_none(app: App, schema: Any, seen: str) -> None:
    app.routes["/users"] = json_route({"a": "text"})
    report = await check(app.target({"api": [{"path": "/users", "schema": schema}]}), "api")
    assert (report.state, report.expected) == ("failed", "a valid JSON Schema")
    assert report.seen is not None
    assert report.seen.startswith(seen)


async def test_a_schema_makes_no_request(app: App) -> None:
    app.routes |= {"/users": json_route({}), "/schema": json_route(True)}
    schema = {"$ref": f"{app.url}/schema"}
    report = await check(app.target({"api": [{"path": "/users", "schema": schema}]}), "api")
    assert (report.state, report.expected) == ("failed", "a JSON Schema that is complete in itself")
    assert app.asked == ["/users"]


async def test_a_schema_that_never_ends_is_killed_at_the_deadline(app: App) -> None:
    app.routes["/users"] = json_route("a" * 60 + "!")
    schema = {"type": "string", "pattern": "^(a+)+$"}
    report = await check(app.target({"api": [{"path": "/users", "schema": schema}]}), "api", timeout=1)
    assert (report.state, report.where) == ("timed_out", "the JSON Schemas of [[api]]")


@pytest.mark.parametrize("kind", ["modules", "api", "database"])
async def test_what_is_not_declared_is_not_passed(app: App, kind: Any) -> None:
    report = await check(app.target(), kind)
    assert report.state == "not_applicable"
    assert report.warning is not None
    assert report.warning.startswith("The release declares no [")
    assert app.asked == []


async def test_a_server_that_never_answers_has_failed(app: App) -> None:
    app.routes["/db"] = Route(hangs=True)
    report = await check(app.target(DATABASE), "database", timeout=0.1)
    assert (report.state, report.expected) == ("timed_out", "an answer within 0.1 s")
    assert (report.seen, report.where) == ("no answer", "GET /db")
