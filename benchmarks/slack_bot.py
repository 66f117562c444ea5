"""Ashat as it runs in Slack: real store, real adapter, real notifier; servers and ALPHA in memory."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from securesystemslib.signer import CryptoSigner
from starlette.types import ASGIApp

from adapters.artifacts.memory import MemorySource
from adapters.artifacts.memory import MemoryStore as MemoryArtifacts
from adapters.people import SettingsPeople
from adapters.servers.memory import MemoryAgents
from adapters.slack.ingress import PATH
from adapters.slack.platform import SlackPlatform
from adapters.slack.setup import Setup
from adapters.store.sql import SqlStore
from benchmarks.rig import Rig
from benchmarks.slack_typed import APP, CHANNEL, SECRET, TEAM, UPDATES, USER
from bot.app import App, Parts
from bot.audience import Audience
from bot.logs import configure
from bot.settings import Settings
from bot.web import Web
from bot.wiring import SystemClock, policy_of
from core.people import Account, Person

ROLES = frozenset({"viewer", "deployer", "approver", "admin"})


async def running(folder: Path, api: str) -> ASGIApp:
    """The bot, started; what comes back is what Slack reaches."""
    configure("json", "warning")
    clock, artifacts, source = SystemClock(), MemoryArtifacts(), MemorySource()
    agents = MemoryAgents(clock, artifacts.content)
    public = agents.public()
    setup = Setup(
        SecretStr("xoxb-1"),
        SecretStr(""),
        SecretStr(SECRET),
        TEAM,
        APP,
        CHANNEL,
        frozenset({CHANNEL}),
        mode="http",
        api_url=api,
    )
    slack = SlackPlatform(setup, clock)
    settings = Settings.model_validate({"workflow": {"max_active_per_person": 10**9, "max_commands_per_minute": 10**9}})
    accounts = (Account("slack", USER), Account("bench", "1"))
    parts = Parts(
        store=await SqlStore.open(f"sqlite:///{folder / 'ashat.db'}", clock),
        people=SettingsPeople([Person("ann", "Ann", ROLES, accounts=accounts)]),  # type: ignore[arg-type] # literals
        clock=clock, policy=policy_of(settings), source=source, artifacts=artifacts, agents=agents,
        channels={"slack": slack.channel}, signer=CryptoSigner.generate_ed25519(),
    )  # fmt: skip
    app = App(parts, settings)
    rig = Rig(app, source, public)
    await rig.say("configure public http://127.0.0.1:9101 Staging")
    for update in UPDATES:
        await rig.push(update)
    ingress = slack.open(app.door, Audience(app))
    assert ingress is not None
    app.attach(slack)
    await app.start()
    return Web("127.0.0.1:0", {PATH: ingress}).app
