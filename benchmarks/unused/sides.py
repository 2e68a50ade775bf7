"""The two sides of a ratio: connections, or pumps, whose link gives a scene's messages of one peer."""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcl_comms_drivers import polled
from dcl_comms_drivers.pump import Pump

from dcl_comms_core import (
    LinkOpened,
    Packet,
    Participant,
    RoomSession,
    Scene,
    encode,
)
from dcl_comms_core.adapters.connection_string import parse_connection_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dcl_comms_drivers.loops.chores import Chores

SENDER = f"0x{0:040x}"
DATA = encode(Packet(scene=Scene(scene_id="bafk", data=bytes(40)), protocol_version=100))
BATCH = 3_072
SLICES = 12
"""What a batch is cut into; both sides take turns, so that what else the machine does falls on both."""
SLICE = BATCH // SLICES
PACE = 20.0
"""Packets a second of the time that the session is told, within the sender's allowance."""

names = count()


class Feed:
    """A link's drain, and its time."""

    def __init__(self, per_turn: int) -> None:
        self.per_turn = per_turn
        self.time = 1.0

    def now(self) -> float:
        return self.time

    def drain(self, session: Any, *, now: float, limit: int) -> bool:
        for _ in range(min(self.per_turn, limit)):
            session.receive_data(SENDER, DATA, now=now)
        return False

    def slice(self, turn: Callable[[], list[Any]], use: Callable[[Any], object] | None = None) -> float:
        """Seconds of this thread for a slice of a batch: what else the machine does is not in it."""
        told = 0
        start = time.thread_time()
        for _ in range(SLICE // self.per_turn):
            self.time += self.per_turn / PACE
            events = turn()
            told += len(events)
            if use is not None:
                for event in events:
                    use(event)
        elapsed = time.thread_time() - start
        assert told == SLICE, told
        return elapsed


class Side:
    """A connection with one peer, which is fed."""

    def __init__(
        self, stack: ExitStack, per_turn: int, use: Callable[[Any], object] | None = None, **settings: Any
    ) -> None:
        name = f"unused{next(names)}"
        other = stack.enter_context(polled.open(f"simulator:{name}?identity={SENDER}", silent=True))
        self.room = stack.enter_context(polled.open(f"simulator:{name}?identity=me", silent=True, **settings))
        while SENDER not in {peer.key for peer in self.room.peers}:
            other.poll()
            self.room.poll()
        self._feed = Feed(per_turn)
        self._feed.time = self.room.driver.host.now()
        self._use = use
        driver: Any = self.room.driver
        stack.callback(setattr, driver.link, "drain", driver.link.drain)  # it has to leave the room again
        stack.callback(setattr, driver.host, "now", driver.host.now)
        driver.host.now, driver.link.drain = self._feed.now, self._feed.drain

    def slice(self) -> float:
        return self._feed.slice(self.room.poll, self._use)


class _Host:
    """A loop whose timer is never due."""

    def __init__(self, feed: Feed) -> None:
        self.now = feed.now

    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        del when, callback

    def wake(self, callback: Callable[[], None]) -> None:
        del callback


class _Link:
    """A link that gives packets, and takes commands nowhere."""

    def __init__(self, feed: Feed) -> None:
        self.drain = feed.drain

    def execute(self, command: object, *, now: float) -> None:
        del command, now

    def deadline(self) -> None:
        return None


class Pumped:
    """A room that a pump turns, as in a driver of somebody's own."""

    def __init__(self, per_turn: int, chores: Chores | None) -> None:
        self._feed = Feed(per_turn)
        session: Any = RoomSession(parse_connection_string("simulator:bench"), announce=False)
        session.open(now=0.0)
        (command,) = session.commands()
        session.receive(
            LinkOpened(link=command.link, identity="me", room="r", participants=(Participant(identity=SENDER),)),
            now=0.0,
        )
        session.events()
        host: Any = _Host(self._feed)
        link: Any = _Link(self._feed)
        self._taken: list[Any] = []
        self._pump = Pump(session, host, link, self._take, chores=chores)

    def _take(self, events: list[Any]) -> None:
        self._taken = events

    def _turn(self) -> list[Any]:
        self._pump.turn()
        return self._taken

    def slice(self) -> float:
        return self._feed.slice(self._turn)


@contextmanager
def logged(level: int) -> Iterator[str]:
    """The name of connections that are logged from this level on, into nothing."""
    name = f"unused{next(names)}"
    logger = logging.getLogger(f"dcl_comms.{name}")
    with Path(os.devnull).open("w", encoding="ascii") as nowhere:
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
        yield name
        logger.removeHandler(handler)
