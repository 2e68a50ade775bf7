"""A guest in a ws-room on a loop of its own: select, sockets that never block, one timer.  No driver, no asyncio.

    python examples/own_loop.py "ws-room:ws://127.0.0.1:8000/rooms/plaza" [SECONDS]

It says hello, prints what it hears, and leaves on Ctrl-C or after so many seconds.  docs/driver.md walks through it.
"""

from __future__ import annotations

import logging
import secrets
import select
import signal
import socket
import sys
import time
from math import inf
from typing import TYPE_CHECKING, TypeVar

from dcl_comms_drivers.wallet import DisposableWallet, log_in
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from dcl_comms_core import (
    DEFAULT_LIMITS,
    Backoff,
    ChallengeGuard,
    ChatReceived,
    ClockSet,
    CloseReason,
    CloseSocket,
    CommsError,
    ConnectionLost,
    FrameReceived,
    LinkRef,
    OpenSocket,
    PeerId,
    PeerJoined,
    PeerLeft,
    Reconnected,
    Reconnecting,
    RoomClosed,
    RoomOpened,
    RoomState,
    SendFrame,
    SendsAcknowledged,
    SignatureNeeded,
    SocketClosed,
    SocketOpened,
    Target,
    TargetRefused,
    WsRoomAdapter,
    WsRoomSession,
    parse_connection_string,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine

    from dcl_comms_core import AuthIdentity
    from dcl_comms_core.commands import Command
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input

T = TypeVar("T")

HELLO = "hello from a loop of my own"
SILENT = logging.Logger("websockets, unheard", logging.ERROR)  # noqa: LOG001 - or DEBUG would log what we sign


# --- the transport: commands go in, inputs come out


class Line:
    """One WebSocket.  websockets has the protocol, which does no IO either; the socket is ours, and never blocks."""

    def __init__(self, command: OpenSocket, now: float) -> None:
        target = Target.of_websocket(command.url)
        target.check(within=command.within)
        # This blocks where the host is a name: a real driver looks it up elsewhere.
        address = socket.gethostbyname(target.host)
        # A driver owes this look at each address: no server may send us where it could not go itself.
        self._place = target.check_address(address, within=command.within)
        self.link = command.link  # each input names it, so that what comes late, of an older line, is known by it
        self.over = False
        self._inputs: list[Input] = []
        self._tokens: list[int] = []
        self._outgoing = bytearray()
        self._pieces: list[bytes] = []
        self._heard = self._pinged = now
        self._closing_at = inf
        offered = [Subprotocol(command.subprotocol)] if command.subprotocol else None
        size = DEFAULT_LIMITS.socket_bytes
        self._protocol = ClientProtocol(parse_uri(command.url), subprotocols=offered, max_size=size, logger=SILENT)
        self._protocol.send_request(self._protocol.connect())
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.connect_ex((address, target.port))  # it goes on by itself: select says when it is done

    # What the session asks for.  Nothing is sent yet: `writing` has select say when it can be.

    def send(self, command: SendFrame) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_binary(command.data)
            self._tokens.append(command.token)

    def close(self, command: CloseSocket, now: float) -> None:
        self._closing_at = now + command.drain
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)

    # What the loop wants to know.

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def writing(self) -> bool:
        self._outgoing += b"".join(self._protocol.data_to_send())
        return bool(self._outgoing) or self._closing_at < inf

    def deadline(self) -> float:
        return min(max(self._heard, self._pinged) + DEFAULT_LIMITS.ping_seconds, self._closing_at)

    def take(self) -> list[Input]:
        inputs, self._inputs = self._inputs, []
        return inputs

    def turn(self, *, readable: bool, now: float) -> None:
        """Do what can be done without waiting."""
        try:
            if readable:
                self._read(now)
            if not self.over:
                self._keep_alive(now)
                self._write()
        except BlockingIOError:
            pass  # not yet
        except OSError as error:
            opening = self._protocol.state is State.CONNECTING
            self._end(CloseReason.UNREACHABLE if opening else CloseReason.NETWORK, detail=error.strerror or "")
        if not self.over and self._closing_at < inf and (not self._outgoing or self._closing_at <= now):
            self._end(CloseReason.CLIENT)

    def abandon(self) -> None:
        self._socket.close()

    def _read(self, now: float) -> None:
        data = self._socket.recv(65_536)
        protocol = self._protocol
        self._heard = now
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
            elif protocol.handshake_exc is None:
                chosen = protocol.subprotocol or ""
                self._inputs.append(SocketOpened(link=self.link, place=self._place, subprotocol=chosen))
        if isinstance(protocol.handshake_exc, InvalidStatus):
            status = protocol.handshake_exc.response.status_code
            self._end(CloseReason.UNREACHABLE, status=status, detail=f"the server answered {status}")
        elif protocol.close_rcvd is not None:
            self._end(CloseReason.NETWORK, code=protocol.close_rcvd.code)
        elif protocol.parser_exc is not None or (protocol.handshake_exc is not None and data):
            self._end(CloseReason.PROTOCOL, detail="the server speaks no WebSocket")
        elif not data:
            self._end(CloseReason.NETWORK)

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in {Opcode.BINARY, Opcode.TEXT, Opcode.CONT}:  # pings are answered by the protocol
            self._pieces.append(bytes(frame.data))
            if frame.fin:
                self._inputs.append(FrameReceived(link=self.link, data=b"".join(self._pieces)))
                self._pieces.clear()

    def _write(self) -> None:
        while self.writing and self._outgoing:
            del self._outgoing[: self._socket.send(self._outgoing)]
        if self._tokens:  # the network has them: the session may send more
            self._inputs.append(SendsAcknowledged(link=self.link, tokens=tuple(self._tokens)))
            self._tokens.clear()

    def _keep_alive(self, now: float) -> None:
        """Ping a server that says nothing, and hang up on one that does not answer."""
        period = DEFAULT_LIMITS.ping_seconds
        if now - self._heard >= 3 * period:
            self._end(CloseReason.TIMEOUT, detail="the server is silent")
        elif now - max(self._heard, self._pinged) >= period:
            self._pinged = now
            if self._protocol.state is State.OPEN:
                self._protocol.send_ping(b"")

    def _end(self, reason: CloseReason, *, code: int = 1006, status: int = 0, detail: str = "") -> None:
        self.over = True
        self._socket.close()
        reason = reason if self._closing_at == inf else CloseReason.CLIENT
        self._inputs.append(SocketClosed(link=self.link, reason=reason, code=code, status=status, detail=detail))


