"""The service between the two ends of the ws-room benchmark: fast enough not to be what is measured.  Prints its port.

It speaks WebSockets and rfc5 by hand, believes everybody, and passes on what comes in one read in one write.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from typing import ClassVar

from websockets.speedups import apply_mask

from dcl_comms_core import (
    WsChallengeRequired,
    WsPacket,
    WsPeerJoin,
    WsPeerLeave,
    WsPeerUpdate,
    WsWelcome,
    decode_message,
    encode,
)

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def framed(data: bytes) -> bytes:
    size = len(data)
    return (bytes((0x82, size)) if size < 126 else b"\x82\x7e" + struct.pack(">H", size)) + data


class Client(asyncio.Protocol):
    rooms: ClassVar[dict[bytes, dict[int, Client]]] = {}
    count: ClassVar[int] = 0

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.buffer = bytearray()
        self.room: dict[int, Client] | None = None
        self.address = ""
        Client.count += 1
        self.alias = Client.count
        self.others: list[Client] = []

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.room is None and not self._upgrade():
            return
        out = []
        buffer, at, end = self.buffer, 0, len(self.buffer)
        while end - at >= 6:
            size, head = buffer[at + 1] & 0x7F, 6
            if size == 126:
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 8
            if end - at < head + size:
                break
            if buffer[at] == 0x82:
                mask = bytes(buffer[at + head - 4 : at + head])
                out.append(apply_mask(bytes(buffer[at + head : at + head + size]), mask))
            elif buffer[at] == 0x88:
                self.transport.write(b"\x88\x00")
            elif buffer[at] == 0x89:
                mask = bytes(buffer[at + head - 4 : at + head])
                self.transport.write(
                    bytes((0x8A, size)) + apply_mask(bytes(buffer[at + head : at + head + size]), mask)
                )
            at += head + size
        del buffer[:at]
        burst = [framed(frame) for data in out if (frame := self._take(data)) is not None]
        if burst:
            together = b"".join(burst)
            for other in self.room.values():
                if other is not self and other.address:
                    other.transport.write(together)

    def _upgrade(self) -> bool:
        head, mark, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not mark:
            return False
        self.buffer = bytearray(rest)
        fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n"))}
        proof = base64.b64encode(hashlib.sha1(fields[b"sec-websocket-key"] + GUID, usedforsecurity=False).digest())
        self.transport.write(
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: rfc5\r\n"
            b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
        )
        self.room = Client.rooms.setdefault(head.split(b" ")[1], {})
        return True

    def _take(self, data: bytes) -> bytes | None:
        packet = decode_message(WsPacket, data)
        update = packet.peer_update_message
        if update is not None:
            # The sender's number is the service's to write.
            update = WsPeerUpdate(from_alias=self.alias, body=update.body, unreliable=update.unreliable)
            return encode(WsPacket(peer_update_message=update))
        if packet.peer_identification is not None:
            self.address = packet.peer_identification.address
            self._say(challenge_message=WsChallengeRequired("dcl-bench", False))
        elif packet.signed_challenge_for_server is not None:
            assert self.room is not None
            others = {alias: other.address for alias, other in self.room.items()}
            self.room[self.alias] = self
            self._say(welcome_message=WsWelcome(self.alias, others))
            return encode(WsPacket(peer_join_message=WsPeerJoin(self.alias, self.address)))
        return None

    def _say(self, **fields) -> None:
        self.transport.write(framed(encode(WsPacket(**fields))))

    def connection_lost(self, _) -> None:
        if self.room is not None and self.room.pop(self.alias, None) is not None:
            gone = framed(encode(WsPacket(peer_leave_message=WsPeerLeave(self.alias))))
            for other in self.room.values():
                other.transport.write(gone)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
