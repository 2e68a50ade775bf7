"""How little of what is on its way waits inside the engine: docs/engine.md, as far as it does not hang on speed."""

from __future__ import annotations

import pytest
from rigs.drivers.kit import Kit
from rigs.drivers.livekit import Player

from dcl_comms_core import Limits, Packet, PeerJoined, SceneMessageReceived, SendAcknowledged, Voice, VoiceReceived

pytestmark = pytest.mark.livekit
ALICE = "0x" + "a1" * 20
BOB = "0x" + "b0" * 20
PIECE = 14_336
COUNT = 100


async def place_of_a_lossy_packet(kit, room, limits):
    """How many of 100 large reliable packets come before a small lossy one that was sent right after them."""
    async with (
        kit.connect(room.connection_string(ALICE), limits=limits) as alice,
        kit.connect(room.connection_string(BOB)) as bob,
    ):
        await alice.expect(PeerJoined)
        while not bob.all(VoiceReceived):
            # Bob's lossy channel may not be open yet.
            alice.send_nowait(Packet(voice=Voice(index=0)))
            await bob.read_for(0.1)
        for number in range(COUNT):
            alice.scene_message(str(number), bytes(PIECE))
        for _ in range(5):
            alice.send_nowait(Packet(voice=Voice(index=1)))
        await bob.expect(SceneMessageReceived, scene_id=str(COUNT - 1), timeout=40.0)
        came = [event for event in bob.seen if getattr(event, "index", 1) and hasattr(event, "private")]
        scenes = [event.scene_id for event in came if isinstance(event, SceneMessageReceived)]
        assert scenes == [str(number) for number in range(COUNT)]
        return next(index for index, event in enumerate(came) if isinstance(event, VoiceReceived))


def test_a_lossy_packet_passes_reliable_ones(livekit_room):
    async def scenario(kit):
        place = await place_of_a_lossy_packet(kit, livekit_room(), Limits())
        # Before it are 64 KiB that were given to the engine, and 64 KiB in its buffer: nine packets.
        assert place < 25
        # The control: 64 packets in the engine's hands, which takes them in order.
        assert await place_of_a_lossy_packet(kit, livekit_room(), Limits(in_flight_bytes=1 << 30)) > 25

    Kit("asyncio").run(scenario)


@pytest.fixture
def sender():
    player = Player()
    yield player
    player.link.abandon()


receiver = sender


def test_what_is_acknowledged_has_nearly_left(livekit_room, sender, receiver):
    room = livekit_room()
    receiver.join(room.connection_string(BOB))
    sender.join(room.connection_string(ALICE))
    sender.sees(BOB)
    for number in range(300):
        sender.send(number.to_bytes(2, "big") + bytes(PIECE - 2))
    sender.until(lambda: len(sender.of(SendAcknowledged)) == 300 or None, timeout=40.0)
    assert not any(answer.error for answer in sender.of(SendAcknowledged))
    sender.close(drain=0.0)
    # With the engine's own 2 MiB in front of a packet, 90 to 150 of them are lost; so, 58 at most on a busy machine.
    receiver.until(lambda: len(receiver.packets) >= 230 or None, timeout=40.0)
    numbers = [int.from_bytes(packet.data[:2], "big") for packet in receiver.packets]
    assert numbers == list(range(len(numbers)))
    receiver.close()
