"""The product as processes: what people and programs do with it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.demo.slots import BOUND, Running, environment

Run = Callable[[str], Running]


@pytest.mark.parametrize(
    ("update_id", "path", "version"),
    [("v1.2.2", "/", "1.2.2"), ("api-v1.0.0", "/api", "1.0.0"), ("docs-update", "/docs", "1.1.0")],
)
def test_each_component_says_which_release_it_is(run: Run, update_id: str, path: str, version: str) -> None:
    slot = run(update_id)
    prefix = path.rstrip("/")
    page = slot.client.get(path, headers={"Accept": "text/html"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["X-RaOS-Release"] == update_id
    assert update_id in page.text
    assert version in page.text
    about = slot.client.get(f"{prefix}/version").json()
    assert (about["id"], about["version"]) == (update_id, version)
    assert version in slot.client.get(f"{prefix}/release").text


def test_a_note_is_written_by_who_signed_in_and_found_again(run: Run) -> None:
    client = run("feature-update").client
    assert client.post("/notes", data={"text": "no name"}).status_code == 403
    signed_in = client.post("/auth", data={"name": "Ann <b>"})
    assert signed_in.status_code == 303
    assert "HttpOnly; SameSite=Strict" in signed_in.headers["Set-Cookie"]
    assert client.post("/notes", data={"text": "Rack 4 <script> is ÄLTER"}).status_code == 303
    page = client.get("/search", params={"q": "älter"}).text
    assert "Rack 4 &lt;script&gt; is ÄLTER" in page
    assert "Ann &lt;b&gt;" in page
    assert client.get("/search.json", params={"q": "x" * 200}).status_code == 400
    assert "Rack 4 <script> is ÄLTER" in client.get("/export.csv").text
    assert client.get("/status.json").json()["notes"] == 4


def test_a_forged_session_is_nobody(run: Run) -> None:
    client = run("security-patch-001").client
    client.cookies.set("raos_session", "9999999999.QW5u." + "0" * 64)
    assert client.post("/notes", data={"text": "forged"}).status_code == 403


def test_the_api_keeps_notes(run: Run) -> None:
    client = run("api-v1.0.0").client
    made = client.post("/api/notes", json={"title": "Disk", "body": "Rack 4"})
    assert made.status_code == 201
    address = f"/api/notes/{made.json()['id']}"
    assert client.put(address, json={"title": "Disk replaced"}).json()["title"] == "Disk replaced"
    assert client.get(address).json()["body"] == ""
    assert client.get("/api/notes?limit=1").json()["notes"][0]["title"] == "Disk replaced"
    exported = [json.loads(line) for line in client.get("/api/export").text.splitlines()]
    assert [note["title"] for note in exported][-1] == "Disk replaced"
    assert client.delete(address).json() == {"deleted": made.json()["id"]}
    assert client.get(address).status_code == 404
    assert client.post("/api/notes", content=b"{").status_code == 400
    assert client.patch(address).status_code == 501
    assert client.delete("/api/notes").status_code == 405


def test_a_chunked_request_is_read_and_a_large_one_refused(run: Run) -> None:
    client = run("api-v1.0.0").client
    parts = iter((b'{"title": ', b'"In pieces"}'))
    assert client.post("/api/notes", content=parts).json()["title"] == "In pieces"
    assert client.post("/api/notes", content=b"x" * 70_000).status_code == 413


def test_the_hotfix_mends_the_limit(run: Run) -> None:
    assert run("api-v1.0.0").client.get("/api/notes?limit=many").status_code == 500
    answer = run("hotfix-001").client.get("/api/notes?limit=many")
    assert answer.status_code == 400
    assert answer.json() == {"error": "limit must be a number from 1 to 100."}


def test_the_irreversible_one_turns_drafts_into_notes_for_good(run: Run) -> None:
    assert run("hotfix-001").client.get("/api/drafts").json()["drafts"]
    slot = run("irreversible-001")
    assert slot.client.get("/api/drafts").status_code == 404
    titles = [note["title"] for note in slot.client.get("/api/notes").json()["notes"]]
    assert "Plan for the spring release" in titles
    with closing(sqlite3.connect(slot.folder / "data" / "api.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


def test_migrating_again_changes_nothing(run: Run) -> None:
    slot = run("irreversible-001")
    before = slot.client.get("/api/notes").json()
    command = ["python3", "main.py", "migrate"]
    subprocess.run(command, cwd=slot.folder, env=environment(), check=True, capture_output=True)
    assert slot.client.get("/api/notes").json() == before


def test_the_docs_update_is_found_by_search(run: Run) -> None:
    def names(slot: Running) -> list[str]:
        found = slot.client.get("/docs/search.json", params={"q": "deploying"}).json()
        return [result["name"] for result in found["results"]]

    assert names(run("docs-v1.0.0")) == []
    updated = run("docs-update")
    assert names(updated)[0] == "deploying"
    assert "<h2>The four steps</h2>" in updated.client.get("/docs/page/deploying").text


def test_connections_are_kept_and_answers_carry_the_headers_of_a_careful_site(run: Run) -> None:
    client = run("v1.2.2").client
    answers = [client.get("/"), client.get("/"), client.get("/missing"), client.head("/")]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 200]
    assert len({answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers}) == 1
    assert answers[3].content == b""
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers


def test_sigterm_finishes_what_is_in_flight(run: Run) -> None:
    slot = run("fails-performance")
    statuses: list[int] = []
    entered = threading.Barrier(2)

    def visit() -> None:
        entered.wait(BOUND)
        statuses.append(slot.client.get("/").status_code)

    for _ in range(14):
        slot.client.get("/")
    visitor = threading.Thread(target=visit)
    visitor.start()
    entered.wait(BOUND)
    visitor.join(0.2)
    assert visitor.is_alive(), "the fifteenth visitor waits for the collector"
    assert slot.stopped() == 0
    visitor.join(BOUND)
    assert statuses == [200]


def test_without_a_port_it_says_what_is_missing(run: Run) -> None:
    slot = run("v1.0.0")
    command = ["python3", "main.py"]
    ended = subprocess.run(command, cwd=slot.folder, env=environment(), capture_output=True, timeout=BOUND, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode() == "PORT must be set to the port to listen on, like PORT=8000.\n"
