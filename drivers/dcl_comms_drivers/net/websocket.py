"""One WebSocket: websockets' protocol without IO, over a stream of any loop.

One task reads and another writes, so pings are answered whatever the application does, and a server that does not read
holds up nothing but its own messages.  Everything here belongs to the net's thread.
"""

from __future__ import annotations

import ssl
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.adapters.url_guard import Target
from dcl_comms_core.errors import RequestFailed, TargetRefused
from dcl_comms_core.inputs import FrameReceived, SendAcknowledged, SendsAcknowledged, SocketClosed, SocketOpened
from dcl_comms_core.states import CloseReason
from dcl_comms_drivers.extras import needs
from dcl_comms_drivers.net.dial import dial, tls_failed
from dcl_comms_drivers.net.frames import Splitter, pack
from dcl_comms_drivers.unheard import UNHEARD

with needs("net"):
    from websockets.client import ClientProtocol
    from websockets.exceptions import InvalidStatus, PayloadTooBig
    from websockets.frames import Frame, Opcode
    from websockets.protocol import State
    from websockets.typing import Subprotocol
    from websockets.uri import WebSocketURI

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import CloseSocket, OpenSocket, SendFrame
    from dcl_comms_core.inputs import Input, LinkRef
    from dcl_comms_core.limits import Limits
    from dcl_comms_drivers.loops.network import Net, Stream, Task
    from dcl_comms_drivers.net.dial import NetOptions

__all__ = ["Socket", "SocketInbox", "turn_bytes"]

_BATCH_BYTES: Final = 262_144
"""What is given to the stream at once."""
_CONTROL_BYTES: Final = 65_536
"""How many bytes of pongs may wait before no more is read."""
_END_OF_HEAD: Final = b"\r\n\r\n"
_SILENT_PERIODS: Final = 3
_PARTING_SECONDS: Final = 0.5
"""How long whoever lets go of a socket may take for the last word."""
_UNMET_SECONDS: Final = 3.0
"""The same where the server has not answered yet whether it lets us in."""
_BY_CODE: Final = {
    1001: CloseReason.SERVER_SHUTDOWN,
    1012: CloseReason.SERVER_SHUTDOWN,
    1013: CloseReason.SERVER_SHUTDOWN,
}
_BY_STATUS: Final = {
    401: CloseReason.AUTHENTICATION,
    403: CloseReason.AUTHENTICATION,
    404: CloseReason.NOT_FOUND,
    410: CloseReason.NOT_FOUND,
}


class SocketInbox(Protocol):
    """Where a socket delivers, in the net's thread."""

    def deliver(self, inp: Input) -> None:
        """Take an input."""
        ...

    def deliver_frames(self, ref: LinkRef, messages: list[bytes]) -> None:
        """Take binary messages, of which there may be many."""
        ...

    def full(self, ref: LinkRef) -> bool:
        """Whether so much waits that a socket should read no further, until it is told by ``Socket.go_on``."""
        ...

    def behind(self) -> bool:
        """Whether the loop has enough to do for now: a turn is due, for what came in and was not its turn yet."""
        ...

    def burst(self, work: Callable[[], None]) -> None:
        """Do something that delivers; what it delivered is handled at once, if this is the loop's own thread.

        Only for the net's tasks: whoever was called by a session is in the middle of a turn.
        """
        ...

    def crashed(self, error: Exception) -> None:
        """Take a bug of ours."""
        ...


