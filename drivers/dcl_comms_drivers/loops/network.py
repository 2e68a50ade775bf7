"""What sockets need of a loop: a net, which has streams, tasks and time limits; and a way to call into it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from dcl_comms_drivers.loops.signal import Signal

__all__ = ["Direct", "Net", "Runner", "Stream", "Task"]


class Stream(Protocol):
    """A connected stream.  One task may send while another receives."""

    torn: bool
    """Whether what was sent last was broken off in its midst, by a cancellation: nothing may follow it."""

    async def send(self, data: bytes) -> None:
        """Send all of it.  OSError: the connection is broken."""
        ...

    def send_at_end(self, data: bytes) -> bool:
        """Send it, as the last, where the loop is closed that ``send`` would wait in; False: it is not."""
        ...

    async def receive(self) -> bytes:
        """Return what came in, at least a byte; b"" at the end.  OSError: the connection is broken."""
        ...

    async def listen(self, take: Callable[[bytes], bool]) -> bool:
        """Have ``take`` called with what comes in, as it comes, until it returns False; True: that was the end.

        OSError: the connection is broken.  What ``take`` raises is raised here.
        """
        ...

    def abort(self) -> None:
        """Close it now; whoever waits gets the end or OSError.  May be called again."""
        ...


class Task(Protocol):
    """Something that runs."""

    def cancel(self) -> object:
        """Stop it."""
        ...


class Net(ABC):
    """A running loop's network.  All of it is for the loop's own thread."""

    @abstractmethod
    def now(self) -> float:
        """Monotonic seconds."""

    @abstractmethod
    def signal(self) -> Signal:
        """A new signal."""

    @abstractmethod
    def spawn(self, job: Callable[[], Awaitable[None]]) -> Task:
        """Run something in the background.  It must raise nothing: there is nobody to raise it to."""

    @abstractmethod
    def limit(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """``async with``: what is inside is cancelled after so many seconds, and TimeoutError raised."""

    @abstractmethod
    def last_moment(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """``async with``: what is inside goes on for so long, although the task is cancelled, and is then left."""

    @abstractmethod
    async def breathe(self) -> None:
        """Let other tasks run once."""

    @abstractmethod
    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a name, best first.  OSError: there are none."""

    @abstractmethod
    def watch(self, fd: int, ready: Callable[[], None]) -> Task:
        """Call back in the loop's thread while a descriptor is readable, until the task is cancelled.

        Cancel it before the descriptor is closed.  ``ready`` must raise nothing, and read.
        """

    @abstractmethod
    async def dial(self, address: str, port: int, *, tls: ssl.SSLContext | None, host: str) -> Stream:
        """Connect to an address, and there to ``host`` if it is over TLS.  OSError, of which SSLError is one kind."""


class Runner(Protocol):
    """A way to call into a net's thread."""

    def call(self, function: Callable[[Net], object]) -> None:
        """Call a function in the net's thread, in order."""
        ...

    def stop(self) -> None:
        """Call nothing more, once what was asked for is called; what was spawned has to be cancelled by then."""
        ...

    def at_exit(self, function: Callable[[Net], object]) -> None:
        """Call a function in a thread of the net's own before it ends with the process; else nothing."""
        ...


class Direct:
    """A net in the caller's own thread."""

    def __init__(self, net: Net) -> None:
        self._net = net

    def call(self, function: Callable[[Net], object]) -> None:
        """Call a function at once."""
        function(self._net)

    def stop(self) -> None:
        """Nothing: the loop is the application's."""

    def at_exit(self, function: Callable[[Net], object]) -> None:
        """Nothing: whoever ends the loop cancels what it runs."""
