"""What only a whole agent shows: roles, users, stops and reboots, with its parts wired as they are shipped."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from core.release.signing import new_key, public_text, signer_from_pem
from core.release.wire import CheckWanted, VerificationWanted
from tests.agent.conftest import StartAgent
from tests.agent.product import Artifact, crashing, product
from tests.agent.running import Agent, until

MAINFRAME_TOKEN = "the-token-of-a-mainframe"
NOBODY = "nobody"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start releases as somebody else")


def entry(name: str, *more: str) -> str:
    """A mainframe in the registry of an OMEGA."""
    lines = (
        f'name = "{name}"',
        'owner = "Ada"',
        f'public_key = "{public_text(signer_from_pem(new_key()))}"',
        f'token_sha256 = "{sha256(f"{MAINFRAME_TOKEN}-{name}".encode()).hexdigest()}"',
        *more,
    )
    return "\n[[mainframes]]\n" + "\n".join(lines)


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {MAINFRAME_TOKEN}-{name}"}


async def verify(agent: Agent, artifact: Artifact, deployment: str, *checks: CheckWanted) -> None:
    wanted = VerificationWanted(
        digest=artifact.digest, deployment=deployment, attempt=1, run=1, nonce="nonce-1234",
        address="http://127.0.0.1:1", checks=checks,
    )  # fmt: skip
    path = f"/v1/verifications/{deployment}.1/1"
    response = await agent.client.put(path, content=wanted.model_dump_json())
    assert response.status_code == 200, response.text


async def verdict(agent: Agent, deployment: str) -> list[dict[str, Any]]:
    """The finished run's checks."""

    async def look() -> list[dict[str, Any]] | None:
        response = await agent.client.get(f"/v1/verifications/{deployment}.1/1")
        report = json.loads(base64.b64decode(response.json()["envelope"]["payload"]))["predicate"]
        return report["checks"] if report["finished"] else None

    return list(await until(look, f"the run of {deployment} has ended"))


async def distribute(omega: Agent, artifact: Artifact, generation: int, **words: Any) -> None:
    await omega.upload(artifact)
    release = omega.release(artifact, generation).model_copy(update=words)
    answer = await omega.client.put("/v1/distributions/main", json={**omega.sealed(release), "hold": False, "order": 0})
    assert answer.status_code == 200, answer.text


async def test_omega_keeps_what_a_mainframe_may_still_come_for(start_agent: StartAgent) -> None:
    omega = await start_agent("keep_warm = false", "[limits]\nkeep = 0\ndrain = 0\n" + entry("m1"), role="omega")
    sleeping = product("everybody's")
    await distribute(omega, sleeping, 1)
    for generation in (2, 3, 4):
        owners = product(f"owners' {generation}")
        await distribute(omega, owners, generation, level="server-owner")
        await omega.runs(owners, generation)

    superseded = product("owners' 2").digest

    async def pruned() -> bool:
        return (await omega.client.get(f"/v1/artifacts/{superseded}")).status_code == 404

    await until(pruned, "what nobody needs is gone")
    assert (await omega.client.get(f"/v1/artifacts/{sleeping.digest}")).content == sleeping.data
    items = (await omega.client.post("/v1/poll", json={"after": 0, "wait": 0}, headers=bearer("m1"))).json()["items"]
    assert len(items) == 1
    fetched = await omega.client.get(f"/v1/artifacts/{sleeping.digest}", headers=bearer("m1"))
    assert fetched.content == sleeping.data


async def test_a_revoked_mainframe_is_told_so(start_agent: StartAgent) -> None:
    omega = await start_agent("", entry("m1", "revoked = true") + entry("m2"), role="omega")
    poll = {"after": 0, "wait": 0}
    answer = await omega.client.post("/v1/poll", json=poll, headers=bearer("m1"))
    assert (answer.status_code, answer.json()["kind"]) == (403, "refused")
    assert "the licence of m1 is revoked" in answer.json()["problem"]
    assert (await omega.client.post("/v1/poll", json=poll, headers=bearer("m2"))).status_code == 200
    assert (await omega.client.post("/v1/poll", json=poll, headers=bearer("m3"))).status_code == 401


async def test_open_polls_are_answered_when_omega_stops(start_agent: StartAgent) -> None:
    omega = await start_agent("", entry("m1"), role="omega", process=True)
    asking = asyncio.create_task(omega.client.post("/v1/poll", json={"after": 0, "wait": 50}, headers=bearer("m1")))

    async def is_open() -> bool:
        return bool((await omega.client.get("/v1/mainframes")).json()["mainframes"][0]["online"])

    await until(is_open, "the poll is open")
    before = time.monotonic()
    assert await asyncio.to_thread(omega.signal, signal.SIGTERM) == 0
    assert (await asking).json() == {"version": 0, "items": []}
    assert time.monotonic() - before < 50


