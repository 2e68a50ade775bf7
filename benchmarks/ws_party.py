"""One end of the ws-room benchmark, in a process of its own: ``ws_party.py asyncio|trio|websockets URL``.

It obeys as livekit_party does.  ``websockets`` is the library alone: its messages are the same frames, made beforehand.
"""

from __future__ import annotations

import asyncio
import os
import sys

from livekit_party import Counter, obey, say

from dcl_comms_core import (
    Limits,
    PacketReceived,
    WsIdentification,
    WsPacket,
    WsPeerUpdate,
    WsSignedChallenge,
    decode_message,
    encode,
)
from dcl_comms_core.room import Delivery


async def ours(loop: str, url: str) -> None:
    from dcl_comms_drivers.wallet import DisposableWallet

    counter = Counter()
    if loop == "trio":
        import trio
        from dcl_comms_drivers.trio import connect

        sleep = trio.sleep
    else:
        from dcl_comms_drivers.asyncio import connect

        sleep = asyncio.sleep

    async def receive(room) -> None:
        async for batch in room.batches():
            for event in batch:
                if isinstance(event, PacketReceived):
                    counter.take(event.data)

    window = int(os.environ["BENCH_WINDOW"])
    settings = {"delivery": Delivery.PACKETS, "limits": Limits(in_flight=window), "wallet": DisposableWallet()}
    async with connect(f"ws-room:{url}", **settings) as room:

        async def send(packets, _window, reliable) -> None:
            for packet in packets:
                await room.send(packet, reliable=reliable)
            await room.flush()

        say(did="connect")
        if loop == "trio":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive, room)
                await obey(sleep, send, counter)
                nursery.cancel_scope.cancel()
        else:
            receiving = asyncio.ensure_future(receive(room))
            await obey(sleep, send, counter)
            receiving.cancel()


async def bare(url: str) -> None:
    from websockets.asyncio.client import connect

    counter = Counter()
    async with connect(url, compression=None, subprotocols=["rfc5"]) as socket:
        await socket.send(encode(WsPacket(peer_identification=WsIdentification("0x" + "00" * 20))))
        await socket.recv()
        await socket.send(encode(WsPacket(signed_challenge_for_server=WsSignedChallenge("[]"))))
        assert decode_message(WsPacket, await socket.recv()).welcome_message is not None

        async def receive() -> None:
            async for message in socket:
                counter.take(message)

        async def send(packets, _window, _reliable) -> None:
            for frame in packets:
                await socket.send(frame)

        say(did="connect")
        receiving = asyncio.ensure_future(receive())
        await obey(asyncio.sleep, send, counter, prepare=as_frame)
        receiving.cancel()


def as_frame(packet: bytes, reliable: bool) -> bytes:
    return encode(WsPacket(peer_update_message=WsPeerUpdate(body=packet, unreliable=not reliable)))


def main() -> None:
    kind, url = sys.argv[1:3]
    sys.stdin.readline()
    if kind == "websockets":
        asyncio.run(bare(url))
    elif kind == "trio":
        import trio

        trio.run(ours, "trio", url)
    else:
        asyncio.run(ours("asyncio", url))


if __name__ == "__main__":
    main()
