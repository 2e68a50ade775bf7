"""One port of HTTP and WebSockets on loopback, for asyncio: h11 and websockets' protocol without IO.

It moves bytes and time; what is answered is a server's business, a realm's or that of rooms.  Each connection is one
request or one WebSocket.  Whom the gate does not know gets 403.  All that a client can make it hold has a limit:
connections, the head and the body of a request, the time these take, a message, what waits for a client that does not
read.  How a socket looks from outside is told by a Manner, as the real services have one; a message that is too large
ends it without a close frame.
"""

from __future__ import annotations

import asyncio
import re
import resource
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.commands import CloseSocket, SendFrame
from dcl_comms_core.inputs import ClockSet, FrameReceived, LinkRef, SocketClosed
from dcl_comms_core.packets.envelope import WEBSOCKET_MAX_FRAME
from dcl_comms_core.servers.realm import RealmPage
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.extras import needs
from dcl_comms_drivers.realm.turns import Turns
from dcl_comms_drivers.unheard import UNHEARD

with needs("realm"):
    import h11
    from websockets.exceptions import InvalidState
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Request
    from websockets.protocol import State
    from websockets.server import ServerProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from websockets.typing import Subprotocol

    from dcl_comms_core.limits import Limits
    from dcl_comms_drivers.gate import Gate

__all__ = ["HOST", "Manner", "Page", "Served", "Web"]

HOST: Final = "127.0.0.1"

_CHUNK: Final = 65_536
_PIECE: Final = 4_096
"""What is parsed at once: 700 empty frames, or 700 chunks of a byte, which take some 10 ms."""
_HEAD_BYTES: Final = 16_384
_HEAD_LINES: Final = 128
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_FORBIDDEN: Final = 403
_HEAD_TOO_LARGE: Final = 431
_TOO_LARGE: Final = 413
_SWITCHING: Final = 101
_SILENT_PERIODS: Final = 3
_DISCARD_SECONDS: Final = 1.0
_BACKLOG: Final = 100
_UNLIMITED: Final = 1 << 20
_SHAKES_HANDS: Final = re.compile(r"host|upgrade|connection|sec-websocket-.*", re.ASCII)
_DESCRIPTORS: Final = Path("/proc/self/fd")


class Page(Protocol):
    """The answer to a request."""

    @property
    def status(self) -> int:
        """Of HTTP."""
        ...

    @property
    def body(self) -> bytes:
        """JSON, unless a header says otherwise."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Beside those of the connection."""
        ...


