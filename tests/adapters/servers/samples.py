"""Answers as an honest agent gives them."""

from __future__ import annotations

from securesystemslib.signer import CryptoSigner

from core.release.signing import public_text, sign
from core.release.wire import (
    About,
    CheckReport,
    CheckWanted,
    ComponentState,
    Problem,
    Release,
    Report,
    Role,
    State,
    VerificationState,
    VerificationWanted,
)
from tests.adapters.servers.conftest import NOW

DIGEST = "a" * 64
KEY = CryptoSigner.generate_ed25519()
PUBLIC_KEY = public_text(KEY)


def about(role: Role = "public") -> About:
    return About(version="0.1.0", role=role, name="staging", public_key=PUBLIC_KEY, now=NOW)


def state(role: Role = "public", error: str | None = None, url: str | None = None) -> State:
    component = ComponentState(
        component="main", generation=1, wanted=DIGEST, running=None, status="failed", url=url, error=error, since=NOW
    )
    return State(about=about(role), url=None, components=(component,), free_bytes=1)


def wanted(**changes: object) -> VerificationWanted:
    checks = (CheckWanted(name="Health Check", kind="health", timeout=5),)
    asked = VerificationWanted(
        digest=DIGEST, deployment="v1", attempt=1, run=1, nonce="nonce-123", address="http://x", checks=checks
    )
    return asked.model_copy(update=changes)


def report(**changes: object) -> Report:
    checks = (CheckReport(name="Health Check", state="passed"),)
    said = Report(digest=DIGEST, deployment="v1", attempt=1, run=1, nonce="nonce-123", finished=True, checks=checks)
    return said.model_copy(update=changes)


def signed(said: Report, key: CryptoSigner = KEY, predicate: str = "verification/v1") -> VerificationState:
    return VerificationState(envelope=sign(key, predicate, {said.deployment: said.digest}, said))


def release(**changes: object) -> Release:
    one = Release(
        purpose="desired", component="main", digest=DIGEST, generation=3, deployment="v1", attempt=1,
        nonce="nonce-123", issued_at=NOW,
    )  # fmt: skip
    return one.model_copy(update=changes)


def problem(kind: str, text: str) -> Problem:
    return Problem.model_validate({"kind": kind, "problem": text})
