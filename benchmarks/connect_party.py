"""A first connect in a fresh process, and how long the loop stood still meanwhile: ``connect_party.py [imports-]asyncio|trio``.

The target comes on standard input.  A ticker asks for a millisecond again and again; told are its longest gaps, in ms, while the loop is idle
and from ``connect`` until the room is open.  ``imports-``: README's imports and nothing else; told is the time when they were through.
"""

from __future__ import annotations

import json
import sys
import time

IDLE_SECONDS = 0.5
TICK = 0.001


class Ticker:
    def __init__(self) -> None:
        self.longest = 0.0
        self._last: float | None = None

    def tick(self) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.longest = max(self.longest, now - self._last)
        self._last = now

    def take(self) -> float:
        """The longest gap since the last call, in ms."""
        self.tick()
        longest, self.longest = self.longest, 0.0
        return longest * 1e3


def imports(loop: str) -> None:
    if loop == "trio":
        import trio  # noqa: F401
        from dcl_comms_drivers.trio import connect
        from dcl_comms_drivers.wallet import DisposableWallet

        from dcl_comms_core import ChatReceived, PeerId, PeerMoved
    else:
        import asyncio  # noqa: F401

        from dcl_comms_drivers.asyncio import connect  # noqa: F401
        from dcl_comms_drivers.wallet import DisposableWallet  # noqa: F401

        from dcl_comms_core import ChatReceived, PeerId, PeerMoved  # noqa: F401


async def measure(connect, sleep, ticker: Ticker, target: str) -> dict[str, float]:
    from dcl_comms_drivers.wallet import DisposableWallet

    wallet = DisposableWallet()
    await sleep(10 * TICK)
    ticker.take()
    await sleep(IDLE_SECONDS)
    idle = ticker.take()
    began = time.perf_counter()
    async with connect(target, wallet=wallet):
        return {"idle": idle, "connect": ticker.take(), "took": (time.perf_counter() - began) * 1e3}


def on_asyncio(target: str) -> dict[str, float]:
    import asyncio

    from dcl_comms_drivers.asyncio import connect

    ticker = Ticker()

    async def main() -> dict[str, float]:
        async def run() -> None:
            while True:
                ticker.tick()
                await asyncio.sleep(TICK)

        task = asyncio.create_task(run())
        try:
            return await measure(connect, asyncio.sleep, ticker, target)
        finally:
            task.cancel()

    return asyncio.run(main())


def on_trio(target: str) -> dict[str, float]:
    import trio
    from dcl_comms_drivers.trio import connect

    ticker = Ticker()

    async def main() -> dict[str, float]:
        async def run() -> None:
            while True:
                ticker.tick()
                await trio.sleep(TICK)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            found = await measure(connect, trio.sleep, ticker, target)
            nursery.cancel_scope.cancel()
        return found

    return trio.run(main)


if __name__ == "__main__":
    what = sys.argv[1]
    if what.startswith("imports-"):
        imports(what.removeprefix("imports-"))
        print(json.dumps({"ready": time.time()}), flush=True)
    else:
        imports(what)
        print(json.dumps((on_trio if what == "trio" else on_asyncio)(sys.stdin.readline().strip())))
