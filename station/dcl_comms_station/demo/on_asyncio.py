"""A part on asyncio: tasks read, play and listen; the block itself walks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dcl_comms_drivers.asyncio import Connection, connect

from dcl_comms_core import TrackKind, TrackSubscribed
from dcl_comms_station.demo.part import STEP_SECONDS, Part
from dcl_comms_station.residents.tone import LEAD_SECONDS, TAIL_SECONDS, Ear, tone

if TYPE_CHECKING:
    from threading import Event

    from dcl_comms_core import Track
    from dcl_comms_station.demo.venue import Ticket

__all__ = ["play"]


def play(ticket: Ticket, part: Part, curtain: Event) -> None:
    """Play until the part is done or the curtain falls."""
    asyncio.run(_play(ticket, part, curtain))


async def _play(ticket: Ticket, part: Part, curtain: Event) -> None:
    async with connect(ticket.target, **ticket.settings) as room, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(_read(room, part, tasks))
        while not (part.done or curtain.is_set()):
            part.step(room)
            if part.takes_the_microphone():
                tasks.create_task(_play_tone(room, part, curtain))
            await asyncio.sleep(STEP_SECONDS)
        reading.cancel()


async def _read(room: Connection, part: Part, tasks: asyncio.TaskGroup) -> None:
    async for event in room:
        part.take(event, room)
        if isinstance(event, TrackSubscribed) and event.track.kind is TrackKind.AUDIO:
            tasks.create_task(_listen(room, event.track, part))


async def _play_tone(room: Connection, part: Part, curtain: Event) -> None:
    """Play until everybody has heard it: on a busy machine some listen late."""
    async with room.publish_audio() as microphone:
        await asyncio.sleep(LEAD_SECONDS)
        while not (part.done or curtain.is_set()):
            for samples in tone():
                await microphone.write(samples)
            await asyncio.sleep(TAIL_SECONDS)


async def _listen(room: Connection, track: Track, part: Part) -> None:
    ear, sound = Ear(), room.audio(track)
    async for frame in sound:
        pitch = ear.listen(frame.data, frame.sample_rate)
        if pitch is not None:
            part.hear(pitch)
            break
    sound.close()
