"""Name lookup, TCP and TLS on asyncio and on trio, behind the same few names."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    import ssl

    import trio

__all__ = ["Net", "Stream", "get_net"]

_CHUNK = 4_096
Address = tuple[str, int]


class Stream(Protocol):
    """A connection.  Its methods raise OSError, which ssl.SSLError is too."""

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Go on in TLS, with a certificate for ``host``."""
        ...

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        ...

    async def receive(self) -> bytes:
        """Some bytes; none at all: the other side closed."""
        ...

    def close(self) -> None:
        """Close at once."""
        ...


class Net(Protocol):
    """How to get a connection."""

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Addresses of a host, the best first.  OSError: it has none."""
        ...

    async def connect(self, address: Address) -> Stream:
        """A TCP connection.  OSError: there is none."""
        ...


def get_net(loop: str) -> Net:
    """The one for the loop of that name."""
    return _TrioNet() if loop == "trio" else _AsyncioNet()


class _AsyncioStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        await self._writer.start_tls(context, server_hostname=host)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> bytes:
        return await self._reader.read(_CHUNK)

    def close(self) -> None:
        self._writer.transport.abort()


class _AsyncioNet:
    async def resolve(self, host: str, port: int) -> list[Address]:
        import asyncio  # noqa: PLC0415 - each loop is imported only where it is used

        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(str(address[0]), port) for *_, address in found]

    async def connect(self, address: Address) -> Stream:
        import asyncio  # noqa: PLC0415

        return _AsyncioStream(*await asyncio.open_connection(*address))


class _TrioStream:
    def __init__(self, stream: trio.SocketStream) -> None:
        self._socket = stream
        self._stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = stream

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        import trio  # noqa: PLC0415

        stream = trio.SSLStream(self._socket, context, server_hostname=host, https_compatible=True)
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError as error:
            raise error.__cause__ if isinstance(error.__cause__, OSError) else ConnectionResetError() from None
        self._stream = stream

    async def send(self, data: bytes) -> None:
        import trio  # noqa: PLC0415

        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError as error:
            raise ConnectionResetError from error

    async def receive(self) -> bytes:
        import trio  # noqa: PLC0415

        try:
            return bytes(await self._stream.receive_some(_CHUNK))
        except trio.BrokenResourceError as error:
            raise ConnectionResetError from error

    def close(self) -> None:
        self._socket.socket.close()


class _TrioNet:
    async def resolve(self, host: str, port: int) -> list[Address]:
        import trio  # noqa: PLC0415

        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(str(address[0]), port) for *_, address in found]

    async def connect(self, address: Address) -> Stream:
        import trio  # noqa: PLC0415

        return _TrioStream(await trio.open_tcp_stream(*address))
