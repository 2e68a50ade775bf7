"""The clients of one server: their WebSockets, from ``accept`` to the end, and the time that a handshake may take.

A server is told of clients with ``accept(link, ...)`` and of what they send with ``receive(inp, now=...)``; it gives
SendFrame and CloseSocket.  As the real servers do it hangs up without a word on whoever breaks the rules.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dcl_comms_core.commands import CloseSocket, SendFrame
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.inputs import ClockSet, FrameReceived, LinkRef, SendAcknowledged, SocketClosed
from dcl_comms_core.packets.envelope import WEBSOCKET_MAX_FRAME
from dcl_comms_core.states import Stage
from dcl_comms_core.tools.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits

__all__ = ["Client", "Sockets"]


class Client:
    """One socket.  Its stage is named as on the client's end: IDENTIFYING until it said who it is."""

    __slots__ = ("address", "alias", "challenge", "link", "room", "session", "stage")

    def __init__(self, link: LinkRef, room: str, alias: int) -> None:
        self.link = link
        self.room = room
        self.alias = alias
        self.stage = Stage.CONNECTING
        self.challenge = ""
        self.address = ""
        """Proved, in lower case; empty before the welcome."""
        self.session = ""
        """The address of the key that signed the challenge, likewise."""


class Sockets:
    """Clients by their links.

    ``on_frame``: gets what a client sent.  ``left``: gets a client that was let in, once it is gone.
    ``stage_seconds``: how long each step of the handshake may take.
    """

    def __init__(
        self,
        *,
        on_frame: Callable[[Client, bytes], None],
        left: Callable[[Client], None],
        stage_seconds: float,
        limits: Limits,
    ) -> None:
        self._on_frame = on_frame
        self._left = left
        self._seconds = stage_seconds
        self._limits = limits
        self._accepted = 0
        self._clients: dict[LinkRef, Client] = {}
        self._due: dict[LinkRef, float] = {}
        """Clients in their handshake, the one first whose time ends first: all have as long."""
        self._commands: list[Command] = []
        self.clock = Clock()
        """What time it is here."""
        self.counters: Counter[str] = Counter()
        """How often: accepted, welcomed, relayed; refused.full, .stage, .frame, .address, .chain, .denied, .time;
        kicked."""

    def take_commands(self) -> list[Command]:
        """Take everything that the sockets are to do, in order."""
        commands, self._commands = self._commands, []
        return commands

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed."""
        return next(iter(self._due.values()), None)

    def handle_timeout(self, now: float) -> None:
        """Let time pass: whoever takes too long is hung up on."""
        self.clock.pass_time(now)
        while self._due:
            link, due = next(iter(self._due.items()))
            if due > self.clock.now:
                break
            self.refuse(self._clients[link], "time")

    def receive(self, inp: Input, *, now: float) -> None:
        """Take what a client sent, its end, or the wall clock.  LocalProtocolError: it is something else."""
        self.clock.pass_time(now)
        match inp:
            case ClockSet():
                self.clock.set_unix(inp.unix_offset)
            case FrameReceived():
                client = self._clients.get(inp.link)
                if client is None:
                    self.counters["late"] += 1
                elif len(inp.data) > WEBSOCKET_MAX_FRAME:
                    self.refuse(client, "frame")
                else:
                    self._on_frame(client, inp.data)
            case SocketClosed():
                client = self._clients.get(inp.link)
                if client is not None:
                    self._forget(client)
            case SendAcknowledged():
                pass
            case _:
                msg = f"a server takes ClockSet, FrameReceived, SocketClosed, not {type(inp).__name__}"
                raise LocalProtocolError(msg)

    def accept(self, link: LinkRef, room: str, now: float) -> None:
        """A client opened a WebSocket.  LocalProtocolError: the link is another client's."""
        self.clock.pass_time(now)
        if link in self._clients:
            msg = "this link is a client's already: give each its own LinkRef"
            raise LocalProtocolError(msg)
        self._accepted += 1
        client = Client(link, room, self._accepted)
        if len(self._clients) >= self._limits.server_sockets:
            self.counters["refused.full"] += 1
            self._commands.append(CloseSocket(link=link))
            return
        self.counters["accepted"] += 1
        self._clients[link] = client
        self.step(client, Stage.IDENTIFYING)

    def step(self, client: Client, stage: Stage) -> None:
        """Move a client to a stage, and restart its time limit."""
        client.stage = stage
        self._due.pop(client.link, None)
        if stage is not Stage.WELCOMED:
            self._due[client.link] = self.clock.now + self._seconds

    def let_in(self, client: Client) -> None:
        """Welcome a client: its handshake is complete, and has no time limit any more."""
        self.counters["welcomed"] += 1
        self.step(client, Stage.WELCOMED)

    def send(self, client: Client, frame: bytes) -> None:
        """Send a frame to a client."""
        self._commands.append(SendFrame(link=client.link, token=0, data=frame))

    def refuse(self, client: Client, why: str) -> None:
        """Hang up without a message; ``why`` is counted."""
        self.counters["refused." + why] += 1
        self._hang_up(client)

    def kick(self, client: Client, frame: bytes) -> None:
        """Send a last frame, and hang up."""
        self.counters["kicked"] += 1
        self.send(client, frame)
        self._hang_up(client)

    def _hang_up(self, client: Client) -> None:
        self._commands.append(CloseSocket(link=client.link))
        self._forget(client)

    def _forget(self, client: Client) -> None:
        del self._clients[client.link]
        self._due.pop(client.link, None)
        if client.stage is Stage.WELCOMED:
            self._left(client)
