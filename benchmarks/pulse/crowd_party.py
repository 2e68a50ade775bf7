"""The two ends of crowd_rows.py: a Pulse with a crowd that moves, and a program that is in a realm beside it.

python crowd_party.py crowd SUBJECTS          prints its port, and serves until stdin ends
python crowd_party.py program PORT SECONDS    prints what it heard and what it cost, as JSON
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
import sys
import time

from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.realm.embedded import EmbeddedRealm
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core import PeerMoved
from dcl_comms_core.codec import decode_message, encode
from dcl_comms_core.enet import FORK_FLAG, Delivery, EnetConnected, EnetHost, EnetMessage, EnetOptions
from dcl_comms_core.proto import pulse

TICK = 0.05
WELCOME = encode(pulse.ServerMessage(handshake=pulse.HandshakeResponse(success=True)))


class Crowd:
    """Whoever says where it is is told of everybody, and then every 50 ms where each of them is."""

    def __init__(self, subjects: int) -> None:
        self.host = EnetHost(entropy=time.monotonic_ns(), options=EnetOptions(sent_time_flag=FORK_FLAG))
        self.subjects = subjects
        self.sequence = 0
        self.watcher = None

    def hear(self) -> None:
        for event in self.host.events():
            if isinstance(event, EnetConnected):
                self.watcher = None
            elif isinstance(event, EnetMessage):
                message = decode_message(pulse.ClientMessage, event.data)
                if message.handshake is not None:
                    event.peer.send(WELCOME, channel=0)
                elif message.teleport is not None and self.watcher is None:
                    self.watcher = event.peer
                    for number in range(self.subjects):
                        event.peer.send(self.joined(number), channel=0)

    def joined(self, number: int) -> bytes:
        state = pulse.PlayerState(48488, 1, 0, 1, state_flags=1)
        full = pulse.PlayerStateFull(number, self.sequence, 0, state)
        joined = pulse.PlayerJoined(f"0x{number:040x}", 0, full, "embedded")
        return encode(pulse.ServerMessage(player_joined=joined))

    def tick(self) -> None:
        if self.watcher is None or not self.watcher.open:
            return
        before, self.sequence = self.sequence, self.sequence + 1
        code = self.sequence % 256
        for number in range(self.subjects):
            delta = pulse.PlayerStateDeltaTier0(
                number, before, self.sequence, self.sequence * 50, position_x=code, position_z=255 - code, velocity_x=12,
                velocity_z=80, rotation_y=code % 128,
            )  # fmt: skip
            data = encode(pulse.ServerMessage(player_state_delta=delta))
            self.watcher.send(data, channel=1, delivery=Delivery.UNRELIABLE)


def serve(subjects: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
        udp.bind(("127.0.0.1", 0))
        print(udp.getsockname()[1], flush=True)
        crowd = Crowd(subjects)
        due = time.monotonic() + TICK
        while True:
            ready = select.select([udp, sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]
            if sys.stdin in ready:
                return
            now = time.monotonic()
            if udp in ready:
                datagram, address = udp.recvfrom(4_096)
                crowd.host.receive(datagram, address, now=now)
            crowd.host.handle_timeout(now)
            crowd.hear()
            if now >= due:
                due += TICK
                crowd.tick()
            for address, datagram in crowd.host.datagrams(now=now):
                udp.sendto(datagram, address)


async def listen(port: int, seconds: float) -> dict[str, float]:
    async with (
        EmbeddedRealm(livekit=False, islands="heartbeats") as realm,
        connect(realm.url, wallet=DisposableWallet(), pulse=f"127.0.0.1:{port}") as room,
    ):
        heard = 0

        async def read() -> None:
            nonlocal heard
            async for batch in room.batches():
                heard += sum(isinstance(event, PeerMoved) for event in batch)

        reading = asyncio.create_task(read())
        # Until everybody has joined.
        await asyncio.sleep(2.0)
        heard = 0
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        passed, spent, got = time.monotonic() - began, time.process_time() - cpu, heard
        reading.cancel()
        peers = len(room.peers)
    return {"seconds": passed, "cpu": spent, "moves": got, "peers": peers}


if __name__ == "__main__":
    if sys.argv[1] == "crowd":
        serve(int(sys.argv[2]))
    else:
        print(json.dumps(asyncio.run(listen(int(sys.argv[2]), float(sys.argv[3])))))
