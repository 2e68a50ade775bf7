"""Either callback carries a room, in a process of its own; `make nightly` runs all of tests/drivers with ctypes'."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dcl_comms_drivers.livekit.engine.callback import load_native

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import RoomOnServer

TESTS = str(Path(__file__).parents[2])

SCRIPT = """
import asyncio, os, sys, time
sys.path.insert(0, sys.argv[1])
from dcl_comms_drivers.livekit.engine.engine import Engine
from dcl_comms_core.inputs import ForeignReceived, ParticipantLeft, PacketsDropped
from rigs.drivers.livekit import LiveKitLink, Player, nothing_left, sdk_room, turning
ours, other, official = sys.argv[2:5]

class Small(Player):
    def __init__(self):
        super().__init__()
        self.link = LiveKitLink(self._wake, inbox_bytes=20_000)

one, two = Player(), Small()
assert Engine.get().callback == os.environ["DCL_COMMS_CALLBACK"]
one.join(ours)
two.join(other)
one.sees("other")
two.sees("ours")
for number in range(200):
    one.send(b"%d" % number, to=("other",) if number % 2 else None, topic="t" * (number % 3))
    if number % 10 == 9:  # no more at once than there is room for
        two.until(lambda: len(two.packets) == number + 1 or None)
assert [int(packet.data) for packet in two.packets] == [*range(200)]
assert {(p.sender, p.reliable, p.topic) for p in two.packets} == {("ours", True, t) for t in ("", "t", "tt")}
assert "exceeds" in one.send_and_wait(bytes(64_000))
# A loop that does not turn: what has no room is counted, and given back to the engine.
for number in range(60):
    assert one.send_and_wait(bytes(1_000)) == ""
time.sleep(0.5)
before = len(two.packets)
lost = two.wait(PacketsDropped)
two.rest(0.3)
lost = sum(event.count for event in two.of(PacketsDropped))
kept = len(two.packets) - before
assert kept + lost == 60 and 5 < kept < 25, (kept, lost)

async def beside():
    room = await sdk_room(official)
    got = []
    room.on("data_received", lambda packet: got.append(packet.data))
    async with turning(one, two):
        for _ in range(100):
            one.send(b"to the sdk")
            await asyncio.sleep(0.03)
            if got:
                break
        await room.local_participant.publish_data(b"from the sdk", reliable=True)
        for _ in range(500):
            if any(packet.data == b"from the sdk" for packet in two.packets):
                break
            await asyncio.sleep(0.01)
        # Streams are let go as they come, whatever the limit, and counted as their sender's.
        lost = len(two.of(PacketsDropped))
        await room.local_participant.send_text("x" * 1_000, topic="words")
        writer = await room.local_participant.stream_bytes("file")
        await writer.write(bytes(200_000))
        await writer.aclose()
        def foreign():
            return [news for news in two.of(ForeignReceived) if (news.what, news.sender) == ("stream", "official")]
        for _ in range(500):
            if sum(news.size for news in foreign()) > 200_000 and sum(news.count for news in foreign()) > 12:
                break
            await asyncio.sleep(0.01)
        size, count = sum(news.size for news in foreign()), sum(news.count for news in foreign())
        assert 200_000 < size < 205_000 and 12 < count < 30, (size, count)
        assert len(two.of(PacketsDropped)) == lost
        await room.disconnect()
    assert got and any(packet.data == b"from the sdk" for packet in two.packets)
asyncio.run(beside())
two.close()
one.wait(ParticipantLeft)
one.close(drain=2.0)
assert nothing_left()
print("carried")
"""


@pytest.mark.livekit
@pytest.mark.slow
@pytest.mark.parametrize("callback", ["native", "ctypes"])
def test_either_callback(livekit_room: Callable[[], RoomOnServer], callback: str) -> None:
    if callback == "native" and isinstance(load_native(), str):
        pytest.skip(f"no native callback: {load_native()}")
    room = livekit_room()
    targets = [room.connection_string(name) for name in ("ours", "other", "official")]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, TESTS, *targets],
        capture_output=True, text=True, timeout=55, check=False, env=os.environ | {"DCL_COMMS_CALLBACK": callback},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "carried\n"
