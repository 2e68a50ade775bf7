"""One end of the ws-room benchmark, in a process of its own: ``ws_party.py [websockets-]asyncio|trio URL``.

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
from dcl_comms_core.room.session import Delivery

LARGEST = 16_384


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
    settings = {
        "delivery": Delivery.PACKETS,
        "limits": Limits(in_flight=window, in_flight_bytes=window * LARGEST),
        "wallet": DisposableWallet(),
    }
    async with connect(f"ws-room:{url}", **settings) as room:

        async def send(packets, _window, reliable) -> None:
            for packet in packets:
                await room.send(packet, reliable=reliable)
            await room.flush()

        await run(loop, sleep, receive, room, send, counter)


async def bare(loop: str, url: str) -> None:
    """The library alone: it neither makes its frames nor reads them."""
    counter = Counter()
    if loop == "trio":
        import trio
        from websockets.trio.client import connect

        sleep = trio.sleep
        buffers = {}
    else:
        from websockets.asyncio.client import connect

        sleep = asyncio.sleep
        # As much may be under way as with ours.
        buffers = {"write_limit": int(os.environ["BENCH_WINDOW"]) * LARGEST}

    async with connect(url, compression=None, subprotocols=["rfc5"], **buffers) as socket:
        await socket.send(encode(WsPacket(peer_identification=WsIdentification("0x" + "00" * 20))))
        await socket.recv()
        await socket.send(encode(WsPacket(signed_challenge_for_server=WsSignedChallenge("[]"))))
        assert decode_message(WsPacket, await socket.recv()).welcome_message is not None

        async def receive(_) -> None:
            async for message in socket:
                counter.take(message)

        async def send(packets, _window, _reliable) -> None:
            for frame in packets:
                await socket.send(frame)

        await run(loop, sleep, receive, None, send, counter, prepare=as_frame)


async def run(loop, sleep, receive, room, send, counter, **how) -> None:
    """Receive, and meanwhile do as told."""
    say(did="connect")
    if loop == "trio":
        import trio

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive, room)
            await obey(sleep, send, counter, **how)
            nursery.cancel_scope.cancel()
    else:
        receiving = asyncio.ensure_future(receive(room))
        await obey(sleep, send, counter, **how)
        receiving.cancel()


def as_frame(packet: bytes, reliable: bool) -> bytes:
    return encode(WsPacket(peer_update_message=WsPeerUpdate(body=packet, unreliable=not reliable)))


def main() -> None:
    kind, url = sys.argv[1:3]
    sys.stdin.readline()
    library, _, loop = kind.rpartition("-")
    party = bare if library else ours
    if loop == "trio":
        import trio

        trio.run(party, loop, url)
    else:
        asyncio.run(party(loop, url))


if __name__ == "__main__":
    main()
