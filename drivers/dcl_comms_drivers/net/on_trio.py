"""A net on trio."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Self

import trio

from dcl_comms_drivers.net.loops import Net
from dcl_comms_drivers.trio import TrioHost

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from dcl_comms_drivers.net.loops import Stream, Task
    from dcl_comms_drivers.waiting import Signal

__all__ = ["TrioNet"]

_CHUNK: Final = 262_144


class _Stream:
    def __init__(self, transport: trio.SocketStream, stream: trio.abc.Stream) -> None:
        self._transport = transport
        self._stream = stream

    async def send(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise _broken(error) from error

    async def receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(_CHUNK))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise _broken(error) from error

    async def listen(self, take: Callable[[bytes], bool]) -> bool:
        while data := await self.receive():
            if not take(data):
                return False
        return True

    def abort(self) -> None:
        self._transport.socket.close()


def _broken(error: Exception) -> OSError:
    cause = error.__cause__
    return cause if isinstance(cause, OSError) else ConnectionResetError("the connection is broken")


class _Limit:
    def __init__(self, seconds: float) -> None:
        self._scope = trio.CancelScope(deadline=trio.current_time() + seconds)

    async def __aenter__(self) -> Self:
        self._scope.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        swallowed = self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise TimeoutError
        return bool(swallowed)


class TrioNet(Net):
    """The running trio loop's network."""

    def __init__(self) -> None:
        self._host = TrioHost()

    def now(self) -> float:
        """Monotonic seconds of the loop."""
        return trio.current_time()

    def signal(self) -> Signal:
        """A new signal."""
        return self._host.signal()

    def spawn(self, job: Callable[[], Awaitable[None]]) -> Task:
        """Run something in the background: a system task, which ends with the loop."""
        scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(partial(_run, scope, job), name="dcl-comms net")
        return scope

    def limit(self, seconds: float) -> _Limit:
        """Cancel what is inside after so many seconds, and raise TimeoutError."""
        return _Limit(seconds)

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a name."""
        found = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    async def dial(self, address: str, port: int, *, tls: ssl.SSLContext | None, host: str) -> Stream:
        """Connect to an address."""
        transport = await trio.open_tcp_stream(address, port)
        if tls is None:
            return _Stream(transport, transport)
        stream = trio.SSLStream(transport, tls, server_hostname=host, https_compatible=True)
        try:
            await stream.do_handshake()
        except BaseException as error:
            transport.socket.close()
            if isinstance(error, trio.BrokenResourceError):
                raise _broken(error) from error
            raise
        return _Stream(transport, stream)


async def _run(scope: trio.CancelScope, job: Callable[[], Awaitable[None]]) -> None:
    with scope:
        await job()