class Socket:
    """A WebSocket from OpenSocket to SocketClosed.  ``inbox`` gets what comes of it, SocketClosed last and once."""

    def __init__(
        self,
        net: Net,
        command: OpenSocket,
        inbox: SocketInbox,
        options: NetOptions,
    ) -> None:
        self._net = net
        self._ref: LinkRef = command.link
        self._command = command
        self._inbox = inbox
        self._deliver = inbox.deliver
        self._options = options
        self._limits = options.limits
        self._changed = net.signal()
        """Something may be there to write, or is written, or the socket is over."""
        self._protocol: ClientProtocol | None = None
        self._stream: Stream | None = None
        self._queue: deque[SendFrame] = deque()
        self._queue_bytes = 0
        """What the queue holds, and what is being written."""
        self._control = bytearray()
        """Pongs and the like that wait to be written."""
        self._writing = False
        self._open = False
        self._greeting = False
        """Whether the server was asked and has not answered, and may still let us in where we give that up."""
        self._over = False
        self._asked_to_close = False
        self._silent = False
        self._heard = 0.0
        self._splitter = Splitter(self._limits.socket_bytes)
        self._turn_bytes = turn_bytes(self._limits)
        self._all_taken = True
        """Whether nothing whole is left of what was read."""
        self._cut = False
        """Whether the connection was cut off by us."""
        self._deaf = False
        """Whether we do not listen, for want of room: a silence then is ours."""
        self._parts = bytearray()
        """Of a message in fragments.  No list of them: each may be of one byte."""
        self._fragmented = False
        self._text = False
        self._tasks: list[Task] = []
        self.at_end: Callable[[], None] | None = None
        """Called when nothing more can come of it, where it is ``parting``."""

    @property
    def parting(self) -> bool:
        """Whether it was given up, and waits in the background for the server's answer, to say the last word."""
        return self._over and self._greeting

    def start(self) -> None:
        """Begin to connect."""
        self._spawn(self._run)

    def send(self, command: SendFrame) -> None:
        """Queue a message."""
        if self._over or self._asked_to_close:
            return
        if self._queue_bytes + len(command.data) > self._limits.socket_queue_bytes and self._queue_bytes:
            self._deliver(SendAcknowledged(link=self._ref, token=command.token, error="the send queue is full"))
            return
        self._queue.append(command)
        self._queue_bytes += len(command.data)
        if len(self._queue) == 1:
            self._changed.notify()

    def close(self, command: CloseSocket) -> None:
        """Close it, once what waits is sent; or give it up while it is opening."""
        if self._over or self._asked_to_close:
            return
        self._asked_to_close = True
        if self._open:
            drain = command.drain
            self._spawn(lambda: self._leave(drain))
        else:
            self.abandon()
            self._deliver(SocketClosed(link=self._ref, reason=CloseReason.CLIENT))

    def go_on(self) -> None:
        """There is room again for what is read."""
        self._changed.notify()

    def abandon(self) -> None:
        """Let go of it now, with a last word if there is one; nothing is delivered any more, unless it was before."""
        self._over = True
        data = self._parting
        if self._greeting and (self._stream is None or self._stream.send_at_end(b"")):
            self._greeting = False
        # The reading task says it, where there is a loop left that it can do so in.
        if not self._greeting and (data is None or self._stream is None or self._stream.send_at_end(data)):
            self._hang_up()
        for task in self._tasks:
            task.cancel()

    def _spawn(self, job: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            try:
                await job()
            except Exception as error:  # noqa: BLE001 - raised to whoever drains the link
                self._hang_up()
                self._inbox.crashed(error)

        self._tasks.append(self._net.spawn(run))

    # --- the reading task

    async def _run(self) -> None:
        try:
            end = await self._live()
        except TargetRefused as error:
            end = self._ended(CloseReason.FORBIDDEN, detail=str(error))
        except RequestFailed as error:
            end = self._ended(error.reason, detail=error.detail)
        except InvalidStatus as error:
            status = error.response.status_code
            end = self._ended(_by_status(status), status=status, detail=f"the server answered {status}")
        except TimeoutError:
            end = self._ended(CloseReason.TIMEOUT, detail=f"not open after {self._limits.connect_seconds} s")
        except ssl.SSLError as error:
            end = self._ended(CloseReason.TLS, detail=tls_failed(error).detail)
        except OSError:
            end = self._ended(CloseReason.NETWORK, detail="the connection broke while it was opening")
        finally:
            self._hang_up()
            self._greeting = False
            if self.at_end is not None:
                self.at_end()
        if not self._over:
            self._over = True
            self._deliver(end)
            for task in self._tasks[1:]:
                task.cancel()

    @property
    def _parting(self) -> bytes | None:
        """What is still to be said to the server, as it has to be written; None: nothing, or it can't be."""
        protocol = self._protocol
        if not self._command.farewell or not self._open or self._asked_to_close or self._cut:
            return None
        if protocol is None or protocol.close_rcvd is not None or protocol.parser_exc is not None:
            return None
        return b"".join(pack([self._command.farewell]))

    async def _part(self) -> None:
        data, stream = self._parting, self._stream
        if data is None or stream is None:
            return
        # The server may be gone, or not take it in time: then there is nobody to part from.
        with suppress(OSError):
            async with self._net.last_moment(_PARTING_SECONDS):
                # The writing task is cancelled too, and has to end before we know what it wrote.
                while self._writing:
                    await self._net.breathe()
                if stream.torn:
                    return
                await stream.send(data)
                # It hangs up once it has read that: a socket that is closed before may take back what it sent.
                while await stream.receive():
                    pass

    async def _part_unmet(self, stream: Stream, protocol: ClientProtocol) -> None:
        """Hear whether the server lets us in after all, and say the last word if it does."""
        with suppress(OSError):
            async with self._net.last_moment(_UNMET_SECONDS):
                while not _is_open(protocol) and protocol.handshake_exc is None and (data := await stream.receive()):
                    protocol.receive_data(data)
                if _is_open(protocol) and not stream.torn:
                    await stream.send(b"".join(pack([self._command.farewell])))
                    while await stream.receive():
                        pass

    async def _live(self) -> SocketClosed:
        async with self._net.limit(self._limits.connect_seconds):
            target = Target.of_websocket(self._command.url)
            self._stream, place = await dial(self._net, target, within=self._command.within, options=self._options)
            self._protocol = self._new_protocol(target)
            try:
                await self._shake_hands(self._stream, self._protocol)
            except BaseException as error:
                if self.parting and not isinstance(error, GeneratorExit):
                    await self._part_unmet(self._stream, self._protocol)
                raise
            self._greeting = False
        self._opened(self._protocol, place)
        try:
            reason = await self._read(self._stream, self._protocol)
        except BaseException as error:
            # Whoever lets go of it, or ends its loop, cancels this.
            if not isinstance(error, GeneratorExit):
                await self._part()
            raise
        return self._closed(self._protocol, reason)

    def _new_protocol(self, target: Target) -> ClientProtocol:
        path, _, query = target.path.partition("?")
        offered = self._command.subprotocol
        return ClientProtocol(
            WebSocketURI(target.secure, target.host, target.port, path, query),
            subprotocols=[Subprotocol(offered)] if offered else None,
            max_size=self._limits.socket_bytes,
            logger=UNHEARD,
        )

    async def _shake_hands(self, stream: Stream, protocol: ClientProtocol) -> None:
        request = protocol.connect()
        request.headers["User-Agent"] = "dcl-comms"
        protocol.send_request(request)
        self._greeting = bool(self._command.farewell)
        await stream.send(b"".join(protocol.data_to_send()))
        head = b""
        while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
            data = await stream.receive()
            if not data:
                protocol.receive_eof()
                break
            # Frames that come with the answer are the splitter's.
            end = (head[-3:] + data).find(_END_OF_HEAD)
            cut = len(data) if end < 0 else end + len(_END_OF_HEAD) - len(head[-3:])
            head = data
            protocol.receive_data(data[:cut])
            if cut < len(data):
                (self._splitter.feed if _is_open(protocol) else protocol.receive_data)(data[cut:])
        problem = protocol.handshake_exc
        if isinstance(problem, InvalidStatus):
            raise problem
        if problem is not None and isinstance(problem.__cause__, EOFError):
            raise RequestFailed(CloseReason.NETWORK, "the server hung up before it answered")
        # It may be closing already, if the server's first words were its last.
        if problem is not None or protocol.state is State.CONNECTING:
            raise RequestFailed(CloseReason.PROTOCOL, "the server's answer opens no WebSocket")

    def _opened(self, protocol: ClientProtocol, place: Place) -> None:
        self._open = True
        self._heard = self._net.now()
        self._deliver(SocketOpened(link=self._ref, place=place, subprotocol=protocol.subprotocol or ""))
        self._spawn(self._write)
        self._spawn(self._keep_alive)

    async def _read(self, stream: Stream, protocol: ClientProtocol) -> CloseReason:
        """Read until the end; return what it is if there was no close frame.

        What one read brought is handled in pieces, between which other tasks run.
        """

        def take(data: bytes) -> bool:
            self._heard = self._net.now()
            self._splitter.feed(data)
            return self._take_in(protocol)

        # What came with the answer to the handshake is here already.
        go_on = self._take_in(protocol)
        while protocol.close_rcvd is None and protocol.parser_exc is None:
            try:
                if go_on and await stream.listen(take):
                    return CloseReason.NETWORK
            except OSError:
                return CloseReason.NETWORK
            await (self._room() if self._is_held else self._net.breathe())
            if self._cut:
                return CloseReason.NETWORK
            go_on = self._take_in(protocol)
        try:
            # Our own close frame still goes out, if the server takes it.
            async with self._net.limit(self._limits.close_seconds):
                while self._control or self._writing:
                    await self._changed.wait()
        except TimeoutError:
            pass  # it does not
        return CloseReason.PROTOCOL if protocol.parser_exc is not None else CloseReason.NETWORK

    async def _room(self) -> None:
        """Wait until there is room for what we would read, or the connection is cut off."""
        while self._is_held and not self._cut:
            self._deaf = self._inbox.full(self._ref)
            await self._changed.wait()
        if self._deaf:
            self._heard = self._net.now()
            self._deaf = False

    def _take_in(self, protocol: ClientProtocol) -> bool:
        """Handle what has come in, as much as one turn may take.  False: read no further for now."""
        if self._inbox.behind():
            self._all_taken = False
            return False
        self._inbox.burst(partial(self._take_some, protocol))
        return self._all_taken and not self._is_held and protocol.close_rcvd is None and protocol.parser_exc is None

    @property
    def _is_held(self) -> bool:
        """Whether what we would read now has no room: pongs that the server does not take, messages nobody takes."""
        return len(self._control) > _CONTROL_BYTES or self._inbox.full(self._ref)

    def _take_some(self, protocol: ClientProtocol) -> None:
        splitter, left = self._splitter, self._limits.turn_inputs
        until = splitter.taken + self._turn_bytes
        self._all_taken = False
        while left > 0 and splitter.taken < until and not (protocol.close_rcvd or protocol.parser_exc):
            if not splitter.next(divert=self._fragmented, most=left, until=until):
                self._all_taken = True
                break
            if splitter.messages:
                left -= len(splitter.messages)
                self._inbox.deliver_frames(self._ref, splitter.messages)
            if splitter.other:
                left -= 1
                protocol.receive_data(splitter.other)
                for event in protocol.events_received():
                    if isinstance(event, Frame):
                        self._take(event)
        self._flush(protocol)

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY or frame.opcode is Opcode.TEXT:
            self._text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._fragmented = not frame.fin
        self._parts += frame.data
        if frame.fin:
            data = bytes(self._parts)
            self._parts.clear()
            self._deliver(FrameReceived(link=self._ref, data=data, text=self._text))

    def _closed(self, protocol: ClientProtocol, reason: CloseReason) -> SocketClosed:
        close = protocol.close_rcvd
        if self._asked_to_close:
            reason = CloseReason.CLIENT
        elif self._silent:
            reason = CloseReason.TIMEOUT
        elif close is not None and reason is CloseReason.NETWORK:
            reason = _BY_CODE.get(close.code, reason)
        detail = ""
        if reason is CloseReason.PROTOCOL:
            too_big = isinstance(protocol.parser_exc, PayloadTooBig)
            detail = f"a message over {self._limits.socket_bytes} bytes" if too_big else "not a WebSocket's frames"
        return self._ended(reason, code=1006 if close is None else close.code, detail=detail)

    def _ended(self, reason: CloseReason, *, code: int = 1006, status: int = 0, detail: str = "") -> SocketClosed:
        silent = 0.0 if self._deaf or not self._open else self._net.now() - self._heard
        return SocketClosed(link=self._ref, reason=reason, code=code, status=status, detail=detail, silent=silent)

    # --- the writing task

    async def _write(self) -> None:
        stream, protocol = self._stream, self._protocol
        assert stream is not None  # noqa: S101 - it is spawned when both are there
        assert protocol is not None  # noqa: S101
        while not self._over:
            data, tokens, size = self._next_batch(protocol)
            if not data:
                await self._changed.wait()
                continue
            self._writing = True
            try:
                await stream.send(data)
            except OSError:
                self._cut_off(stream)  # the reading task tells of it
                return
            finally:
                self._writing = False
            self._queue_bytes -= size
            if tokens:
                self._inbox.burst(partial(self._deliver, SendsAcknowledged(link=self._ref, tokens=tokens)))
            self._changed.notify()

    def _next_batch(self, protocol: ClientProtocol) -> tuple[bytes, tuple[int, ...], int]:
        """What to write, the tokens of the messages in it, and their size."""
        queue, room = self._queue, _BATCH_BYTES - len(self._control)
        batch: list[SendFrame] = []
        size = 0
        # At least one, however many pongs wait.
        while queue and (not batch or size < room) and protocol.state is State.OPEN:
            command = queue.popleft()
            size += len(command.data)
            batch.append(command)
        data = b"".join((self._control, *pack([command.data for command in batch])))
        self._control.clear()
        return data, tuple([command.token for command in batch]), size

    async def _keep_alive(self) -> None:
        """Ping a server that is silent, and hang up on one that stays so."""
        stream, protocol = self._stream, self._protocol
        assert stream is not None  # noqa: S101 - it is spawned when both are there
        assert protocol is not None  # noqa: S101
        # Apart from the writing task, which would need a time limit for each time that it has nothing to write.
        never = self._net.signal()
        period = pause = self._limits.ping_seconds
        # By pings that were not answered and not by the clock: where the loop stood still, the silence was ours.
        unanswered, heard = 0, self._heard
        while not self._silent:
            try:
                async with self._net.limit(pause):
                    await never.wait()
            except TimeoutError:
                pass  # it always does
            silence = 0.0 if self._deaf else self._net.now() - self._heard
            pause = period
            if self._deaf or self._heard != heard:
                unanswered, heard = 0, self._heard
            if silence < period:
                pause = period - silence
                continue
            unanswered += 1
            if unanswered >= _SILENT_PERIODS:
                self._silent = True
                self._cut_off(stream)
            elif protocol.state is State.OPEN:
                protocol.send_ping(b"")
                self._flush(protocol)

    def _flush(self, protocol: ClientProtocol) -> None:
        data = b"".join(protocol.data_to_send())
        if data:
            self._control += data
            self._changed.notify()

    # --- the closing task

    async def _leave(self, drain: float) -> None:
        stream, protocol = self._stream, self._protocol
        assert stream is not None  # noqa: S101 - it is spawned when both are there
        assert protocol is not None  # noqa: S101
        try:
            async with self._net.limit(drain):
                while self._queue or self._writing:
                    await self._changed.wait()
        except TimeoutError:
            self._queue.clear()
        if protocol.state is State.OPEN:
            protocol.send_close(1000)
            self._flush(protocol)
        try:
            async with self._net.limit(self._limits.close_seconds):
                while not self._over:
                    await self._changed.wait()
        except TimeoutError:
            self._cut_off(stream)  # the reading task tells of it

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._cut_off(self._stream)

    def _cut_off(self, stream: Stream) -> None:
        """Have the reading task end, also where it does not read."""
        self._cut = True
        stream.abort()
        self._changed.notify()


def turn_bytes(limits: Limits) -> int:
    """How much of what is read, or waits, one turn takes: so little that the inbox has room for it after its mark."""
    return min(limits.turn_bytes, max(limits.inbox_bytes // 4, 1))


def _is_open(protocol: ClientProtocol) -> bool:
    return protocol.state is State.OPEN


def _by_status(status: int) -> CloseReason:
    if 400 <= status < 500:  # noqa: PLR2004  # the client's fault
        return _BY_STATUS.get(status, CloseReason.BAD_REQUEST)
    return CloseReason.UNREACHABLE if status >= 500 else CloseReason.PROTOCOL  # noqa: PLR2004  # the server's
