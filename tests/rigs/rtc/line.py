"""Two peers of dcl_comms_rtc on a line that loses, doubles and reorders, on a virtual clock.

The line is seeded; what the engine draws for itself (keys, tie-breakers) is not.
"""

from __future__ import annotations

import importlib
import os
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

import pytest

HOSTS = (("192.0.2.1", 5001), ("192.0.2.2", 5002))


def rtc_module() -> Any:
    """dcl_comms_rtc; where it was not built the tests of this module skip, or fail where REQUIRE_RTC=1."""
    try:
        return importlib.import_module("dcl_comms_rtc")
    except ImportError:
        if os.environ.get("REQUIRE_RTC") == "1":
            raise
        pytest.skip("dcl_comms_rtc is not built here: make rtc, with Rust 1.85 or newer", allow_module_level=True)


class Side:
    """One peer, its address, and what happened to it."""

    def __init__(self, peer: Any, address: tuple[str, int]) -> None:
        self.peer = peer
        self.address = address
        self.deadline: float | None = None
        self.events: list[tuple[str, int | None, bytes | str | None]] = []
        self.sent: list[bytes] = []

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.events]

    def messages(self, channel: int) -> list[bytes]:
        return [detail for kind, number, detail in self.events if (kind, number) == ("data", channel)]  # type: ignore[misc]  # data has bytes

    def numbers(self) -> dict[str, int]:
        """The open channels by label."""
        return {str(label): number for kind, number, label in self.events if kind == "open" and number is not None}


class RtcLine:
    """Two sides; ``run`` moves datagrams and time until something holds."""

    def __init__(
        self, seed: int = 1, *, loss: float = 0.0, double: float = 0.0, jitter: float = 0.0, **settings: Any
    ) -> None:
        self.random = Random(seed)
        self.loss, self.double, self.jitter = loss, double, jitter
        self.now = 100.0
        module = rtc_module()
        self.a, self.b = (Side(module.Peer(self.now, **settings), host) for host in HOSTS)
        self.under_way: list[tuple[float, int, Side, bytes]] = []
        self.order = count()
        self.cut = False

    def offer(self, channels: list[tuple[str, bool, int | None, int | None]] | None = None, **how: Any) -> list[int]:
        """Both take an offer of a's and its answer."""
        offer, numbers = self.a.peer.offer(channels or [], **how)
        self.a.peer.accept_answer(self.b.peer.accept_offer(offer))
        self.poll()
        return numbers

    def join(self, *channels: tuple[str, bool, int | None, int | None]) -> list[int]:
        """Give both an address and connect them, without loss: a handshake may give up, which is another subject.

        Gives a's numbers of the channels, all open.
        """
        loss, self.loss = self.loss, 0.0
        for side in (self.a, self.b):
            side.peer.add_local(side.address)
        numbers = self.offer(list(channels))
        self.run(lambda: all(side.kinds().count("open") >= len(channels) for side in (self.a, self.b)))
        self.run(lambda: not any(self.a.peer.buffered(number) for number in numbers))
        self.loss = loss
        return numbers

    def poll(self) -> None:
        for side in (self.a, self.b):
            self.take(side, side.peer.poll())

    def take(self, side: Side, output: Any) -> None:
        """Put datagrams on the line, keep events and deadline."""
        datagrams, events, side.deadline = output
        side.events += events
        other = self.b if side is self.a else self.a
        for (protocol, local, remote), datagram in datagrams:
            assert (protocol, local, remote) == ("udp", side.address, other.address)
            side.sent.append(datagram)
            for _ in range(2 if self.random.random() < self.double else 1):
                late = 0.01 + self.random.random() * self.jitter
                if not self.cut and self.random.random() >= self.loss:
                    heappush(self.under_way, (self.now + late, next(self.order), other, datagram))

    def send(self, side: Side, *messages: tuple[int, bytes]) -> int:
        sent, output = side.peer.send(list(messages), self.now)
        self.take(side, output)
        return sent

    def deliver(self, side: Side, *datagrams: bytes) -> None:
        other = self.b if side is self.a else self.a
        self.take(side, side.peer.receive(list(datagrams), other.address, side.address, self.now))

    def step(self) -> None:
        """The next datagram or deadline, whichever is sooner."""
        deadlines = [side.deadline for side in (self.a, self.b) if side.deadline is not None]
        first = min([*deadlines, *(entry[0] for entry in self.under_way[:1])])
        self.now = max(self.now, first)
        if self.under_way and self.under_way[0][0] <= self.now:
            _, _, side, datagram = heappop(self.under_way)
            self.deliver(side, datagram)
            return
        for side in (self.a, self.b):
            if side.deadline is not None and side.deadline <= self.now:
                self.take(side, side.peer.handle_timeout(self.now))

    def run(self, done: Any, seconds: float = 120.0) -> None:
        """Until this holds; fails after so many seconds of the line's."""
        end = self.now + seconds
        while not done():
            self.step()
            assert self.now < end, (self.a.kinds(), self.b.kinds())

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end and (self.under_way or self.a.deadline is not None or self.b.deadline is not None):
            self.step()
