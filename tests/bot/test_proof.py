"""A journal that was edited by hand, in a database and in an exported file: each way is found, and named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.cli import program
from tests.bot.support.ledger import Hand, Ledger, exported, made, resealed

V1, V2 = "v1#1", "v2#1"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return made(tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def ledger(untouched: Ledger, tmp_path: Path) -> Ledger:
    return untouched.copy(tmp_path / "copy")


def says(*words: str) -> tuple[int, list[str]]:
    """Exit status and all that is said."""
    done = CliRunner().invoke(program, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output.splitlines()


def audit(ledger: Ledger, *more: str) -> tuple[int, list[str]]:
    config = str(ledger.folder / "config.toml")
    return says("audit", "verify", "--key", ledger.key, "--config", config, *more)


def test_a_journal_that_nobody_touched_is_whole(ledger: Ledger) -> None:
    anchor = f"{ledger.last[0]}:{ledger.last[1]}"
    status, said = audit(ledger, "--anchor", anchor)
    assert (status, len(said)) == (0, 2), said
    assert said[0].endswith("in 3 chains, and 6 signed checkpoints.")
    assert said[1].startswith("The journal is whole")


# -- a database --------------------------------------------------------------------------------------------------------


def _changed(hand: Hand) -> None:
    hand.does("UPDATE journal SET data = replace(data, 'All is well', 'All was bad') WHERE chain = ?", V1)


def _removed(hand: Hand) -> None:
    hand.does("DELETE FROM journal WHERE chain = ? AND kind = 'Staged'", V1)


def _moved(hand: Hand) -> None:
    """One event to another place in its chain."""
    entries = hand.chain(V1)
    entries.insert(1, entries.pop(4))
    hand.puts(V1, [replace(entry, seq=number) for number, entry in enumerate(entries, 1)])


def _inserted(hand: Hand) -> None:
    """Whole in itself, with all hashes made anew behind it."""
    entries = hand.chain(V1)
    entries.insert(5, replace(entries[5], kind="Noted", data={"text": "I was here"}))
    hand.puts(V1, resealed(entries))


def _deployment_removed(hand: Hand) -> None:
    """With everything of it, its opening in the system chain too."""
    for table in ("placement", "verification_check", "vote", "mainframe", "step_duration", "card"):
        hand._c.execute(f"DELETE FROM {table} WHERE deployment = ?", (V2,))
    hand.does("DELETE FROM journal WHERE chain = ?", V2)
    hand.does("DELETE FROM deployment WHERE key = ?", V2)


def _truncated(hand: Hand) -> None:
    hand.does("DELETE FROM journal WHERE chain = ? AND seq > 12", V1)


def _rewritten(hand: Hand) -> None:
    entries = hand.chain(V1)
    hand.puts(V1, resealed([replace(entry, by="mallory") if entry.by == "alice" else entry for entry in entries]))


def _rewritten_late(hand: Hand) -> None:
    """Only what came after the last but one checkpoint."""
    entries = hand.chain(V1)
    hand.puts(V1, resealed([*entries[:-1], replace(entries[-1], data={"text": "It is not"})]))


def _checkpoint_removed(hand: Hand) -> None:
    hand.does("DELETE FROM checkpoint WHERE number = 3")


def _checkpoint_changed(hand: Hand) -> None:
    envelope = json.loads(hand.asks("SELECT envelope FROM checkpoint WHERE number = 2"))
    envelope["payload"] = json.loads(hand.asks("SELECT envelope FROM checkpoint WHERE number = 3"))["payload"]
    hand.does("UPDATE checkpoint SET envelope = ? WHERE number = 2", json.dumps(envelope))


def _actor(hand: Hand) -> None:
    hand.does("UPDATE journal SET \"by\" = 'cy' WHERE chain = ? AND kind = 'Voted'", V1)


def _time(hand: Hand) -> None:
    hand.does("UPDATE journal SET at = '2026-03-01 09:00:00.000000' WHERE chain = ? AND kind = 'Voted'", V1)


def _vote_removed(hand: Hand) -> None:
    """From the journal, with all hashes made anew."""
    hand.puts(V1, resealed([entry for entry in hand.chain(V1) if entry.kind != "Voted"]))


def _vote_row_removed(hand: Hand) -> None:
    """From the table that votes are counted by; the journal is whole."""
    hand.does("DELETE FROM vote WHERE deployment = ?", V2)


def _vote_row_forged(hand: Hand) -> None:
    hand.does("UPDATE vote SET person = 'cy' WHERE deployment = ?", V2)


def _stage_forged(hand: Hand) -> None:
    hand.does("UPDATE deployment SET stage = 'scheduled' WHERE key = ?", V2)


def _digest_forged(hand: Hand) -> None:
    digest = hand.chain(V2)[1].data["digest"]
    hand.does("UPDATE deployment SET data = replace(data, ?, ?) WHERE key = ?", digest, "ab" * 32, V2)


def _lane_forged(hand: Hand) -> None:
    hand.does("UPDATE lane_current SET release = NULL WHERE component = 'main'")


def _row_removed(hand: Hand) -> None:
    """The deployment, and not its journal."""
    for table in ("placement", "verification_check", "vote", "mainframe", "step_duration", "card"):
        hand._c.execute(f"DELETE FROM {table} WHERE deployment = ?", (V2,))
    hand.does("DELETE FROM deployment WHERE key = ?", V2)


def _note_deleted(hand: Hand) -> None:
    hand.does("DELETE FROM journal WHERE number = (SELECT max(number) FROM journal WHERE chain = ?)", V1)


def _swapped(hand: Hand) -> None:
    """Two neighbours, each with the other's number."""
    hand.does("UPDATE journal SET seq = -3 WHERE chain = ? AND seq = 3", V1)
    hand.does("UPDATE journal SET seq = 3 WHERE chain = ? AND seq = 4", V1)
    hand.does("UPDATE journal SET seq = 4 WHERE chain = ? AND seq = -3", V1)


