"""Making releases current: the switch, its failures, generations, going offline, and a switch under load."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from agent.door.front import FrontDoor
from agent.processes.kept import Keepers
from core.release.signing import new_key, signer_from_pem
from tests.agent.conftest import StartAgent
from tests.agent.product import PROGRAM, crashing, manifest, pack, product
from tests.agent.running import Agent, until


async def test_a_release_is_switched_to_and_replaced_and_the_old_one_stays_warm(agent: Agent) -> None:
    one, two = product("one"), product("two")
    state = await agent.runs(one, 1)
    assert (state["running"], state["replaced"], state["deployment"]) == (one.digest, None, "u#1")
    assert (await agent.front.get("/")).text == "one"
    state = await agent.runs(two, 2)
    assert (state["running"], state["replaced"]) == (two.digest, one.digest)
    assert (await agent.front.get("/")).text == "two"
    assert set(agent.kept()) == {"door", "main@1", "main@2"}
    before = agent.kept()["main@1"]
    state = await agent.runs(one, 3)
    assert (state["running"], state["replaced"]) == (one.digest, two.digest)
    assert (await agent.front.get("/")).text == "one"
    assert agent.kept()["main@1"] == before, "going back did not start anything"


async def test_the_old_one_ends_where_nothing_is_kept_warm(start_agent: StartAgent) -> None:
    agent = await start_agent("keep_warm = false\n")
    await agent.runs(product("one"), 1)
    await agent.runs(product("two"), 2)

    async def only_the_new_one() -> bool:
        return set(agent.kept()) == {"door", "main@2"} and not (agent.data / "slots/main@1").exists()

    await until(only_the_new_one, "the replaced slot is gone")


async def test_generations_only_rise(agent: Agent) -> None:
    one, two = product("one"), product("two")
    await agent.runs(one, 5)
    older = await agent.desire(two, 4)
    assert (older.status_code, older.json()["kind"]) == (409, "older_generation")
    assert "generation 4 of main is older than 5" in older.json()["problem"]
    another = await agent.desire(two, 5)
    assert (another.status_code, another.json()["kind"]) == (409, "conflict")
    equal = await agent.desire(one, 5)
    assert (equal.status_code, equal.json()["status"]) == (200, "healthy")
    assert (await agent.component())["running"] == one.digest
    assert set(agent.kept()) == {"door", "main@5"}


async def test_the_same_digest_in_a_new_generation_switches_nothing(agent: Agent) -> None:
    one = product("one")
    await agent.runs(one, 1)
    state = await agent.runs(one, 2, deployment="again")
    assert (state["running"], state["replaced"], state["deployment"]) == (one.digest, None, "again#1")
    assert set(agent.kept()) == {"door", "main@1"}


async def test_a_release_that_does_not_start_leaves_the_old_one_serving(agent: Agent) -> None:
    one, broken = product("one"), crashing()
    await agent.runs(one, 1)
    await agent.desire(broken, 2)
    state = await agent.settled(2)
    assert (state["status"], state["running"], state["wanted"]) == ("failed", one.digest, broken.digest)
    assert "ended with status 7" in state["error"]
    assert "cannot find the flux capacitor" in state["error"]
    assert state["error"].isprintable()
    assert (await agent.front.get("/")).text == "one"

    async def gone() -> bool:
        return set(agent.kept()) == {"door", "main@1"}

    await until(gone, "nothing of the one that failed is left")


async def test_a_failed_release_can_be_tried_again_with_the_same_generation(agent: Agent) -> None:
    broken = crashing()
    release = agent.release(broken, 1)
    await agent.upload(broken)
    await agent.client.put("/v1/desired/main", json=agent.sealed(release))
    first = await agent.settled(1)
    same = await agent.client.put("/v1/desired/main", json=agent.sealed(release))
    assert (same.json()["status"], same.json()["since"]) == ("failed", first["since"])
    assert (await agent.desire(broken, 1)).json()["status"] == "switching"
    assert (await agent.settled(1))["since"] > first["since"]


async def test_a_release_that_is_too_slow_fails_with_what_was_expected(agent: Agent) -> None:
    slow = pack({"release.toml": manifest(start='["sleep", "60"]', run="start_timeout = 0.3")})
    await agent.desire(slow, 1)
    state = await agent.settled(1)
    assert state["status"] == "failed"
    assert "/healthz did not answer where 200 was expected within 0.3 s" in state["error"]
    assert set(agent.kept()) == {"door"}


async def test_a_newer_wish_overtakes_one_that_is_still_starting(agent: Agent) -> None:
    slow = pack({"release.toml": manifest(start='["sleep", "600"]', run="start_timeout = 600")})
    await agent.desire(slow, 1)
    two = product("two")
    state = await agent.runs(two, 2)
    assert (state["running"], state["replaced"]) == (two.digest, None)

    async def gone() -> bool:
        return set(agent.kept()) == {"door", "main@2"}

    await until(gone, "the overtaken slot has ended")


async def test_offline_takes_the_route_away_and_back(agent: Agent) -> None:
    assert (await agent.front.get("/")).status_code == 503
    one = product("one")
    await agent.runs(one, 1)
    await agent.desire(None, 2)
    state = await agent.settled(2)
    assert (state["status"], state["running"], state["replaced"], state["url"]) == ("offline", None, one.digest, None)
    answer = await agent.front.get("/")
    assert answer.status_code == 503
    assert answer.text == "main is offline: no release of it is in production.\n"

    async def ended() -> bool:
        return set(agent.kept()) == {"door"}

    await until(ended, "the release has ended")
    await agent.runs(one, 3)
    assert (await agent.front.get("/")).text == "one"


async def test_components_have_their_own_prefix_and_do_not_affect_each_other(start_agent: StartAgent) -> None:
    agent = await start_agent(routes='{ main = "/", api = "/api" }')
    await agent.runs(product("web"), 1)
    state = await agent.runs(product("the api", component="api"), 1, component="api")
    assert state["url"] == f"http://127.0.0.1:{agent.front_port}/api"
    answers = {path: (await agent.front.get(path)).text for path in ("/", "/api", "/api/x?y", "/apis")}
    assert answers == {"/": "web", "/api": "the api", "/api/x?y": "the api", "/apis": "web"}
    await agent.desire(None, 2, component="api")
    await agent.settled(2, "api")
    assert (await agent.front.get("/api")).status_code == 503
    assert (await agent.front.get("/")).text == "web"


async def test_only_a_signed_release_for_this_purpose_and_component_is_taken(agent: Agent) -> None:
    one = product("one")
    await agent.upload(one)
    stranger = signer_from_pem(new_key())
    wrong_key = agent.sealed(agent.release(one, 1), stranger)
    changed = agent.sealed(agent.release(one, 1))
    payload = changed["release"]["payload"]
    changed["release"]["payload"] = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    for body in (wrong_key, changed, {"release": {}}):
        answer = await agent.client.put("/v1/desired/main", json=body)
        assert (answer.status_code, answer.json()["kind"]) == (403, "refused"), answer.text
    for release, path in (
        (agent.release(one, 1, component="other"), "/v1/desired/main"),
        (agent.release(one, purpose="stage"), "/v1/desired/main"),
        (agent.release(one, purpose="stage", deployment="v"), "/v1/slots/u.1"),
        (agent.release(one, 1), "/v1/slots/u.1"),
    ):
        answer = await agent.client.put(path, json=agent.sealed(release))
        assert (answer.status_code, answer.json()["kind"]) == (400, "bad_request"), answer.text
    assert (await agent.state())["components"] == []
    assert (await agent.state())["slots"] == []


async def test_an_artifact_must_be_here_whole_and_of_the_component(agent: Agent) -> None:
    one = product("one")
    missing = await agent.client.put("/v1/desired/main", json=agent.sealed(agent.release(one, 1)))
    assert (missing.status_code, missing.json()["kind"]) == (404, "not_found")
    other = product("one", component="api")
    await agent.desire(other, 1)
    state = await agent.settled(1)
    assert (state["status"], state["running"]) == ("failed", None)
    assert "the artifact is of the component api" in state["error"]


async def test_a_byte_flipped_on_the_disk_is_refused_and_the_artifact_asked_for_again(agent: Agent) -> None:
    one = product("one")
    await agent.upload(one)
    path = agent.data / "artifacts" / one.digest
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    await agent.client.put("/v1/desired/main", json=agent.sealed(agent.release(one, 1)))
    state = await agent.settled(1)
    assert (state["status"], state["running"]) == ("failed", None)
    assert "has other bytes than when it came" in state["error"]
    assert (await agent.client.head(f"/v1/artifacts/{one.digest}")).headers["upload-complete"] == "?0"
    await agent.runs(one, 2)


async def test_not_one_request_fails_while_it_switches_forth_and_back(agent: Agent) -> None:
    one, two = product("one"), product("two")
    await agent.runs(one, 1)
    newest = dict.fromkeys(("get", "stream", "post", "slow"), "")
    counts = dict.fromkeys(newest, 0)
    stop = asyncio.Event()
    body = b"x" * 200_000
    digest = hashlib.sha256(body).hexdigest()

    async def load(kind: str, client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            match kind:
                case "get":
                    answer = await client.get("/")
                    assert answer.text in ("one", "two")
                case "stream":
                    answer = await client.get("/stream")
                    assert answer.text == "abc" * 10
                case "slow":
                    answer = await client.get("/pause")
                case _:
                    answer = await client.post("/", content=body if counts[kind] % 2 else chunks(body))
                    assert answer.text.endswith(digest)
            assert answer.status_code == 200, answer.text
            newest[kind] = answer.headers["x-version"]
            counts[kind] += 1

    limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)
    async with httpx.AsyncClient(base_url=agent.front.base_url, timeout=60, trust_env=False, limits=limits) as client:
        loads = [asyncio.create_task(load(kind, client)) for kind in newest for _ in range(2)]
        for generation, artifact in enumerate((two, one, two), 2):
            await agent.runs(artifact, generation)
            version = "two" if artifact is two else "one"

            async def all_moved(version: str = version) -> bool:
                return set(newest.values()) == {version} or any(task.done() for task in loads)

            await until(all_moved, f"every kind of request reaches {version}")
        stop.set()
        await asyncio.gather(*loads)
    assert min(counts.values()) > 3, counts


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]
        await asyncio.sleep(0)


async def test_a_request_in_flight_finishes_on_what_was_replaced(start_agent: StartAgent) -> None:
    agent = await start_agent("keep_warm = false\n")
    await agent.runs(product("one"), 1)
    slow = [asyncio.create_task(agent.front.get("/slow")) for _ in range(3)]
    door = FrontDoor(agent.data / "door", "127.0.0.1:0", Keepers())

    async def arrived() -> bool:
        return sum((await door.in_flight()).values()) == 3

    await until(arrived, "all are in flight")
    await agent.runs(product("two"), 2)
    answers = await asyncio.gather(*slow)
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "one")] * 3


async def test_migrate_runs_once_and_its_failure_is_told(agent: Agent) -> None:
    files = {"app.py": PROGRAM, "version.txt": "m"}
    once = 'migrate = ["sh", "-c", "echo ran >> migrated; ls"]'
    good = pack({"release.toml": manifest(run=once), **files})
    await agent.runs(good, 1)
    assert (agent.data / "slots/main@1/files/migrated").read_text() == "ran\n"
    bad = pack({"release.toml": manifest(run='migrate = ["sh", "-c", "echo no table users; exit 4"]'), **files})
    await agent.desire(bad, 2)
    state = await agent.settled(2)
    assert (state["status"], state["running"]) == ("failed", good.digest)
    assert state["error"] == "migrate ended with status 4. Its last words: no table users"


async def test_a_host_with_its_own_proxy_switches_by_its_command(start_agent: StartAgent, tmp_path: Path) -> None:
    told = tmp_path / "told"
    agent = await start_agent(
        f'switch_command = ["/bin/sh", "-c", "echo $COMPONENT $URL >> {told}; env > {told}.env"]\n'
    )
    await agent.runs(product("one"), 1)
    component, url = told.read_text().split()
    assert component == "main"
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).text == "one"
    assert "SECRET" not in (tmp_path / "told.env").read_text()
    assert set(agent.kept()) == {"main@1"}, "no front door runs there"
    await agent.desire(None, 2)
    assert (await agent.settled(2))["status"] == "offline"
    assert told.read_text().splitlines()[1].strip() == "main"
