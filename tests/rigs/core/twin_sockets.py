"""A server's twin on real WebSockets, with TLS if need be: it decides, this moves its frames.

::

    sockets = TwinSockets(WsRoomServer(verifier=verifier()))

    async def handler(connection):  # of websockets.asyncio.server.serve
        room = connection.request.path.rpartition("/")[2]
        await sockets.serve(connection, lambda link, now: sockets.twin.accept(link, room, now=now))

What else the twin can do goes through ``do``, which carries out what comes of it: ``sockets.do(twin.kick, address)``.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed

from dcl_comms_core.commands import CloseSocket, SendFrame
from dcl_comms_core.inputs import ClockSet, FrameReceived, LinkRef, SocketClosed
from dcl_comms_core.servers.archipelago import ArchipelagoServer
from dcl_comms_core.servers.ws_room import WsRoomServer
from dcl_comms_core.states import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.server import ServerConnection

__all__ = ["TwinSockets"]

R = TypeVar("R")
Twin = TypeVar("Twin", ArchipelagoServer, WsRoomServer)

BACKLOG_BYTES: Final = 4_194_304
"""What may wait for a client that does not read, before it is hung up on."""


class TwinSockets(Generic[Twin]):
    """The clients of one twin.  Made in a running asyncio loop, and used in it only."""

    def __init__(self, twin: Twin, *, clock: Callable[[], float] = time.time) -> None:
        self._loop = asyncio.get_running_loop()
        self.twin = twin
        """The server."""
        self._clients: dict[LinkRef, ServerConnection] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0
        now = self._loop.time()
        twin.receive(ClockSet(unix_offset=clock() - now), now=now)

    async def serve(self, connection: ServerConnection, accept: Callable[[LinkRef, float], None]) -> None:
        """A client's whole life.  ``accept`` is called with its name and the time, to tell the twin of it."""
        self._count += 1
        link = LinkRef(self._count, 1)
        self._clients[link] = connection
        try:
            accept(link, self._loop.time())
            self._settle()
            while True:
                message = await connection.recv()
                data = message.encode() if isinstance(message, str) else message
                self._tell(FrameReceived(link=link, data=data, text=isinstance(message, str)))
        except ConnectionClosed:
            pass  # by them or by us
        finally:
            del self._clients[link]
            self._tell(SocketClosed(link=link, reason=CloseReason.NETWORK))

    def do(self, verb: Callable[..., R], *args: Any) -> R:
        """Call a verb of the twin's that takes ``now``, and carry out what comes of it."""
        result = verb(*args, now=self._loop.time())
        self._settle()
        return result

    def close(self) -> None:
        """Stop the timer; the server that these sockets came from closes them."""
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self, inp: FrameReceived | SocketClosed) -> None:
        self.twin.receive(inp, now=self._loop.time())
        self._settle()

    def _settle(self) -> None:
        for command in self.twin.commands():
            if isinstance(command, SendFrame):
                self._send(command)
            elif isinstance(command, CloseSocket) and (client := self._clients.get(command.link)) is not None:
                task = self._loop.create_task(client.close())
                self._closing.add(task)  # the loop itself keeps no hold of it
                task.add_done_callback(self._closing.discard)
        self._arm()

    def _send(self, command: SendFrame) -> None:
        client = self._clients.get(command.link)
        if client is None:
            return  # gone meanwhile
        if client.transport.get_write_buffer_size() > BACKLOG_BYTES:
            client.transport.abort()
        else:
            # Writes at once, without waiting for those who read slowly.
            broadcast((client,), command.data)

    def _arm(self) -> None:
        due = self.twin.deadline()
        if self._timer is not None:
            if self._timer.when() == due and not self._timer.cancelled():
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_at(due, self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        self.twin.handle_timeout(self._loop.time())
        self._settle()
