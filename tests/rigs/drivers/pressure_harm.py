"""A ws-room whose server means harm: the longest that one round of our loop works because of it, and what it costs in memory.

The server is a process of its own.  It shakes hands as it should, and then sends small frames of one kind as fast as they are taken: empty
messages, messages of a byte, text, pings, the parts of a message that never ends, peers that come and go.  The application reads all the time.

``pressure_harm.py asyncio|trio KIND SECONDS`` prints one JSON line; ``serve KIND`` is the server, which prints its port.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import selectors
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import trio
from dcl_comms_drivers import asyncio as on_asyncio
from dcl_comms_drivers import trio as on_trio
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import (
    LimitReached,
    WsChallengeRequired,
    WsPacket,
    WsPeerJoin,
    WsPeerLeave,
    WsWelcome,
)
from dcl_comms_core.codec import encode

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MANY = 65_536


def frame(data: bytes, opcode: int = 0x82) -> bytes:
    size = len(data)
    return bytes((opcode, size)) + data if size < 126 else struct.pack(">BBH", opcode, 126, size) + data


def flaps() -> bytes:
    pieces = []
    for alias in range(10, 1_500):
        pieces.append(frame(encode(WsPacket(peer_join_message=WsPeerJoin(alias=alias, address=f"0x{alias:040x}")))))
        pieces.append(frame(encode(WsPacket(peer_leave_message=WsPeerLeave(alias=alias)))))
    return b"".join(pieces)


BLOCKS = {
    "empty messages": lambda: frame(b"") * MANY,
    "messages of a byte": lambda: frame(b"\x0a") * MANY,
    "text": lambda: frame(b"", 0x81) * MANY,
    "pings": lambda: frame(b"", 0x89) * MANY,
    "endless parts": lambda: frame(b"", 0x00) * MANY,
    "flaps": flaps,
}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str) -> None:
    async def answered() -> None:
        _, size = await reader.readexactly(2)
        size &= 127
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        await reader.readexactly(4 + size)

    with contextlib.suppress(OSError, EOFError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = dict(line.lower().partition(": ")[::2] for line in head.split("\r\n"))
        key = next(
            line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key.encode() + MAGIC, usedforsecurity=False).digest()).decode()
        writer.write(
            f"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
            f"Sec-WebSocket-Protocol: {lines['sec-websocket-protocol']}\r\n\r\n".encode()
        )
        await answered()
        writer.write(frame(encode(WsPacket(challenge_message=WsChallengeRequired(challenge_to_sign="dcl-harm")))))
        await answered()
        writer.write(frame(encode(WsPacket(welcome_message=WsWelcome(alias=1)))))
        await asyncio.sleep(0.5)
        if kind == "endless parts":
            writer.write(frame(b"", 0x02))
        block = BLOCKS[kind]()
        while True:
            writer.write(block)
            await writer.drain()


async def be_server(kind: str) -> None:
    server = await asyncio.start_server(lambda reader, writer: serve(reader, writer, kind), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def rss() -> float:
    """MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 / 1024


class Rounds(selectors.DefaultSelector, trio.abc.Instrument):
    """How long the longest round of a loop worked, in seconds of its thread, since ``begin``."""

    longest = began = 0.0

    def begin(self) -> None:
        self.longest, self.began = 0.0, time.thread_time()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.before_io_wait(0.0)
        ready = super().select(timeout)
        self.after_io_wait(0.0)
        return ready

    def before_io_wait(self, _: float) -> None:
        self.longest = max(self.longest, time.thread_time() - self.began)

    def after_io_wait(self, _: float) -> None:
        self.began = time.thread_time()


async def read(connect: Any, sleep: Any, port: int, rounds: Rounds, seconds: float) -> dict[str, Any]:
    told: set[str] = set()
    peak = 0.0
    async with connect(f"ws-room:ws://127.0.0.1:{port}/rooms/harm", wallet=DisposableWallet()) as room:
        before, end, events = rss(), time.monotonic() + seconds, 0
        rounds.begin()
        while time.monotonic() < end:
            await sleep(0.005)
            batch = room.driver.inbox.unread.take()
            events += len(batch)
            told |= {event.limit for event in batch if isinstance(event, LimitReached)}
            peak = max(peak, rss())
        longest = rounds.longest
    return {"longest_ms": longest * 1e3, "grown_mib": peak - before, "events": events, "limits": sorted(told)}


def measure(loop: str, kind: str, seconds: float) -> dict[str, Any]:
    """In this process, for which it is new: memory does not shrink."""
    with subprocess.Popen([sys.executable, "-W", "ignore", __file__, "serve", kind], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            port, rounds = int(server.stdout.readline()), Rounds()
            if loop == "trio":
                return trio.run(read, on_trio.connect, trio.sleep, port, rounds, seconds, instruments=[rounds])
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(rounds)) as runner:
                return runner.run(read(on_asyncio.connect, asyncio.sleep, port, rounds, seconds))
        finally:
            server.kill()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(be_server(sys.argv[2]))
    else:
        print(json.dumps(measure(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
