"""The people, the rules and the clock of these tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from core.people import Account, Person, with_viewing
from core.policy import CheckRule, Policy
from core.state import Server

START = datetime(2026, 1, 6, 14, 0, tzinfo=UTC)
"""A Tuesday."""


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def person(id: str, name: str, *roles: str, shared: bool = False) -> Person:  # noqa: A002 - the word of the domain
    accounts = (Account("console", id),)
    return Person(id, name, with_viewing(roles), accounts=accounts, shared=shared)  # type: ignore[arg-type] # literals


ALICE = person("alice", "Alice Ng", "deployer", "approver")
BO = person("bo", "Bo Li", "approver")
CY = person("cy", "Cy Roe", "approver")
DI = person("di", "Di Fox", "deployer")
EVE = person("eve", "Eve Poe", "admin")
VI = person("vi", "Vi Lund", "viewer")
OPS = person("ops", "Ops Desk", "deployer", "approver", shared=True)
STRANGER = person("nobody", "somebody on console")
EVERYBODY = (ALICE, BO, CY, DI, EVE, VI, OPS)

CHECKS = (
    CheckRule("Health Check", "health", 30),
    CheckRule("Module Load Test", "modules", 30),
    CheckRule("Security Scan", "security", 30),
)
POLICY = Policy(checks=CHECKS, quorum=2, watch=60)
HOME = "console:main"


def server(role: str, region: str = "main", url: str | None = None) -> Server:
    where = url or (f"https://{region}.omega.test" if role == "omega" else "https://public.test")
    return Server(role, region, region.upper(), where, EVE.id, START)  # type: ignore[arg-type] # literals


PUBLIC_SERVER = server("public")
OMEGA_EU = server("omega", "eu")
OMEGA_US = server("omega", "us")
