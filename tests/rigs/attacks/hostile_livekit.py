"""A LiveKit server that means harm: a real one, and somebody before it who says more on its behalf.

``hostile_livekit.py ATTACK``, the real one's URL on standard input; prints its port.  The media goes to the real one, and so does what we say.
What it says to us goes through here, and two seconds after we are let in what ``ATTACKS`` names follows, as fast as it is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = "\U0001f600"
CROWD = 500
UPDATE, SPEAKERS, ROOM = 5, 10, 11
"""Of the messages that a server sends, by their numbers in LiveKit's protocol."""
PAUSE = 2.0


def number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def field(at: int, value: str | bytes | int) -> bytes:
    if isinstance(value, int):
        return number(at << 3) + number(value)
    data = value.encode() if isinstance(value, str) else value
    return number(at << 3 | 2) + number(len(data)) + data


def frame(data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((0x82, size)) + data
    return (struct.pack(">BBH", 0x82, 126, size) if size < 65_536 else struct.pack(">BBQ", 0x82, 127, size)) + data


def person(who: int, *, here: bool = True, identity: str = "", name: str = "", tracks: bytes = b"") -> bytes:
    info = field(1, f"PA_{who}") + field(2, identity or f"{who:0200}") + field(3, 2 if here else 3)
    return field(1, info + tracks + field(9, name))


def people(*infos: bytes) -> bytes:
    return frame(field(UPDATE, b"".join(infos)))


def speakers() -> Iterator[bytes]:
    yield people(*(person(who) for who in range(CROWD)))

    def heard(silent: int) -> bytes:
        level = number(2 << 3 | 5) + struct.pack("<f", 0.5)
        each = (field(1, field(1, f"PA_{who}") + level + field(3, int(who % 3 != silent))) for who in range(CROWD))
        return frame(field(SPEAKERS, b"".join(each)))

    changes = [heard(silent) for silent in range(3)]
    yield from itertools.cycle(changes)


def long_names() -> Iterator[bytes]:
    """Come, with tracks, and go."""
    for turn in itertools.count():
        who = range(turn % 100 * 10, turn % 100 * 10 + 10)
        tracks = b"".join(
            field(4, field(1, f"TR_{turn}-{sid}") + field(3, WIDE * 2_000 + str(turn))) for sid in range(3)
        )
        yield people(*(person(one, name=WIDE * 2_000 + str(turn), tracks=tracks) for one in who))
        yield people(*(person(one, here=False) for one in who))


def long_ids() -> Iterator[bytes]:
    for turn in itertools.count():
        tracks = field(4, field(1, f"TR_{turn}" + WIDE * 5_000))
        for here in (True, False):
            yield people(person(turn % 50, here=here, tracks=tracks))
            yield people(person(turn % 50 + 100, here=here, identity=f"{turn % 50}{WIDE * 5_000}"))


def rooms_words() -> Iterator[bytes]:
    for turn in itertools.count():
        yield frame(field(ROOM, field(1, field(1, "RM_x") + field(2, "harm") + field(8, WIDE * 25_000 + str(turn)))))


ATTACKS = {"speakers": speakers, "long names": long_names, "long ids": long_ids, "room's metadata": rooms_words}


class Between:
    """Whoever stands before the real server at ``host`` and ``port``."""

    def __init__(self, attack: str, host: str, port: int) -> None:
        self.attack = attack
        self.real = host, port

    async def on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            head = await reader.readuntil(b"\r\n\r\n")
            there, to = await asyncio.open_connection(*self.real)
            to.write(head)
            up = asyncio.ensure_future(self.pass_on(reader, to))
            if b"upgrade: websocket" in head.lower():
                await self.say_more(there, writer)
            else:
                await self.pass_on(there, writer)
            up.cancel()
            to.close()
        writer.close()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()

    async def say_more(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        more = asyncio.ensure_future(self.harm(writer))
        while True:
            said = await reader.readexactly(2)
            size = said[1] & 127
            if size > 125:
                length = await reader.readexactly(2 if size == 126 else 8)
                said, size = said + length, int.from_bytes(length, "big")
            writer.write(said + await reader.readexactly(size))
            if more.done():
                break

    async def harm(self, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(PAUSE)
        with contextlib.suppress(OSError):
            for at, message in enumerate(ATTACKS[self.attack]()):
                writer.write(message)
                await writer.drain()
                # The first may need others to be known, which takes a while.
                await asyncio.sleep(0 if at else PAUSE)


async def main() -> None:
    where = urlsplit(sys.stdin.readline().strip())
    assert where.hostname is not None
    assert where.port is not None
    between = Between(sys.argv[1], where.hostname, where.port)
    server = await asyncio.start_server(between.on, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
