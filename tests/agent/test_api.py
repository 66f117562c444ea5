"""The agent over HTTP: who is let in, uploads that are cut and resumed, staging, and errors that explain themselves."""

from __future__ import annotations

import asyncio
import json
import stat
import tomllib
from hashlib import sha256
from typing import Any

import httpx
import pytest

import agent as agent_package
from agent.api.openapi import whole_document
from core.release.signing import new_key, public_text, signer_from_pem
from core.release.wire import About, Problem, State
from tests.agent.conftest import StartAgent
from tests.agent.product import Artifact, crashing, product
from tests.agent.running import ROOT, Agent, client, until
from tests.support.ports import free_port


async def test_health_says_ok_and_nothing_else_to_anyone(agent: Agent) -> None:
    async with client(agent.port) as stranger:
        answer = await stranger.get("/healthz")
        assert (answer.status_code, answer.text) == (200, "ok")
        assert (await stranger.get("/v1/openapi.json")).json()["openapi"] == "3.1.0"


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
async def test_everything_else_needs_the_token(agent: Agent, header: dict[str, str]) -> None:
    async with client(agent.port, header) as stranger:
        for method, path in (
            ("GET", "/v1/about"),
            ("GET", "/v1/state"),
            ("PATCH", "/v1/artifacts/" + "0" * 64),
            ("PUT", "/v1/slots/u.1"),
            ("DELETE", "/v1/slots/u.1"),
            ("PUT", "/v1/desired/main"),
            ("PUT", "/v1/verifications/u.1/1"),
        ):
            answer = await stranger.request(method, path)
            assert answer.status_code == 401, path
            assert Problem.model_validate_json(answer.text).kind == "unauthorised"


async def test_a_mainframes_token_reaches_what_is_for_mainframes_alone(start_agent: StartAgent) -> None:
    key = public_text(signer_from_pem(new_key()))
    entry = f"""
[[mainframes]]
name = "m1"
owner = "ann"
public_key = "{key}"
token_sha256 = "{sha256(b"the-token-of-m1").hexdigest()}"
"""
    agent = await start_agent("", entry, role="omega")
    one = product("one")
    await agent.upload(one)
    async with client(agent.port, {"Authorization": "Bearer the-token-of-m1"}) as mainframe:
        ungiven = await mainframe.get(f"/v1/artifacts/{one.digest}")
        assert ungiven.status_code == 404, "it was not given this release"
        for method, path in (
            ("GET", "/v1/state"),
            ("PUT", "/v1/desired/main"),
            ("PATCH", f"/v1/artifacts/{one.digest}"),
        ):
            answer = await mainframe.request(method, path)
            assert (answer.status_code, answer.json()["kind"]) == (403, "refused"), path
    part = await agent.client.get(f"/v1/artifacts/{one.digest}", headers={"Range": "bytes=10-"})
    assert (part.status_code, part.content) == (206, one.data[10:])
    assert (await agent.client.get("/v1/mainframes")).json()["mainframes"][0]["name"] == "m1"
    assert (await agent.client.post("/v1/poll", json={"after": 0, "wait": 0})).status_code == 403


async def test_about_and_state_say_what_is_here(start_agent: StartAgent) -> None:
    agent = await start_agent('region = "eu"\nplatform_version = "9.4.0"\n')
    about = About.model_validate_json((await agent.client.get("/v1/about")).text)
    assert (about.role, about.name, about.region, about.platform_version) == ("public", "tested", "eu", "9.4.0")
    key = agent.data / "agent.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert public_text(signer_from_pem(key.read_bytes())) == about.public_key
    state = State.model_validate_json((await agent.client.get("/v1/state")).text)
    assert (state.url, state.components, state.slots) == (f"http://127.0.0.1:{agent.front_port}/", (), ())
    assert state.free_bytes > 0
    assert state.bot_keys == (public_text(agent.signer),)


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert agent_package.__version__ == project["version"]


def test_the_document_in_docs_is_current() -> None:
    kept = json.loads((ROOT / "docs/agent-openapi.json").read_text())
    assert kept == whole_document(), "run: python -m agent.api.openapi docs/agent-openapi.json"


def random_artifact(size: int) -> Artifact:
    return Artifact(bytes(index * 7 % 251 for index in range(size)))


async def patch(agent: Agent, artifact: Artifact, offset: int, data: Any, length: int | None = None) -> httpx.Response:
    headers = {"Upload-Offset": str(offset), "Upload-Length": str(length or len(artifact.data))}
    return await agent.client.patch(f"/v1/artifacts/{artifact.digest}", content=data, headers=headers)


