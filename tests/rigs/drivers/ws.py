"""A ws-room service on loopback, in a thread of its own: the core's twin over real WebSockets."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Self, TypeVar

from dcl_comms_drivers.wallet import verifier
from rigs.core.twin_sockets import TwinSockets
from websockets.asyncio.server import ServerConnection, serve

from dcl_comms_core import WsRoomServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

T = TypeVar("T")


class WsRoomService:
    """``with WsRoomService() as service``: rooms at ``service.url(name)``."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, **options: Any) -> None:
        self._tls = tls
        self._options = {"verifier": verifier(), "stage_seconds": 10.0, **options}
        self.port = 0
        self.sockets: TwinSockets[WsRoomServer] | None = None

    def start(self) -> None:
        """Serve; at the same port as before."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        self._thread.start()
        assert ready.wait(40)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        sockets = self.sockets = TwinSockets(WsRoomServer(**self._options))

        async def handle(connection: ServerConnection) -> None:
            assert connection.request is not None
            room = connection.request.path.rpartition("/")[2]
            await sockets.serve(connection, lambda link, now: sockets.twin.accept(link, room, now=now))

        async with serve(
            handle,
            "127.0.0.1",
            self.port,
            compression=None,
            subprotocols=["rfc5"],
            ssl=self._tls,
        ) as server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await self._over.wait()
        sockets.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(40)
        assert not self._thread.is_alive()

    def stall(self) -> Callable[[], None]:
        """Let it read and answer nothing until what this returns is called."""
        begun, over = threading.Event(), threading.Event()

        def stand() -> None:
            begun.set()
            over.wait(60)

        self._loop.call_soon_threadsafe(stand)
        assert begun.wait(10)
        return over.set

    def restart(self) -> None:
        """Blocks until its clients have heard of it: not for the thread of one of them."""
        self.stop()
        self.start()

    def url(self, room: str = "plaza", host: str = "127.0.0.1") -> str:
        scheme = "ws" if self._tls is None else "wss"
        return f"{scheme}://{host}:{self.port}/rooms/{room}"

    def target(self, room: str = "plaza", **how: str) -> str:
        return f"ws-room:{self.url(room, **how)}"

    def kick(self, address: str) -> bool:
        """Throw somebody out."""
        sockets = self.sockets
        assert sockets is not None
        return self._called(lambda: sockets.do(sockets.twin.kick, address))

    def counters(self) -> Counter[str]:
        """What the twin counted."""
        sockets = self.sockets
        assert sockets is not None
        return self._called(lambda: Counter(sockets.twin.counters))

    def _called(self, function: Callable[[], T]) -> T:
        done: list[T] = []
        finished = threading.Event()

        def call() -> None:
            done.append(function())
            finished.set()

        self._loop.call_soon_threadsafe(call)
        assert finished.wait(40)
        return done[0]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
