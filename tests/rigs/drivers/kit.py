"""One way to write a scenario for asyncio, trio and polled connections alike.

A scenario is an async function that gets a Kit.  On asyncio and trio it runs on that loop; polled connections are polled from
an asyncio task, as a host program would poll them from its own loop.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import polled
from dcl_comms_drivers import trio as on_trio

from dcl_comms_core import CloseReason, ConnectionLost, RoomClosed, RoomState, WorldClosed

LOOPS = ("asyncio", "trio", "polled")


class Client:
    """A connection, and everything that was read from it."""

    def __init__(self, kit, connection):
        self.kit = kit
        self.connection = connection
        self.seen = []

    def __getattr__(self, name):
        return getattr(self.connection, name)

    async def next(self):
        event = await self.connection.__anext__()
        self.seen.append(event)
        return event

    async def expect(self, kind, timeout=40.0, **fields):
        """Read until an event of this kind with these field values comes."""

        def fits(event):
            return isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())

        async def reading():
            while True:
                event = await self.next()
                if fits(event):
                    return event

        return await self.kit.within(timeout, reading)

    async def read_for(self, seconds):
        """Read whatever comes for a while."""
        await self.kit.until_timeout(seconds, self.next)

    def all(self, kind):
        return [event for event in self.seen if isinstance(event, kind)]


class PolledClient(Client):
    async def next(self):
        while not (self.buffer or self.connection.closed):
            await asyncio.sleep(0.001)
            self.buffer += self.connection.poll()
        if not self.buffer:
            self.buffer += self.connection.poll()
        if not self.buffer:
            raise StopAsyncIteration
        event = self.buffer.pop(0)
        self.seen.append(event)
        if isinstance(event, self.end) and event.reason is not CloseReason.CLIENT:
            self.failure = ConnectionLost(event.reason, event.retry, event.detail)
        if self.failure is not None and not self.buffer and self.connection.closed:
            raise self.failure
        return event

    buffer: list
    failure = None

    @property
    def end(self):
        return RoomClosed if self.connection.driver.realm is None else WorldClosed

    async def send(self, packet, **how):
        while self.connection.stats.waiting or self.connection.stats.in_flight >= 64:
            self.buffer += self.connection.poll()
            await asyncio.sleep(0.001)
        self.connection.send_nowait(packet, **how)

    async def flush(self):
        while (stats := self.connection.stats).waiting or stats.in_flight:
            self.buffer += self.connection.poll()
            await asyncio.sleep(0.001)

    async def refresh_stats(self):
        before = self.connection.stats.round_trip_at
        self.connection.request_stats()
        while self.connection.stats.round_trip_at == before:
            self.buffer += self.connection.poll()
            await asyncio.sleep(0.001)
        return self.connection.stats

    async def aclose(self, drain=None):
        self.connection.begin_close(drain)
        while not self.connection.closed:
            self.buffer += self.connection.poll()
            await asyncio.sleep(0.001)


class Kit:
    """What a scenario needs of a loop."""

    def __init__(self, loop, **settings):
        self.loop = loop
        self.settings = settings
        """For each connection that does not say otherwise."""

    def run(self, scenario, *args):
        if self.loop == "trio":
            return trio.run(scenario, self, *args)
        return asyncio.run(scenario(self, *args))

    async def sleep(self, seconds):
        await (trio.sleep(seconds) if self.loop == "trio" else asyncio.sleep(seconds))

    async def in_thread(self, function):
        """Call something that blocks."""
        return await (trio.to_thread.run_sync(function) if self.loop == "trio" else asyncio.to_thread(function))

    async def within(self, seconds, function):
        if self.loop == "trio":
            with trio.fail_after(seconds):
                return await function()
        async with asyncio.timeout(seconds):
            return await function()

    async def until_timeout(self, seconds, function):
        """Call again and again until the time is over."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                await self.within(left, function)
            except (TimeoutError, trio.TooSlowError):
                return

    async def until(self, done, seconds=40.0):
        """Wait for something that happens while nothing is read."""

        async def look():
            while not done():
                await self.sleep(0.01)

        await self.within(seconds, look)

    async def give_up(self, function, when):
        """Cancel it, once that is so."""
        if self.loop == "trio":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(function)
                await self.until(when)
                nursery.cancel_scope.cancel()
            return
        task = asyncio.create_task(function())
        await self.until(lambda: task.done() or when())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    async def all(self, *functions):
        """Run several at once."""
        results = [None] * len(functions)

        async def one(index, function):
            results[index] = await function()

        if self.loop == "trio":
            async with trio.open_nursery() as nursery:
                for index, function in enumerate(functions):
                    nursery.start_soon(one, index, function)
        else:
            async with asyncio.TaskGroup() as group:
                for index, function in enumerate(functions):
                    group.create_task(one(index, function))
        return results

    @asynccontextmanager
    async def connect(self, target, **settings):
        """``target``: a connection string, or one and the settings that go with it."""
        target, own = target if isinstance(target, tuple) else (target, {})
        settings = {**self.settings, **own, **settings}
        if self.loop == "polled":
            connection = polled.open(target, **settings)
            client = PolledClient(self, connection)
            client.buffer = []
            try:
                while True:
                    event = await client.next()
                    # As of the others: that Pulse is open is not enough.
                    if connection.state is RoomState.OPEN:
                        client.buffer[:0] = client.seen
                        client.seen.clear()
                        break
                    if isinstance(event, client.end):
                        raise ConnectionLost(event.reason, event.retry, event.detail)
                yield client
            finally:
                if not connection.closed:
                    await client.aclose()
                connection.close()
            return
        connect = on_trio.connect if self.loop == "trio" else on_asyncio.connect
        async with connect(target, **settings) as connection:
            yield Client(self, connection)
