"""A LiveKitLink without any loop: a condition variable wakes, a method polls."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import unquote

import pytest
from dcl_comms_drivers.livekit.engine.engine import Engine
from dcl_comms_drivers.livekit.engine.link import LiveKitLink
from dcl_comms_drivers.livekit.rtc.link import RtcLink, load_peer
from dcl_comms_drivers.livekit.sdk.thread import SdkThread
from dcl_comms_drivers.loops.net_thread import ThreadRunner
from dcl_comms_drivers.net.dial import NetOptions
from dcl_comms_drivers.net.link import NetLink

from dcl_comms_core.adapters.connection_string import LiveKitAdapter, parse_connection_string
from dcl_comms_core.commands import CloseLink, OpenLink, SendData, SetAttributes
from dcl_comms_core.inputs import (
    DataReceived,
    Input,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkRef,
    ParticipantJoined,
    SendAcknowledged,
)
from dcl_comms_core.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from livekit import rtc

    from dcl_comms_core.commands import Command

T = TypeVar("T")


def rtc_link(wake: Callable[[], None]) -> RtcLink:
    """A link over our own engine, as a polled connection has it."""
    limits = Limits()
    options = NetOptions(limits=replace(limits, socket_bytes=limits.signal_bytes))
    return RtcLink(wake, NetLink(wake, ThreadRunner(), options), load_peer(), limits=limits)


class Player:
    """Drives one link in the test's own thread and keeps every input."""

    make: ClassVar[Callable[[Callable[[], None]], Any]] = LiveKitLink
    """What makes a link."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.packets: list[DataReceived] = []
        self.generation = 0
        self.ref = LinkRef(0, 0)
        self._awake = threading.Event()
        self.wakes = 0
        self.link = Player.make(self._wake)
        self._tokens = 0

    # -- the session's side of the link

    def receive(self, inp: Input, *, now: float) -> None:
        self.inputs.append(inp)

    def receive_data(
        self, sender: str | None, data: bytes, *, reliable: bool = True, topic: str = "", now: float
    ) -> None:
        packet = DataReceived(link=self.ref, sender=sender, data=data, reliable=reliable, topic=topic)
        self.packets.append(packet)
        self.inputs.append(packet)

    def receive_acknowledged(self, tokens: Iterable[int], *, now: float) -> None:
        self.inputs += [SendAcknowledged(link=self.ref, token=token) for token in tokens]

    # -- what tests do

    def execute(self, command: Command) -> None:
        self.link.execute(command, now=time.monotonic())

    def open(self, connection_string: str, *, auto_subscribe: bool = True) -> None:
        adapter = parse_connection_string(connection_string)
        assert isinstance(adapter, LiveKitAdapter)
        self.generation += 1
        self.ref = LinkRef(0, self.generation)
        self.execute(OpenLink(link=self.ref, adapter=adapter, auto_subscribe=auto_subscribe))

    def join(self, connection_string: str, *, announce: bool = True, auto_subscribe: bool = True) -> LinkOpened:
        self.open(connection_string, auto_subscribe=auto_subscribe)
        opened = self.wait(LinkOpened, LinkFailed)
        assert isinstance(opened, LinkOpened), opened
        if announce:
            self.execute(SetAttributes(link=self.ref, attributes=(("client", "test"),)))
        return opened

    def send(self, data: bytes, *, to: tuple[str, ...] | None = None, reliable: bool = True, topic: str = "") -> int:
        self._tokens += 1
        self.execute(SendData(link=self.ref, token=self._tokens, data=data, to=to, reliable=reliable, topic=topic))
        return self._tokens

    def send_and_wait(
        self, data: bytes, *, to: tuple[str, ...] | None = None, reliable: bool = True, topic: str = ""
    ) -> str:
        """Send, and return what the acknowledgement says: empty when all went well."""
        token = self.send(data, to=to, reliable=reliable, topic=topic)
        return self.until(
            lambda: next(
                (i.error for i in reversed(self.inputs) if isinstance(i, SendAcknowledged) and i.token == token), None
            )
        )

    def close(self, *, drain: float = 0.0) -> LinkClosed:
        self.execute(CloseLink(link=self.ref, drain=drain))
        return self.wait(LinkClosed)

    def turn(self) -> None:
        """One turn of a pump."""
        self._awake.clear()
        while self.link.drain(self, now=time.monotonic(), limit=64):
            pass

    def until(self, condition: Callable[[], T | None], timeout: float = 40.0) -> T:
        """Turn until the condition gives something other than None."""
        end = time.monotonic() + timeout
        while True:
            self.turn()
            found = condition()
            if found is not None:
                return found
            now = time.monotonic()
            assert now < end, f"not within {timeout} s; got {[type(i).__name__ for i in self.inputs][-20:]}"
            due = self.link.deadline()
            self._awake.wait(max(0.0, min(end, due if due is not None else end) - now))

    def wait(self, *kinds: type[T], timeout: float = 40.0) -> T:
        """Wait for the first input of one of these kinds that belongs to the current attempt."""
        return self.until(lambda: next((i for i in self.of(*kinds)), None), timeout)

    def of(self, *kinds: type[T]) -> list[T]:
        return [i for i in self.inputs if isinstance(i, kinds) and getattr(i, "link", self.ref) == self.ref]

    def present(self) -> set[str]:
        """Identities of everybody who was ever announced to us."""
        there = {i.participant.identity for i in self.of(ParticipantJoined)}
        return there | {p.identity for i in self.of(LinkOpened) for p in i.participants}

    def sees(self, identity: str) -> None:
        """Wait until somebody is there."""
        self.until(lambda: identity in self.present() or None)

    def rest(self, seconds: float) -> None:
        """Keep turning for some time."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self.turn()
            self._awake.wait(min(end - now, 0.05))

    def _wake(self) -> None:
        self.wakes += 1
        self._awake.set()


def nothing_left() -> bool:
    """Wait until every handle of the engine was given back, each once."""
    engine = Engine.get()
    assert settle(lambda: engine.live_handles == 0), f"{engine.live_handles} handles are still ours"
    assert engine.refused_drops == 0, f"the engine did not know {engine.refused_drops} handles that we gave back"
    assert settle(_sdk_is_idle), "the SDK's thread has rooms or tasks"
    return True


def _sdk_is_idle() -> bool:
    thread = SdkThread.instance
    return thread is None or not (thread.rooms or thread.tasks)


def settle(condition: Callable[[], bool], timeout: float = 40.0) -> bool:
    """Wait for something that happens on other threads."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


# -- with the official SDK at the other end, in the same process


@asynccontextmanager
async def turning(*players: Player) -> AsyncIterator[None]:
    """Turn the players while the SDK's tasks run on the same loop."""

    async def turn() -> None:
        while True:
            for player in players:
                player.turn()
            await asyncio.sleep(0.004)

    task = asyncio.create_task(turn())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def eventually(condition: Callable[[], object]) -> None:
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("not within 40 s")


async def sdk_room(text: str) -> rtc.Room:
    from livekit import rtc

    url, _, token = text.removeprefix("livekit:").partition("?access_token=")
    room = rtc.Room()
    await room.connect(url, unquote(token))
    return room
