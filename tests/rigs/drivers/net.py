"""Small servers on loopback, honest and hostile, and a NetLink on each kind of loop to talk to them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import threading
import time

import trio
from dcl_comms_drivers.loops.net_thread import ThreadRunner
from dcl_comms_drivers.loops.on_asyncio import AsyncioHost
from dcl_comms_drivers.loops.on_trio import TrioHost
from dcl_comms_drivers.net.dial import NetOptions
from dcl_comms_drivers.net.link import NetLink
from websockets.sync.server import serve

from dcl_comms_core import Fetch, Fetched, FetchFailed, Limits, LinkRef, OpenSocket, SocketOpened

LOOPS = ("asyncio", "trio", "polled")
REF = LinkRef(1, 1)


class Server:
    """Calls ``handler(connection)`` in a thread for each connection that comes in."""

    def __init__(self, handler, *, tls=None):
        self._handler = handler
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.over = threading.Event()
        self.connections = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.over.is_set():
                connection.close()
                return
            self.connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, raw):
        connection = raw
        with contextlib.suppress(OSError, EOFError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(raw, server_side=True)
                self.connections.append(connection)
            self._handler(connection)
        connection.close()

    def close(self):
        self.over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(40)
            assert not thread.is_alive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def url(self, path="/", scheme="http", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.port}{path}"


def read_head(connection):
    """The first line and the headers of a request (names in lower case)."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            raise EOFError
        data += piece
    first, *lines = data.decode("latin-1").split("\r\n")[:-2]
    return first, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def answer(status=200, body=b"", **headers):
    named = {"content-length": len(body), "connection": "close"} | {k.replace("_", "-"): v for k, v in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value is not None)
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body


class Site(Server):
    """Answers by path, with bytes or by a function of (connection, head, headers); remembers what was asked."""

    def __init__(self, pages, *, tls=None):
        self.pages = pages
        self.asked = []
        super().__init__(self._page, tls=tls)

    def _page(self, connection):
        first, headers = read_head(connection)
        method, path, _ = first.split(" ")
        body = b""
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65_536)
        self.asked.append((method, path, headers, body))
        page = self.pages.get(path, answer(404))
        if callable(page):
            page(connection)
        else:
            connection.sendall(page)


@contextlib.contextmanager
def websocket_server(handler, **settings):
    """A WebSocket server of the library ``websockets``, with its own thread for each connection."""
    with serve(handler, "127.0.0.1", 0, compression=None, **settings) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws"
        finally:
            server.shutdown()
            thread.join(40)
            assert not thread.is_alive()


class NetKit:
    """A NetLink on a loop, and what it delivered."""

    def __init__(self, loop, options):
        self.loop = loop
        self.seen = []
        self.wakes = 0
        runner = ThreadRunner() if loop == "polled" else (TrioHost if loop == "trio" else AsyncioHost)().runner()
        self.link = NetLink(self._wake, runner, options)
        self._refs = 0

    def _wake(self):
        self.wakes += 1

    async def sleep(self, seconds):
        await (trio.sleep if self.loop == "trio" else asyncio.sleep)(seconds)

    def receive(self, inp, *, now):
        self.seen.append(inp)

    def do(self, *commands):
        for command in commands:
            self.link.execute(command, now=time.monotonic())

    async def until(self, done, timeout=40.0):
        end = time.monotonic() + timeout
        while True:
            while self.link.drain(self, now=time.monotonic(), limit=16):
                pass
            if result := done():
                return result
            assert time.monotonic() < end, self.seen
            await self.sleep(0.002)

    async def expect(self, kind, timeout=40.0):
        """Wait for an input of this kind, and take it."""
        inp = await self.until(lambda: next((inp for inp in self.seen if isinstance(inp, kind)), None), timeout)
        self.seen.remove(inp)
        return inp

    async def fetch(self, url, **settings):
        self._refs += 1
        self.do(Fetch(link=LinkRef(9, self._refs), url=url, **settings))
        return await self.expect((Fetched, FetchFailed))

    async def open(self, url, **settings):
        self.do(OpenSocket(link=REF, url=url, **settings))
        return await self.expect(SocketOpened)


def run(loop, scenario, *, limits=None, abandons=True, **options):
    """Run a scenario, an async function of a NetKit, on a loop; what is still open then is let go of, or ends with the loop."""
    settings = NetOptions(limits=limits or Limits(), **options)

    async def main():
        kit = NetKit(loop, settings)
        try:
            return await scenario(kit)
        finally:
            if abandons:
                kit.link.abandon()
                await kit.sleep(0.01)

    return trio.run(main) if loop == "trio" else asyncio.run(main())


def certificate(folder):
    """A key and a certificate of its own for localhost; returns their paths."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return key, cert
