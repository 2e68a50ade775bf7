"""A port on loopback behind which is a server that we connect to: with our TLS, and at an address that was judged.

Who connects to it speaks in the clear, on this machine.  It is for LiveKit's engine alone: a browser's page is refused,
as is who calls it by another name.  It runs in the thread of ``net_thread``, where it goes on while a program's own
loop is busy, or is over and its room is still being left.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import CommsError
from dcl_comms_drivers.net.dial import dial

if TYPE_CHECKING:
    from dcl_comms_core.adapters.url_guard import Place, Target
    from dcl_comms_drivers.loops.network import Net, Stream
    from dcl_comms_drivers.net.dial import NetOptions

__all__ = ["Forwarder", "for_server"]

_HEAD_BYTES: Final = 65_536
_PIECE: Final = 65_536
_LINGER_SECONDS: Final = 1.0
"""How long nobody may be connected before it is closed: a connect that was given up may be on its way here."""
_LOOK_SECONDS: Final = 0.1
_REFUSED: Final = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_NOT_REACHED: Final = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_END: Final = b"\r\n\r\n"


class Forwarder:
    """Listens from ``open`` to ``close``."""

    def __init__(self, net: Net, target: Target, within: Place | None, options: NetOptions) -> None:
        self.url = ""
        """Where to connect to, once it is open."""
        self._net = net
        self._target = target
        self._within = within
        self._options = options
        self._server: asyncio.Server | None = None
        self._host = ""
        self._connections = 0
        self._reached: Stream | None = None
        """A connection to the server, for the next that comes to us."""

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD_BYTES)
        self._host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.url = f"ws://{self._host}{self._target.path}"

    async def reach(self) -> None:
        """Connect to the server, for who is sent here now.  Raises TargetRefused or RequestFailed: why not."""
        self._forget_reached()
        self._reached, _ = await dial(self._net, self._target, within=self._within, options=self._options)

    def _forget_reached(self) -> None:
        if self._reached is not None:
            self._reached.abort()
            self._reached = None

    async def close(self) -> None:
        """Listen no more, once nobody has been connected for a while."""
        idle = 0.0
        while idle < _LINGER_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            idle = 0.0 if self._connections else idle + _LOOK_SECONDS
        if self._server is not None:
            self._server.close()
        self._forget_reached()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        stream: Stream | None = None
        # Whoever breaks off, and wherever: the other end is told by our hanging up.
        try:
            with suppress(OSError, EOFError, asyncio.LimitOverrunError):
                head = for_server(await reader.readuntil(_END), self._host, self._target.authority)
                if head is None:
                    writer.write(_REFUSED)
                    await writer.drain()
                    return
                try:
                    stream, self._reached = self._reached, None
                    if stream is None:
                        stream, _ = await dial(self._net, self._target, within=self._within, options=self._options)
                except CommsError:
                    # Why was said by ``reach``, or is known: it was reached before, and the engine tries again.
                    writer.write(_NOT_REACHED)
                    await writer.drain()
                    return
                await stream.send(head)
                await _both_ways(reader, writer, stream)
        finally:
            self._connections -= 1
            if stream is not None:
                stream.abort()
            writer.close()


async def _both_ways(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream) -> None:
    async def out() -> None:
        while data := await reader.read(_PIECE):
            await stream.send(data)

    async def back() -> None:
        while data := await stream.receive():
            writer.write(data)
            await writer.drain()

    ways = {asyncio.create_task(out()), asyncio.create_task(back())}
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in done:
            way.result()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


def for_server(head: bytes, ours: str, theirs: str) -> bytes | None:
    """The head of a request as its server should get it; None: it is not the engine's.

    ``ours`` and ``theirs``: host and port as the engine and as the server know it.
    """
    request, *lines = head.removesuffix(_END).split(b"\r\n")
    named = [(line.partition(b":")[0].strip().lower(), line) for line in lines]
    hosts = [line.partition(b":")[2].strip() for name, line in named if name == b"host"]
    names = {name for name, _ in named}
    if hosts != [ours.encode()] or b"origin" in names:
        return None
    kept = [line for name, line in named if name != b"host"]
    if b"upgrade" not in names:
        # One request a connection, so that each has its head looked at.
        kept = [line for name, line in named if name not in {b"host", b"connection"}] + [b"Connection: close"]
    return b"\r\n".join((request, b"Host: " + theirs.encode(), *kept)) + _END
