"""The keeper: one process per run folder, as another user, within limits, with a log that stays small."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.processes.kept import Ending, Keepers, NotStarted, Plan, User, alive, ending, started_at
from tests.agent.running import until


class Bench:
    """Runs shell scripts under keepers in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keepers = Keepers()
        self.run = folder / "run"

    def plan(self, script: str, limits: Mapping[str, int] | None = None, **words: Any) -> Plan:
        log = str(self.folder / "log")
        env = {"PATH": "/usr/bin:/bin"}
        words = {"log_bytes": 8192, "stop_seconds": 5.0, **words}
        return Plan(("sh", "-c", script), str(self.folder), env, log, limits=limits or {}, **words)

    async def ended(self) -> Ending:
        async def look() -> Ending | None:
            self.keepers.reap()
            return None if alive(self.run) else ending(self.run)

        return await until(look, "the process has ended")  # type: ignore[no-any-return]  # until passes on what look says

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.keepers.stop(bench.run, grace=20)


async def test_the_ending_is_recorded(bench: Bench) -> None:
    await bench.keepers.start(bench.run, bench.plan("echo hello; exit 5"))
    assert await bench.ended() == Ending(5, 0)
    assert bench.log == "hello\n"
    await bench.keepers.start(bench.run, bench.plan("kill -9 $$"))
    assert str(await bench.ended()) == "was ended by SIGKILL"


async def test_a_program_that_is_not_there_is_named(bench: Bench) -> None:
    plan = Plan(("no-such-program",), str(bench.folder), {"PATH": "/bin"}, str(bench.folder / "log"), 8192)
    await bench.keepers.start(bench.run, plan)
    assert await bench.ended() == Ending(127, 0)
    assert bench.log.startswith("cannot start no-such-program: ")


async def test_it_is_never_started_twice_even_at_the_same_time(bench: Bench) -> None:
    plan = bench.plan("echo started >> starts; sleep 100")
    others = [Keepers() for _ in range(4)]
    await asyncio.gather(*(keepers.start(bench.run, plan) for keepers in others))
    record = (bench.run / "process.json").read_text()
    await bench.keepers.start(bench.run, plan)
    assert (bench.run / "process.json").read_text() == record

    async def started() -> bool:
        return (bench.folder / "starts").exists()

    await until(started, "it has said that it started")
    await bench.keepers.stop(bench.run, grace=20)
    assert (bench.folder / "starts").read_text() == "started\n"
    for keepers in others:
        keepers.reap()


async def test_what_it_started_in_other_sessions_ends_with_it(bench: Bench) -> None:
    script = "setsid sh -c 'echo $$ > stray; sleep 1000' & while ! test -s stray; do sleep 0.01; done; "
    await bench.keepers.start(bench.run, bench.plan(script + "sleep 1000"))

    async def stray() -> int:
        path = bench.folder / "stray"
        return int(path.read_text() or 0) if path.exists() else 0

    pid = await until(stray, "the stray process runs")
    await bench.keepers.stop(bench.run, grace=20)
    assert started_at(pid) is None


async def test_stop_runs_the_stop_command_and_kills_what_does_not_heed_it(bench: Bench) -> None:
    stubborn = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    await bench.keepers.start(bench.run, bench.plan(stubborn, stop=("sh", "-c", "echo please"), stop_seconds=0.3))

    async def up() -> bool:
        return "up" in bench.log

    await until(up, "it runs")
    await bench.keepers.stop(bench.run, grace=20)
    assert ending(bench.run) == Ending(0, 9)
    assert bench.log == "up\nplease\n"


async def test_the_log_stays_below_its_size_and_keeps_the_end(bench: Bench) -> None:
    await bench.keepers.start(bench.run, bench.plan("seq 1 20000; echo the end"))
    await bench.ended()
    files = [bench.folder / "log", bench.folder / "log.1"]
    assert sum(path.stat().st_size for path in files) <= 8192
    assert bench.log.endswith("20000\nthe end\n")


async def test_limits_hold(bench: Bench) -> None:
    limits = {"RLIMIT_NOFILE": 33, "RLIMIT_CORE": 0}
    await bench.keepers.start(bench.run, bench.plan("ulimit -n; ulimit -c", limits))
    await bench.ended()
    assert bench.log == "33\n0\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may start a process as another user")
async def test_as_another_user_it_has_no_privilege_and_cannot_read_the_agents_files(bench: Bench) -> None:
    bench.folder.chmod(0o711)
    secret = bench.folder / "agent.key"
    secret.write_text("secret")
    secret.chmod(0o600)
    script = f"id -u; id -G; grep -E 'CapEff|CapAmb|NoNewPrivs' /proc/self/status; cat {secret} || echo denied"
    plan = replace(bench.plan(script, user=User(65534, 65534, (65534,))), cwd="/")
    await bench.keepers.start(bench.run, plan)
    await bench.ended()
    words = bench.log.split()
    assert words[:2] == ["65534", "65534"]
    nothing = "0" * 16
    assert words[2:8] == ["CapEff:", nothing, "CapAmb:", nothing, "NoNewPrivs:", "1"]
    assert words[-1] == "denied"


async def test_a_keeper_that_cannot_work_is_told(bench: Bench) -> None:
    bench.run.mkdir()
    (bench.run / "lock").mkdir()
    with pytest.raises(NotStarted, match="keeper of sh did not come up"):
        await bench.keepers.start(bench.run, bench.plan("true"))
