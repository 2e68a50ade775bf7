"""Servers that mean harm, in a process of their own: a realm, an island service, ws-rooms, what answers a signed login.

They shake hands as they should, and then send what ``ATTACKS`` names as fast as it is taken.  ``hostile_server.py ATTACK`` prints its port:

* ``ws-room:ws://127.0.0.1:PORT/rooms/harm`` is a room whose service attacks;
* ``http://127.0.0.1:PORT`` is a realm that leads to that room, whose island service attacks, or whose own pages are the attack.

For ``OPENING``, whose rooms are those of a livekit-server, its URL, key and secret come on standard input.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import struct
import sys
import time
import zlib
from typing import TYPE_CHECKING

from dcl_comms_core import (
    Chat,
    Packet,
    ProfileResponse,
    Scene,
    WsChallengeRequired,
    WsPacket,
    WsPeerJoin,
    WsPeerLeave,
    WsPeerUpdate,
    WsWelcome,
)
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.proto import common, v3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MANY = 65_536
CROWD = 200
"""Members of a room at the beginning."""
WIDE = "\U0001f600"
"""Each takes four bytes of memory, and all of its text with it."""


def frame(data: bytes, opcode: int = 0x82) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((opcode, size)) + data
    return (struct.pack(">BBH", opcode, 126, size) if size < 65_536 else struct.pack(">BBQ", opcode, 127, size)) + data


def address(number: int) -> str:
    return f"0x{number:040x}"


def update(alias: int, packet: Packet) -> bytes:
    return frame(encode(WsPacket(peer_update_message=WsPeerUpdate(from_alias=alias, body=encode(packet)))))


def flaps() -> bytes:
    pieces = []
    for alias in range(1_000, 2_500):
        pieces.append(frame(encode(WsPacket(peer_join_message=WsPeerJoin(alias=alias, address=address(alias))))))
        pieces.append(frame(encode(WsPacket(peer_leave_message=WsPeerLeave(alias=alias)))))
    return b"".join(pieces)


def crowd(make: Callable[[int], Packet]) -> bytes:
    """One packet of each member, again and again."""
    return b"".join(update(number % CROWD + 2, make(number)) for number in range(2_000))


ROOMS: dict[str, Callable[[], bytes]] = {
    "empty messages": lambda: frame(b"") * MANY,
    "messages of a byte": lambda: frame(b"\x0a") * MANY,
    "text": lambda: frame(b"", 0x81) * MANY,
    "pings": lambda: frame(b"", 0x89) * MANY,
    "full pings": lambda: frame(bytes(125), 0x89) * 2_000,
    "endless parts": lambda: frame(b"", 0x00) * MANY,
    "flaps": flaps,
    "long names": lambda: b"".join(
        frame(encode(WsPacket(peer_join_message=WsPeerJoin(alias=alias, address=WIDE * 5_000 + str(alias)))))
        for alias in range(300, 600)
    ),
    "small packets": lambda: crowd(lambda _: Packet(scene=Scene(scene_id="s", data=bytes(8)))),
    "huge packets": lambda: crowd(lambda _: Packet(scene=Scene(scene_id="s", data=bytes(24_000)))),
    "garbage": lambda: frame(b"\xff" * 24_000) * 200,
    "chats": lambda: crowd(lambda number: Packet(chat=Chat(message=f"{number}{WIDE}" * 40, timestamp=float(number)))),
    "profiles": lambda: crowd(
        lambda number: Packet(
            profile_response=ProfileResponse(serialized_profile='{"version":%d,"name":"%s"}' % (number, WIDE * 4_000))  # noqa: UP031 - braces
        )
    ),
    "strangers": lambda: b"".join(
        update(10_000 + number, Packet(scene=Scene(scene_id=WIDE * 20, data=bytes(100)))) for number in range(5_000)
    ),
    "new strangers' chats": lambda: b"".join(
        update(10_000 + number, Packet(chat=Chat(message=WIDE * 1_000 + str(number), timestamp=1.0)))
        for number in range(1_000)
    ),
}
"""What the service of a ws-room sends for ever, once it has let us in."""

ISLANDS: dict[str, dict[str, common.Position]] = {
    "islands": {},
    "crowded islands": {address(number): common.Position(x=1.0) for number in range(200)},
    "huge islands": {f"{number:03x}": common.Position() for number in range(2_400)},
}
"""Who is on the islands that an island service sends us to, each the next moment."""
HANGING_UP, SILENT, OPENING = "livekit islands", "livekit islands that are silent", "livekit islands that open"
ROUNDABOUTS = (HANGING_UP, SILENT, OPENING)
"""As ``islands``, and each has a room of LiveKit's, with a token of 15 KB, whose server hangs up, never answers, or lets us in."""


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 X", *lines, b"", b""))