class Lines:
    """All lines: a session that comes back opens one after another."""

    def __init__(self) -> None:
        self._lines: dict[LinkRef, Line] = {}
        self._refused: list[Input] = []

    def execute(self, command: Command, *, now: float) -> None:
        match command:
            case OpenSocket():
                try:
                    self._lines[command.link] = Line(command, now)
                except (TargetRefused, OSError) as error:
                    problem = SocketClosed(link=command.link, reason=CloseReason.FORBIDDEN, detail=str(error))
                    self._refused.append(problem)
            case SendFrame() if command.link in self._lines:
                self._lines[command.link].send(command)
            case CloseSocket() if command.link in self._lines:
                self._lines[command.link].close(command, now)
            case _:
                pass  # to a line that is over by now

    @property
    def readers(self) -> list[Line]:
        return list(self._lines.values())

    @property
    def writers(self) -> list[Line]:
        return [line for line in self._lines.values() if line.writing]

    def deadline(self) -> float | None:
        return 0.0 if self._refused else min((line.deadline() for line in self.readers), default=None)

    def take(self, readable: Collection[object], *, now: float) -> list[Input]:
        """Do what can be done without waiting; gives what the session is to hear of it."""
        inputs, self._refused = self._refused, []
        for line in self.readers:
            line.turn(readable=line in readable, now=now)
            inputs += line.take()
            if line.over:
                del self._lines[line.link]
        return inputs

    def abandon(self) -> None:
        for line in self.readers:
            line.abandon()
        self._lines.clear()


