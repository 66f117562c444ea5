"""The statement that a completed deployment carries: made once, whatever cuts it, and checked by anybody."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import CryptoSigner
from typer.testing import CliRunner

from bot import attestations, effects
from bot.attestations import NoStatement, checked, found
from bot.cli import program
from bot.keys import Trust
from core.ports import ServerFault
from core.release.signing import SignatureRefused, public_text
from core.stages import Stage
from tests.bot.support.ledger import Ledger, made
from tests.bot.support.world import World, running
from tests.bot.test_journey import complete


def plainly(envelope: dict[str, Any], public: str) -> dict[str, Any]:
    """As any DSSE verifier does it, with nothing of ours: the statement. Raises InvalidSignature."""
    payload, kind = b64decode(envelope["payload"]), envelope["payloadType"].encode()
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    (signature,) = envelope["signatures"]
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(b64decode(signature["sig"]), message)
    statement: dict[str, Any] = json.loads(payload)
    return statement


async def test_it_names_what_was_checked_approved_and_received_and_anybody_can_check_it() -> None:
    async with running(World(regions=("eu", "us"))) as world:
        world.omegas["us"].fleet.mainframes["us-m3"].asleep()
        await complete(world, "v1")
        envelope = await found(world.store, "v1")
        statement = plainly(envelope, public_text(world.signer))
        d = await world.deployment("v1")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "v1", "digest": {"sha256": d.digest}}]
    says = statement["predicate"]
    assert (says["deployment"], says["attempt"], says["component"], says["pushed_by"]) == ("v1", 1, "main", "alice")
    assert {check["name"]: check["result"] for check in says["verification"]["checks"]} == {
        check.name: check.state
        for check in d.verification.checks  # type: ignore[union-attr]
    }
    assert [(vote["person"], vote["digest"], vote["run"]) for vote in says["votes"]] == [("bo", d.digest, 1)]
    assert says["votes"][0]["at"] <= says["completed_at"]
    assert says["generation"] == d.generation == 1
    assert [(row["region"], row["receipts"], row["mainframes"]) for row in says["regions"]] == [
        ("eu", 3, {"healthy": 3}),
        ("us", 2, {"asleep": 1, "healthy": 2}),
    ]
    envelope["payload"] = b64encode(b64decode(envelope["payload"]).replace(b'"bo"', b'"cy"')).decode()
    with pytest.raises(InvalidSignature):
        plainly(envelope, public_text(world.signer))


@pytest.mark.parametrize("signs", [False, True], ids=["before it was signed", "after it was signed"])
async def test_it_is_made_once_though_the_bot_is_killed(monkeypatch: pytest.MonkeyPatch, *, signs: bool) -> None:
    """Killed between completion and the commit of the statement; then somebody rolls back before the bot is up."""
    tried: list[object] = []

    def cut(*given: Any) -> Any:
        tried.append(attestations.signed(*given) if signs else given)
        raise ServerFault("cut off here", temporary=True)

    async with running(World()) as world:
        with monkeypatch.context() as patched:
            patched.setattr(effects, "signed", cut)
            world.ships("v1")
            await world.alice.says("deploy push v1 'x'")
            await world.alice.says("deploy verify v1")
            await world.settles()
            await world.bo.says("deploy approve v1")
            await world.reaches("v1", Stage.COMPLETED)
            await world.ticks()
            assert tried
            await world.crash()
        await world.restart()
        await world.alice.says("deploy rollback v1")
        await world.settles()
        assert await world.stage("v1") is Stage.ROLLED_BACK
        counted = await world.counted("v1")
        assert (counted["Completed"], counted["Attested"]) == (1, 1)
        says = plainly(await found(world.store, "v1"), public_text(world.signer))["predicate"]
        assert (says["generation"], [row["receipts"] for row in says["regions"]]) == (1, [3])
        with pytest.raises(NoStatement, match=r"There is no deployment v2\."):
            await found(world.store, "v2")


async def test_it_names_the_mainframes_that_were_left_out_and_why() -> None:
    async with running(World(regions=("eu", "us"))) as world:
        await world.eve.says("deploy freeze 'Trade fair' --mainframe us-m3")
        await complete(world, "v1")
        await world.eve.says("deploy unfreeze")
        await world.settles()
        says = plainly(await found(world.store, "v1"), public_text(world.signer))["predicate"]
    rows = {row["region"]: row for row in says["regions"]}
    assert rows["us"]["mainframes"] == {"frozen": 1, "healthy": 2}
    assert rows["us"]["left_out"] == [{"mainframe": "us-m3", "by": "eve", "why": "Trade fair", "until": None}]
    assert rows["eu"]["left_out"] == []


async def test_two_tries_state_the_same() -> None:
    async with running(World()) as world:
        await complete(world, "v1")
        envelope = await found(world.store, "v1")
        facts = json.loads(b64decode(envelope["payload"]))["predicate"]
        assert attestations.signed(world.signer, facts).envelope == envelope
        assert checked(envelope, Trust((world.signer.public_key,), {})).says.deployment == "v1"
        stranger = CryptoSigner.generate_ed25519()
        with pytest.raises(SignatureRefused):
            checked(envelope, Trust((stranger.public_key,), {}))
        moved = attestations.sign(stranger, "deployment/v1", {"v1": "cd" * 32}, checked(
            envelope, Trust((world.signer.public_key,), {})).says)  # fmt: skip
        with pytest.raises(SignatureRefused, match="its subject is another artifact"):
            checked(moved, Trust((stranger.public_key,), {}))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return made(tmp_path_factory.mktemp("ledger"))


def says(ledger: Ledger, *words: str, key: bool = True) -> tuple[int, str]:
    more = ("--key", ledger.key) if key else ()
    done = CliRunner().invoke(program, ["attest", *words, *more, "--config", str(ledger.folder / "config.toml")])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_commands_show_and_check_it(ledger: Ledger, tmp_path: Path) -> None:
    status, said = says(ledger, "verify", "v1")
    assert status == 0, said
    for words in ("v1#1 (main), sha256 ", "6 of 6 checks passed", "approved by bo at", "3 receipts (3 healthy)",
                  "The signature is right: key "):  # fmt: skip
        assert words in said
    assert json.loads(says(ledger, "show", "v1", key=False)[1])["predicate"]["deployment"] == "v1"
    file = tmp_path / "v1.json"
    file.write_text(says(ledger, "show", "v1", "--envelope", key=False)[1])
    assert says(ledger, "verify", str(file)) == (0, said)
    plainly(json.loads(file.read_text()), ledger.key)
    file.write_text(file.read_text().replace('"sig":"', '"sig":"AAAA'))
    assert "proves nothing: the signature is missing, wrong, or by a key that is not trusted here" in says(
        ledger, "verify", str(file))[1]  # fmt: skip
    file.write_text("[]")
    assert says(ledger, "verify", str(file)) == (1, f"ashat: {file} is no DSSE envelope.\n")


def test_what_has_none_is_said(ledger: Ledger, tmp_path: Path) -> None:
    assert says(ledger, "verify", "v2")[1].startswith("ashat: v2 has no statement: it is awaiting approval")
    assert says(ledger, "verify", "v9")[1] == "ashat: There is no deployment v9.\n"
    other = ledger.copy(tmp_path / "copy")
    other.edit(lambda hand: hand.does("UPDATE journal SET \"by\" = 'x' WHERE chain = 'v1#1' AND seq = 2"))
    assert "The journal of v1 was changed: v1#1 event 2" in says(other, "verify", "v1")[1]