def page(body: bytes, *lines: bytes) -> bytes:
    return head(b"Content-Length: %d" % len(body), *lines) + body


def bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join((*(packer.compress(bytes(1 << 20)) for _ in range(200)), packer.flush()))


ANSWERS: dict[str, Callable[[], bytes]] = {
    "a head of 100 KB in one header": lambda: head(b"X: " + b"y" * 102_000, b"Content-Length: 2") + b"{}",
    "a head of 100 KB in many headers": lambda: head(*(b"X%d: y" % number for number in range(9_000))) + b"{}",
    "a head of 100 KB of empty headers": lambda: head(*[b"a:"] * 25_500) + b"{}",
    "a head of 100 KB in folded lines": lambda: head(b"X: y", *[b" "] * 33_000) + b"{}",
    "a head without an end": lambda: b"HTTP/1.1 200 X\r\n" + b"X: y\r\n" * 100_000,
    "a head of bare returns": lambda: b"HTTP/1.1 200 X\r\nX: " + b"\r" * 1_000_000,
    "a head of bare line feeds": lambda: b"HTTP/1.1 200 X\n" + b"x:\n" * 30_000 + b"\n{}",
    "continues for ever": lambda: b"HTTP/1.1 103 X\r\n\r\n" * 60_000,
    "chunks of a byte": lambda: head(b"Transfer-Encoding: chunked") + b"1\r\n0\r\n" * 300_000,
    "a chunk's size of 100 KB": lambda: head(b"Transfer-Encoding: chunked") + b"1;" + b"x" * 102_000 + b"\r\n0\r\n",
    "trailers of 100 KB": lambda: head(b"Transfer-Encoding: chunked") + b"0\r\n" + b"x: y\r\n" * 17_000 + b"\r\n",
    "a bomb": lambda: page(bomb(), b"Content-Encoding: gzip"),
    "a body of a megabyte": lambda: page(b'{"a":"' + b"x" * (1_048_576 - 8) + b'"}'),
    "a body that is deep": lambda: page(b"[" * 524_000 + b"]" * 524_000),
    "a body of many keys": lambda: page(
        json.dumps({"comms": {f"{number}": {} for number in range(90_000)}, "healthy": True}).encode()[:1_048_000]
    ),
    "a body of numbers": lambda: page(b"[" + b"1," * 524_000 + b"1]"),
    "a number of many digits": lambda: page(b'{"healthy":' + b"9" * 1_000_000 + b"}"),
    "a body without an end": lambda: head() + b" " * 3_000_000,
}
"""What a page of a realm's, or the answer to a signed login, is."""
LOGINS: dict[str, Callable[[int], bytes]] = {
    "a login that leads to the next": lambda port: page(
        json.dumps({"fixedAdapter": f"signed-login:http://127.0.0.1:{port}/login/{time.monotonic_ns()}"}).encode()
    ),
    "a login that leads to a string of 16 KB": lambda _: page(
        json.dumps({"fixedAdapter": "livekit:wss://x.example?access_token=" + "é." * 8_000}).encode()
    ),
    "a login that leads nowhere": lambda _: page(json.dumps({"message": WIDE * 16_000}).encode()),
}
PAGES = tuple(f"the realm's page: {name}" for name in ANSWERS)
LOGIN = tuple(f"a signed login: {name}" for name in (*ANSWERS, *LOGINS))
ATTACKS = (*ROOMS, *ISLANDS, *ROUNDABOUTS, *PAGES, *LOGIN)


def token(room: str, who: str, key: str = "x", secret: str = "") -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"sub": who, "iss": key, "exp": int(time.time()) + 600, "video": {"room": room, "roomJoin": True}}
    document = json.dumps({**claims, "x": "y" * 11_000}).encode()
    signed = f"{part(json.dumps({'alg': 'HS256'}).encode())}.{part(document)}"
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


