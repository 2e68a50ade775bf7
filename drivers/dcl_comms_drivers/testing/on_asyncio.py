"""run_bot on asyncio: where the loop would sleep, the stage goes on."""

from __future__ import annotations

import asyncio
import heapq
import selectors
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any

from dcl_comms_drivers.loops.on_asyncio import AsyncioHost
from dcl_comms_drivers.testing.play import STOPPED, Play, StageHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_drivers.testing.play import AnySeat, AnyStage


__all__ = ["perform"]


class _Host(StageHost, AsyncioHost):
    def __init__(self, stage: AnyStage, seat: AnySeat) -> None:
        AsyncioHost.__init__(self)
        self.stage = stage
        self.seat = seat


class _Selector(selectors.DefaultSelector):
    """Where an asyncio loop would sleep, the stage goes on."""

    play: Play
    next_timer: Callable[[], float]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            self.play.busy()
        else:
            self.play.idle(self.next_timer())
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, play: Play) -> None:
        self._play = play
        selector = _Selector()
        selector.play = play
        selector.next_timer = self._next_timer
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()
        super().__init__(selector)

    def time(self) -> float:
        return self._play.stage.clock.now

    def call_at(  # type: ignore[override]  # asyncio's stub ties the arguments to the callback
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def _next_timer(self) -> float:
        while self._timers and (self._timers[0][2].cancelled() or self._timers[0][0] <= self.time()):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else inf


def perform(play: Play) -> None:
    """Run the play to its end."""

    async def main() -> None:
        task = asyncio.ensure_future(play.perform(_Host(play.stage, play.stage.first)))
        play.stop = task.cancel
        others = [
            asyncio.ensure_future(play.accompany(identity, _Host(play.stage, seat)))
            for identity, (_, seat) in play.peers.items()
        ]

        def end(_: asyncio.Future[None]) -> None:
            # The end of the loop waits for them.
            for other in others:
                other.cancel()

        task.add_done_callback(end)
        try:
            await task
        except asyncio.CancelledError:
            if play.transcript.ending not in STOPPED and not play.raised:
                raise
        except BaseException as error:
            if not play.forgives(error):
                raise

    with asyncio.Runner(loop_factory=lambda: _VirtualLoop(play)) as runner:
        runner.run(main())