# --- the application


def at_once(job: Coroutine[object, object, T]) -> T:
    """What a coroutine returns that never waits: a key in memory signs at once, and needs no loop for it."""
    try:
        job.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise TypeError("it waits for something")


def new_session(target: str, identity: AuthIdentity) -> WsRoomSession:
    adapter = parse_connection_string(target)
    if not isinstance(adapter, WsRoomAdapter):
        raise SystemExit("a ws-room: string, please: other targets need other lines than this example's")
    if not adapter.url.startswith("ws:"):
        raise SystemExit("ws:, please: wss: would need TLS around the socket, ssl.MemoryBIO for example")
    return WsRoomSession(
        adapter,
        address=identity.address,
        guard=ChallengeGuard().allowing(adapter.url),  # what may be signed, and where
        reconnect=Backoff(),
        entropy=secrets.randbits(64),  # the core makes no randomness
    )


def hear(session: WsRoomSession, identity: AuthIdentity, event: Event) -> None:
    match event:
        case SignatureNeeded(payload=payload, request=request):
            session.provide_signature(request, identity.sign(payload))
        case RoomOpened(identity=who):
            print(f"in the room as {who}", flush=True)
            session.chat(HELLO)
        case ChatReceived(sender=PeerId() as who, text=text):
            print(f"{who}: {text!r}", flush=True)
        case PeerJoined(sender=who):
            print(f"{who} is here", flush=True)
        case PeerLeft(sender=who):
            print(f"{who} left", flush=True)
        case Reconnecting(reason=reason):
            print(f"lost: {reason.value}", flush=True)
        case Reconnected():
            print("back", flush=True)
        case RoomClosed(reason=reason, retry=retry, detail=detail) if reason is not CloseReason.CLIENT:
            raise ConnectionLost(reason, retry, detail)
        case _:
            pass


# --- the loop


def bell() -> socket.socket:
    """Readable after Ctrl-C.  A handler that raises would stop a session half-way."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach())
    signal.signal(signal.SIGINT, rung)
    return reader


def rung(_signal: int, _frame: object) -> None:
    """Nothing: the bell is read by the loop."""


def first(*times: float | None) -> float:
    return min((time for time in times if time is not None), default=inf)


def visit(target: str, seconds: float = inf) -> None:  # noqa: C901 - a whole loop in one place, to be read
    now = time.monotonic
    identity = at_once(log_in(DisposableWallet()))
    lines = Lines()
    interrupted = bell()
    until: float | None = now() + seconds

    # 1. Make the session.  The wall clock, the entropy and every `now` are given to it: it looks at nothing itself.
    session = new_session(target, identity)
    session.receive(ClockSet(unix_offset=time.time() - now()), now=now())
    session.open(now=now())

    while True:
        # After any call, until there is nothing more of either:
        while True:
            commands, events = session.commands(), session.events()
            if not commands and not events:
                break
            # 2. Carry out what the session asks for.
            for command in commands:
                lines.execute(command, now=now())
            # 5. Hand over what happened.
            for event in events:
                hear(session, identity, event)
        if session.state is RoomState.CLOSED and not lines.readers:
            return
        # Wait for what is first: a socket, Ctrl-C, or a time.  The session has one deadline, whatever it waits for.
        due = first(session.deadline(), lines.deadline(), until)
        pause = None if due == inf else max(due - now(), 0.0)
        readers: list[socket.socket | Line] = [interrupted, *lines.readers]
        readable, _, _ = select.select(readers, lines.writers, [], pause)
        # 3. Feed it what came in.
        for inp in lines.take(readable, now=now()):
            session.receive(inp, now=now())
        # 4. Let time pass.
        if first(session.deadline()) <= now():
            session.handle_timeout(now())
        if interrupted in readable or first(until) <= now():
            session.close(now=now())
            until = None
            if interrupted in readable:
                interrupted.recv(4096)


if __name__ == "__main__":
    try:
        visit(sys.argv[1], *map(float, sys.argv[2:]))
    except CommsError as error:
        sys.exit(str(error))