def _opening_removed(hand: Hand) -> None:
    entries = hand.chain("system")
    hand.puts("system", resealed([entry for entry in entries if entry.data.get("deployment") != V2]))


def _garbled(hand: Hand) -> None:
    hand.does("UPDATE journal SET data = '{\"text' WHERE chain = ? AND seq = 7", V1)


def _garbled_time(hand: Hand) -> None:
    hand.does("UPDATE journal SET at = 'yesterday' WHERE chain = ? AND seq = 7", V1)


def _server_forged(hand: Hand) -> None:
    hand.does("UPDATE server SET url = 'http://127.0.0.1:6666' WHERE role = 'omega'")


def _garbled_row(hand: Hand) -> None:
    hand.does("UPDATE deployment SET data = '{}' WHERE key = ?", V2)


def _garbled_checkpoint(hand: Hand) -> None:
    hand.does("UPDATE checkpoint SET envelope = '[1' WHERE number = 6")


def _row_put_in(hand: Hand) -> None:
    """A deployment without a journal."""
    hand.does(
        "INSERT INTO deployment (key, id, attempt, component, stage, active, version, pushed_at, run, data) "
        "SELECT 'v9#1', 'v9', 1, component, stage, active, version, pushed_at, run, data FROM deployment WHERE key = ?",
        V1,
    )


def _put_in_whole(hand: Hand) -> None:
    """A deployment that never was, by the journal of another."""
    forged = [replace(entry, chain="v9#1") for entry in hand.chain(V2)]
    hand.puts("v9#1", resealed(forged))


