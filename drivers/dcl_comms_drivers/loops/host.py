"""What a driver needs of a loop (Host), of a transport (Link) and of a session: three protocols."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_drivers.loops.network import Runner
    from dcl_comms_drivers.loops.signal import Signal


__all__ = ["ConnectionLink", "Host", "Link", "Listener", "LoopHost", "Receiver", "Session", "WaitingHost"]


class Host(Protocol):
    """A loop's three services."""

    @abstractmethod
    def now(self) -> float:
        """Monotonic seconds."""

    @abstractmethod
    def call_at(self, when: float | None, callback: Callable[[], None]) -> None:
        """Call back at a time, in the loop's thread; replaces the call asked for before.  None: no call."""

    @abstractmethod
    def wake(self, callback: Callable[[], None]) -> None:
        """Call back soon, in the loop's thread.  May be called from any thread, also after the loop ended."""

    @abstractmethod
    def wake_fd(self, callback: Callable[[], None]) -> int | None:
        """A descriptor: whoever writes 8 bytes to it has the callback called soon; None: there is none, use ``wake``.

        At most one for a host; it is the host's, which closes it.
        """

    @abstractmethod
    def runner(self) -> Runner:
        """A way into a network that goes with this loop: on it, or in a thread of its own."""


class LoopHost(Host, Protocol):
    """A Host for a connection, which its user may still hold when the loop is gone."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether the loop is there: turns may still come."""

    @abstractmethod
    def at_end(self, callback: Callable[[], None]) -> None:
        """Call back, once, when the loop ends and this is not closed; where that can't be known, never."""


class WaitingHost(LoopHost, Protocol):
    """A loop with ``await``: a Host, and what a connection needs to wait on it."""

    @abstractmethod
    def signal(self) -> Signal:
        """A new signal on this loop."""

    @abstractmethod
    def shield(self) -> AbstractContextManager[object]:
        """Inside, waiting goes on although the task was cancelled.  Only for waits that are bounded in time."""

    @abstractmethod
    async def checkpoint(self) -> None:
        """Where nothing had to be waited for: what this loop expects of an operation that could have waited."""

    @abstractmethod
    def close(self) -> None:
        """Stop the timer, close the descriptor."""


class Listener(Protocol):
    """Where a link of sockets delivers."""

    def receive(self, inp: Input, *, now: float) -> None:
        """Take one input."""
        ...


class Receiver(Listener, Protocol):
    """Where a link of rooms delivers: the receiving half of a session."""

    def receive_data(
        self, sender: str | None, data: bytes, *, reliable: bool = ..., topic: str = ..., now: float
    ) -> None:
        """Take one packet."""
        ...

    def receive_acknowledged(self, tokens: Iterable[int], *, now: float) -> None:
        """Take acknowledgements of packets of the current link, none of which failed."""
        ...


class Session(Receiver, Protocol):
    """A machine of the core."""

    def commands(self) -> list[Command]:
        """Drain what the transport is to do."""
        ...

    def events(self) -> list[Event]:
        """Drain what happened."""
        ...

    def deadline(self) -> float | None:
        """The next timer."""
        ...

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        ...


class Link(Protocol):
    """A transport.  All of it is called in the loop's thread, and none of it blocks."""

    name: ClassVar[str]
    """What it is called in ``Stats.link``."""

    def execute(self, command: Command, *, now: float) -> None:
        """Carry a command out; what comes of it arrives through ``drain``."""
        ...

    def drain(self, session: Receiver, *, now: float, limit: int) -> bool:
        """Deliver up to ``limit`` inputs.  True: more are waiting."""
        ...

    def deadline(self) -> float | None:
        """When ``drain`` must be called although nothing woke us; None: not needed."""
        ...

    def measure(self, then: Callable[[float | None], None]) -> None:
        """Ask how many seconds it is to the server and back.

        ``then`` is called once, at once or from ``drain``; None: not known.
        """
        ...

    def abandon(self) -> None:
        """Let go of everything now: a cancelled connect, or a loop that ends.

        Late results are cleaned up in the background.  Commands that come after this do nothing.
        """
        ...


class ConnectionLink(Link, Protocol):
    """What a connection asks of its transport besides."""

    def hasten(self) -> None:
        """Have the server acknowledge soon what it has of ours, where it takes its time; somebody waits for it."""
        ...