async def offset(agent: Agent, artifact: Artifact) -> tuple[int, str]:
    headers = (await agent.client.head(f"/v1/artifacts/{artifact.digest}")).headers
    return int(headers["upload-offset"]), headers["upload-complete"]


async def test_an_upload_goes_on_where_it_was_cut(agent: Agent) -> None:
    artifact = random_artifact(300_000)
    assert await offset(agent, artifact) == (0, "?0")

    async def breaking_off() -> Any:
        yield artifact.data[:100_000]
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await patch(agent, artifact, 0, breaking_off())

    async def kept() -> int:
        return (await offset(agent, artifact))[0]

    here = await until(kept, "something of it was kept")
    await agent.stop()
    await agent.start()
    assert (await offset(agent, artifact))[0] == here
    wrong = await patch(agent, artifact, here - 1, artifact.data[here - 1 :])
    assert (wrong.status_code, wrong.json()["kind"]) == (409, "wrong_offset")
    assert wrong.headers["upload-offset"] == str(here)
    middle = await patch(agent, artifact, here, artifact.data[here : here + 50_000])
    assert (middle.status_code, middle.headers["upload-complete"]) == (204, "?0")
    last = await patch(agent, artifact, here + 50_000, artifact.data[here + 50_000 :])
    assert (last.status_code, last.headers["upload-complete"]) == (204, "?1")
    assert (await agent.client.get(f"/v1/artifacts/{artifact.digest}")).content == artifact.data
    assert (await patch(agent, artifact, 0, artifact.data)).status_code == 204, "sent again, it is simply here"


async def test_wrong_bytes_are_refused_and_nothing_of_them_stays(agent: Agent) -> None:
    artifact = random_artifact(5000)
    flipped = bytearray(artifact.data)
    flipped[1234] ^= 1
    answer = await patch(agent, artifact, 0, bytes(flipped))
    assert (answer.status_code, answer.json()["kind"]) == (422, "wrong_digest")
    assert await offset(agent, artifact) == (0, "?0")
    assert list((agent.data / "artifacts").iterdir()) == []
    assert (await agent.client.get(f"/v1/artifacts/{artifact.digest}")).status_code == 404