EDITS: list[tuple[Callable[[Hand], None], str]] = [
    (_changed, "v1#1 event {noted} (Noted) was changed after it was written"),
    (_removed, "v1#1 event 3 is missing; 4 follows 2"),
    (_moved, "v1#1 event 2 (CheckFinished) does not follow the one before it"),
    (_inserted, "v1#1 one of the events 4 to {verified} is not the one that was signed in checkpoint 2"),
    (_deployment_removed, "v2#1 event 1 is missing: nothing of the chain is there"),
    (_truncated, "v1#1 event 13 is missing: the chain ends at event 12"),
    (_rewritten, "v1#1 one of the events 1 to 3 is not the one that was signed in checkpoint 1"),
    (_rewritten_late, "is not the one that was signed in checkpoint 6"),
    (_checkpoint_removed, "checkpoint 3 does not follow the one before it"),
    (_checkpoint_changed, "checkpoint 2 is not signed by this bot"),
    (_actor, "v1#1 event {voted} (Voted) was changed after it was written"),
    (_time, "v1#1 event {voted} (Voted) was changed after it was written"),
    (_vote_removed, "v1#1 one of the events "),
    (_vote_row_removed, "v2#1 is stored with another votes than its journal tells"),
    (_vote_row_forged, "v2#1 is stored with another votes than its journal tells"),
    (_stage_forged, "v2#1 is stored with another stage than its journal tells"),
    (_digest_forged, "v2#1 is stored with another digest than its journal tells"),
    (_lane_forged, "the lane of main is stored with another current than the journals tell"),
    (_row_removed, "v2#1 is not among the deployments, and its journal is there"),
    (_note_deleted, "is missing: the chain ends at event"),
    (_swapped, "v1#1 event 3 (VerificationStarted) does not follow the one before it"),
    (_opening_removed, "system event 5 is missing: the chain ends at event 4, and it was signed in checkpoint 3"),
    (_garbled, "v1#1 event 7 (CheckFinished) was changed after it was written"),
    (_garbled_time, "v1#1 event 7 (CheckFinished) was changed after it was written"),
    (_server_forged, "the server omega main is stored otherwise than the journal tells"),
    (_garbled_row, "v2#1 is stored so that it cannot be read"),
    (_garbled_checkpoint, "checkpoint 6 is not signed by this bot"),
    (_row_put_in, "v9#1 is among the deployments, and has no journal"),
    (_put_in_whole, "v9#1 event 1 (Pushed) was put in: no deployment v9#1 was ever opened"),
]


@pytest.mark.parametrize(("edit", "fault"), EDITS, ids=[edit.__name__.strip("_") for edit, _ in EDITS])
def test_a_database_that_was_edited_by_hand_is_found(ledger: Ledger, edit: Callable[[Hand], None], fault: str) -> None:
    places: dict[str, int] = {}

    def look(hand: Hand) -> None:
        for word, kind in (("noted", "Noted"), ("voted", "Voted"), ("verified", "VerificationPassed")):
            places[word] = hand.seq_of(V1, kind)

    ledger.edit(look)
    ledger.edit(edit)
    status, said = audit(ledger)
    assert status == 1
    assert said[1].startswith("ashat: The journal was changed: "), said
    assert fault.format(**places) in said[1], said


def test_checkpoints_that_were_cut_at_their_end_are_found_by_an_anchor_alone(ledger: Ledger) -> None:
    ledger.edit(lambda hand: hand.does("DELETE FROM checkpoint WHERE number = 6"))
    assert audit(ledger)[0] == 0, "nothing in the database knows of it"
    status, said = audit(ledger, "--anchor", f"{ledger.last[0]}:{ledger.last[1]}")
    assert (status, "checkpoint 6 was anchored outside, and is gone" in said[1]) == (1, True)
    first = f"1:{ledger.last[1]}"
    assert "checkpoint 1 is not the one that was anchored outside" in audit(ledger, "--anchor", first)[1][1]


def test_an_anchor_that_is_none_is_refused(ledger: Ledger) -> None:
    status, said = audit(ledger, "--anchor", "6:abc")
    assert (status, "--anchor should be a checkpoint's number and hash" in said[0]) == (2, True)


