from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from agent.settings import CheckSettings
from tests.agent.checks.app import App, Route, check, json_route


async def test_an_expectation_of_the_slot(app: App) -> None:
    app.routes["/about"] = json_route({"version": 2})
    options = {"path": "/about", "contains": "version", "schema": {"required": ["version"]}}
    assert (await check(app.target(), "url", options)).state == "passed"


@pytest.mark.parametrize(
    ("options", "expected", "seen"),
    [
        ({"status": 404}, "404", "200"),
        ({"contains": "price"}, "a body that contains 'price'", "not in the 14 bytes that came"),
        ({"schema": {"required": ["id"]}}, '$: required ["id"]', "an object without id"),
    ],
)
async def test_what_is_not_as_expected(app: App, options: dict[str, object], expected: str, seen: str) -> None:
    app.routes["/about"] = json_route({"version": 2})
    report = await check(app.target(), "url", {"path": "/about", **options})
    assert (report.state, report.expected, report.seen) == ("failed", expected, seen)
    assert report.where == "GET /about"


async def test_a_redirect_is_an_answer_and_not_a_way(app: App) -> None:
    app.routes["/old"] = Route(301, headers={"Location": f"{app.url}/"})
    assert (await check(app.target(), "url", {"path": "/old"})).seen == "301"
    assert (await check(app.target(), "url", {"path": "/old", "status": 301})).state == "passed"
    assert app.asked == ["/old", "/old"]


async def test_another_server(app: App, production: App) -> None:
    production.routes["/sitemap"] = Route(body=b"pages")
    url = f"http://localhost:{production.port}/sitemap"
    report = await check(app.target(), "url", {"url": url, "contains": "pages"})
    assert report.state == "passed"
    assert (app.asked, production.asked) == ([], ["/sitemap"])
    report = await check(app.target(), "url", {"url": url, "status": 204})
    assert report.where == f"GET {url}"


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"])
async def test_metadata_services_are_not_asked(app: App, host: str) -> None:
    report = await check(app.target(), "url", {"url": f"http://{host}/latest/meta-data"})
    assert (report.state, report.expected) == ("failed", "a host that checks may ask")


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[App, CheckSettings]]:
    """A server for localhost by a private authority, and the settings that trust it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    served = App(tmp_path)
    await served.start(context)
    yield served, CheckSettings(ca_file=ca_file)
    await served.stop()


async def test_https_by_name_although_the_address_is_pinned(app: App, secure: tuple[App, CheckSettings]) -> None:
    served, settings = secure
    url = {"url": f"https://localhost:{served.port}/"}
    assert (await check(app.target(), "url", url, settings=settings)).state == "passed"
    report = await check(app.target(), "url", url)
    assert (report.state, report.expected) == ("failed", "an HTTP answer")
    other = {"url": f"https://127.0.0.1:{served.port}/"}
    assert (await check(app.target(), "url", other, settings=settings)).state == "failed"
