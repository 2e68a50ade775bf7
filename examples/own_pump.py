"""The guest of own_loop.py once more, on the same sockets: here the pump turns the session, as in our own drivers.

    python examples/own_pump.py "ws-room:ws://127.0.0.1:8000/rooms/plaza" [SECONDS]

A driver for another loop is a Host; a driver for another transport is a Link.  docs/driver.md walks through it.
"""

from __future__ import annotations

import select
import sys
import time
from contextlib import suppress
from math import inf
from socket import socket, socketpair
from typing import TYPE_CHECKING, ClassVar

from dcl_comms_drivers.pump import Pump
from dcl_comms_drivers.wallet import DisposableWallet, log_in
from own_loop import Line, Lines, at_once, bell, first, hear, new_session

from dcl_comms_core import ClockSet, CommsError, RoomState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import NoReturn

    from dcl_comms_drivers.pump import Receiver

    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event


class SelectHost:
    """What the pump needs of a loop.  Here every callback is the pump's turn, which the loop below takes by itself."""

    def __init__(self) -> None:
        self.due: float | None = None
        self.woken, self._waker = socketpair()
        self.woken.setblocking(False)
        self._waker.setblocking(False)

    def now(self) -> float:
        return time.monotonic()

    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        self.due = when  # one timer: the newest counts

    def wake(self, callback: Callable[[], None]) -> None:  # from any thread, unlike everything else here
        with suppress(BlockingIOError):  # full: it is readable, which is all that waking means
            self._waker.send(b"\0")

    def wake_fd(self, callback: Callable[[], None]) -> int | None:
        return None  # for links with native threads; there are none

    def runner(self) -> NoReturn:
        raise NotImplementedError("for links that want a network of ours; this one has its own sockets")


class SelectLink:
    """What the pump needs of a transport.  Nothing of it blocks, and what comes of a command comes through drain."""

    name: ClassVar[str] = "select"

    def __init__(self) -> None:
        self.lines = Lines()
        self.readable: Collection[object] = ()

    def execute(self, command: Command, *, now: float) -> None:
        self.lines.execute(command, now=now)

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        readable, self.readable = self.readable, ()
        for inp in self.lines.take(readable, now=now):
            session.receive(inp, now=now)
        return False  # True would ask for another turn at once: where there were more than `limit`

    def deadline(self) -> float | None:
        return self.lines.deadline()

    def measure(self, then: Callable[[float | None], None]) -> None:
        then(None)  # how far it is to the server is not known

    def abandon(self) -> None:
        self.lines.abandon()


def visit(target: str, seconds: float = inf) -> None:
    identity = at_once(log_in(DisposableWallet()))
    session = new_session(target, identity)
    host, link = SelectHost(), SelectLink()
    interrupted = bell()
    until: float | None = host.now() + seconds

    def on_events(events: list[Event]) -> None:
        for event in events:
            hear(session, identity, event)

    pump = Pump(session, host, link, on_events)
    session.receive(ClockSet(unix_offset=time.time() - host.now()), now=host.now())
    session.open(now=host.now())
    pump.turn()
    while session.state is not RoomState.CLOSED or link.lines.readers:
        due = first(host.due, until)
        pause = None if due == inf else max(due - host.now(), 0.0)
        readers: list[socket | Line] = [interrupted, host.woken, *link.lines.readers]
        link.readable, _, _ = select.select(readers, link.lines.writers, [], pause)
        for alarm in (interrupted, host.woken):
            if alarm in link.readable:
                alarm.recv(4096)
        if interrupted in link.readable or first(until) <= host.now():
            until = None
            session.close(now=host.now())
        pump.turn()
    link.abandon()


if __name__ == "__main__":
    try:
        visit(sys.argv[1], *map(float, sys.argv[2:]))
    except CommsError as error:
        sys.exit(str(error))
