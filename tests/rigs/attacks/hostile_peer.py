"""Somebody in a LiveKit room who means harm, on the official SDK: ``hostile_peer.py ATTACK``, its URL and token on standard input.

It says ``ready`` once it is in the room, begins half a second later, and goes on until it is ended.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from typing import TYPE_CHECKING

from dcl_comms_core import Chat, Packet, Scene
from dcl_comms_core.codec import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit import rtc

AT_ONCE = 16
WIDE = "\U0001f600"


async def streams(room: rtc.Room, _: int) -> None:
    writer = await room.local_participant.stream_bytes("file")
    for _ in range(20):
        await writer.write(bytes(15_000))
    await writer.aclose()


async def texts(room: rtc.Room, _: int) -> None:
    await room.local_participant.send_text(WIDE * 5_000, topic="words")


async def packets(room: rtc.Room, number: int) -> None:
    data = encode(Packet(chat=Chat(message=f"{number}{WIDE}" * 500, timestamp=float(number)), protocol_version=100))
    await room.local_participant.publish_data(data, reliable=True)


async def lossy(room: rtc.Room, _: int) -> None:
    data = encode(Packet(scene=Scene(scene_id="s", data=bytes(1_000)), protocol_version=100))
    await room.local_participant.publish_data(data, reliable=False)


async def topics(room: rtc.Room, number: int) -> None:
    await room.local_participant.publish_data(b"x", reliable=True, topic=f"{number}{WIDE * 3_000}")


async def attributes(room: rtc.Room, number: int) -> None:
    await room.local_participant.set_attributes({f"{each}": f"{number}" for each in range(4_000)})


async def metadata(room: rtc.Room, number: int) -> None:
    await room.local_participant.set_metadata(f"{number}{WIDE * 10_000}")


async def names(room: rtc.Room, number: int) -> None:
    await room.local_participant.set_name(f"{number}{WIDE * 50}")


async def tracks(room: rtc.Room, number: int) -> None:
    from livekit import rtc

    track = rtc.LocalAudioTrack.create_audio_track(f"{number}{WIDE * 50}", rtc.AudioSource(48_000, 1))
    publication = await room.local_participant.publish_track(track)
    await room.local_participant.unpublish_track(publication.sid)


async def transcriptions(room: rtc.Room, number: int) -> None:
    from livekit import rtc

    segment = rtc.TranscriptionSegment(
        id=f"{number}", text=WIDE * 3_000, start_time=0, end_time=1, language="en", final=True
    )
    said = rtc.Transcription(participant_identity=room.local_participant.identity, track_sid="TR_x", segments=[segment])
    await room.local_participant.publish_transcription(said)


ATTACKS: dict[str, Callable[[rtc.Room, int], Awaitable[None]]] = {
    "streams": streams,
    "streams of text": texts,
    "packets": packets,
    "lossy packets": lossy,
    "topics": topics,
    "attributes": attributes,
    "metadata": metadata,
    "names": names,
    "tracks": tracks,
    "transcriptions": transcriptions,
}


async def main() -> None:
    from livekit import rtc

    url, token = (sys.stdin.readline().strip() for _ in range(2))
    room = rtc.Room()
    await room.connect(url, token)
    print("ready", flush=True)
    await asyncio.sleep(0.5)
    attack, numbers, failures = ATTACKS[sys.argv[1]], itertools.count(), 0

    async def again() -> None:
        nonlocal failures
        while True:
            try:
                await attack(room, next(numbers))
            except Exception as error:
                failures += 1
                if failures == 1:
                    print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr, flush=True)
                await asyncio.sleep(0.01)

    # Elsewhere it would be on a machine of its own.
    os.nice(5)
    await asyncio.gather(*(again() for _ in range(1 if attack is tracks else AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main())
