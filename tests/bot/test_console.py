"""The console on a bot of its own: who speaks, what a script does, what is completed, and whose data it keeps off."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot import wiring
from bot.app import App
from bot.console import EVERY_ROLE, Completer, Conversation, Speakers, run_script, settled
from bot.own import MARK, prepared
from bot.settings import SettingsError
from core.people import Account, Person
from demo.updates import archive, updates

ANN = Person("ann", "Ann Lo", frozenset({"viewer"}), accounts=(Account("shell", "7"),))


class Talk:
    """A conversation, and what was printed of it."""

    def __init__(self, app: App, paper: wiring.Chat, stream: io.StringIO) -> None:
        self.app = app
        self.paper = paper
        self.chat = Conversation(app, paper, "zoe")
        self._stream = stream
        self._read = 0

    def printed(self) -> str:
        text = self._stream.getvalue()[self._read :]
        self._read += len(text)
        return text

    async def script(self, *lines: str) -> bool:
        return await run_script(self.chat, one_by_one(lines), self.paper)


async def one_by_one(lines: Iterable[str]) -> AsyncIterator[str]:
    for line in lines:
        yield f"{line}\n"


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[Talk]:
    own = prepared(folder)
    stream = io.StringIO()
    paper = wiring.terminal(stream)
    overrides = wiring.Overrides(people=own.speakers, own_push=True, edit_gap=0.0)
    app = await wiring.build(own.settings, lambda: {paper.platform: paper}, overrides)
    await app.start()
    try:
        yield Talk(app, paper, stream)
    finally:
        await app.stop()


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    first = next(update for update in updates() if update.id == "docs-v1.0.0")
    (tmp_path / "own" / "alpha").mkdir(parents=True)
    (tmp_path / "own" / "alpha" / f"{first.id}.{first.format}").write_bytes(archive(first))
    async with talking(tmp_path / "own") as talk:
        yield talk


async def test_a_name_at_the_start_says_who_speaks_from_then_on(talk: Talk) -> None:
    assert await talk.chat.say("whoami") == "done"
    assert "You are zoe, on terminal." in talk.printed()
    assert await talk.chat.say("@max whoami") == "done"
    assert await talk.chat.say("whoami") == "done"
    assert talk.printed().count("You are max") == 2
    assert await talk.chat.say("@kim") == "ignored"
    assert talk.chat.speaker == "kim"


async def test_every_speaker_of_ones_own_console_holds_every_role(talk: Talk) -> None:
    await talk.chat.say("@max whoami")
    assert "Roles: admin, approver, deployer, viewer" in talk.printed()


async def test_a_script_goes_on_after_a_refusal_and_says_that_there_was_one(talk: Talk) -> None:
    assert not await talk.script("@max deploy push docs-v1.0.0 'The first handbook'", "# a comment", "deploy history")
    text = talk.printed()
    assert "@max> deploy push docs-v1.0.0 'The first handbook'" in text
    assert "✗ Public Server not configured" in text
    assert "→ No deployments yet." in text


async def test_a_script_of_good_lines_is_good_and_ends_at_exit(talk: Talk) -> None:
    assert await talk.script("", "servers", "exit", "nonsense")
    assert "nonsense" not in talk.printed()


async def test_usage_fails_a_script(talk: Talk) -> None:
    assert not await talk.script("aprove v1")
    assert "nearest: deploy approve" in talk.printed()


async def test_what_a_line_posts_is_printed_before_the_next_one(talk: Talk) -> None:
    assert await talk.script("configure public http://127.0.0.1:1 Nowhere", "status")
    text = talk.printed()
    assert text.index("zoe configured Public: Nowhere at http://127.0.0.1:1") < text.index("zoe> status")


async def test_a_wait_for_rest_is_bounded(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> bool:
        return False

    monkeypatch.setattr(talk.app, "at_rest", never)
    assert not await settled(talk.app, limit=0.1)


async def test_names_commands_and_updates_are_completed(talk: Talk) -> None:
    complete = Completer(talk.app, lambda: ["alice", "bo"], asyncio.get_running_loop())

    async def completed(text: str) -> list[str]:
        return await asyncio.to_thread(complete, text)

    assert await completed("@al") == ["@alice"]
    assert await completed("@bo deploy pus") == ["push"]
    assert await completed("deploy push doc") == ["docs-v1.0.0"]
    assert await completed("wa") == ["wait"]


def test_those_who_are_listed_keep_their_roles_and_strangers_have_none() -> None:
    speakers = Speakers((ANN,))
    assert speakers.find(Account("terminal", "ann")) is ANN
    assert speakers.find(Account("shell", "7")) is ANN
    assert speakers.find(Account("terminal", "mallory")) is None
    assert speakers.find(Account("slack", "ann")) is None


def test_a_newcomer_stays_the_same_person() -> None:
    speakers = Speakers((), EVERY_ROLE)
    first = speakers.find(Account("terminal", "zoe"))
    assert first is speakers.find(Account("terminal", "zoe")) is speakers.get("zoe")
    assert [person.id for person in speakers.all()] == ["zoe"]


def test_ones_own_folder_is_made_for_its_owner(tmp_path: Path) -> None:
    own = prepared(tmp_path / "own")
    assert own.new_key is not None
    assert prepared(tmp_path / "own").new_key is None
    assert (tmp_path / "own").stat().st_mode & 0o077 == 0
    assert own.settings.ashat.key_file.stat().st_mode & 0o777 == 0o600
    assert own.settings.alpha.folder == tmp_path / "own" / "alpha"
    assert (tmp_path / "own" / MARK).exists()


def test_the_data_of_a_bot_with_people_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[ashat]\ndata = "state"\n')
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ashat.db").touch()
    with pytest.raises(SettingsError, match="people of its own"):
        prepared(tmp_path)


def test_a_database_that_others_may_share_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[ashat]\ndatabase_url = "postgresql://localhost/ashat"\n')
    with pytest.raises(SettingsError, match="SQLite of its own"):
        prepared(tmp_path)
