"""Work in the background, one job per key: what is begun twice runs once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from agent.logs import get_logger

log = get_logger(__name__)


class Jobs:
    """`ended` is called after each job that did its work, so that whoever began it looks at what comes next.

    After a fault it is not: whoever looks again later begins it again, at that pace.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, key: str, work: Callable[[], Awaitable[None]], failed: Callable[[str], None]) -> None:
        """Run `work` unless a job of this key runs. `failed` gets a sentence where it met an unforeseen fault."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._run(key, work, failed), name=key)

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    async def close(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: str, work: Callable[[], Awaitable[None]], failed: Callable[[str], None]) -> None:
        try:
            await work()
        except Exception as error:
            reference = secrets.token_hex(4)
            log.exception("job failed", job=key, reference=reference)
            del self._tasks[key]
            self._tell(
                failed, f"This host met a fault of its own ({type(error).__name__}); see {reference} in its log."
            )
        else:
            del self._tasks[key]
            self._ended()

    def _tell(self, failed: Callable[[str], None], sentence: str) -> None:
        """What cannot be recorded, on a full disk say, is seen again at the next look."""
        try:
            failed(sentence)
        except OSError:
            log.exception("failure not recorded", sentence=sentence)