# -- a file ------------------------------------------------------------------------------------------------------------

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lines(untouched: Ledger, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return asyncio.run(exported(untouched.copy(tmp_path_factory.mktemp("exported"))))


@pytest.fixture
def file(lines: list[str], tmp_path: Path) -> Path:
    file = tmp_path / "journal.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def check(file: Path, key: str, *more: str) -> tuple[int, list[str]]:
    return says("audit", "verify", str(file), "--key", key, *more)


def test_a_file_proves_itself_without_a_database(file: Path, untouched: Ledger) -> None:
    status, said = check(file, untouched.key, "--anchor", f"{untouched.last[0]}:{untouched.last[1]}")
    assert (status, said[1].startswith("The journal is whole")) == (0, True), said
    assert said[0].endswith("in 3 chains, and 7 signed checkpoints."), "one more, over the export"
    last = [json.loads(line) for line in file.read_text().splitlines() if '"Exported"' in line]
    assert [(row["chain"], row["by"], row["via"]) for row in last] == [("system", "mallory", "shell")]


def test_a_file_by_another_key_proves_nothing(file: Path) -> None:
    status, said = check(file, "cd" * 32)
    assert (status, "checkpoint 1 is not signed by this bot" in "\n".join(said)) == (1, True)


def events(found: Lines, chain: str = V1) -> Lines:
    return [row for row in found if row["type"] == "event" and row["chain"] == chain]


def of_kind(found: Lines, kind: str, chain: str = V1) -> dict[str, Any]:
    return next(row for row in events(found, chain) if row["kind"] == kind)


def _without(found: Lines, *rows: dict[str, Any]) -> Lines:
    return [row for row in found if row not in rows]


def _anew(found: Lines, chain: str, change: Callable[[Lines], Lines]) -> Lines:
    """One chain changed, and all its hashes made again."""
    from bot.export import EventLine

    entries = [EventLine.model_validate(row).entry() for row in change(events(found, chain))]
    rows = [{"type": "event", **vars_of(entry)} for entry in resealed(entries)]
    return [*(row for row in found if row not in events(found, chain)), *rows]


def vars_of(entry: Any) -> dict[str, Any]:
    names = ("chain", "seq", "kind", "data", "by", "via", "previous", "hash")
    return {**{name: getattr(entry, name) for name in names}, "at": entry.at.isoformat(timespec="microseconds")}


def _set(found: Lines, kind: str, **changes: Any) -> Lines:
    of_kind(found, kind).update(changes)
    return found


def _swap(found: Lines) -> Lines:
    first, second = (found.index(row) for row in events(found)[2:4])
    found[first], found[second] = found[second], found[first]
    return found


def _insert(found: Lines) -> Lines:
    return _anew(found, V1, lambda rows: [*rows[:5], {**rows[5], "kind": "Noted", "data": {"text": "x"}}, *rows[5:]])


def _checkpoints(found: Lines) -> Lines:
    return [row for row in found if row["type"] == "checkpoint"]


def _change_checkpoint(found: Lines) -> Lines:
    one, other = _checkpoints(found)[1:3]
    one["envelope"]["payload"] = other["envelope"]["payload"]
    return found


def _append(found: Lines) -> Lines:
    """Behind what is signed, rightly linked."""
    from core.journal import Draft, seal

    last = events(found)[-1]
    draft = Draft(V1, "Noted", {"text": "by the way"}, datetime(2026, 3, 4, tzinfo=UTC), "bo")
    return [*found, {"type": "event", **vars_of(seal(draft, last["seq"] + 1, last["hash"]))}]


def _other_head(found: Lines) -> Lines:
    found[0]["begins"] = {V2: len(events(found, V2)) + 1}
    return _without(found, *events(found, V2))


FILE_EDITS: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "changed": (lambda f: _set(f, "Noted", data={"text": "bad"}), "(Noted) was changed after it was written"),
    "removed": (lambda f: _without(f, of_kind(f, "Staged")), "v1#1 event 3 is missing; 4 follows 2"),
    "moved to another chain": (lambda f: _set(f, "Staged", chain=V2), "v1#1 event 3 is missing; 4 follows 2"),
    "inserted": (_insert, "is not the one that was signed in checkpoint 2"),
    "deployment removed": (lambda f: _without(f, *events(f, V2)), "v2#1 event 1 is missing: nothing of the chain"),
    "chain truncated": (lambda f: _without(f, *events(f)[12:]), "v1#1 event 13 is missing: the chain ends at event 12"),
    "rewritten": (
        lambda f: _anew(f, V1, lambda rows: [{**row, "by": "mallory"} for row in rows]),
        "v1#1 one of the events 1 to 3 is not the one that was signed in checkpoint 1",
    ),
    "checkpoint removed": (lambda f: _without(f, _checkpoints(f)[2]), "checkpoint 3 is missing; 4 follows 2"),
    "checkpoint changed": (_change_checkpoint, "checkpoint 2 is not signed by this bot"),
    "actor changed": (lambda f: _set(f, "Voted", by="cy"), "(Voted) was changed after it was written"),
    "time changed": (lambda f: _set(f, "Voted", at="2026-03-01T00:00:00+00:00"), "(Voted) was changed after it was"),
    "vote removed": (
        lambda f: _anew(f, V1, lambda rows: [row for row in rows if row["kind"] != "Voted"]),
        "v1#1 one of the events ",
    ),
    "note deleted": (lambda f: _without(f, events(f)[-1]), "is missing: the chain ends at event"),
    "swapped": (_swap, "v1#1 event 3 is missing; 4 follows 2"),
    "appended": (_append, "is signed in no checkpoint: it was put in behind the end"),
    "its end cut off": (lambda f: _without(f, _checkpoints(f)[-1], events(f, "system")[-1]), "the file was cut"),
    "another beginning": (_other_head, "the first line is not the one of this export"),
    "another time": (lambda f: [{**f[0], "since": "2026-01-01T00:00:00Z"}, *f[1:]], "the first line is not the one"),
}


