"""What the benchmarks of pressure share: when a loop works, and how late a packet is."""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


Stamp = tuple[float, float]
"""Seconds: of the clock, and of our thread's work."""
Result = tuple[list[Stamp], float]
"""Delays of the honest peer's packets, and the flood's packets a second."""
HONEST, FLOOD = "honest", "flood"
SECONDS = 3.0
FLOOD_NICE = 10
SLEPT = 0.0001
"""Seconds: shorter is only a look at what is there."""


class Watched(selectors.DefaultSelector):
    """Knows since when its loop has been busy: what it takes in then may have waited since."""

    def __init__(self) -> None:
        super().__init__()
        self.busy_since: Stamp = (0.0, 0.0)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        before = time.perf_counter()
        ready = super().select(timeout)
        if time.perf_counter() - before > SLEPT:
            self.busy_since = instant()
        return ready


def instant() -> Stamp:
    return time.perf_counter(), time.thread_time()


def in_loop(main: Callable[[Watched], Coroutine[None, None, Result]]) -> Result:
    """Run it in an asyncio loop that is watched."""
    watched = Watched()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watched)) as runner:
        return runner.run(main(watched))


def noted(since: Stamp) -> Stamp:
    """How long ago that was."""
    wall, work = since
    return time.perf_counter() - wall, time.thread_time() - work


def percentile(delays: list[Stamp], part: float, which: int) -> float:
    """Milliseconds."""
    return sorted(delay[which] for delay in delays)[min(int(len(delays) * part), len(delays) - 1)] * 1e3
