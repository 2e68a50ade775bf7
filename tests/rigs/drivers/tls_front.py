"""A TLS front on loopback with a certificate that no machine knows: what stands before a self-hosted LiveKit server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading

from rigs.drivers.net import certificate


class TlsFront:
    """Forwards what comes over TLS to a port in the clear.  ``heads``: what was first said on each connection."""

    def __init__(self, folder, port):
        key, cert = certificate(folder)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        self._to = port
        self.heads = []
        self.client = ssl.create_default_context(cafile=cert)
        """What a client needs that is to trust it."""
        self._writers = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(40)

    async def _run(self):
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        self._drop()

    async def _serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head.decode())
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers |= {writer, back}
            back.write(head)
            await asyncio.gather(pump(reader, back), pump(there, writer))
        writer.close()

    def drop(self):
        """Break all connections."""
        self._loop.call_soon_threadsafe(self._drop)

    def _drop(self):
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(40)
        assert not self._thread.is_alive()


async def pump(reader, writer):
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
