"""Work that goes on after the acknowledgement: it gives way to acknowledgements, and a stop waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger("ashat.slack")

_GRACE = 5.0
"""Seconds that answers under way get; a command cut off then is carried out by the next start."""
_LULL = 0.005
"""Seconds without a delivery after which nobody waits for an acknowledgement."""
_PATIENCE = 0.5
"""Seconds after which work begins whatever else arrives: people wait for their answer too."""
_AT_ONCE = 32
_TURN = 0.05
"""As many begin together; and the next when these are done, or after so many seconds where Slack is slow."""

Work = Coroutine[None, None, None]


class Tasks:
    """Slack gives three seconds for an acknowledgement, and people begin to wonder at the same time.

    So what follows an acknowledgement begins in the next lull, and at the latest half a second later.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Work]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._dispatching: asyncio.Task[None] | None = None
        self._hearing = 0
        self._heard_at = 0.0
        self._stopping = False

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, and nothing waits for a lull."""
        return not (self._waiting or self._running)

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """A delivery that is not acknowledged yet."""
        self._hearing += 1
        try:
            yield
        finally:
            self._hearing -= 1
            self._heard_at = asyncio.get_running_loop().time()

    def start(self, work: Work) -> None:
        """In the next lull, in order."""
        self._waiting.append((asyncio.get_running_loop().time(), work))
        if self._dispatching is None or self._dispatching.done():
            self._dispatching = asyncio.create_task(self._dispatch())

    def start_now(self, work: Work) -> asyncio.Task[None]:
        """For what would be too late by then."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        self._stopping = True
        until = asyncio.get_running_loop().time() + _GRACE
        while self._waiting or self._running:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.wait({*self._running, *({self._dispatching} if self._dispatching else ())}, timeout=left)
        await asyncio.gather(*self.abandon(), return_exceptions=True)

    def abandon(self) -> list[asyncio.Task[None]]:
        """Begin nothing more and break off what is under way, which is given back."""
        late = [*self._running, *([self._dispatching] if self._dispatching else [])]
        for task in late:
            task.cancel()
        while self._waiting:
            self._waiting.popleft()[1].close()
        return late

    async def _dispatch(self) -> None:
        """A few at a time: an acknowledgement that is wanted meanwhile stands behind these few alone."""
        while self._waiting:
            begun: set[asyncio.Task[None]] = set()
            while self._waiting and len(begun) < _AT_ONCE and self._may_begin(self._waiting[0][0]):
                begun.add(self.start_now(self._waiting.popleft()[1]))
            if begun:
                await asyncio.wait(begun, timeout=_TURN)
            else:
                await asyncio.sleep(_LULL)

    def _may_begin(self, since: float) -> bool:
        now = asyncio.get_running_loop().time()
        lull = not self._hearing and now - self._heard_at >= _LULL
        return lull or self._stopping or now - since >= _PATIENCE

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("answer failed", exc_info=error)