class Served(Protocol):
    """Who decides."""

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, now: float) -> Page:
        """Answer a request."""
        ...

    def upgrade(self, link: LinkRef, target: str, headers: Mapping[str, str], /, *, now: float) -> Page | None:
        """Take a WebSocket (None), or refuse it."""
        ...

    def receive(self, inp: ClockSet | FrameReceived | SocketClosed, *, now: float) -> None:
        """Take what comes."""
        ...

    def commands(self) -> Iterable[object]:
        """Take what sockets are to do."""
        ...

    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        ...

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How connections behave.  Bytes."""

    head_bytes: int = _HEAD_BYTES
    frame_bytes: int = WEBSOCKET_MAX_FRAME
    """Of one message from a client."""
    queue_bytes: int
    """Of what waits for one client."""
    close_code: int | None = None
    """What is in a close frame; None: nothing."""
    cuts: bool = False
    """Whether a client that does not read is cut off; else messages for it are dropped."""


class Web:
    """The port.  ``crashed`` gets a bug of ours; ``moved`` is called once something came in, instead of ``turn``."""

    def __init__(
        self,
        limits: Limits,
        gate: Gate | None,
        crashed: Callable[[Exception], None],
        *,
        manner: Manner | None = None,
        moved: Callable[[], None] | None = None,
    ) -> None:
        self.limits = limits
        self.gate = gate
        self.manner = Manner(queue_bytes=limits.server_queue_bytes) if manner is None else manner
        self.moved = self.turn if moved is None else moved
        self.port = 0
        self.dropped = 0
        """Messages that were not sent to clients that did not read."""
        self.sockets: dict[LinkRef, _Socket] = {}
        self.turns = Turns(limits.turn_seconds)
        self._crashed = crashed
        self._loop = asyncio.get_running_loop()
        self._listener: asyncio.Server | None = None
        self._writers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: Served | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._links = 0
        self._most = min(limits.server_connections, _affordable())

    async def bind(self, port: int) -> None:
        """Take a port, 0: any that is free; connections wait until :meth:`serve`.  OSError: it is taken."""
        # So many are accepted at once, before we are asked about the first of them.
        backlog = min(_BACKLOG, max(1, self._most // 4))
        self._listener = await asyncio.start_server(
            self._on_connection, HOST, port, start_serving=False, backlog=backlog
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def serve(self, server: Served) -> None:
        """Answer."""
        assert self._listener is not None  # noqa: S101 - bind() comes first
        self._server = server
        self.set_clock()
        await self._listener.start_serving()

    async def stop(self) -> None:
        """Hang up on everybody and free the port."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        tasks = list(self._writers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def server(self) -> Served:
        """Who decides."""
        assert self._server is not None  # noqa: S101 - nothing comes in before serve()
        return self._server

    def now(self) -> float:
        """Seconds of the loop."""
        return self._loop.time()

    def set_clock(self) -> None:
        """Tell the wall clock, which may have been set."""
        now = self.now()
        self.server.receive(ClockSet(unix_offset=time.time() - now), now=now)

    def turn(self) -> None:
        """Carry out what is decided, and come again when something is due."""
        for command in self.server.commands():
            if isinstance(command, SendFrame):
                if (socket := self.sockets.get(command.link)) is not None:
                    socket.send(command.data)
            elif isinstance(command, CloseSocket) and (socket := self.sockets.get(command.link)) is not None:
                socket.close()
        if self._timer is not None:
            self._timer.cancel()
        due = self.server.deadline()
        self._timer = None if due is None else self._loop.call_at(due, self._on_time)

    def new_link(self) -> LinkRef:
        """A name for a socket."""
        self._links += 1
        return LinkRef(self._links, 1)

    def _on_time(self) -> None:
        self._timer = None
        try:
            self.server.handle_timeout(self.now())
            self.turn()
        except Exception as error:  # noqa: BLE001 - raised to whoever uses the realm next
            self._crashed(error)

    def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= self._most:
            writer.transport.abort()
            return
        # Not a coroutine: asyncio would complain of those that stop() cancels.
        task = self._loop.create_task(self._serve(reader, writer))
        self._writers[task] = writer
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        # Python 3.13 complains of a writer that goes before its transport is told to.
        writer = self._writers.pop(task)
        writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Connection(self, reader, writer).run()
        except (OSError, TimeoutError):
            pass  # the client is gone, or took too long
        except Exception as error:  # noqa: BLE001 - raised to whoever uses the realm next
            self._crashed(error)


