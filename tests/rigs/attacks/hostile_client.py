"""Clients that mean harm to a realm, in a process of their own: ``hostile_client.py ATTACK PORT``, until it is ended.

``REQUESTS`` are sent on new connections all the time; ``SOCKETS`` are sent on WebSockets: before anybody said who it is, or by members of a
room or of the island service (``in``), of whom there are some, and who read nothing of what they cause.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import sys
import time
from typing import TYPE_CHECKING

from rigs.core.chains import identity, key

from dcl_comms_core import (
    ChallengeRequestMessage,
    ClientPacket,
    Heartbeat,
    ServerPacket,
    SignedChallengeMessage,
    WsIdentification,
    WsPacket,
    WsPeerUpdate,
    WsSignedChallenge,
    signed_fetch_headers,
)
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.proto import common

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 20_000
AT_ONCE = 20
MEMBERS = 60
DEEP = b"[" * 32_000 + b"]" * 32_000


def request(path: str, body: bytes = b"", method: str = "POST", *lines: bytes) -> bytes:
    start = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
    return start + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes) -> bytes:
    return b"POST /lambdas/profiles HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + body


def signed(links: int) -> bytes:
    """A request whose signature is looked at, with a chain of so many links."""
    who = identity(root=key(900), expires=time.time() + 3_600)
    headers = signed_fetch_headers(who, "POST", "http://localhost/get-scene-adapter", unix_now=time.time(), metadata={})
    lines = [f"{name}: {value}".encode() for name, value in headers.items()]
    return request("/get-scene-adapter", b"", "POST", *lines, *[b"x-identity-auth-chain-9: {}"] * links)


REQUESTS: dict[str, Callable[[], bytes]] = {
    "pages": lambda: request("/about", method="GET"),
    "heads of 100 KB": lambda: request("/about", b"", "GET", b"X: " + b"y" * 102_000),
    "heads of empty headers": lambda: request("/about", b"", "GET", *[b"a:"] * 4_000),
    "heads of 64 KB of empty headers": lambda: request("/about", b"", "GET", *[b"a:"] * 16_000),
    "heads of folded lines": lambda: (
        b"GET /about HTTP/1.1\r\nHost: localhost\r\nX: y" + b"\r\n " * 20_000 + b"\r\n\r\n"
    ),
    "heads of line feeds": lambda: b"GET /about HTTP/1.1\nHost: localhost\n" + b"a:\n" * 20_000 + b"\n",
    "chunks of a byte": lambda: chunked(b"1\r\n[\r\n" * 60_000 + b"0\r\n\r\n"),
    "trailers": lambda: chunked(b"0\r\n" + b"a:\r\n" * 16_000 + b"\r\n"),
    "deep bodies": lambda: request("/lambdas/profiles", DEEP),
    "bodies of numbers": lambda: request("/lambdas/profiles", b'{"ids":[' + b"1," * 32_000 + b"1]}"),
    "bodies of names": lambda: request("/lambdas/profiles", json.dumps({"ids": ["x"] * 12_000}).encode()),
    "signed requests": lambda: signed(0),
    "long paths": lambda: request("/lambdas/profiles/" + "%" * 15_000, method="GET"),
    "bodies without an end": lambda: request("/lambdas/profiles", b"x")[:-1],
}


def frame(data: bytes, opcode: int = 0x82) -> bytes:
    """With a mask that changes nothing."""
    size = len(data)
    if size < 126:
        return bytes((opcode, 0x80 | size)) + bytes(4) + data
    return struct.pack(">BBH", opcode, 0x80 | 126, size) + bytes(4) + data


def update(size: int) -> bytes:
    return frame(encode(WsPacket(peer_update_message=WsPeerUpdate(from_alias=1, body=bytes(size)))))


def heartbeat(number: int) -> bytes:
    at = common.Position(x=float(number % 7) * 100.0, z=float(number % 5) * 30.0)
    return frame(encode(ClientPacket(heartbeat=Heartbeat(position=at))))


ROOM, SERVICE = "/rooms/harm", "/archipelago/ws"
SOCKETS: dict[str, tuple[str, bool, Callable[[], bytes]]] = {
    "pings before a word": (ROOM, False, lambda: frame(b"", 0x89) * MANY),
    "full pings before a word": (SERVICE, False, lambda: frame(bytes(125), 0x89) * 2_000),
    "endless parts before a word": (ROOM, False, lambda: frame(b"", 0x02) + frame(b"", 0x00) * MANY),
    "endless parts of the island service": (SERVICE, False, lambda: frame(b"", 0x02) + frame(b"x", 0x00) * MANY),
    "garbage before a word": (ROOM, False, lambda: frame(b"\xff" * 100)),
    "wrong chains": (SERVICE, False, lambda: b""),
    "empty messages, in": (ROOM, True, lambda: frame(b"") * MANY),
    "small updates, in": (ROOM, True, lambda: update(1) * MANY),
    "large updates, in": (ROOM, True, lambda: update(16_000) * 100),
    "pings, in": (ROOM, True, lambda: frame(b"", 0x89) * MANY),
    "heartbeats, in": (SERVICE, True, lambda: b"".join(heartbeat(number) for number in range(MANY))),
    "empty messages to the island service, in": (SERVICE, True, lambda: frame(b"") * MANY),
    "comers and goers": (ROOM, True, lambda: b""),
}
ATTACKS = (*REQUESTS, *SOCKETS)


class Hostile:
    def __init__(self, attack: str, port: int) -> None:
        self.attack = attack
        self.port = port
        self.number = 0

    async def run(self) -> None:
        if self.attack in REQUESTS:
            data = REQUESTS[self.attack]().replace(b"localhost", b"localhost:%d" % self.port, 1)
            print("ready", flush=True)
            await asyncio.gather(*(self.again(self.ask, data) for _ in range(AT_ONCE)))
        path, member, make = SOCKETS[self.attack]
        data = make()
        print("ready", flush=True)
        await asyncio.gather(*(self.again(self.visit, path, member, data) for _ in range(MEMBERS)))

    async def again(self, what: Callable[..., object], *arguments: object) -> None:
        while True:
            with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError):
                await what(*arguments)  # type: ignore[misc]  # both are coroutines
            await asyncio.sleep(0.001)

    async def ask(self, data: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            await reader.read()
        finally:
            writer.transport.abort()

    async def visit(self, path: str, member: bool, data: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Protocol: {'rfc5' if path == ROOM else 'archipelago'}\r\n\r\n".encode()
            )
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            if member or self.attack == "wrong chains":
                self.number += 1
                root = key(1_000 + self.number % 10_000)
                await (self.room if path == ROOM else self.service)(reader, writer, root)
            if not data:
                return
            while not writer.is_closing():
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()

    async def heard(self, reader: asyncio.StreamReader) -> bytes:
        opcode, size = await reader.readexactly(2)
        if opcode != 0x82:
            raise EOFError
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)

    def chain(self, root: object, challenge: str) -> str:
        who = identity(root=root, expires=time.time() + 3_600)  # type: ignore[arg-type]  # a key
        if self.attack == "wrong chains":
            challenge += "!"
        return who.sign(challenge).to_json()

    async def room(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, root: object) -> None:
        address = identity(root=root).address  # type: ignore[arg-type]  # a key
        writer.write(frame(encode(WsPacket(peer_identification=WsIdentification(address=address)))))
        challenge = decode_message(WsPacket, await self.heard(reader)).challenge_message.challenge_to_sign
        proof = WsSignedChallenge(auth_chain_json=self.chain(root, challenge))
        writer.write(frame(encode(WsPacket(signed_challenge_for_server=proof))))
        await self.heard(reader)

    async def service(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, root: object) -> None:
        address = identity(root=root).address  # type: ignore[arg-type]  # a key
        writer.write(frame(encode(ClientPacket(challenge_request=ChallengeRequestMessage(address=address)))))
        challenge = decode_message(ServerPacket, await self.heard(reader)).challenge_response.challenge_to_sign
        proof = SignedChallengeMessage(auth_chain_json=self.chain(root, challenge))
        writer.write(frame(encode(ClientPacket(signed_challenge=proof))))
        await self.heard(reader)


if __name__ == "__main__":
    asyncio.run(Hostile(sys.argv[1], int(sys.argv[2])).run())