async def test_a_mainframe_with_wrong_settings_says_which(start_agent: StartAgent, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(MAINFRAME_TOKEN)
    link = f'[omega]\nurl = "http://omega.example"\ntoken_file = "{tmp_path / "token"}"'
    mainframe = Agent(tmp_path / "mainframe", "", link, role="mainframe", process=True)
    mainframe.process = mainframe._spawn()
    try:
        assert await asyncio.to_thread(mainframe.process.wait, 60) == 2
        assert "ashat agent: omega.url: http://omega.example would carry this mainframe's token" in mainframe.log
        assert "Traceback" not in mainframe.log
    finally:
        await mainframe.close()


async def test_a_verification_goes_on_after_a_reboot(start_agent: StartAgent) -> None:
    checks = "[checks.commands]\nlong = ['sh', '-c', 'test -e ../go || sleep 1000']\n"
    agent = await start_agent("", checks, process=True)
    artifact = product("one")
    await agent.stage(artifact, "patch")
    await agent.slot("patch.1", "healthy")
    await verify(
        agent, artifact, "patch",
        CheckWanted(name="long", kind="command", timeout=100, options={"name": "long"}),
        CheckWanted(name="health", kind="health", timeout=100),
    )  # fmt: skip
    await agent.reboot()
    (agent.data / "slots/patch.1/go").touch()
    await agent.start()
    assert [check["state"] for check in await verdict(agent, "patch")] == ["passed", "passed"]


async def test_the_last_words_of_a_failed_release_outlive_it(agent: Agent) -> None:
    await agent.runs(product("one"), 1)
    await agent.desire(crashing(), 2)
    assert (await agent.settled(2))["status"] == "failed"
    await agent.stage(crashing(), "patch")
    await agent.slot("patch.1", "failed")
    await agent.client.delete("/v1/slots/patch.1")

    async def kept() -> bool:
        return {path.name for path in (agent.data / "logs").iterdir()} >= {"main@2.log", "patch.1.log"}

    await until(kept, "both logs are kept")
    assert "flux capacitor" in (agent.data / "logs/patch.1.log").read_text()
    assert "flux capacitor" in (agent.data / "logs/main@2.log").read_text()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can pass through, as an agent's data folder is; a test's own cannot be."""
    folder = Path(tempfile.mkdtemp(prefix="ashat-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@as_root
async def test_releases_and_the_settings_commands_run_as_the_slots_user(open_folder: Path) -> None:
    prove = "id -u > who; cat {key} && exit 1; test $(id -u) = {uid}"
    uid = pwd.getpwnam(NOBODY).pw_uid
    agent = Agent(open_folder / "agent", f'slot_user = "{NOBODY}"')
    script = prove.format(key=agent.data / "agent.key", uid=uid)
    commands = f"scanner = ['sh', '-c', '''{script}''']\n[checks.commands]\nwho = ['sh', '-c', '''{script}''']\n"
    text = agent.config.read_text().replace("allow_same_user = true\n", "") + "[checks]\n" + commands
    own_python = next(line for line in text.splitlines() if line.startswith("slot_path"))
    agent.config.write_text(text.replace(own_python, 'slot_path = "/usr/bin:/bin"'))
    agent.folder.chmod(0o711)
    try:
        await agent.start()
        artifact = product("one")
        await agent.runs(artifact, 1)
        assert (await agent.front.get("/env")).json()["uid"] == uid
        await agent.stage(artifact, "patch")
        await agent.slot("patch.1", "healthy")
        await verify(
            agent, artifact, "patch",
            CheckWanted(name="who", kind="command", timeout=60, options={"name": "who"}),
            CheckWanted(name="scan", kind="security", timeout=60),
        )  # fmt: skip
        checks = await verdict(agent, "patch")
        assert [check["state"] for check in checks] == ["passed", "passed"], checks
        assert (agent.data / "slots/patch.1/files/who").read_text().strip() == str(uid)
    finally:
        await agent.close()


async def test_an_unknown_user_is_named(start_agent: StartAgent) -> None:
    with pytest.raises(Exception, match="there is no user nobody-here on this host"):
        await start_agent('slot_user = "nobody-here"')