@pytest.mark.parametrize("name", FILE_EDITS)
def test_a_file_that_was_edited_is_found(file: Path, untouched: Ledger, name: str) -> None:
    edit, fault = FILE_EDITS[name]
    found = edit([json.loads(line) for line in file.read_text().splitlines()])
    file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in found))
    status, said = check(file, untouched.key)
    assert status == 1
    assert said[1].startswith("ashat: The journal was changed: "), said
    assert fault in "\n".join(said[1:]), said


def test_a_line_that_cannot_be_read_is_named(file: Path, untouched: Ledger) -> None:
    with file.open("a") as end:
        end.write('{"type": "event"}\nno JSON\n')
    number = len(file.read_text().splitlines())
    said = check(file, untouched.key)[1]
    assert f"line {number - 1} cannot be read" in said[1]
    assert f"line {number} cannot be read" in said[2]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"type": "other"}\n'])
def test_what_is_no_export_is_said(tmp_path: Path, untouched: Ledger, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    status, said = check(tmp_path / "x", untouched.key)
    assert status == 1
    assert "is no exported journal" in said[0] or "cannot be read" in said[0]


# -- a part of the journal ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def later(untouched: Ledger, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Only what came with and after the approvals."""
    ledger = untouched.copy(tmp_path_factory.mktemp("later"))
    since: list[datetime] = []
    ledger.edit(lambda hand: since.append(next(e.at for e in hand.chain(V2) if e.kind == "Voted")))
    return asyncio.run(exported(ledger, since[0]))


def test_a_part_proves_itself_too(later: list[str], lines: list[str], untouched: Ledger, tmp_path: Path) -> None:
    (tmp_path / "part").write_text("\n".join(later))
    status, said = check(tmp_path / "part", untouched.key)
    assert status == 0, said
    head = json.loads(later[0])
    assert set(head["begins"]) == {"system", V1, V2}
    assert len(later) < len(lines)


@pytest.mark.parametrize("chain", ["system", V1, V2])
def test_what_is_taken_from_a_part_is_missed(later: list[str], untouched: Ledger, tmp_path: Path, chain: str) -> None:
    found = [json.loads(line) for line in later]
    for kept in (_without(found, events(found, chain)[0]), _without(found, *events(found, chain))):
        (tmp_path / "part").write_text("".join(f"{json.dumps(row)}\n" for row in kept))
        status, said = check(tmp_path / "part", untouched.key)
        assert (status, f"{chain} event " in said[1]) == (1, True), said


def test_nothing_since_tomorrow_is_a_part_too(untouched: Ledger, tmp_path: Path) -> None:
    ledger = untouched.copy(tmp_path / "copy")
    found = asyncio.run(exported(ledger, datetime(2026, 3, 3, tzinfo=UTC) - timedelta(seconds=1)))
    (tmp_path / "part").write_text("\n".join(found))
    status, said = check(tmp_path / "part", untouched.key)
    assert (status, said[0]) == (0, "Checked 1 event in 1 chain, and 1 signed checkpoint.")
