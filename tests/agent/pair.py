"""An OMEGA and a mainframe as they are shipped: they know the same bot, and each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from core.release.signing import new_key, public_text, sign, signer_from_pem
from core.release.wire import DistributionState, Release
from tests.agent.running import Agent, until

MAINFRAME_TOKEN = "the-token-of-the-mainframe"


@asynccontextmanager
async def omega_with_mainframe(folder: Path, top: str = "") -> AsyncIterator[tuple[Agent, Agent]]:
    """Both run, and end with the context. `top` are further settings of both."""
    key = new_key()
    entry = f"""
[[mainframes]]
name = "tested"
owner = "Ada"
public_key = "{public_text(signer_from_pem(key))}"
token_sha256 = "{sha256(MAINFRAME_TOKEN.encode()).hexdigest()}"
"""
    omega = Agent(folder / "omega", top, entry, role="omega", process=True)
    (folder / "token").write_text(MAINFRAME_TOKEN)
    link = f'[omega]\nurl = "http://127.0.0.1:{omega.port}"\ntoken_file = "{folder / "token"}"'
    mainframe = Agent(folder / "mainframe", f"keep_warm = false\n{top}", link, role="mainframe", process=True)
    settings = mainframe.config.read_text()
    mainframe.config.write_text(settings.replace(public_text(mainframe.signer), public_text(omega.signer)))
    mainframe.data.mkdir()
    (mainframe.data / "agent.key").write_bytes(key)
    try:
        await asyncio.gather(omega.start(), mainframe.start())
        yield omega, mainframe
    finally:
        await mainframe.close()
        await omega.close()


def distribution(omega: Agent, release: Release) -> dict[str, object]:
    """The body of a PUT."""
    return {
        "release": sign(omega.signer, "release/v1", {"main": release.digest or "0" * 64}, release),
        "hold": False,
        "order": 0,
    }


async def distribute(omega: Agent, release: Release) -> None:
    answer = await omega.client.put("/v1/distributions/main", json=distribution(omega, release))
    assert answer.status_code == 200, answer.text


async def healthy(omega: Agent, mainframe: Agent, generation: int) -> DistributionState:
    """The distribution, once the mainframe has proved that it runs `generation`."""

    async def look() -> DistributionState | None:
        answer = await omega.client.get("/v1/distributions/main")
        state = DistributionState.model_validate_json(answer.content)
        one = state.mainframes[0]
        assert one.status != "failed", (one.error, mainframe.log)
        return state if (one.status, state.generation) == ("healthy", generation) else None

    return DistributionState.model_validate(await until(look, f"generation {generation} is healthy on the mainframe"))