class _Connection:
    """From the first byte to the end, or to a WebSocket."""

    def __init__(self, web: Web, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._web = web
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=web.manner.head_bytes)
        self._raw = bytearray()
        """All that came in before the head was whole."""

    async def run(self) -> None:
        """Answer one request, or serve one WebSocket."""
        try:
            async with asyncio.timeout(self._web.limits.server_request_seconds):
                request = await self._head()
                if request is None:
                    return
                headers: dict[str, str] = {}
                for raw_name, raw_value in request.headers:
                    name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
                    # As Node does it.
                    headers[name] = f"{headers[name]}, {value}" if name in headers else value
                target = request.target.decode("ascii")
                gate = self._web.gate
                refusal = None if gate is None else gate.refusal(headers, port=self._web.port)
                upgrade = headers.get("upgrade", "").lower() == "websocket"
                body = b"" if upgrade or refusal is not None else await self._body(headers)
        except h11.RemoteProtocolError as error:
            await self._answer(error.error_status_hint, b"")
            return
        if refusal is not None:
            await self._answer(_FORBIDDEN, RealmPage(_FORBIDDEN, {"error": refusal}).body)
        elif upgrade:
            behind, _ = self._http.trailing_data
            line = f"{request.method.decode('ascii')} / HTTP/{request.http_version.decode('ascii')}"
            await _Socket(self._web, self._reader, self._writer).run(target, line, headers, behind)
        elif body is None:
            await self._answer(_TOO_LARGE, b"")
        else:
            async with self._web.turns.turn():
                self._web.set_clock()
                method, now = request.method.decode("ascii"), self._web.now()
                page = self._web.server.request(method, target, headers, body, now=now)
                self._web.moved()
            await self._answer(page.status, page.body, page.headers)

    async def _head(self) -> h11.Request | None:
        """Read a head; None: there comes none."""
        while True:
            async with self._web.turns.turn():
                event = self._http.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            data = await self._reader.read(_PIECE)
            self._raw += data
            end = _END_OF_HEAD.search(self._raw)
            if self._raw.count(b"\n", 0, end.end() if end else len(self._raw)) > _HEAD_LINES:
                raise h11.RemoteProtocolError("too many headers", error_status_hint=_HEAD_TOO_LARGE)
            self._http.receive_data(data)

    async def _body(self, headers: dict[str, str]) -> bytes | None:
        """Read a body; None: it is too long."""
        limit = self._web.limits.server_body_bytes
        # h11 has seen to it that this is a number.
        if int(headers.get("content-length", "0")) > limit:
            return None
        body = bytearray()
        while True:
            async with self._web.turns.turn():
                event = self._http.next_event()
                while isinstance(event, h11.Data) and len(body) <= limit:
                    body += event.data
                    event = self._http.next_event()
            if len(body) > limit:
                return None
            if event is not h11.NEED_DATA:
                return bytes(body)
            self._http.receive_data(await self._reader.read(_PIECE))

    async def _answer(self, status: int, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        head = [*headers, ("Content-Length", str(len(body))), ("Connection", "close")]
        if not any(name == "Content-Type" for name, _ in headers):
            head.append(("Content-Type", "application/json"))
        if self._http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        for event in (h11.Response(status_code=status, headers=head), h11.Data(data=body), h11.EndOfMessage()):
            self._writer.write(self._http.send(event) or b"")
        await _finish(self._reader, self._writer)


def _affordable() -> int:
    """Half of the descriptors that this process may still open: the other half is for the program around the realm."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = soft if soft != resource.RLIM_INFINITY else _UNLIMITED
    taken = sum(1 for _ in _DESCRIPTORS.iterdir()) if _DESCRIPTORS.is_dir() else 0
    return max(1, (most - taken) // 2)


async def _finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the answer arrive: a connection that is closed with something unread in it is reset."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            await writer.drain()
            writer.write_eof()
            while await reader.read(_CHUNK):
                pass


class _Socket:
    """One WebSocket."""

    def __init__(self, web: Web, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._web = web
        self._reader = reader
        self._writer = writer
        self._link = web.new_link()
        self._protocol = ServerProtocol(
            max_size=web.manner.frame_bytes, logger=UNHEARD, select_subprotocol=_first_subprotocol
        )
        self._parts = bytearray()
        """Of a message in fragments.  No list of them: each may be of one byte."""
        # Frames are dropped at the limit, so beyond it are only pongs: then nothing more is read until they are out.
        writer.transport.set_write_buffer_limits(high=2 * web.manner.queue_bytes)

    async def run(self, target: str, line: str, headers: Mapping[str, str], behind: bytes) -> None:
        """Shake hands, then read until the end.  ``behind``: what came with the head, too early."""
        web = self._web
        if not self._shake_hands(target, line, headers):
            await _finish(self._reader, self._writer)
            return
        web.moved()
        try:
            await self._handle(behind)
            await self._read()
        finally:
            del web.sockets[self._link]
            web.server.receive(SocketClosed(link=self._link, reason=CloseReason.NETWORK), now=web.now())
            web.moved()

    def send(self, data: bytes) -> None:
        """Send a message, unless the client is too slow."""
        waiting = self._writer.transport.get_write_buffer_size()
        if waiting + len(data) > self._web.manner.queue_bytes and waiting:
            self._web.dropped += 1
            if self._web.manner.cuts:
                self._writer.transport.abort()
        elif self._protocol.state is State.OPEN:
            self._protocol.send_binary(data)
            self._flush()

    def close(self) -> None:
        """Close it with a close frame; a client that does not answer is cut off."""
        with suppress(InvalidState):  # the client closes it already
            self._protocol.send_close(self._web.manner.close_code)
        self._flush()
        asyncio.get_running_loop().call_later(self._web.limits.close_seconds, self._writer.transport.abort)

    def _shake_hands(self, target: str, line: str, headers: Mapping[str, str]) -> bool:
        protocol, web = self._protocol, self._web
        # The rest of the head is nothing to it, and may have longer lines than it takes.
        lines = [f"{name}: {value}" for name, value in headers.items() if _SHAKES_HANDS.fullmatch(name)]
        protocol.receive_data("\r\n".join([line, *lines, "", ""]).encode("latin-1"))
        events = protocol.events_received()
        if events and isinstance(events[0], Request):
            response = protocol.accept(events[0])
            if response.status_code == _SWITCHING:
                web.set_clock()
                web.sockets[self._link] = self
                refusal = web.server.upgrade(self._link, target, headers, now=web.now())
                if refusal is not None:
                    del web.sockets[self._link]
                    response = protocol.reject(refusal.status, refusal.body.decode())
                    for name, value in refusal.headers:
                        response.headers.pop(name, None)
                        response.headers[name] = value
            protocol.send_response(response)
        self._flush()
        return self._link in web.sockets

    async def _read(self) -> None:
        protocol, web = self._protocol, self._web
        silent = 0
        while protocol.parser_exc is None:  # else cut off, without the close frame that websockets would send
            if protocol.close_rcvd is not None:
                await _finish(self._reader, self._writer)
                return
            try:
                async with asyncio.timeout(web.limits.ping_seconds):
                    await self._writer.drain()
                    data = await self._reader.read(_CHUNK)
            except TimeoutError:
                silent += 1
                if silent >= _SILENT_PERIODS:
                    return
                if protocol.state is State.OPEN:
                    protocol.send_ping(b"")
                    self._flush()
                continue
            silent = 0
            if not data:
                return
            await self._handle(data)

    async def _handle(self, data: bytes) -> None:
        """Take what was read, in turns."""
        protocol, turns = self._protocol, self._web.turns
        frames: deque[Frame] = deque()
        at = 0
        while frames or at < len(data):
            async with turns.turn():
                if not frames:
                    protocol.receive_data(data[at : at + _PIECE])
                    at += _PIECE
                    frames.extend(event for event in protocol.events_received() if isinstance(event, Frame))
                while frames and not turns.spent:
                    self._take(frames.popleft())
                if protocol.parser_exc is None:
                    self._flush()
            if not frames and (protocol.parser_exc is not None or protocol.close_rcvd is not None):
                return

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in {Opcode.BINARY, Opcode.TEXT, Opcode.CONT}:
            return
        self._parts += frame.data
        if frame.fin:
            data = bytes(self._parts)
            self._parts.clear()
            self._web.server.receive(FrameReceived(link=self._link, data=data), now=self._web.now())
            self._web.moved()

    def _flush(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._writer.write(data)


def _first_subprotocol(_protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return offered[0] if offered else None