class Hostile:
    """All servers, on one port."""

    def __init__(self, attack: str, livekit: str = "", key: str = "x", secret: str = "") -> None:
        self.attack = attack
        self.livekit, self.key, self.secret = livekit, key, secret
        self.port = 0
        self.block = ROOMS[attack]() if attack in ROOMS else b""
        where, _, name = attack.partition(": ")
        self.answer = ANSWERS[name]() if name in ANSWERS else b""
        self.login = name if where == "a signed login" else ""
        self.pages = where == "the realm's page"

    async def on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # KeyError: who wants to upgrade to something else, as LiveKit's engine, is not answered.
        with contextlib.suppress(OSError, EOFError, KeyError, asyncio.LimitOverrunError):
            asked = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = asked.split(" ")[1]
            if path == "/about":
                writer.write(self.answer if self.pages else page(json.dumps(self.about()).encode()))
            elif path.startswith("/silent"):
                await reader.read()
            elif path.startswith("/login"):
                writer.write(self.answer or LOGINS[self.login](self.port))
            else:
                await self.upgrade(reader, writer, asked)
                await (self.room if path.startswith("/rooms") else self.islands)(reader, writer)
            await writer.drain()
            writer.write_eof()
            await reader.read()
        writer.transport.abort()

    def about(self) -> dict[str, object]:
        here = f"ws://127.0.0.1:{self.port}"
        comms: dict[str, object] = {"healthy": True, "protocol": "v3"}
        if self.login:
            comms |= {"adapter": f"fixed-adapter:signed-login:http://127.0.0.1:{self.port}/login"}
        elif self.attack in ROOMS:
            comms |= {"adapter": f"fixed-adapter:ws-room:{here}/rooms/harm"}
        else:
            comms |= {"adapter": f"archipelago:archipelago:{here}/ws"}
        return {"healthy": True, "acceptingUsers": True, "comms": comms, "configurations": {"realmName": "harm"}}

    async def upgrade(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: str) -> None:
        lines = dict(line.partition(": ")[::2] for line in asked.split("\r\n"))
        said = {name.lower(): value for name, value in lines.items()}
        key = said["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest()).decode()
        writer.write(
            f"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
            f"Sec-WebSocket-Protocol: {said['sec-websocket-protocol']}\r\n\r\n".encode()
        )

    async def heard(self, reader: asyncio.StreamReader) -> bytes:
        _, size = await reader.readexactly(2)
        size &= 127
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        return bytes(byte ^ mask[at & 3] for at, byte in enumerate(await reader.readexactly(size)))

    async def room(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.heard(reader)
        writer.write(frame(encode(WsPacket(challenge_message=WsChallengeRequired(challenge_to_sign="dcl-harm")))))
        await self.heard(reader)
        members = {alias: address(alias) for alias in range(2, CROWD + 2)} if self.attack in ROOMS else {}
        writer.write(frame(encode(WsPacket(welcome_message=WsWelcome(alias=1, peer_identities=members)))))
        await asyncio.sleep(0.5)
        if self.attack == "endless parts":
            writer.write(frame(b"", 0x02))
        while self.block:
            writer.write(self.block)
            await writer.drain()
        await reader.read()

    async def islands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = decode_message(v3.ClientPacket, await self.heard(reader)).challenge_request.address
        challenge = v3.ChallengeResponseMessage(challenge_to_sign="dcl-harm")
        writer.write(frame(encode(v3.ServerPacket(challenge_response=challenge))))
        await self.heard(reader)
        writer.write(frame(encode(v3.ServerPacket(welcome=v3.WelcomeMessage(peer_id=who)))))
        await asyncio.sleep(0.5)
        for news in self.news(who):
            writer.write(news)
            await writer.drain()

    def news(self, who: str) -> Iterator[bytes]:
        peers = ISLANDS.get(self.attack, {})
        here = f"ws://127.0.0.1:{self.port}"
        ticket = token("harm", who)
        for number in itertools.count():
            room = f"ws-room:{here}/rooms/{number}"
            if self.attack == HANGING_UP:
                room = f"livekit:{here}/{number}?access_token={ticket}"
            elif self.attack == SILENT:
                room = f"livekit:{here}/silent/{number}?access_token={ticket}"
            elif self.attack == OPENING:
                room = f"livekit:{self.livekit}?access_token={token(f'harm-{number}', who, self.key, self.secret)}"
            island = v3.IslandChangedMessage(island_id=f"I{number}", conn_str=room, peers=peers)
            yield frame(encode(v3.ServerPacket(island_changed=island)))

    async def serve(self) -> None:
        server = await asyncio.start_server(self.on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        print(self.port, flush=True)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(Hostile(sys.argv[1], *sys.stdin.read().split()).serve())
