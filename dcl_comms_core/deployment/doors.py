"""A server's port of HTTP and WebSockets: what machines ask for there, and what the server says to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Protocol

from dcl_comms_core.commands import SendFrame
from dcl_comms_core.inputs import FrameReceived, LinkRef, SendAcknowledged, SocketClosed
from dcl_comms_core.states import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.commands import Command, PortCommand
    from dcl_comms_core.deployment.network import Network
    from dcl_comms_core.deployment.streams import Stream

__all__ = ["Answer", "Caller", "Door", "Hosts", "Serving"]


class Answer(Protocol):
    """What a server answers to a request."""

    @property
    def status(self) -> int:
        """Of HTTP."""
        ...

    @property
    def body(self) -> bytes:
        """What it says."""
        ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """With it."""
        ...


class Serving(Protocol):
    """A server behind a door: RealmServer, RoomServer."""

    def upgrade(self, link: LinkRef, target: str, headers: Mapping[str, str], /, *, now: float) -> Answer | None:
        """A WebSocket is asked for.  None: it is opened."""
        ...

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, now: float) -> Answer:
        """Something else is."""
        ...

    def receive(self, inp: FrameReceived | SocketClosed | SendAcknowledged, *, now: float) -> None:
        """Something came by a WebSocket."""
        ...


class Caller(Protocol):
    """A machine's end of a WebSocket."""

    def opened(self) -> None:
        """The server took it."""
        ...

    def said(self, data: bytes) -> None:
        """The server said something."""
        ...

    def closed(self, reason: CloseReason, *, code: int = 1006, status: int = 0) -> None:
        """It is over, or was refused."""
        ...


class Door:
    """Of the server of this name; ``server`` None: nobody listens.  ``moved`` is called when the server had a call."""

    def __init__(self, name: str, network: Network, moved: Callable[[], None]) -> None:
        self.name = name
        self.server: Serving | None = None
        self._network = network
        self._moved = moved
        self._numbers = count(1)
        self._callers: dict[LinkRef, tuple[Stream, Caller]] = {}

    def call(self, stream: Stream, target: str, caller: Caller) -> LinkRef | None:
        """A machine asks for a WebSocket; gives what names it here.  None: it is refused."""
        link = LinkRef(next(self._numbers), 1)
        if self.server is None:
            stream.end_down(lambda: caller.closed(CloseReason.UNREACHABLE))
            return None
        refusal = self.server.upgrade(link, target, {}, now=self._network.clock.now)
        if refusal is not None:
            stream.end_down(lambda: caller.closed(CloseReason.UNREACHABLE, status=refusal.status))
            self._moved()
            return None
        self._callers[link] = stream, caller
        stream.broken.append(lambda: self.gone(link))
        stream.down(caller.opened)
        self._moved()
        return link

    def hear(self, link: LinkRef, data: bytes) -> None:
        """A machine says something."""
        self._receive(FrameReceived(link=link, data=data))

    def gone(self, link: LinkRef) -> None:
        """A machine hung up, or its stream broke."""
        self._receive(SocketClosed(link=link, reason=CloseReason.NETWORK))
        self._callers.pop(link, None)

    def _receive(self, inp: FrameReceived | SocketClosed) -> None:
        if self.server is not None and inp.link in self._callers:
            self.server.receive(inp, now=self._network.clock.now)
            self._moved()

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """A machine asks for something; None: nobody listens."""
        if self.server is None:
            return None
        answer = self.server.request(method, target, headers, body, now=self._network.clock.now)
        self._moved()
        return answer

    def execute(self, command: Command | PortCommand) -> None:
        """Carry out what the server wants of a socket: SendFrame and CloseSocket."""
        found = self._callers.get(command.link)
        if found is None or self.server is None:
            return
        stream, caller = found
        if isinstance(command, SendFrame):
            data = command.data
            stream.down(lambda: caller.said(data))
            if command.token:
                now = self._network.clock.now
                self.server.receive(SendAcknowledged(link=command.link, token=command.token), now=now)
        else:
            del self._callers[command.link]
            stream.end_down(lambda: caller.closed(CloseReason.NETWORK, code=1000))

    def slam(self) -> None:
        """The server's process is gone: so are all sockets."""
        callers, self._callers = self._callers, {}
        for stream, caller in callers.values():
            stream.reset(partial(caller.closed, CloseReason.NETWORK))


@dataclass(frozen=True, slots=True)
class Hosts:
    """Who is found under which name."""

    doors: dict[str, Door]
    ports: dict[tuple[str, int], tuple[str, int]]
    """Where datagrams to a name and a port go."""