async def test_two_uploads_at_once_do_not_mix(agent: Agent) -> None:
    artifact = random_artifact(200_000)
    answers = await asyncio.gather(*(patch(agent, artifact, 0, artifact.data) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [204, 204, 204]
    assert await offset(agent, artifact) == (len(artifact.data), "?1")


async def test_limits_and_malformed_uploads(start_agent: StartAgent) -> None:
    agent = await start_agent("", "[limits]\nartifact_bytes = 1000\n")
    artifact = random_artifact(1001)
    answer = await patch(agent, artifact, 0, artifact.data)
    assert (answer.status_code, answer.json()["kind"]) == (413, "too_large")
    longer = await patch(agent, artifact, 0, artifact.data, length=900)
    assert (longer.status_code, longer.json()["kind"]) == (413, "too_large")
    for path, headers in (
        ("/v1/artifacts/xyz", {"Upload-Offset": "0", "Upload-Length": "1"}),
        (f"/v1/artifacts/{artifact.digest}", {"Upload-Offset": "-1", "Upload-Length": "1"}),
        (f"/v1/artifacts/{artifact.digest}", {"Upload-Offset": "0"}),
    ):
        answer = await agent.client.patch(path, content=b"", headers=headers)
        assert (answer.status_code, answer.json()["kind"]) == (400, "bad_request")


async def test_malformed_requests_are_explained(agent: Agent) -> None:
    for body, part in ((b"{", "Invalid JSON"), (b"{}", "release: Field required"), (b'{"release": {}, "x": 1}', "x: ")):
        answer = await agent.client.put("/v1/slots/u.1", content=body)
        assert (answer.status_code, answer.json()["kind"]) == (400, "bad_request")
        assert part in answer.json()["problem"]
    huge = await agent.client.put("/v1/slots/u.1", content=b'{"release": "' + b"x" * 2_000_000)
    assert (huge.status_code, huge.json()["kind"]) == (413, "too_large")
    assert Problem.model_validate_json((await agent.client.get("/v1/nothing")).text).kind == "not_found"
    assert (await agent.client.post("/v1/state")).status_code == 405


async def test_a_staged_release_has_a_slot_of_its_own(agent: Agent) -> None:
    one, two = product("one"), product("two")
    assert (await agent.stage(one, "patch-v1")).json()["status"] == "preparing"
    await agent.stage(two, "patch-v2")
    first, second = await agent.slot("patch-v1.1", "healthy"), await agent.slot("patch-v2.1", "healthy")
    async with httpx.AsyncClient(trust_env=False) as people:
        assert (await people.get(first["url"])).text == "one"
        assert (await people.get(second["url"])).text == "two"
        env = (await people.get(first["url"] + "env")).json()
    assert set(env["env"]) <= {"PORT", "HOST", "HOME", "PATH", "LANG", "LC_CTYPE"}
    assert env["env"]["HOME"] == env["cwd"] == str(agent.data / "slots/patch-v1.1/files")
    before = agent.kept()
    again = await agent.stage(one, "patch-v1")
    assert (again.status_code, again.json()["status"]) == (200, "healthy")
    assert agent.kept() == before
    other = await agent.stage(two, "patch-v1")
    assert (other.status_code, other.json()["kind"]) == (409, "conflict")
    assert [slot["slot"] for slot in (await agent.state())["slots"]] == ["patch-v1.1", "patch-v2.1"]


async def test_a_withdrawn_slot_is_gone_and_stays_so(agent: Agent) -> None:
    one = product("one")
    await agent.upload(one)
    body = agent.sealed(agent.release(one, purpose="stage", deployment="patch"))
    await agent.client.put("/v1/slots/patch.1", json=body)
    await agent.slot("patch.1", "healthy")
    assert (await agent.client.delete("/v1/slots/patch.1")).json()["status"] == "withdrawn"
    assert (await agent.client.delete("/v1/slots/patch.1")).json()["status"] == "withdrawn"

    async def gone() -> bool:
        return set(agent.kept()) == {"door"} and not (agent.data / "slots/patch.1/files").exists()

    await until(gone, "process and files are gone")
    assert (await agent.state())["slots"] == []
    assert (await agent.client.put("/v1/slots/patch.1", json=body)).json()["status"] == "withdrawn", "a late repeat"
    assert (await agent.stage(one, "patch")).json()["status"] == "preparing", "a new request"
    await agent.slot("patch.1", "healthy")
    assert (await agent.client.delete("/v1/slots/unknown.1")).status_code == 404


async def test_a_staged_release_that_does_not_start_can_be_tried_again(agent: Agent) -> None:
    await agent.stage(crashing(), "patch")
    state = await agent.slot("patch.1", "failed")
    assert "cannot find the flux capacitor" in state["error"]
    assert (await agent.stage(crashing(), "patch")).json()["status"] == "preparing"
    assert (await agent.slot("patch.1", "failed"))["since"] > state["since"]


async def test_artifacts_that_nothing_needs_are_pruned(start_agent: StartAgent) -> None:
    agent = await start_agent("keep_warm = false\n", "[limits]\nkeep = 1\n")
    versions = [product(f"v{number}") for number in range(5)]
    await agent.stage(versions[0], "patch")
    await agent.slot("patch.1", "healthy")
    for generation in range(1, 5):
        await agent.runs(versions[generation], generation)

    async def kept() -> bool:
        here = {path.name for path in (agent.data / "artifacts").iterdir()}
        return here == {versions[index].digest for index in (0, 2, 3, 4)}

    await until(kept, "the staged one, the current one, what it replaced and the newest other are kept")


async def test_an_env_file_reaches_the_slot_and_its_secrets_do_not_reach_errors(start_agent: StartAgent) -> None:
    agent = await start_agent('env_file = "host.env"\n')
    (agent.folder / "host.env").write_text('# ours\nDATABASE_PASSWORD="correct horse"\n')
    await agent.stage(product("one"), "patch")
    slot = await agent.slot("patch.1", "healthy")
    async with httpx.AsyncClient(trust_env=False) as people:
        env = (await people.get(slot["url"] + "env")).json()["env"]
    assert env["DATABASE_PASSWORD"] == "correct horse"
    telling = product("one", start='["sh", "-c", "echo password is $DATABASE_PASSWORD; exit 1"]')
    await agent.stage(telling, "leaky")
    state = await agent.slot("leaky.1", "failed")
    assert state["error"] == "The process ended with status 1. Its last words: password is •••"


async def test_slots_get_ports_from_their_range_and_one_too_many_is_told(start_agent: StartAgent) -> None:
    port = free_port()
    agent = await start_agent(f"slot_ports = [{port}, {port}]\n")
    await agent.stage(product("one"), "first")
    assert (await agent.slot("first.1", "healthy"))["url"] == f"http://127.0.0.1:{port}/"
    await agent.stage(product("two"), "second")
    state = await agent.slot("second.1", "failed")
    assert state["error"] == f"every port from {port} to {port} is in use; withdraw a slot or widen slot_ports"
